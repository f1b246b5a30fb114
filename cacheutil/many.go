package cacheutil

import (
	"context"
	"maps"
)

// GetMany returns the values of the keys; keys that do not exist are left out.
// What is missing is loaded by one call of load, which returns the values of the
// keys that exist. The rest is as with Get.
func (c *Cache[T]) GetMany(ctx context.Context, keys []string, load func(ctx context.Context, missing []string) (map[string]T, error)) (map[string]T, error) {
	values := make(map[string]T, len(keys))
	var missing []string
	for _, key := range keys {
		if it, ok := c.lookup(key, ""); ok && it.absent == nil && !it.timed {
			c.stats.hitsLocal.add(1)
			values[key] = it.value
			continue
		}
		missing = append(missing, key)
	}
	if len(missing) == 0 {
		return values, nil
	}
	got, err := load(ctx, missing)
	maps.Copy(values, got)
	return values, err
}
