package cacheutil

import "context"

// Put tells the cache a value that was just written, after the commit. With
// WriteThrough it is stored, unless a newer one is there; with CacheAside, and
// for a value without a version, the entry is dropped. Writers may call it in any
// order.
//
// Put does not fail, and waits no longer than Config.CallTimeout twice, for what it puts
// and for the drop of what Valkey did not take. That is repeated, and until then the key
// is loaded.
func (c *Cache[T]) Put(ctx context.Context, key string, value T) {
	var version int64
	if c.o.Version != nil {
		version = c.o.Version(value)
	}
	if c.o.Strategy != WriteThrough || version <= 0 {
		c.Invalidate(ctx, key, version)
		return
	}
	got := loaded[T]{value: value, version: version, ttl: jitter(c.o.TTL), keep: true}
	if c.m.remote == nil {
		size, ok := c.size(value, nil)
		if !ok {
			c.Invalidate(ctx, key, version)
			return
		}
		c.m.local.write(key, c.item(place{key: key}, got, size))
		return
	}
	_, s, ok := c.toStore(place{key: key}, got)
	if ok && !c.m.remote.journal.has(subject{name: key}) {
		err := c.m.remote.put(context.WithoutCancel(ctx), key, s)
		if err == nil {
			c.m.local.drop(key, version)
			return
		}
		c.failed(err)
	}
	// What Valkey may or may not have taken is dropped.
	c.Invalidate(ctx, key, version)
}

// Invalidate drops the entry of the key, after the commit that made it wrong. The
// version is the written row's; 0: unknown. A value that is known to be newer
// stays. It does not fail either, and waits no longer than Config.CallTimeout.
func (c *Cache[T]) Invalidate(ctx context.Context, key string, version int64) {
	if err := c.m.invalidate(ctx, invalidation{subject{name: key}, version}); err != nil {
		c.failed(err)
	}
}

// InvalidateKeys drops the entries of the keys, whatever cache they are of, in
// one round trip for each 500. It fails and waits as Cache.Invalidate does, for each.
func (m *Manager) InvalidateKeys(ctx context.Context, keys ...string) {
	all := make([]invalidation, len(keys))
	for i, key := range keys {
		all[i].name = key
	}
	_ = m.invalidate(ctx, all...) // it is repeated
}

// InvalidateGroup drops all entries of the groups. It fails and waits as
// InvalidateKeys does.
func (m *Manager) InvalidateGroup(ctx context.Context, groups ...string) {
	all := make([]invalidation, len(groups))
	for i, group := range groups {
		all[i].subject = subject{name: group, group: true}
	}
	_ = m.invalidate(ctx, all...) // it is repeated
}

// invalidate drops in Valkey first: what a reader gets from there meanwhile is
// not kept, because the fence moves afterwards. The error is Valkey's, and the
// journal has what it did not take.
func (m *Manager) invalidate(ctx context.Context, all ...invalidation) (err error) {
	if m.remote != nil {
		err = m.remote.invalidate(context.WithoutCancel(ctx), all)
	}
	for _, one := range all {
		if one.group {
			m.dropGroup(one.name)
		} else {
			m.local.drop(one.name, one.version)
		}
	}
	return err
}
