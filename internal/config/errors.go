package config

import "strings"

// SourceKind tells what kind of place a value came from.
type SourceKind string

// The kinds of sources, the weakest first.
const (
	SourceDefault SourceKind = "default"
	SourceFile    SourceKind = "file"
	SourceEnv     SourceKind = "env"
	SourceFlag    SourceKind = "flag"
)

// Source tells where a value came from.
type Source struct {
	Kind SourceKind
	// Where is file:line, the name of a variable or a flag with its dashes.
	Where string
}

// String names the place, or says that the value is the default.
func (s Source) String() string {
	if s.Where == "" {
		return string(SourceDefault)
	}
	return s.Where
}

// Error is one fault of a configuration. Its text never holds a secret.
type Error struct {
	Key     string // the key at fault; empty for a fault of a whole file
	Source  Source // where the faulty value stands
	Problem string // what is wrong
	Mend    string // what to do about it
	Err     error  // the cause, if there is one beneath
}

// Error implements error: key (source): problem; mend.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Key)
	if e.Key == "" {
		b.WriteString(e.Source.String())
	} else if e.Source.Where != e.Key {
		b.WriteString(" (" + e.Source.String() + ")")
	}
	b.WriteString(": " + e.Problem)
	if e.Mend != "" {
		b.WriteString("; " + e.Mend)
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Errors holds every fault that was found, in the order of the sources.
type Errors []*Error

// Error implements error, one fault a line.
func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, one := range e {
		lines[i] = one.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap lets errors.As find each fault.
func (e Errors) Unwrap() []error {
	all := make([]error, len(e))
	for i, one := range e {
		all[i] = one
	}
	return all
}

// asError returns nil for no faults, so that an empty list is no error.
func (e Errors) asError() error {
	if len(e) == 0 {
		return nil
	}
	return e
}
