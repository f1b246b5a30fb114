package cacheutil

import (
	"maps"
	"sync"
	"sync/atomic"
)

// journal keeps the invalidations that Valkey did not take, until it does.
// Meanwhile their keys are neither read from Valkey nor stored.
type journal struct {
	limit int
	count atomic.Int64

	mu       sync.Mutex
	pending  map[subject]int64 // version, 0 if unknown
	overflow bool
}

// subject is what an invalidation is of.
type subject struct {
	name  string
	group bool
}

func newJournal(limit int) *journal {
	return &journal{limit: limit, pending: map[subject]int64{}}
}

// add keeps an invalidation and tells whether it could. When it could not,
// everything is to be put out of reach, which makes what was kept needless.
func (j *journal) add(s subject, version int64) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.overflow {
		return false
	}
	if _, ok := j.pending[s]; !ok && len(j.pending) >= j.limit {
		j.overflow = true
		clear(j.pending)
		j.count.Store(0)
		return false
	}
	// Of several versions the highest is right; an unknown one is above all.
	if there, ok := j.pending[s]; ok && (there == 0 || version != 0 && version < there) {
		version = there
	}
	j.pending[s] = version
	j.count.Store(int64(len(j.pending)))
	return true
}

func (j *journal) has(s subject) bool {
	if j.count.Load() == 0 {
		return false
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	_, ok := j.pending[s]
	return ok
}

func (j *journal) overflowed() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.overflow
}

// reset ends an overflow, after everything was put out of reach.
func (j *journal) reset() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.overflow = false
}

func (j *journal) all() map[subject]int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return maps.Clone(j.pending)
}

// taken removes an invalidation that Valkey has taken, unless a later one of the
// same subject has come.
func (j *journal) taken(s subject, version int64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if there, ok := j.pending[s]; ok && there == version {
		delete(j.pending, s)
		j.count.Store(int64(len(j.pending)))
	}
}
