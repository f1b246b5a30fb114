package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"strings"
)

// rowsQuerier is a database/sql handle, connection or transaction.
type rowsQuerier interface {
	RowQuerier
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// itsTables are those without which a file is no database of this service.
const itsTables = "database_epoch goose_db_version memories signals users"

// verify makes a closed file one without a log, and proves that it is a whole HAL9
// database.
func verify(ctx context.Context, path string) (report BackupReport, err error) {
	db, err := openFile(path)
	if err != nil {
		return report, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	for _, check := range []struct{ query, good string }{
		// Of WAL mode, so that the file can be copied about by itself. It also checks
		// the header.
		{"PRAGMA journal_mode = DELETE", "delete"},
		{"PRAGMA integrity_check", "ok"},
		{"PRAGMA foreign_key_check", ""},
		{
			"SELECT name FROM sqlite_schema WHERE type = 'table' AND name IN ('goose_db_version', 'database_epoch', 'signals', 'memories', 'users') ORDER BY name",
			itsTables,
		},
	} {
		found, err := texts(ctx, db, check.query)
		if err != nil {
			return report, fmt.Errorf("%w: %w", ErrNotWhole, err)
		}
		if got := strings.Join(found, " "); got != check.good {
			const longest = 500
			if check.good == itsTables {
				return report, fmt.Errorf("%w: it lacks tables of this service; 'hal9 import' takes those of the original HAL9 server", ErrNotWhole)
			}
			return report, fmt.Errorf("%w: %s gives %.*q", ErrNotWhole, check.query, longest, got)
		}
	}
	if report.Rows, err = countRows(ctx, db); err != nil {
		return report, fmt.Errorf("%w: %w", ErrNotWhole, err)
	}
	if report.Epoch, err = epochOf(ctx, db); err != nil {
		return report, fmt.Errorf("%w: %w", ErrNotWhole, err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return report, fmt.Errorf("look at the file: %w", err)
	}
	report.Bytes = info.Size()
	return report, nil
}

// openFile opens a file that is there; one connection, since what is asked of it leans
// on being alone.
func openFile(path string) (*sql.DB, error) {
	db, err := sql.Open("sqlite", "file:"+escapePath(path)+"?mode=rw&_pragma=synchronous(FULL)")
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	db.SetMaxOpenConns(1)
	return db, nil
}

func epochOf(ctx context.Context, db RowQuerier) (epoch int64, err error) {
	err = db.QueryRowContext(ctx, "SELECT epoch FROM database_epoch WHERE id = 1").Scan(&epoch)
	if err != nil {
		return 0, fmt.Errorf("read the epoch: %w", err)
	}
	return epoch, nil
}

// texts returns the first column of what a query finds.
func texts(ctx context.Context, db rowsQuerier, query string) (all []string, err error) {
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	first, rest := "", make([]any, len(columns))
	for i := range rest {
		rest[i] = new(any)
	}
	rest[0] = &first
	for rows.Next() {
		if err := rows.Scan(rest...); err != nil {
			return nil, err
		}
		all = append(all, first)
	}
	return all, rows.Err()
}
