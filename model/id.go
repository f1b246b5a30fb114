package model

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"io"
	mathrand "math/rand/v2"
	"sync"
	"time"

	"github.com/google/uuid"
)

// IDGenerator makes UUIDs of version 7 (RFC 9562, section 5.7, monotonic by method
// 1 of section 6.2: twelve bits of rand_a count within a millisecond). It reads the
// clock that it is given, so that tests and imports can say what time it is. Safe
// for concurrent use.
type IDGenerator struct {
	now    func() time.Time
	random io.Reader // never fails

	mu      sync.Mutex // guards random too where it is not the system's
	lastMS  int64
	counter uint16
}

// NewIDGenerator returns a generator that reads the given clock.
func NewIDGenerator(now func() time.Time) *IDGenerator {
	return &IDGenerator{now: now, random: rand.Reader}
}

// NewDerivedIDs returns a generator whose ids follow from a UUIDv7 and the order of
// the calls alone: they are the same whenever the same request is worked on again.
// Their time is the one inside the seed. They are as unique as their seed is.
func NewDerivedIDs(seed uuid.UUID) *IDGenerator {
	at, _ := IDTime(seed)
	return &IDGenerator{
		now:    func() time.Time { return at },
		random: mathrand.NewChaCha8(sha256.Sum256(seed[:])),
	}
}

// New returns the next id: greater than all that this generator made before, even
// when the clock steps back.
func (g *IDGenerator) New() uuid.UUID {
	g.mu.Lock()
	defer g.mu.Unlock()
	ms := g.now().UnixMilli()
	if ms > g.lastMS {
		g.lastMS, g.counter = ms, 0
		return g.newV7(g.lastMS, 0)
	}
	g.counter++
	if g.counter > 0x0fff { // the millisecond is full: borrow from the next one
		g.lastMS++
		g.counter = 0
	}
	return g.newV7(g.lastMS, g.counter)
}

// NewAt returns an id for the given moment, which may lie in the past. Ids of one
// millisecond are unique, but in no order.
func (g *IDGenerator) NewAt(t time.Time) uuid.UUID {
	g.mu.Lock()
	defer g.mu.Unlock()
	var b [2]byte
	_, _ = io.ReadFull(g.random, b[:]) // neither source fails, say their documentations
	return g.newV7(t.UnixMilli(), binary.BigEndian.Uint16(b[:])&0x0fff)
}

// newV7 is called with mu held.
func (g *IDGenerator) newV7(ms int64, randA uint16) uuid.UUID {
	var id uuid.UUID
	_, _ = io.ReadFull(g.random, id[8:])
	binary.BigEndian.PutUint64(id[:8], uint64(ms)<<16|0x7000|uint64(randA)) //nolint:gosec // a moment before 1970 is refused before
	id[8] = id[8]&0x3f | 0x80
	return id
}

// IDTime returns the moment inside a UUIDv7, in milliseconds; false for ids of
// other versions.
func IDTime(id uuid.UUID) (time.Time, bool) {
	if id.Version() != 7 || id.Variant() != uuid.RFC4122 {
		return time.Time{}, false
	}
	ms := binary.BigEndian.Uint64(id[:8]) >> 16
	return time.UnixMilli(int64(ms)).UTC(), true
}

// LegacyID is the id of a row whose old id was no UUID: always the same for the
// same entity and old id, so that references are remapped without a table.
func LegacyID(entity, old string) uuid.UUID {
	space := uuid.UUID{0x9c, 0x2f, 0x6b, 0x57, 0x33, 0x0d, 0x4e, 0x8e, 0x9a, 0x61, 0x48, 0x41, 0x4c, 0x39, 0x00, 0x01}
	return uuid.NewSHA1(space, []byte(entity+"\x00"+old))
}

// MaxID is the greatest UUID: the cursor of a first page, newest first.
func MaxID() uuid.UUID { return uuid.Max }

// MaxTime is the last moment that CheckTime accepts: the cursor of a first page,
// newest first.
func MaxTime() time.Time { return time.Date(9999, 12, 31, 23, 59, 59, 999999000, time.UTC) }
