// Package ledger sends a bounded load to a server and writes down what it was answered,
// so that what was acknowledged can be held against what is stored. It runs in a process
// of its own and knows nothing but HTTP.
package ledger

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
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
	// Own sends a signal until it is acknowledged, as Again does, and then asks for its
	// neuron's signals with the token of that answer: a list, which a standby may give.
	Own Kind = "own"
	// Read reads a neuron, ReadOwn is the reading half of Own.
	Read    Kind = "read"
	ReadOwn Kind = "read own"
)

// Entry is one attempt.
type Entry struct {
	At      time.Time `json:"at"` // of the answer
	Kind    Kind      `json:"kind"`
	Token   string    `json:"token,omitempty"` // the signal's content
	Outcome Outcome   `json:"outcome"`
	// Said is the status, or what went wrong.
	Said string `json:"said,omitempty"`
}

// ReadFile reads a ledger that may still be written.
func ReadFile(path string) (entries []Entry, err error) {
	file, err := os.Open(path) //nolint:gosec // the caller's own file
	if err != nil {
		return nil, fmt.Errorf("read the ledger: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	lines := bufio.NewReader(file)
	for {
		line, err := lines.ReadString('\n')
		if err != nil || !strings.HasSuffix(line, "\n") {
			return entries, nil // what is half written comes next time
		}
		var e Entry
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			return nil, fmt.Errorf("read the ledger: %w", err)
		}
		entries = append(entries, e)
	}
}
