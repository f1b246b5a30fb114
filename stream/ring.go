package stream

import (
	"sort"
	"time"

	"github.com/google/uuid"
)

// ring holds the last events, the newest maxEvents of them and no more than maxBytes.
// Event n of an era is the n-th that was appended, from 1.
type ring struct {
	events   []*Event // a circle: event n is at n % len
	first    uint64   // the oldest that is held
	next     uint64   // the one that comes
	bytes    int
	maxBytes int
	numbers  map[uuid.UUID]uint64 // of the events that are held, by their signals' ids
	// since is the moment from which on nothing is missing.
	since time.Time
}

func newRing(maxEvents, maxBytes int, since time.Time) ring {
	return ring{events: make([]*Event, maxEvents), first: 1, next: 1, maxBytes: maxBytes, since: since, numbers: map[uuid.UUID]uint64{}}
}

func (r *ring) push(e *Event) {
	size := uint64(len(r.events))
	for r.first < r.next && (r.next-r.first >= size || r.bytes+e.size() > r.maxBytes) {
		old := &r.events[r.first%size]
		r.bytes -= (*old).size()
		r.since = (*old).Position.At.Add(time.Microsecond)
		delete(r.numbers, (*old).Signal.ID)
		*old = nil
		r.first++
	}
	r.events[r.next%size] = e
	r.numbers[e.Signal.ID] = r.next
	r.bytes += e.size()
	r.next++
}

func (r *ring) at(n uint64) *Event { return r.events[n%uint64(len(r.events))] }

// firstAt is the first event that came at a moment or later.
func (r *ring) firstAt(t time.Time) uint64 {
	n := sort.Search(int(r.next-r.first), func(i int) bool { //nolint:gosec // no more than the ring's length
		return !r.at(r.first + uint64(i)).Position.At.Before(t) //nolint:gosec // not negative
	})
	return r.first + uint64(n) //nolint:gosec // not negative
}
