package schema

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/pressly/goose/v3"
)

// Migrate runs all pending migrations on a database that is open already, such as
// SQLite's in memory. The handle stays open.
func Migrate(ctx context.Context, db *sql.DB, engine Engine) error {
	var m *Migrator
	var err error
	switch engine {
	case Postgres:
		// goose takes the lock on the connection of each migration, which of the
		// handle's it may be.
		m, err = newMigrator(engine, db, Options{}, handle{db}, goose.WithSessionLocker(&advisoryLocker{}))
	case SQLite:
		var file string
		if file, err = fileOf(ctx, db); err == nil {
			m, err = newMigrator(engine, db, Options{}, &sqliteDB{file: file, writer: db, reader: db})
		}
	default:
		err = fmt.Errorf("migrate: %w: there is no engine %q", ErrURL, engine)
	}
	if err != nil {
		return err
	}
	_, err = m.Up(ctx)
	return err
}

// fileOf returns the file behind a handle, "" for a database in memory.
func fileOf(ctx context.Context, db *sql.DB) (string, error) {
	var file string
	err := db.QueryRowContext(ctx, "SELECT file FROM pragma_database_list WHERE name = 'main'").Scan(&file)
	if err != nil {
		return "", fmt.Errorf("find the database file: %w", err)
	}
	return file, nil
}

// handle is a database that somebody else opened and closes.
type handle struct{ db *sql.DB }

func (handle) hold(context.Context) (func() error, error) { return func() error { return nil }, nil }
func (h handle) read(context.Context) (SQLQuerier, error) { return h.db, nil }
func (handle) close() error                               { return nil }
