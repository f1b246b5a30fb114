package transfer

import (
	"errors"
	"fmt"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// SourceError says why a file cannot be imported, and what can be done. Nothing
// was written to the store when Open returned one.
type SourceError struct {
	Path    string
	Problem string // completes "the file …", such as "is empty"
	Mend    string // what to do, a sentence without its full stop
	Cause   error
}

// Error names the file, what it is and the mend.
func (e *SourceError) Error() string {
	s := fmt.Sprintf("%q %s", e.Path, e.Problem)
	if e.Cause != nil {
		s += " (" + e.Cause.Error() + ")"
	}
	if e.Mend != "" {
		s += ": " + e.Mend
	}
	return s
}

// Unwrap returns the cause.
func (e *SourceError) Unwrap() error { return e.Cause }

const (
	mendDamaged = "restore it from a backup, or save what can be read with 'sqlite3 FILE .recover | sqlite3 NEW' and import the new file"
	mendInUse   = "stop the server that uses it and import again, or import a copy made with 'sqlite3 FILE \".backup COPY\"'"
)

// readError turns an error of the SQLite driver into one that says what is wrong
// with the file. Others, a cancelled context among them, only gain what was done.
func (s *Source) readError(doing string, err error) error {
	var fault *sqlite.Error
	if !errors.As(err, &fault) {
		return fmt.Errorf("%s of %q: %w", doing, s.path, err)
	}
	const primary = 0xff // an extended code holds the primary one in its low byte
	switch fault.Code() & primary {
	case sqlite3.SQLITE_CORRUPT:
		return &SourceError{Path: s.path, Problem: "is damaged, as was found on the attempt to " + doing, Mend: mendDamaged, Cause: err}
	case sqlite3.SQLITE_NOTADB:
		return &SourceError{Path: s.path, Problem: "is no SQLite database, or an encrypted one", Mend: "import the file that HAL9 wrote, unencrypted", Cause: err}
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return s.inUse()
	default:
		return &SourceError{Path: s.path, Problem: "cannot be read: " + doing + " failed", Mend: "see whether the disk and the file are sound", Cause: err}
	}
}

func (s *Source) inUse() error {
	return &SourceError{Path: s.path, Problem: "is in use by another process", Mend: mendInUse}
}
