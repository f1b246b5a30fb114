package schema

import (
	"context"
	"slices"
	"time"
)

// State tells where a migration stands.
type State string

// The states of a migration.
const (
	StateApplied State = "applied"
	StatePending State = "pending"
	// StateUnknown is for a version that a newer program applied.
	StateUnknown State = "unknown"
)

// Migration is one migration and where it stands in the database.
type Migration struct {
	Version int64  `json:"version"`
	File    string `json:"file,omitempty"`
	State   State  `json:"state"`
	// AppliedAt is nil unless the migration is applied.
	AppliedAt *time.Time `json:"applied_at,omitempty"`
}

// Status tells where a database stands.
type Status struct {
	Engine Engine `json:"engine"`
	// Version is the highest that is applied, Latest the highest that this
	// program knows.
	Version    int64       `json:"version"`
	Latest     int64       `json:"latest"`
	Pending    int         `json:"pending"`
	Migrations []Migration `json:"migrations"`
}

// Status reads where the database stands. It neither waits for migrators nor
// writes, so that it can be asked while a migration runs.
func (m *Migrator) Status(ctx context.Context) (Status, error) {
	applied, err := m.readApplied(ctx)
	if err != nil {
		return Status{}, err
	}
	s := Status{Engine: m.engine, Latest: latest(m.all)}
	when := map[int64]time.Time{}
	for _, a := range applied {
		when[a.Version] = a.At
		s.Version = max(s.Version, a.Version)
		if _, known := find(m.all, a.Version); !known {
			s.Migrations = append(s.Migrations, Migration{Version: a.Version, State: StateUnknown, AppliedAt: &a.At})
		}
	}
	for _, one := range m.all {
		at, found := when[one.version]
		if !found {
			s.Pending++
			s.Migrations = append(s.Migrations, Migration{Version: one.version, File: one.file, State: StatePending})
			continue
		}
		s.Migrations = append(s.Migrations, Migration{Version: one.version, File: one.file, State: StateApplied, AppliedAt: &at})
	}
	slices.SortFunc(s.Migrations, func(a, b Migration) int { return int(a.Version - b.Version) })
	return s, nil
}

// Version returns the highest version that is applied, 0 if there is none.
func (m *Migrator) Version(ctx context.Context) (int64, error) {
	s, err := m.Status(ctx)
	return s.Version, err
}

// Pending counts the migrations that are not applied.
func (m *Migrator) Pending(ctx context.Context) (int, error) {
	s, err := m.Status(ctx)
	return s.Pending, err
}

// Check returns nil if the database has exactly the schema that this program was
// built with, and a *VersionError if it has another.
func (m *Migrator) Check(ctx context.Context) error {
	db, err := m.database.read(ctx)
	if err != nil {
		return err
	}
	if db == nil {
		return compare(m.engine, m.all, nil)
	}
	applied, err := appliedByHandle(ctx, db, m.engine)
	if err != nil {
		return err
	}
	return compareWith(m.engine, m.all, applied, func() (int64, error) { return oldestByHandle(ctx, db, m.engine) })
}
