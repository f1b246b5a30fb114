package cacheutil

import (
	"sync"
	"sync/atomic"
)

// The breaker opens after five failures in a row, or sooner or later when more
// than a third of the calls fail.
const (
	failureScore = 2
	openScore    = 5 * failureScore
)

// breaker keeps calls from a Valkey that does not answer. It opens by the score
// of the calls and closes when the prober says so: requests are no probes.
type breaker struct {
	isOpen atomic.Bool

	mu     sync.Mutex
	score  int
	opened func()
}

func (b *breaker) open() bool { return b.isOpen.Load() }

// succeeded tells of a call that was answered, be it by an error of Valkey's.
func (b *breaker) succeeded() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.score = max(b.score-1, 0)
}

// failed tells of a call that was not answered in time.
func (b *breaker) failed() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.isOpen.Load() {
		return
	}
	if b.score += failureScore; b.score >= openScore {
		b.isOpen.Store(true)
		b.opened()
	}
}

func (b *breaker) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.score = 0
	b.isOpen.Store(false)
}
