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
	pending  map[subject]kept
	serial   int64
	overflow bool
	missed   int64 // invalidations that were not kept
}

// kept is what is kept of an invalidation.
type kept struct {
	version int64 // 0 if unknown
	serial  int64 // of the last invalidation, no two of which are the same
}

// subject is what an invalidation is of.
type subject struct {
	name  string
	group bool
}

func newJournal(limit int) *journal {
	return &journal{limit: limit, pending: map[subject]kept{}}
}

// add keeps an invalidation and tells whether it could. When it could not,
// everything is to be put out of reach, which makes what was kept needless.
func (j *journal) add(s subject, version int64) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.overflow {
		j.missed++
		return false
	}
	if _, ok := j.pending[s]; !ok && len(j.pending) >= j.limit {
		j.overflow = true
		j.missed++
		clear(j.pending)
		j.count.Store(0)
		return false
	}
	// Of several versions the highest is right; an unknown one is above all.
	if there, ok := j.pending[s]; ok && (there.version == 0 || version != 0 && version < there.version) {
		version = there.version
	}
	j.serial++
	j.pending[s] = kept{version, j.serial}
	j.count.Store(int64(len(j.pending)))
	return true
}

// length is how many invalidations Valkey has yet to take. When more were missed than are
// kept it is as many as are kept.
func (j *journal) length() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.overflow {
		return max(j.limit, 1)
	}
	return len(j.pending)
}

// deferred is how many invalidations came so far.
func (j *journal) deferred() int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.serial + j.missed
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

// lost is how many invalidations were not kept so far.
func (j *journal) lost() int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.missed
}

// reset ends an overflow, after everything that was there when so many were lost was put
// out of reach. One that was lost since may be of what was stored since: false, and all is
// to be put out of reach again.
func (j *journal) reset(lost int64) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.overflow = j.missed != lost
	return !j.overflow
}

func (j *journal) all() map[subject]kept {
	j.mu.Lock()
	defer j.mu.Unlock()
	return maps.Clone(j.pending)
}

// taken removes an invalidation that Valkey has taken, unless a later one of the
// same subject has come, be it of the same version.
func (j *journal) taken(s subject, serial int64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if there, ok := j.pending[s]; ok && there.serial == serial {
		delete(j.pending, s)
		j.count.Store(int64(len(j.pending)))
	}
}
