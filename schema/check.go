package schema

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// PostgresQuerier is a pgx connection, pool or transaction.
type PostgresQuerier interface {
	Query(ctx context.Context, query string, args ...any) (pgx.Rows, error)
}

// SQLQuerier is a database/sql handle, connection or transaction.
type SQLQuerier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// Check returns nil if the database has exactly the schema that this program was
// built with, and a *VersionError if it has another.
func Check(ctx context.Context, db SQLQuerier, engine Engine) error {
	all, err := loadEmbedded(engine)
	if err != nil {
		return err
	}
	applied, err := appliedByHandle(ctx, db, engine)
	if err != nil {
		return err
	}
	return compareWith(engine, all, applied, func() (int64, error) { return oldestByHandle(ctx, db, engine) })
}

// CheckPostgres does the same over pgx. It needs the right to read the tables
// goose_db_version and schema_compatibility.
func CheckPostgres(ctx context.Context, db PostgresQuerier) error {
	all, err := loadEmbedded(Postgres)
	if err != nil {
		return err
	}
	applied, err := appliedByPool(ctx, db)
	if err != nil {
		return err
	}
	return compareWith(Postgres, all, applied, func() (int64, error) { return oldestByPool(ctx, db) })
}

// Version returns the newest migration that a database has, 0 for none, and the newest
// one that this program was built with.
func Version(ctx context.Context, db SQLQuerier, engine Engine) (applied, latest int64, err error) {
	rows, err := appliedByHandle(ctx, db, engine)
	if err != nil {
		return 0, 0, err
	}
	return versions(engine, rows)
}

// VersionPostgres does the same over pgx.
func VersionPostgres(ctx context.Context, db PostgresQuerier) (applied, latest int64, err error) {
	rows, err := appliedByPool(ctx, db)
	if err != nil {
		return 0, 0, err
	}
	return versions(Postgres, rows)
}

func versions(engine Engine, rows []Applied) (applied, latest int64, err error) {
	for _, row := range rows {
		applied = max(applied, row.Version)
	}
	latest, err = Latest(engine)
	return applied, latest, err
}

// Applied is a row of goose's version table.
type Applied struct {
	Version int64
	At      time.Time
}

const (
	versionTable = "goose_db_version"

	// A migrator works in the first schema of its search path, as goose does; a
	// server uses whatever table its search path finds.
	migratorHasTable = `SELECT count(*) FROM pg_catalog.pg_tables
		WHERE schemaname = current_schema() AND tablename = 'goose_db_version'`
	serverHasTable = `SELECT count(*) FROM (SELECT to_regclass('goose_db_version') AS found) t WHERE found IS NOT NULL`
	sqliteHasTable = `SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'goose_db_version'`

	// Version 0 is goose's mark that the table is ready.
	listVersions = `SELECT version_id, tstamp FROM goose_db_version WHERE version_id > 0 ORDER BY id`
)

// appliedByHandle reads what a migrator sees.
func appliedByHandle(ctx context.Context, db SQLQuerier, engine Engine) ([]Applied, error) {
	found, err := hasVersionTable(ctx, db, engine)
	if err != nil || !found {
		return nil, err
	}
	var applied []Applied
	err = each(ctx, db, listVersions, func(rows *sql.Rows) error {
		var a Applied
		err := rows.Scan(&a.Version, &a.At)
		a.At = a.At.UTC()
		applied = append(applied, a)
		return err //nolint:wrapcheck // each wraps it
	})
	return applied, err
}

func each(ctx context.Context, db SQLQuerier, query string, row func(*sql.Rows) error) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("read the schema's version: %w", err)
		}
	}()
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := rows.Close(); err == nil {
			err = closeErr
		}
	}()
	for rows.Next() {
		if err := row(rows); err != nil {
			return err
		}
	}
	return rows.Err() //nolint:wrapcheck // wrapped above
}

// appliedByPool reads what a server sees.
func appliedByPool(ctx context.Context, db PostgresQuerier) ([]Applied, error) {
	rows, err := db.Query(ctx, serverHasTable)
	if err != nil {
		return nil, fmt.Errorf("read the schema's version: %w", err)
	}
	tables, err := pgx.CollectExactlyOneRow(rows, pgx.RowTo[int64])
	if err != nil {
		return nil, fmt.Errorf("read the schema's version: %w", err)
	}
	if tables == 0 {
		return nil, nil
	}
	rows, err = db.Query(ctx, listVersions)
	if err != nil {
		return nil, fmt.Errorf("read the schema's version from %s: %w", versionTable, err)
	}
	applied, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Applied])
	if err != nil {
		return nil, fmt.Errorf("read the schema's version from %s: %w", versionTable, err)
	}
	return applied, nil
}

func hasVersionTable(ctx context.Context, db SQLQuerier, engine Engine) (bool, error) {
	query := migratorHasTable
	if engine == SQLite {
		query = sqliteHasTable
	}
	tables := int64(0)
	err := each(ctx, db, query, func(rows *sql.Rows) error {
		return rows.Scan(&tables)
	})
	return tables > 0, err
}
