package schema

import (
	"context"
	"database/sql"
	_ "embed"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

//go:embed grants.sql
var grantsText string

// These names stand in grants.sql for those of the database at hand.
const (
	grantsRole   = "hal9_server"
	grantsSchema = "SCHEMA public"
)

// ErrNoRoles tells that an engine has no roles: SQLite's rights are those of its file.
var ErrNoRoles = errors.New("SQLite has no roles: who may read and write the file may do all")

// ErrRole tells that a role cannot be granted anything.
var ErrRole = errors.New("the role cannot be used")

const undefinedObject = "42704"

// Grant gives a role of PostgreSQL all that a server needs, in one transaction, and
// nothing more: rows and the functions that make and drop partitions, no DDL. It may be
// repeated. The schema must be this program's, else the error is a *VersionError; the
// role must exist and must not own the schema, else it wraps ErrRole. On SQLite it
// returns ErrNoRoles.
func (m *Migrator) Grant(ctx context.Context, role string) (err error) {
	if err := m.grantable(ctx, role); err != nil {
		return err
	}
	release, err := m.database.hold(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, release()) }()
	script, err := m.GrantScript(ctx, role)
	if err != nil {
		return err
	}
	db, err := m.handle()
	if err != nil {
		return err
	}
	// Without arguments the driver sends the whole script as one message, which
	// PostgreSQL runs as one transaction.
	if _, err := db.ExecContext(ctx, script); err != nil {
		return fmt.Errorf("grant a server's rights to %s: %w", role, err)
	}
	return nil
}

// GrantScript returns the SQL that Grant would run.
func (m *Migrator) GrantScript(ctx context.Context, role string) (string, error) {
	db, err := m.handle()
	if err != nil {
		return "", err
	}
	var name string
	if err := db.QueryRowContext(ctx, "SELECT current_schema()").Scan(&name); err != nil {
		return "", fmt.Errorf("ask which schema is used: %w", err)
	}
	return strings.NewReplacer(
		grantsRole, pgx.Identifier{role}.Sanitize(),
		grantsSchema, "SCHEMA "+pgx.Identifier{name}.Sanitize(),
	).Replace(grantsText), nil
}

// grantable refuses what would give an unclear error, or leave a server with the rights
// that it should not have.
func (m *Migrator) grantable(ctx context.Context, role string) error {
	if err := m.Check(ctx); err != nil {
		return err
	}
	db, err := m.handle()
	if err != nil {
		return err
	}
	var owns bool
	err = db.QueryRowContext(ctx, "SELECT pg_has_role($1::name, tableowner, 'MEMBER') FROM pg_tables "+
		"WHERE schemaname = current_schema() AND tablename = 'signals'", role).Scan(&owns)
	if failure, ok := errors.AsType[*pgconn.PgError](err); ok && failure.Code == undefinedObject {
		return fmt.Errorf("%w: %q does not exist; make it by CREATE ROLE %s LOGIN PASSWORD '…'",
			ErrRole, role, pgx.Identifier{role}.Sanitize())
	}
	if err != nil {
		return fmt.Errorf("look up the role %q: %w", role, err)
	}
	if owns {
		return fmt.Errorf("%w: %q owns the tables, is a member of the role that does, or is a superuser, "+
			"and so may do all already; name another one", ErrRole, role)
	}
	return nil
}

// handle is the PostgreSQL connection.
func (m *Migrator) handle() (*sql.DB, error) {
	if engine, ok := m.database.(*postgres); ok {
		return engine.db, nil
	}
	return nil, ErrNoRoles
}
