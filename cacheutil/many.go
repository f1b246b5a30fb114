package cacheutil

import (
	"context"
	"fmt"
)

// seat is a key of a bulk read with its flight.
type seat[T any] struct {
	flight *flight[T]
	old    *item[T]
	mine   bool
}

// bulkLoad loads what is missing.
type bulkLoad[T any] = func(ctx context.Context, missing []string) (map[string]T, error)

// GetMany returns the values of the keys; keys that do not exist are left out.
// Valkey is asked once for all that process memory does not have, and what is
// missing then is loaded by one call of load, which returns the values of the keys
// that exist. Keys that others are loading are waited for. The rest is as with
// Get; an error is that of the first key that has one, beside the values of those
// that have none.
func (c *Cache[T]) GetMany(ctx context.Context, keys []string, load func(ctx context.Context, missing []string) (map[string]T, error)) (map[string]T, error) {
	values := make(map[string]T, len(keys))
	seen := make(map[string]bool, len(keys))
	var seats, mine []seat[T]
	for _, key := range keys {
		if seen[key] {
			continue
		}
		seen[key] = true
		it, fresh := c.glance(ctx, key, load)
		if fresh {
			if it.absent == nil {
				values[key] = it.value
			}
			continue
		}
		c.stats.beyond.Add(1)
		s := seat[T]{old: it}
		s.flight, s.mine = c.flights.join(place{key: key}, c.m.local.fences.current(key))
		seats = append(seats, s)
		if s.mine {
			mine = append(mine, s)
		}
	}
	if len(mine) > 0 {
		c.launchMany(ctx, mine, load)
	}
	return values, c.collect(ctx, seats, values)
}

// glance looks for a fresh item in the first tier; one past its time is returned
// too.
func (c *Cache[T]) glance(ctx context.Context, key string, load bulkLoad[T]) (it *item[T], fresh bool) {
	it, ok := c.lookup(key, "")
	if !ok {
		return nil, false
	}
	if it.timed {
		now := c.m.clock.NowNano()
		if now >= it.end {
			return it, false
		}
		if now >= it.refresh.Load() {
			c.refreshAhead(ctx, place{key: key}, it, now, c.single(key, load))
		}
	}
	c.stats.hitsLocal.inc()
	if it.stale {
		c.serveStale(ctx)
	}
	return it, true
}

// single is the bulk load for one key.
func (c *Cache[T]) single(key string, load bulkLoad[T]) func(context.Context) (T, error) {
	return func(ctx context.Context) (T, error) {
		values, err := load(ctx, []string{key})
		value, ok := values[key]
		if err == nil && !ok {
			err = c.o.NotFoundError
		}
		return value, err
	}
}

// collect waits for the flights and gathers their values.
func (c *Cache[T]) collect(ctx context.Context, seats []seat[T], values map[string]T) error {
	var first error
	for _, s := range seats {
		it, err := c.await(ctx, s.flight, s.old)
		switch {
		case err == nil && it.absent == nil:
			values[s.flight.place.key] = it.value
		case err != nil && first == nil && !c.o.NotFound(err):
			first = err
		}
	}
	return first
}

func (c *Cache[T]) launchMany(ctx context.Context, mine []seat[T], load bulkLoad[T]) {
	c.flights.mu.Lock()
	for _, s := range mine {
		s.flight.watch()
	}
	c.flights.mu.Unlock()
	flying, cancel := c.m.detached(ctx, c.o.HardTimeout)
	c.m.spawn(func() {
		defer cancel()
		missing := mine[:0]
		for _, s := range mine {
			if it, ok := c.again(s.flight.place); ok {
				c.flights.land(s.flight, it, fromLocal, nil)
			} else {
				missing = append(missing, s)
			}
		}
		if len(missing) > 0 {
			c.fillMany(flying, missing, load)
		}
	})
}

// lease is a seat whose value is to be loaded.
type lease[T any] struct {
	seat[T]
	at    fence
	token string
	space *keyspace // nil: there is no lease
	// unsure leases are given back, nothing is stored in Valkey under them.
	unsure bool
}

// fillMany gets what the first tier does not have.
func (c *Cache[T]) fillMany(ctx context.Context, mine []seat[T], load bulkLoad[T]) {
	if c.m.remote == nil {
		leases := make([]lease[T], len(mine))
		for i, s := range mine {
			leases[i] = lease[T]{seat: s, at: s.flight.at}
		}
		c.loadMany(ctx, leases, load)
		return
	}
	leases, others := c.takeMany(ctx, mine)
	done := make(chan struct{})
	for _, s := range others {
		go func() {
			defer func() { done <- struct{}{} }()
			it, from, err := c.fill(ctx, s.flight, question{}, s.old, c.single(s.flight.place.key, load))
			c.flights.land(s.flight, it, from, err)
		}()
	}
	if len(leases) > 0 {
		c.loadMany(ctx, leases, load)
	}
	for range others {
		<-done
	}
}

// takeMany asks Valkey for all seats at once. It lands those that Valkey has, and
// returns those to be loaded and those that another process loads.
func (c *Cache[T]) takeMany(ctx context.Context, mine []seat[T]) (leases []lease[T], others []seat[T]) {
	r := c.m.remote
	var asked []lease[T]
	var questions []taking
	for _, s := range mine {
		p := s.flight.place
		l := lease[T]{seat: s, at: c.m.local.fences.current(p.key)}
		if r.journal.has(subject{name: p.key}) {
			leases = append(leases, l)
			continue
		}
		t := c.taking(p)
		l.token = t.token
		asked, questions = append(asked, l), append(questions, t)
	}
	answers, errs := r.takeAll(ctx, questions)
	for i, l := range asked {
		p := l.flight.place
		switch {
		case errs[i] != nil:
			c.failed(errs[i])
			l.space, l.unsure = answers[i].space, !answered(errs[i]) // see Cache.unsure
			leases = append(leases, l)
		case answers[i].state == takeHit:
			it, err := c.decode(p, answers[i])
			if err != nil {
				c.corrupt(ctx, p, answers[i])
				others = append(others, l.seat)
				continue
			}
			c.keep(p, it, l.at)
			c.flights.land(l.flight, it, fromRemote, nil)
		case answers[i].state == takeMine:
			l.old = c.offer(l.flight, answers[i], l.old)
			l.space = answers[i].space
			leases = append(leases, l)
		default:
			others = append(others, l.seat)
		}
	}
	return leases, others
}

// loadMany loads the values by one call and stores them in one round trip.
func (c *Cache[T]) loadMany(ctx context.Context, leases []lease[T], load bulkLoad[T]) {
	keys := make([]string, len(leases))
	for i, l := range leases {
		keys[i] = l.flight.place.key
	}
	got := c.loadAll(ctx, keys, load)
	items := make([]*item[T], len(leases))
	var stores, unsure []storing
	var storedAt []int
	for i, l := range leases {
		p := l.flight.place
		switch {
		case c.m.remote == nil || l.unsure:
			items[i] = c.keepLoaded(p, got[i], l.at)
			if l.space != nil {
				unsure = append(unsure, storing{space: l.space, key: p.key, token: l.token, release: true})
			}
		case l.space == nil:
			items[i] = c.plain(p, got[i])
		default:
			var s stored
			var ok bool
			items[i], s, ok = c.toStore(p, got[i])
			stores = append(stores, storing{space: l.space, key: p.key, token: l.token, value: s, release: !ok})
			storedAt = append(storedAt, i)
		}
	}
	if len(unsure) > 0 {
		c.giveBack(ctx, unsure...)
	}
	if len(stores) > 0 {
		accepted, errs := c.m.remote.storeAll(context.WithoutCancel(ctx), stores)
		for i, at := range storedAt {
			if !stores[i].release {
				c.settle(leases[at].flight.place, leases[at].at, items[at], accepted[i], errs[i])
			}
		}
	}
	for i, l := range leases {
		it, from, err := c.result(l.flight.place, l.at, items[i], got[i], l.old)
		c.flights.land(l.flight, it, from, err)
	}
}

// loadAll calls the load and judges its result for each key.
func (c *Cache[T]) loadAll(ctx context.Context, keys []string, load bulkLoad[T]) []loaded[T] {
	var values map[string]T
	wished := new(wish)
	_, err := c.counted(ctx, wished, func(ctx context.Context) (none T, err error) {
		values, err = load(ctx, keys)
		return none, err
	})
	if err != nil {
		err = fmt.Errorf("load %d keys: %w", len(keys), err)
	}
	got := make([]loaded[T], len(keys))
	for i, key := range keys {
		value, ok := values[key]
		failure := err
		if failure == nil && !ok {
			failure = c.o.NotFoundError
		}
		got[i] = c.judge(value, failure, wished)
	}
	return got
}
