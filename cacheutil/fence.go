package cacheutil

import (
	"hash/maphash"
	"sync/atomic"
)

// stripeCount trades 64 KiB of memory against loads whose value is not kept
// because another key of their stripe was invalidated meanwhile.
const stripeCount = 4096

// fences keeps values that were read before an invalidation out of the first
// tier. Keys share counters, so that its size does not grow with them: a shared
// counter that moved costs a load, never a wrong value.
type fences struct {
	seed maphash.Seed
	// epoch counts by two what invalidates everything. It is odd while the first
	// tier is suspended: no entry has an odd one, so that a look at the epoch alone
	// tells whether an entry may be used.
	epoch   atomic.Uint64
	stripes [stripeCount]stripe
}

// stripe stands for the keys with one hash.
type stripe struct {
	// moves counts the invalidations.
	moves atomic.Uint64
	// newest is the highest version of any write, so that a late older one is
	// recognised without remembering keys.
	newest atomic.Int64
}

// fence is a moment in the history of a key. What was read at it may be kept as
// long as current still returns the same.
type fence struct {
	epoch, moves uint64
}

func newFences() *fences {
	return &fences{seed: maphash.MakeSeed()}
}

func (f *fences) stripe(key string) *stripe {
	return &f.stripes[maphash.String(f.seed, key)%stripeCount]
}

func (f *fences) current(key string) fence {
	return fence{epoch: f.epoch.Load(), moves: f.stripe(key).moves.Load()}
}

// move invalidates what is being read of the key.
func (f *fences) move(key string) {
	f.stripe(key).moves.Add(1)
}

// advance invalidates everything.
func (f *fences) advance() {
	f.epoch.Add(2)
}

// suspend puts everything out of reach until resume, or for good if advance comes
// first.
func (f *fences) suspend() { f.epoch.Or(1) }

func (f *fences) resume() { f.epoch.And(^uint64(1)) }

// suspended tells that what is read at the fence is not kept.
func (f fence) suspended() bool { return f.epoch&1 == 1 }

// raise records the version of a write and tells whether it is the newest.
func (s *stripe) raise(version int64) bool {
	for {
		newest := s.newest.Load()
		if version <= newest {
			return false
		}
		if s.newest.CompareAndSwap(newest, version) {
			return true
		}
	}
}
