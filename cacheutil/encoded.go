package cacheutil

import (
	"context"
	"fmt"
)

// GetEncoded is Get for callers that need the value encoded in another form, such
// as the body of an answer. What encode returns is kept beside the value and
// lives exactly as long: encode runs once for each value that is in process
// memory. The bytes are shared and must not be changed.
//
// For one key it must always be the same encode. Its error is returned and not
// kept.
func (c *Cache[T]) GetEncoded(ctx context.Context, key string, load func(context.Context) (T, error), encode func(T) ([]byte, error)) (T, []byte, error) {
	it, _ := c.lookup(key, "")
	it, err := c.get(ctx, place{key: key}, it, load)
	if err != nil || it.absent != nil {
		value, err := value(it, err)
		return value, nil, err
	}
	encoded, err := c.encode(key, it, encode)
	return it.value, encoded, err
}

func (c *Cache[T]) encode(key string, it *item[T], encode func(T) ([]byte, error)) ([]byte, error) {
	it.mu.Lock()
	defer it.mu.Unlock()
	if it.encoded != nil {
		return it.encoded, nil
	}
	encoded, err := encode(it.value)
	if err != nil {
		return nil, fmt.Errorf("encode the value of %q: %w", key, err)
	}
	it.encoded = encoded
	c.m.local.grow(key, it, len(encoded))
	return encoded, nil
}
