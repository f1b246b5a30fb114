package cacheutil

import (
	"context"
	"errors"
	"time"
)

// What bounds the wait for another's load: a wake can be lost, with its
// connection, and without tracking none comes.
const (
	maxWait     = 250 * time.Millisecond
	untoldWait  = 20 * time.Millisecond
	maxCorrupt  = 2
	patientFor  = 2 // leases that are waited for before a load without one
	tokenLength = generationLength
)

// question is one that was put to Valkey for a flight, and what came of it. The zero
// value is one that is yet to be put.
type question struct {
	put bool
	// at comes before all else: whoever drops the key keeps it in the journal before
	// the fence moves.
	at     fence
	kept   bool // in the journal: Valkey was not asked
	token  string
	answer taken
	err    error
}

// question asks for the key's value or lease.
func (c *Cache[T]) question(ctx context.Context, p place) question {
	q := question{put: true, at: c.m.local.fences.current(p.key)}
	if c.m.remote.journal.has(subject{name: p.key}) {
		q.kept = true
		return q
	}
	t := c.taking(p)
	q.token = t.token
	q.answer, q.err = c.m.remote.take(ctx, t)
	return q
}

// ask has the caller that has begun a flight put its first question: a hit in Valkey
// needs no goroutine of its own. It returns nil if there is more to do.
func (c *Cache[T]) ask(ctx context.Context, f *flight[T]) (*item[T], question) {
	p := f.place
	if _, ok := c.again(p); ok {
		return nil, question{}
	}
	q := c.question(ctx, p)
	if q.err != nil && ctx.Err() != nil {
		// The caller leaves, and the flight goes on for the others.
		if q.answer.space != nil {
			c.giveBack(ctx, storing{space: q.answer.space, key: p.key, token: q.token, release: true})
		}
		return nil, question{}
	}
	if q.err == nil && q.answer.state == takeHit {
		if it, err := c.decode(p, q.answer); err == nil {
			c.keep(p, it, q.at)
			return it, q
		}
	}
	return nil, q
}

// fetch gets a value from Valkey, or loads it under a lease, or waits for the
// process that does. The first question may have been put.
func (c *Cache[T]) fetch(ctx context.Context, f *flight[T], q question, old *item[T], load func(context.Context) (T, error)) (*item[T], source, error) {
	r, p := c.m.remote, f.place
	patience := time.Now().Add(patientFor * c.o.LeaseTTL)
	var waiting *waiter
	defer func() { r.waiters.done(p.key, waiting) }()
	for corrupt := 0; corrupt < maxCorrupt && time.Now().Before(patience); q = (question{}) {
		if !q.put {
			q = c.question(ctx, p)
		}
		switch {
		case q.kept:
			return c.alone(ctx, p, old, load)
		case q.err != nil:
			c.failed(q.err)
			return c.unsure(ctx, p, q, old, load)
		case q.answer.state == takeHit:
			it, err := c.decode(p, q.answer)
			if err != nil {
				corrupt++
				c.corrupt(ctx, p, q.answer)
				continue
			}
			c.keep(p, it, q.at)
			return it, fromRemote, nil
		case q.answer.state == takeMine:
			old = c.offer(f, q.answer, old)
			return c.loadAndStore(ctx, p, q.at, q.token, q.answer.space, old, load)
		}
		old = c.offer(f, q.answer, old)
		// Whoever waits begins so before a question, so that no wake is missed.
		if waiting != nil {
			c.waitFor(ctx, waiting, q.answer.wait)
			r.waiters.done(p.key, waiting)
		}
		waiting = r.waiters.add(p.key)
		if ctx.Err() != nil {
			return c.result(p, q.at, nil, loaded[T]{err: ErrHardTimeout}, old)
		}
	}
	return c.alone(ctx, p, old, load)
}

// unsure loads after a question that was not answered. If Valkey gives the lease
// late, the load may have begun before an invalidation that the lease does not
// know of: nothing is stored in Valkey, and the lease is given back to those that
// wait. Process memory may keep the value of a question that got no answer: what
// is changed after the fence is told, whoever asked what. A Valkey that refuses may
// refuse invalidations too.
func (c *Cache[T]) unsure(ctx context.Context, p place, q question, old *item[T], load func(context.Context) (T, error)) (*item[T], source, error) {
	at := c.m.local.fences.current(p.key)
	got := c.load(ctx, load)
	if q.answer.space != nil {
		c.giveBack(ctx, storing{space: q.answer.space, key: p.key, token: q.token, release: true})
	}
	if answered(q.err) {
		return c.result(p, at, c.plain(p, got), got, old)
	}
	return c.result(p, at, c.keepLoaded(p, got, at), got, old)
}

// giveBack gives leases back that may have been granted. Nobody waits for it.
func (c *Cache[T]) giveBack(ctx context.Context, leases ...storing) {
	c.m.spawn(func() {
		_, _ = c.m.remote.storeAll(context.WithoutCancel(ctx), leases)
	})
}

func (c *Cache[T]) taking(p place) taking {
	return taking{key: p.key, generation: p.generation, token: newName(), lease: c.o.LeaseTTL}
}

// failed counts a call that Valkey did not answer as it should. Not to have asked
// is no failure.
func (c *Cache[T]) failed(err error) {
	if !errors.Is(err, errAway) {
		c.stats.errors.Add(1)
	}
}

// offer shows a value past its time to those that wait for the flight.
func (c *Cache[T]) offer(f *flight[T], answer taken, old *item[T]) *item[T] {
	if answer.data == "" || answer.left <= 0 || f.old != nil {
		return old
	}
	s, err := c.open(f.place, answer.data)
	if err != nil || s.kind != kindValue {
		return old
	}
	value, err := c.o.Codec.Decode(s.payload)
	if err != nil {
		return old
	}
	it := &item[T]{value: value}
	it.generation, it.version, it.stats = f.place.generation, s.version, c.stats
	size, _ := c.size(value, s.payload)
	it.weight.Store(weigh(f.place.key, size))
	it.gone = later(c.m.clock.NowNano(), answer.left)
	f.old = it
	close(f.hasOld)
	return it
}

// waitFor waits for another's load.
func (c *Cache[T]) waitFor(ctx context.Context, waiter *waiter, lease time.Duration) {
	limit := min(max(lease, time.Millisecond), maxWait)
	if !c.m.local.usable.Load() {
		limit = min(limit, untoldWait)
	}
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-waiter.woken:
	case <-timer.C:
	case <-ctx.Done():
	}
}

// open reads a value's head and checks that it is one of this cache.
func (c *Cache[T]) open(p place, data string) (stored, error) {
	s, err := decodeStored(data)
	if err == nil && (s.shape != c.shape || s.generation != p.generation) {
		err = errForeign
	}
	return s, err
}

// decode makes an item of a fresh value.
func (c *Cache[T]) decode(p place, answer taken) (*item[T], error) {
	s, err := c.open(p, answer.data)
	if err != nil {
		return nil, err
	}
	it := &item[T]{}
	it.generation, it.version, it.stats = p.generation, s.version, c.stats
	now := c.m.clock.NowNano()
	if s.kind == kindNegative {
		it.absent = c.o.NotFoundError
		it.weight.Store(weigh(p.key, 0))
		it.span(now, answer.left, 0, 0)
		return it, nil
	}
	if it.value, err = c.o.Codec.Decode(s.payload); err != nil {
		return nil, err
	}
	size, _ := c.size(it.value, s.payload)
	it.weight.Store(weigh(p.key, size))
	it.span(now, answer.left, s.stale, c.o.RefreshAhead)
	if c.o.RefreshAhead > 0 {
		spent := s.ttl - answer.left
		it.refresh.Store(later(now, max(time.Duration(float64(s.ttl)*c.o.RefreshAhead)-spent, 0)))
	}
	return it, nil
}

// corrupt counts a value that cannot be read and has it replaced.
func (c *Cache[T]) corrupt(ctx context.Context, p place, answer taken) {
	c.stats.corrupt.Add(1)
	c.m.remote.discard(ctx, answer.space, p.key, answer.data)
}

// loadAndStore loads under a lease.
func (c *Cache[T]) loadAndStore(ctx context.Context, p place, at fence, token string, space *keyspace, old *item[T], load func(context.Context) (T, error)) (*item[T], source, error) {
	got := c.load(ctx, load)
	it, s, ok := c.toStore(p, got)
	// The load may have used up its time, the lease is to be given back still.
	ctx = context.WithoutCancel(ctx)
	if !ok {
		c.m.remote.release(ctx, space, p.key, token)
		return c.result(p, at, it, got, old)
	}
	accepted, err := c.m.remote.store(ctx, space, p.key, token, s)
	c.settle(p, at, it, accepted, err)
	return it, fromLoad, nil
}

// toStore makes of what was loaded an item and the form for Valkey, if it is to
// be stored.
func (c *Cache[T]) toStore(p place, got loaded[T]) (*item[T], stored, bool) {
	if !got.keep {
		return c.plain(p, got), stored{}, false
	}
	s := stored{kind: kindNegative, ttl: got.ttl, shape: c.shape, generation: p.generation}
	if !got.absent {
		var err error
		if s.payload, err = c.o.Codec.Encode(got.value); err != nil {
			c.stats.errors.Add(1)
			return c.plain(p, got), stored{}, false
		}
		if len(s.payload) > c.o.MaxBytes {
			return c.plain(p, got), stored{}, false
		}
		s.kind, s.stale = kindValue, c.o.MaxStale
	}
	size := 0
	if !got.absent {
		size, _ = c.size(got.value, s.payload)
	}
	it := c.item(p, got, size)
	s.version = it.version
	return it, s, true
}

// settle keeps in process memory what Valkey has accepted.
func (c *Cache[T]) settle(p place, at fence, it *item[T], accepted bool, err error) {
	switch {
	case err != nil:
		c.failed(err)
	case !accepted:
		c.stats.discarded.Add(1)
	default:
		c.keep(p, it, at)
	}
}
