// Package ledger sends a bounded load to a server and writes down what it was answered,
// so that what was acknowledged can be held against what is stored. It runs in a process
// of its own and knows nothing but HTTP.
package ledger

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// Outcome is what an answer says about a request's effect.
type Outcome string

// The outcomes.
const (
	// OK: 2xx, which says that it is stored.
	OK Outcome = "ok"
	// Refused: the service says that nothing was written.
	Refused Outcome = "refused"
	// Away: nobody listened, so that nothing was sent.
	Away Outcome = "away"
	// Unknown: the service says that it does not know, or nobody answered.
	Unknown Outcome = "unknown"
	// Busy: an earlier attempt with the same Idempotency-Key is under way.
	Busy Outcome = "busy"
	// Stale: a read that lacks what the same client had acknowledged before.
	Stale Outcome = "stale"
	// Wrong: an answer that no well-formed request should get.
	Wrong Outcome = "wrong"
)

// Kind is what a request is, and what is done after one that failed.
type Kind string

// The kinds.
const (
	// Once sends a signal with an id, and lets it be if that fails.
	Once Kind = "once"
	// Again sends a signal with an id until it is acknowledged.
	Again Kind = "again"
	// Key sends a signal without an id and with an Idempotency-Key until it is
	// acknowledged.
	Key Kind = "key"
	// Bulk sends a stream of signals with ids, all of it until all are acknowledged.
	Bulk Kind = "bulk"
	// Memory sends a memory with an Idempotency-Key until it is acknowledged.
	Memory Kind = "memory"
	// State sets the state of a neuron that nobody else changes, one after the other.
	State Kind = "state"
	// Own sends a signal until it is acknowledged, as Again does, and then asks for its
	// neuron's signals with the token of that answer: a list, which a standby may give.
	Own Kind = "own"
	// Read reads a neuron, ReadOwn is the reading half of Own.
	Read    Kind = "read"
	ReadOwn Kind = "read own"
)

// Entry is what one attempt says of one thing that was to be written, or one read.
type Entry struct {
	Sent time.Time `json:"sent"`
	At   time.Time `json:"at"` // of the answer
	Kind Kind      `json:"kind"`
	// Token names the thing: it is a signal's or memory's content, a neuron's state.
	Token string `json:"token,omitempty"`
	// Neuron is whose state it is.
	Neuron  string  `json:"neuron,omitempty"`
	Outcome Outcome `json:"outcome"`
	// Status is that of the answer, 0 if there was none.
	Status int `json:"status,omitempty"`
	// Said is the status and its detail, or what went wrong.
	Said string `json:"said,omitempty"`
}

// Reader reads a ledger that may still be written.
type Reader struct {
	file  *os.File
	lines *bufio.Reader
	half  []byte
}

// Open opens the ledger, which may be empty.
func Open(path string) (*Reader, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|os.O_CREATE, 0o600) //nolint:gosec // the caller's own file
	if err != nil {
		return nil, fmt.Errorf("read the ledger: %w", err)
	}
	return &Reader{file: file, lines: bufio.NewReader(file)}, nil
}

// Next returns what was written since the last call.
func (r *Reader) Next() (entries []Entry, err error) {
	for {
		line, err := r.lines.ReadBytes('\n')
		r.half = append(r.half, line...)
		if errors.Is(err, io.EOF) {
			return entries, nil // what is half written comes next time
		}
		if err != nil {
			return nil, fmt.Errorf("read the ledger: %w", err)
		}
		var e Entry
		if err := json.Unmarshal(r.half, &e); err != nil {
			return nil, fmt.Errorf("read the ledger: %w", err)
		}
		r.half = r.half[:0]
		entries = append(entries, e)
	}
}

// Close closes the file.
func (r *Reader) Close() error { return r.file.Close() } //nolint:wrapcheck // it tells the path

// ReadFile reads a ledger that may still be written.
func ReadFile(path string) (entries []Entry, err error) {
	r, err := Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	return r.Next()
}
