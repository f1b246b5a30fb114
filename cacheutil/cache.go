package cacheutil

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
)

// Cache caches values of one type under string keys. A key names the same thing
// in all caches of all programs that share a Valkey: begin it with the kind of
// the value, as in "user:42".
//
// Values are shared: a hit hands out the same value to every reader, who must not
// change it or what it refers to. All methods may be called concurrently.
type Cache[T any] struct {
	m       *Manager
	o       Options[T]
	stats   *counters
	flights flights[T]
	shape   uint32 // of T
}

// New makes a cache. Caches of one name share their figures.
func New[T any](m *Manager, o Options[T]) (*Cache[T], error) {
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return nil, fmt.Errorf("make cache %q: %w", o.Name, err)
	}
	shape := shapeOf(reflect.TypeFor[T]())
	stats := m.register(named{
		name:     o.Name,
		counters: new(counters),
		shape:    shape,
		json: func(payload []byte) ([]byte, error) {
			value, err := o.Codec.Decode(payload)
			if err != nil {
				return nil, err
			}
			return json.Marshal(value)
		},
	})
	return &Cache[T]{m: m, o: o, stats: stats, flights: newFlights[T](), shape: shape}, nil
}

// Get returns the value of the key: from process memory, from Valkey, or by load.
//
// Of all that miss a key at once, one loads, and the others get its result; with
// Valkey this holds for all processes together. The load runs under a context of
// its own with ctx's values: a caller that leaves does not cancel it. It ends at
// Options.HardTimeout.
//
// Get returns the load's error, Options.NotFoundError for a negative entry,
// ErrHardTimeout, or ctx's error. Trouble with Valkey is never an error: the value
// is loaded. When the load fails, a value within Options.MaxStale is returned
// instead; a Trace tells so.
func (c *Cache[T]) Get(ctx context.Context, key string, load func(context.Context) (T, error)) (T, error) {
	if c.m.cfg.Observer != nil {
		return c.observed(ctx, func(ctx context.Context) (T, error) { return c.read(ctx, key, load) })
	}
	return c.read(ctx, key, load)
}

func (c *Cache[T]) read(ctx context.Context, key string, load func(context.Context) (T, error)) (T, error) {
	it, ok := c.lookup(key, "")
	if ok && !it.timed {
		c.stats.hitsLocal.inc()
		return it.value, it.absent
	}
	it, err := c.get(ctx, place{key: key}, it, load)
	return value(it, err)
}

// place is where an entry lives.
type place struct {
	key string
	// generation is that of the entry's group, empty outside one.
	generation string
	// adrift is set when the group's generation cannot be known: the entry is
	// neither looked for nor kept. since is the group's fence then, so that nobody
	// joins a load from before the group was dropped.
	adrift bool
	since  fence
}

// value takes a result apart.
func value[T any](it *item[T], err error) (T, error) {
	if it == nil {
		var zero T
		return zero, err
	}
	return it.value, it.absent
}

// lookup finds an item in the first tier.
func (c *Cache[T]) lookup(key, generation string) (*item[T], bool) {
	local := c.m.local
	e, ok := local.entries.GetIfPresent(key)
	if !ok {
		return nil, false
	}
	it, ok := e.(*item[T])
	if !ok || it.epoch != local.fences.epoch.Load() || it.generation != generation {
		return nil, false
	}
	return it, true
}

// get is the way of all reads. The item is what the first tier has, if anything.
func (c *Cache[T]) get(ctx context.Context, p place, it *item[T], load func(context.Context) (T, error)) (*item[T], error) {
	if it != nil {
		if it.timed {
			now := c.m.clock.NowNano()
			if now >= it.end {
				return c.miss(ctx, p, it, load)
			}
			if now >= it.refresh.Load() {
				c.refreshAhead(ctx, p, it, now, load)
			}
		}
		c.stats.hitsLocal.inc()
		if it.stale {
			c.serveStale(ctx)
		}
		return it, nil
	}
	return c.miss(ctx, p, nil, load)
}

func (c *Cache[T]) serveStale(ctx context.Context) {
	c.stats.stale.Add(1)
	tell(ctx, fromStale)
}

// miss joins or starts the flight of the key and waits for it.
func (c *Cache[T]) miss(ctx context.Context, p place, old *item[T], load func(context.Context) (T, error)) (*item[T], error) {
	c.stats.beyond.Add(1)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	f, mine := c.flights.join(p, c.m.local.fences.current(p.key))
	if !mine {
		return c.await(ctx, f, old)
	}
	var q question
	if c.m.remote != nil && !p.adrift {
		var it *item[T]
		if it, q = c.ask(ctx, f); it != nil {
			c.flights.land(f, it, fromRemote, nil)
			return c.landed(ctx, f)
		}
	}
	c.launch(ctx, f, q, old, load)
	return c.await(ctx, f, old)
}
