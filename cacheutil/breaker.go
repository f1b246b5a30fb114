package cacheutil

import (
	"sync"
	"sync/atomic"
	"time"
)

const (
	// The breaker judges by the calls of the last second, in slots.
	breakerWindow = time.Second
	breakerSlots  = 10
	breakerSlot   = breakerWindow / breakerSlots
	// Fewer failures than these say nothing.
	breakerFailures = 5
)

// breaker keeps calls from a Valkey that does not answer in time. It opens in two
// cases, each after five failures at least:
//
//   - silence: no call was answered since, for as long as a call may take and a
//     tenth of a second at least;
//   - slowness: more than half of the calls of the last second failed.
//
// A process that is not given the processor sees its own time-outs and not
// Valkey's: a call that ended late by half of its budget, its timer long due, is
// not counted as long as the heartbeats are answered. What the process has in
// memory does not depend on the breaker, see trust.go.
//
// It closes when the prober says so: requests are no probes.
type breaker struct {
	isOpen atomic.Bool
	// beating tells whether heartbeats are answered.
	beating func() bool
	opened  func()
	silence time.Duration

	mu sync.Mutex
	// slots hold the calls of the last second, the current one at newest.
	slots    [breakerSlots]struct{ answered, failed int }
	newest   int64 // slots since the zero of the clock
	since    int   // failures since the last answer
	answered time.Time
}

// start begins with a closed breaker, for calls with the budget.
func (b *breaker) start(now time.Time, budget time.Duration) {
	b.silence, b.answered = max(budget, breakerSlot), now
}

func (b *breaker) open() bool { return b.isOpen.Load() }

// succeeded tells of a call that was answered, be it by an error of Valkey's.
func (b *breaker) succeeded(now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.slot(now).answered++
	b.since, b.answered = 0, now
}

// failed tells of a call that was not answered within its budget, at a moment that
// is late by so much.
func (b *breaker) failed(now time.Time, budget, late time.Duration) {
	if b.isOpen.Load() || late > budget/2 && b.beating() {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.slot(now).failed++
	b.since++
	if b.isOpen.Load() || !b.silent(now) && !b.slow() {
		return
	}
	b.isOpen.Store(true)
	b.opened()
}

func (b *breaker) silent(now time.Time) bool {
	return b.since >= breakerFailures && now.Sub(b.answered) >= b.silence
}

func (b *breaker) slow() bool {
	answered, failed := 0, 0
	for _, s := range b.slots {
		answered += s.answered
		failed += s.failed
	}
	return failed >= 2*breakerFailures && failed > answered
}

// slot returns the current slot, after emptying those whose second is over.
func (b *breaker) slot(now time.Time) *struct{ answered, failed int } {
	current := now.UnixNano() / int64(breakerSlot)
	for ; b.newest < current; b.newest++ {
		if current-b.newest > breakerSlots {
			b.newest = current - breakerSlots
		}
		b.slots[(b.newest+1)%breakerSlots] = struct{ answered, failed int }{}
	}
	return &b.slots[b.newest%breakerSlots]
}

func (b *breaker) close(now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	clear(b.slots[:])
	b.since, b.answered = 0, now
	b.isOpen.Store(false)
}
