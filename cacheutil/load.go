package cacheutil

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"time"
)

// retryAfter is how long a failed load is not repeated while an older value can
// be served.
const retryAfter = time.Second

// errNoReturn tells that a load has ended its goroutine.
var errNoReturn = errors.New("the load did not return")

// loaded is what a load has brought.
type loaded[T any] struct {
	value   T
	version int64
	err     error
	absent  bool // err is a "not found" that is kept
	ttl     time.Duration
	keep    bool
}

// load calls the loader and counts it.
func (c *Cache[T]) load(ctx context.Context, load func(context.Context) (T, error)) loaded[T] {
	wished := new(wish)
	value, err := c.counted(ctx, wished, load)
	return c.judge(value, err, wished)
}

func (c *Cache[T]) counted(ctx context.Context, wished *wish, load func(context.Context) (T, error)) (T, error) {
	began := time.Now()
	value, err := guarded(context.WithValue(ctx, loadKey{}, wished), load)
	c.stats.loads.Add(1)
	c.stats.loadTime.Add(int64(time.Since(began)))
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		err = fmt.Errorf("%w: %w", ErrHardTimeout, err)
	}
	return value, err
}

// judge decides what becomes of a load's result.
func (c *Cache[T]) judge(value T, err error, wish *wish) loaded[T] {
	got := loaded[T]{value: value, err: err, keep: !wish.noStore.Load()}
	if err == nil {
		got.version, err = c.version(value)
		got.err = err
	}
	switch {
	case err == nil:
		got.ttl = c.o.TTL
		if ttl := wish.ttl.Load(); ttl != 0 {
			got.ttl = time.Duration(ttl)
		}
	case c.o.NotFound(err):
		got.absent, got.ttl = true, c.o.NegativeTTL
	default:
		c.stats.loadErrors.Add(1)
		got.keep = false
	}
	got.ttl = jitter(got.ttl)
	got.keep = got.keep && got.ttl > 0
	return got
}

// version asks for the value's version; a panic is an error of the load: there is no
// telling what the value is.
func (c *Cache[T]) version(value T) (version int64, err error) {
	if c.o.Version == nil {
		return 0, nil
	}
	defer recovered("ask for the version of what was loaded", &err)
	return c.o.Version(value), nil
}

// guarded makes errors of a load's panics: it runs in a goroutine of the cache,
// where a panic would end the program.
func guarded[T any](ctx context.Context, load func(context.Context) (T, error)) (value T, err error) {
	err = errNoReturn
	defer func() {
		if reason := recover(); reason != nil {
			err = fmt.Errorf("the load has panicked: %v\n%s", reason, debug.Stack())
		}
	}()
	return load(ctx)
}

// jitter changes a time to live by up to 10 %.
func jitter(ttl time.Duration) time.Duration {
	if ttl <= 0 {
		return 0
	}
	return ttl + time.Duration((rand.Float64()-0.5)*0.2*float64(ttl)) //nolint:gosec // spreads load, no secret
}

// fill gets what the first tier does not have.
func (c *Cache[T]) fill(ctx context.Context, f *flight[T], q question, old *item[T], load func(context.Context) (T, error)) (*item[T], source, error) {
	if !q.put {
		if it, ok := c.again(f.place); ok {
			return it, fromLocal, nil
		}
	}
	switch {
	case f.place.adrift:
		return c.alone(ctx, f.place, old, load)
	case c.m.remote != nil:
		return c.fetch(ctx, f, q, old, load)
	}
	got := c.load(ctx, load)
	return c.result(f.place, f.at, c.keepLoaded(f.place, got, f.at), got, old)
}

// again looks into the first tier once more: a flight that has just landed may have
// stored the value after its reader had missed it.
func (c *Cache[T]) again(p place) (*item[T], bool) {
	if p.adrift {
		return nil, false
	}
	it, ok := c.lookup(p.key, p.generation)
	return it, ok && (!it.timed || c.m.clock.NowNano() < it.end)
}

// keepLoaded stores what was loaded without Valkey.
func (c *Cache[T]) keepLoaded(p place, got loaded[T], at fence) *item[T] {
	if !got.keep {
		return c.plain(p, got)
	}
	size, ok := 0, true
	if !got.absent {
		size, ok = c.size(got.value, nil)
	}
	it := c.item(p, got, size)
	if ok {
		c.keep(p, it, at)
	}
	return it
}

// alone loads without storing what it gets.
func (c *Cache[T]) alone(ctx context.Context, p place, old *item[T], load func(context.Context) (T, error)) (*item[T], source, error) {
	at := c.m.local.fences.current(p.key)
	got := c.load(ctx, load)
	return c.result(p, at, c.plain(p, got), got, old)
}

// item makes an item of what was loaded, for the first tier.
func (c *Cache[T]) item(p place, got loaded[T], size int) *item[T] {
	it := c.plain(p, got)
	if it == nil {
		return nil
	}
	ttl := c.m.localTTL(got.ttl)
	it.weight.Store(weigh(p.key, size))
	if got.absent {
		it.span(c.m.clock.NowNano(), ttl, 0, 0)
		return it
	}
	it.span(c.m.clock.NowNano(), ttl, c.o.MaxStale, c.o.RefreshAhead)
	return it
}

// plain makes an item that is handed out and not kept; none of a failed load.
func (c *Cache[T]) plain(p place, got loaded[T]) *item[T] {
	if got.err != nil && !got.absent {
		return nil
	}
	it := &item[T]{}
	it.generation, it.stats = p.generation, c.stats
	if got.absent {
		it.absent = got.err
		return it
	}
	it.value, it.version = got.value, got.version
	return it
}

// size estimates the bytes of a value in memory. It is false for one that is too
// large to keep.
func (c *Cache[T]) size(value T, encoded []byte) (int, bool) {
	if c.o.Size != nil {
		size, err := c.askSize(value)
		return size, err == nil && len(encoded) <= c.o.MaxBytes
	}
	if encoded == nil {
		var err error
		if encoded, err = c.o.Codec.Encode(value); err != nil {
			return 0, false
		}
	}
	return 2 * len(encoded), len(encoded) <= c.o.MaxBytes
}

func (c *Cache[T]) askSize(value T) (size int, err error) {
	defer recovered("ask for the size of a value", &err)
	return c.o.Size(value), nil
}

// localTTL bounds the life of an entry without a common Valkey.
func (m *Manager) localTTL(ttl time.Duration) time.Duration {
	if m.cfg.URL == "" && m.cfg.LocalMaxTTL > 0 {
		return min(ttl, m.cfg.LocalMaxTTL)
	}
	return ttl
}

// keep stores the item in the first tier.
func (c *Cache[T]) keep(p place, it *item[T], at fence) {
	if !c.m.local.store(p.key, it, at) {
		c.stats.discarded.Add(1)
	}
}

// result is what a load's callers get: its value, its error, or in need the old
// value.
func (c *Cache[T]) result(p place, at fence, it *item[T], got loaded[T], old *item[T]) (*item[T], source, error) {
	if it != nil {
		return it, fromLoad, nil
	}
	if old == nil || old.absent != nil {
		return nil, fromLoad, got.err
	}
	now := c.m.clock.NowNano()
	if now >= old.gone {
		return nil, fromLoad, got.err
	}
	// The old value stands in for a while, so that not every reader tries again.
	again := &item[T]{value: old.value}
	again.generation, again.version, again.stats = old.generation, old.version, old.stats
	again.weight.Store(old.weight.Load())
	again.span(now, min(retryAfter, time.Duration(old.gone-now)), 0, 0)
	again.gone, again.timed, again.stale = old.gone, true, true
	c.m.local.store(p.key, again, at)
	return again, fromStale, nil
}

// refreshAhead has the value loaded again by one caller, in the background.
func (c *Cache[T]) refreshAhead(ctx context.Context, p place, it *item[T], now int64, load func(context.Context) (T, error)) {
	due := it.refresh.Load()
	if now < due || !it.refresh.CompareAndSwap(due, later(now, retryAfter)) {
		return
	}
	c.m.spawn(func() {
		ctx, cancel := c.m.detached(ctx, c.o.HardTimeout)
		defer cancel()
		c.stats.refreshes.Add(1)
		c.refresh(ctx, p, load)
	})
}

// refresh loads a value that is still fresh. With Valkey one process does.
func (c *Cache[T]) refresh(ctx context.Context, p place, load func(context.Context) (T, error)) {
	at := c.m.local.fences.current(p.key)
	if c.m.remote != nil {
		t := c.taking(p)
		t.ahead = true
		answer, err := c.m.remote.take(ctx, t)
		if err == nil && answer.state == takeMine {
			_, _, _ = c.loadAndStore(ctx, p, at, t.token, answer.space, nil, load) // its figures tell
		}
		return
	}
	c.keepLoaded(p, c.load(ctx, load), at)
}
