package cacheutil

import "context"

// Put tells the cache a value that was just written, after the commit. With
// WriteThrough it is stored, unless a newer one is there; with CacheAside, and
// for a value without a version, the entry is dropped. Writers may call it in any
// order.
//
// Put does not fail and does not wait longer than Config.CallTimeout: what Valkey
// did not take is repeated, and until then the key is loaded.
func (c *Cache[T]) Put(ctx context.Context, key string, value T) {
	var version int64
	if c.o.Version != nil {
		version = c.o.Version(value)
	}
	if c.o.Strategy != WriteThrough || version <= 0 {
		c.Invalidate(ctx, key, version)
		return
	}
	it := c.item(place{key: key}, loaded[T]{value: value, ttl: jitter(c.o.TTL)}, nil)
	c.m.local.write(key, it)
}

// Invalidate drops the entry of the key, after the commit that made it wrong. The
// version is the written row's; 0: unknown. A value that is known to be newer
// stays. It fails and waits as Put does.
func (c *Cache[T]) Invalidate(ctx context.Context, key string, version int64) {
	c.m.invalidate(ctx, key, version)
}

// InvalidateKeys drops the entries of the keys, whatever cache they are of.
func (m *Manager) InvalidateKeys(ctx context.Context, keys ...string) {
	for _, key := range keys {
		m.invalidate(ctx, key, 0)
	}
}

func (m *Manager) invalidate(_ context.Context, key string, version int64) {
	m.local.drop(key, version)
}
