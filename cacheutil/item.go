package cacheutil

import (
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// source tells where a value came from.
type source uint8

const (
	fromLocal source = iota
	fromRemote
	fromLoad
	fromStale
)

// entry is what the first tier holds: an *item of the cache's type.
type entry interface {
	about() *facts
}

// facts are what the first tier needs to know of an item whose type it does not
// know. They do not change once the item is stored.
type facts struct {
	epoch      uint64
	generation string // of the group, empty outside one
	version    int64
	absent     error // what a negative entry answers with

	// On the manager's clock: fresh before end, served in need before gone, to be
	// refreshed from refresh on, which moves while someone does.
	end, gone int64
	refresh   atomic.Int64
	// stale is set on a value past its time that stands in for a failed load.
	stale bool
	// timed is false where being in the first tier says all about the time.
	timed bool

	// weight is what the entry takes of the tier. It grows when an encoding is
	// kept.
	weight atomic.Uint32
	stats  *counters
}

type item[T any] struct {
	facts
	value T

	mu      sync.Mutex // of encoding
	encoded []byte     // set once, before or under mu
}

func (i *item[T]) about() *facts { return &i.facts }

// entryOverhead is what an entry costs beside its key and value: the tier's own
// node and the item.
const entryOverhead = 256

func weigh(key string, size int) uint32 {
	return uint32(min(int64(len(key))+int64(max(size, 0))+entryOverhead, math.MaxUint32))
}

// span sets the times of an item that stays fresh for ttl.
func (f *facts) span(now int64, ttl, maxStale time.Duration, ahead float64) {
	f.end = later(now, ttl)
	f.gone = later(f.end, maxStale)
	f.refresh.Store(math.MaxInt64)
	if ahead > 0 {
		f.refresh.Store(later(now, time.Duration(float64(ttl)*ahead)))
	}
	f.timed = maxStale > 0 || ahead > 0
}

// later adds without overflow.
func later(now int64, d time.Duration) int64 {
	if int64(d) > math.MaxInt64-now {
		return math.MaxInt64
	}
	return now + int64(d)
}
