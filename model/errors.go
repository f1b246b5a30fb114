package model

import (
	"errors"
	"fmt"
	"strings"
)

// The kinds of failure that callers can act on. An *Error wraps exactly one of
// them; test with errors.Is.
var (
	// ErrNotFound says that the row asked for does not exist.
	ErrNotFound = errors.New("not found")
	// ErrConflict says that a unique field holds the value for another row.
	ErrConflict = errors.New("already exists")
	// ErrInvalid says that an argument cannot be stored; the same call fails again.
	ErrInvalid = errors.New("invalid")
	// ErrUnavailable says that the engine could not be asked: no connection was
	// free or could be made, it is shutting down, locked, or out of resources.
	// Nothing is known to be written; trying later makes sense.
	ErrUnavailable = errors.New("database unavailable")
	// ErrInterrupted is the ErrUnavailable of a call that had begun: the connection
	// broke after a statement was sent, or a commit could not be brought to the disk.
	// Whether a write took effect is unknown.
	ErrInterrupted = fmt.Errorf("the call was cut off: %w", ErrUnavailable)
	// ErrTimeout says that the deadline of the call passed or the engine's
	// statement timeout struck. Whether a write took effect is unknown.
	ErrTimeout = errors.New("database timeout")
	// ErrReadOnly says that the engine takes no writes at the moment.
	ErrReadOnly = errors.New("database is read-only")
	// ErrInternal says that the engine failed in a way that nobody foresaw: a fault
	// of the service or of the database, not of the caller.
	ErrInternal = errors.New("database error")
	// ErrInTx says that a store was called from inside its own transaction; use
	// the Tx that the transaction's function was given.
	ErrInTx = errors.New("store called inside its own transaction")
)

// Error is a failure of the store, told in the service's own words. Its message
// holds no text of the driver's, so that it can be shown to a client and logged;
// the cause stays reachable by errors.As for those who debug.
type Error struct {
	// Kind is one of the sentinel errors of this package.
	Kind error
	// Entity is the singular name of what was asked for, such as "neuron".
	Entity string
	// Field is the column or parameter at fault, "" when none is known.
	Field string
	// Reason completes the sentence for a person, such as "must not contain NUL".
	Reason string
	// Cause is the driver's error, nil when a check before the call failed.
	Cause error
}

// Error says entity, field, kind and reason: "neuron.id: already exists". The reason of a
// conflict stands for its kind: not each is about what exists already.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Entity)
	if e.Field != "" {
		if e.Entity != "" {
			b.WriteByte('.')
		}
		b.WriteString(e.Field)
	}
	if b.Len() > 0 {
		b.WriteString(": ")
	}
	if e.Kind == ErrConflict && e.Reason != "" { //nolint:errorlint // a sentinel
		b.WriteString(e.Reason)
		return b.String()
	}
	b.WriteString(e.Kind.Error())
	if e.Reason != "" {
		b.WriteString(": ")
		b.WriteString(e.Reason)
	}
	return b.String()
}

// Unwrap makes errors.Is find the kind, and errors.As the cause.
func (e *Error) Unwrap() []error {
	if e.Cause == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.Cause}
}
