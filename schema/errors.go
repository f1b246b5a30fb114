package schema

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// The ways in which a database may not fit this program; a *VersionError is
// exactly one of them. Test with errors.Is.
var (
	// ErrNotMigrated says that no migration was ever run.
	ErrNotMigrated = errors.New("database is not migrated")
	// ErrBehind says that migrations are pending.
	ErrBehind = errors.New("database schema is behind")
	// ErrAhead says that a newer program migrated the database, and that this one
	// can work on it all the same: migrations first expand and only a release later
	// contract, so that programs of both releases run while a deployment replaces one
	// by the other.
	ErrAhead = errors.New("database schema is ahead")
	// ErrTooNew says that a migration which this program does not know took away or
	// changed what it needs.
	ErrTooNew = errors.New("database schema is too new for this program")
)

// Failures of the runner that a caller may want to tell apart.
var (
	// ErrUnreachable says that the database could not be opened at all.
	ErrUnreachable = errors.New("database cannot be reached")
	// ErrPooled says that the URL leads through a pooler, which gives a session's locks and
	// statements to others.
	ErrPooled = errors.New("this needs a connection of its own")
	// ErrURL says that the URL names no database that can be migrated.
	ErrURL = errors.New("database URL")
	// ErrVersion says that the version asked for does not exist.
	ErrVersion = errors.New("no such migration")
	// ErrName says that a new migration cannot have the name, or not there.
	ErrName = errors.New("new migration")
	// ErrNothingApplied says that there is no migration to undo.
	ErrNothingApplied = errors.New("no migration is applied")
)

// VersionError tells how the database's schema differs from the program's.
type VersionError struct {
	Engine Engine
	// Have is the highest version that is applied, and Want the highest that this
	// program knows.
	Have, Want int64
	// Missing are versions that this program knows and the database lacks.
	Missing []int64
	// Unknown are versions that are applied and this program does not know.
	Unknown []int64
	// Oldest is the version that a program must know to work on this schema; it was
	// looked at if there are unknown versions.
	Oldest int64
}

// Error says what is wrong and which command mends it.
func (e *VersionError) Error() string {
	switch {
	case errors.Is(e, ErrTooNew):
		return fmt.Sprintf("%v: it needs a hal9 that knows version %d or later, this one knows up to %d; "+
			"run the newer hal9, or undo with it: 'hal9 migrate down --to %d'", ErrTooNew, e.Oldest, e.Want, e.Want)
	case errors.Is(e, ErrNotMigrated):
		return fmt.Sprintf("%v: this program needs its schema in version %d; run 'hal9 migrate up'", ErrNotMigrated, e.Want)
	case errors.Is(e, ErrBehind):
		return fmt.Sprintf("%v: it has version %d, this program needs %d, missing %s; run 'hal9 migrate up'",
			ErrBehind, e.Have, e.Want, join(e.Missing))
	default:
		return fmt.Sprintf("%v: a newer hal9 applied %s, this program knows up to %d; "+
			"run the newer hal9, or undo with it: 'hal9 migrate down --to %d'", ErrAhead, join(e.Unknown), e.Want, e.Want)
	}
}

// Is makes errors.Is find the way in which the database does not fit.
func (e *VersionError) Is(target error) bool {
	tooNew := e.Oldest > e.Want
	switch target {
	case ErrTooNew:
		return tooNew
	case ErrNotMigrated:
		return e.Have == 0
	case ErrBehind:
		return !tooNew && e.Have != 0 && len(e.Missing) > 0
	case ErrAhead:
		return !tooNew && e.Have != 0 && len(e.Missing) == 0
	default:
		return false
	}
}

func join(versions []int64) string {
	texts := make([]string, len(versions))
	for i, v := range versions {
		texts[i] = strconv.FormatInt(v, 10)
	}
	return strings.Join(texts, ", ")
}

// compare returns a *VersionError unless the database fits the program.
func compare(engine Engine, all []migration, applied []Applied) error {
	e := &VersionError{Engine: engine, Want: latest(all)}
	have := map[int64]bool{}
	for _, a := range applied {
		have[a.Version] = true
		e.Have = max(e.Have, a.Version)
		if _, known := find(all, a.Version); !known {
			e.Unknown = append(e.Unknown, a.Version)
		}
	}
	for _, m := range all {
		if !have[m.version] {
			e.Missing = append(e.Missing, m.version)
		}
	}
	if len(e.Missing) == 0 && len(e.Unknown) == 0 {
		return nil
	}
	return e
}
