package stream

import (
	"hash/maphash"

	"github.com/google/uuid"
)

// recent knows the ids of the last signals: between size and twice as many. It keeps 64 bits
// of each, hashed by a seed that nobody knows: that two are the same does not happen, and
// cannot be brought about. Each takes 16 bytes.
type recent struct {
	size       int
	seed       maphash.Seed
	young, old idSet
}

func newRecent(size int) recent {
	return recent{size: size, seed: maphash.MakeSeed(), young: newIDSet(size)}
}

// add notes an id, and tells whether it was not known.
func (r *recent) add(id uuid.UUID) bool {
	h := r.hash(id)
	if r.young.has(h) || r.old.has(h) {
		return false
	}
	if r.young.count >= r.size {
		r.old, r.young = r.young, newIDSet(r.size)
	}
	r.young.add(h)
	return true
}

func (r *recent) knows(id uuid.UUID) bool {
	h := r.hash(id)
	return r.young.has(h) || r.old.has(h)
}

func (r *recent) len() int { return r.young.count + r.old.count }

// hash is never 0, which is a free slot.
func (r *recent) hash(id uuid.UUID) uint64 { return max(1, maphash.Bytes(r.seed, id[:])) }

// idSet is a set of hashes of a fixed size, at most half full, with linear probing. A map of
// Go's takes twice as much for them. The zero value is empty and takes none.
type idSet struct {
	slots []uint64 // as many as a power of two
	count int
}

func newIDSet(most int) idSet {
	slots := 1
	for slots < 2*most {
		slots *= 2
	}
	return idSet{slots: make([]uint64, slots)}
}

// find returns the slot of a hash, or the free one in which it would be.
func (s *idSet) find(h uint64) *uint64 {
	last := uint64(len(s.slots) - 1) //nolint:gosec // there are some
	for at := h & last; ; at = (at + 1) & last {
		if s.slots[at] == h || s.slots[at] == 0 {
			return &s.slots[at]
		}
	}
}

func (s *idSet) has(h uint64) bool { return len(s.slots) > 0 && *s.find(h) == h }

func (s *idSet) add(h uint64) {
	*s.find(h) = h
	s.count++
}
