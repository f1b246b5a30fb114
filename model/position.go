package model

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"sync"
)

// Position is a place in the write-ahead log of a database that has replicas. The zero
// value lies before everything.
type Position struct {
	// Timeline is the branch of the log: a replica that is promoted begins a new one.
	Timeline uint32
	// LSN is the place on it, in bytes.
	LSN uint64
}

// Covers tells whether a replica that has come to p has all that was committed at q. One
// on an older timeline may hold rows that were lost with the server before, in the place
// of those that are meant.
func (p Position) Covers(q Position) bool { return p.Timeline >= q.Timeline && p.LSN >= q.LSN }

// Compare orders positions by the time at which they were reached.
func (p Position) Compare(q Position) int {
	return cmp.Or(cmp.Compare(p.Timeline, q.Timeline), cmp.Compare(p.LSN, q.LSN))
}

// positionVersion begins a token. Another form of it would begin with another letter.
const positionVersion = "p"

// TokenLength is the length of every Position.Token.
const TokenLength = len(positionVersion) + 16

// Token is the position as text of TokenLength letters, digits, - and _, for clients that
// only hand it back.
func (p Position) Token() string {
	var raw [12]byte
	binary.BigEndian.PutUint32(raw[:4], p.Timeline)
	binary.BigEndian.PutUint64(raw[4:], p.LSN)
	return positionVersion + base64.RawURLEncoding.EncodeToString(raw[:])
}

var errToken = errors.New("is no token that this service gave")

// ParsePosition reads what Token wrote.
func ParsePosition(token string) (Position, error) {
	if len(token) != TokenLength || token[:1] != positionVersion {
		return Position{}, errToken
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(token[1:])
	if err != nil || len(raw) != 12 { // line ends are skipped by the decoder
		return Position{}, errToken
	}
	return Position{Timeline: binary.BigEndian.Uint32(raw[:4]), LSN: binary.BigEndian.Uint64(raw[4:])}, nil
}

// Consistency is what the reads of one request must see at the least, and how far its
// writes came. The store finds it in the context: without one, every read is answered by
// the primary. It is safe for concurrent use.
type Consistency struct {
	find func(ctx context.Context) (Position, bool)

	mu      sync.Mutex
	found   bool
	need    Position
	known   bool
	written Position
	wrote   bool
	lost    bool
}

// NewConsistency returns the consistency of a request. find, nil if nobody knows anything, is called once at the most,
// by the first read that may go to a replica: it returns the position that the request's
// reads must cover, false if nobody knows it.
func NewConsistency(find func(ctx context.Context) (Position, bool)) *Consistency {
	return &Consistency{find: find}
}

// Need returns the position that a replica must have come to, false if it is unknown and
// the primary has to answer.
func (c *Consistency) Need(ctx context.Context) (Position, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lost {
		return Position{}, false
	}
	if !c.found && c.find != nil {
		c.need, c.known = c.find(ctx)
		c.found = true
	}
	if c.need.Compare(c.written) < 0 {
		return c.written, c.known
	}
	return c.need, c.known
}

// Wrote takes note of a commit at or before the position.
func (c *Consistency) Wrote(p Position) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wrote = true
	if c.written.Compare(p) < 0 {
		c.written = p
	}
}

// Lost takes note of a commit, or of what may have been one, whose position is unknown.
func (c *Consistency) Lost() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wrote, c.lost = true, true
}

// Written returns how far the request's writes came. wrote is false if there were none,
// and known is false if the position of one of them is unknown.
func (c *Consistency) Written() (p Position, wrote, known bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.written, c.wrote, !c.lost
}

type consistencyKey struct{}

// WithConsistency returns a context whose reads and writes are the request's.
func WithConsistency(ctx context.Context, c *Consistency) context.Context {
	return context.WithValue(ctx, consistencyKey{}, c)
}

// ConsistencyFrom returns what WithConsistency put into the context, nil if nothing.
func ConsistencyFrom(ctx context.Context) *Consistency {
	c, _ := ctx.Value(consistencyKey{}).(*Consistency)
	return c
}
