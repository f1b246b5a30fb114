package cacheutil

import "time"

// Sizes are those of the tables that could grow with the keys that were ever
// read.
type Sizes struct {
	Flights, Waiters, Journal, Groups int
}

// SizesOf looks into a cache and its manager.
func SizesOf[T any](c *Cache[T]) Sizes {
	var s Sizes
	c.flights.mu.Lock()
	s.Flights = len(c.flights.byKey)
	c.flights.mu.Unlock()
	s.Groups = c.m.groups.EstimatedSize()
	if r := c.m.remote; r != nil {
		r.waiters.mu.Lock()
		s.Waiters = len(r.waiters.byKey)
		r.waiters.mu.Unlock()
		s.Journal = len(r.journal.all())
	}
	return s
}

// CleanUp has the first tier do what it puts off.
func CleanUp(m *Manager) { m.local.entries.CleanUp() }

// Breaker is a breaker without a Valkey.
type Breaker struct{ breaker }

// NewBreaker makes one for calls with this budget.
func NewBreaker(now time.Time, budget time.Duration, beating func() bool) *Breaker {
	b := &Breaker{}
	b.start(now, budget)
	b.beating, b.opened = beating, func() {}
	return b
}

func (b *Breaker) Succeeded(now time.Time)                          { b.succeeded(now) }
func (b *Breaker) Failed(now time.Time, budget, late time.Duration) { b.failed(now, budget, late) }
func (b *Breaker) Open() bool                                       { return b.open() }
