package cacheutil

import (
	"context"
	"sync"
	"time"
)

// flights are the reads in progress beyond the first tier, by key.
type flights[T any] struct {
	mu    *sync.Mutex
	byKey map[string]*flight[T]
}

// flight is one such read. Callers may join it and leave it; it goes on.
type flight[T any] struct {
	place place
	at    fence

	// old is a stale value from Valkey; hasOld is closed when it is there.
	old    *item[T]
	hasOld chan struct{}

	// done is closed when what follows is set. The channels are made when someone is
	// to wait: most hits in Valkey are of one caller, who asks himself.
	done chan struct{}
	item *item[T]
	err  error
	from source
}

func newFlights[T any]() flights[T] {
	return flights[T]{mu: new(sync.Mutex), byKey: map[string]*flight[T]{}}
}

// join returns the flight of the key, a new one if there is none to join: one
// that began before an invalidation would hand out what was invalidated.
func (fs *flights[T]) join(p place, at fence) (f *flight[T], mine bool) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if f, ok := fs.byKey[p.key]; ok && f.at == at && f.place == p {
		f.watch()
		return f, false
	}
	f = &flight[T]{place: p, at: at}
	fs.byKey[p.key] = f
	return f, true
}

// watch makes the channels. The flights are locked.
func (f *flight[T]) watch() {
	if f.done == nil {
		f.hasOld, f.done = make(chan struct{}), make(chan struct{})
	}
}

// land ends the flight.
func (fs *flights[T]) land(f *flight[T], it *item[T], from source, err error) {
	fs.mu.Lock()
	if fs.byKey[f.place.key] == f {
		delete(fs.byKey, f.place.key)
	}
	done := f.done
	fs.mu.Unlock()
	f.item, f.from, f.err = it, from, err
	if done != nil {
		close(done)
	}
}

// launch runs the flight in a goroutine of its own, from its first question on.
func (c *Cache[T]) launch(ctx context.Context, f *flight[T], q question, old *item[T], load func(context.Context) (T, error)) {
	c.flights.mu.Lock()
	f.watch()
	c.flights.mu.Unlock()
	flying, cancel := c.m.detached(ctx, c.o.HardTimeout)
	c.m.spawn(func() {
		defer cancel()
		it, from, err := c.fill(flying, f, q, old, load)
		c.flights.land(f, it, from, err)
	})
}

// await waits for the flight, or for a reason to wait no longer.
func (c *Cache[T]) await(ctx context.Context, f *flight[T], old *item[T]) (*item[T], error) {
	var soft <-chan time.Time
	if c.o.SoftTimeout > 0 && c.o.MaxStale > 0 {
		timer := time.NewTimer(c.o.SoftTimeout)
		defer timer.Stop()
		soft = timer.C
	}
	hard := time.NewTimer(c.o.HardTimeout)
	defer hard.Stop()
	var hasOld <-chan struct{}
	for {
		select {
		case <-f.done:
			return c.landed(ctx, f)
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-soft:
			if old != nil {
				c.serveStale(ctx)
				return old, nil
			}
			soft, hasOld = nil, f.hasOld
		case <-hasOld:
			c.serveStale(ctx)
			return f.old, nil
		case <-hard.C:
			return c.overdue(ctx, f, old)
		}
	}
}

// landed counts what the flight has brought to one caller.
func (c *Cache[T]) landed(ctx context.Context, f *flight[T]) (*item[T], error) {
	switch f.from {
	case fromLocal:
		c.stats.beyond.Add(-1)
		c.stats.hitsLocal.inc()
		if f.item.stale {
			c.serveStale(ctx)
		}
	case fromRemote:
		c.stats.hitsRemote.Add(1)
	case fromStale:
		c.stats.misses.Add(1)
		c.stats.stale.Add(1)
	default:
		c.stats.misses.Add(1)
	}
	tell(ctx, f.from)
	return f.item, f.err
}

// overdue answers when the load has passed its hard limit.
func (c *Cache[T]) overdue(ctx context.Context, f *flight[T], old *item[T]) (*item[T], error) {
	select {
	case <-f.done: // just in time
		return c.landed(ctx, f)
	default:
	}
	c.stats.misses.Add(1)
	select {
	case <-f.hasOld:
		old = f.old
	default:
	}
	if old != nil && c.m.clock.NowNano() < old.gone {
		c.serveStale(ctx)
		return old, nil
	}
	return nil, ErrHardTimeout
}
