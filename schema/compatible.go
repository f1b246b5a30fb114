package schema

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// The table is absent before the migration that made it, all programs since then can
// work with what stood there.
const (
	serverHasCompatibility = `SELECT count(*) FROM (SELECT to_regclass('schema_compatibility') AS found) t WHERE found IS NOT NULL`
	sqliteHasCompatibility = `SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'schema_compatibility'`
	readCompatibility      = `SELECT coalesce(max(oldest_program), 0) FROM schema_compatibility`
)

// compareWith is compare for a database that can be asked which programs it bears. It
// is asked only where that matters.
func compareWith(engine Engine, all []migration, applied []Applied, oldest func() (int64, error)) error {
	err := compare(engine, all, applied)
	differs, ok := errors.AsType[*VersionError](err)
	if !ok || len(differs.Unknown) == 0 {
		return err
	}
	if differs.Oldest, err = oldest(); err != nil {
		return err
	}
	return differs
}

func oldestByHandle(ctx context.Context, db SQLQuerier, engine Engine) (oldest int64, err error) {
	has := serverHasCompatibility
	if engine == SQLite {
		has = sqliteHasCompatibility
	}
	tables := int64(0)
	if err := each(ctx, db, has, func(rows *sql.Rows) error { return rows.Scan(&tables) }); err != nil || tables == 0 {
		return 0, err
	}
	err = each(ctx, db, readCompatibility, func(rows *sql.Rows) error { return rows.Scan(&oldest) })
	return oldest, err
}

func oldestByPool(ctx context.Context, db PostgresQuerier) (int64, error) {
	read := func(query string) (int64, error) {
		rows, err := db.Query(ctx, query)
		if err != nil {
			return 0, fmt.Errorf("read which programs the schema bears: %w", err)
		}
		n, err := pgx.CollectExactlyOneRow(rows, pgx.RowTo[int64])
		if err != nil {
			return 0, fmt.Errorf("read which programs the schema bears: %w", err)
		}
		return n, nil
	}
	if tables, err := read(serverHasCompatibility); err != nil || tables == 0 {
		return 0, err
	}
	return read(readCompatibility)
}
