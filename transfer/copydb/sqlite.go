package copydb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/hal9-ai/hal9/internal/dburl"
	"github.com/hal9-ai/hal9/schema"
)

// liteDatabase is an SQLite file.
type liteDatabase struct {
	path string
	db   *sql.DB
	conn *sql.Conn
	// stmts are the prepared inserts by their text.
	stmts map[string]*sql.Stmt
}

func openSQLite(ctx context.Context, url string) (database, error) {
	path, err := dburl.SQLitePath(url)
	if err != nil {
		return nil, err
	}
	if path == dburl.MemoryPath {
		return nil, errors.New("a database in memory cannot be copied from outside: name a file, as in sqlite://hal9.db")
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: there is no file %s", ErrUnreachable, path)
	}
	escaped := strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(path)
	db, err := sql.Open("sqlite", "file:"+escaped+"?mode=rw&_pragma=busy_timeout(5000)&_pragma=foreign_keys(1)&_pragma=synchronous(NORMAL)")
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	db.SetMaxOpenConns(1)
	lite := &liteDatabase{path: path, db: db, stmts: map[string]*sql.Stmt{}}
	if lite.conn, err = db.Conn(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", path, err), db.Close())
	}
	if err := schema.Check(ctx, lite.conn, schema.SQLite); err != nil {
		return nil, errors.Join(err, lite.close())
	}
	return lite, nil
}

func (*liteDatabase) engine() string { return "sqlite" }

func (db *liteDatabase) close() error {
	var err error
	for _, s := range db.stmts {
		err = errors.Join(err, s.Close())
	}
	return errors.Join(err, db.conn.Close(), db.db.Close())
}

func (db *liteDatabase) exec(ctx context.Context, statement string, args ...any) error {
	if _, err := db.conn.ExecContext(ctx, statement, args...); err != nil {
		return fmt.Errorf("%s: %w", head(statement), err)
	}
	return nil
}

func (db *liteDatabase) ask(ctx context.Context, statement string, args ...any) (list [][]string, err error) {
	rows, err := db.conn.QueryContext(ctx, statement, args...)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", head(statement), err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	columns, err := rows.Columns()
	if err != nil {
		return nil, err //nolint:wrapcheck // nothing to add
	}
	for rows.Next() {
		texts, places := make([]sql.NullString, len(columns)), make([]any, len(columns))
		for i := range texts {
			places[i] = &texts[i]
		}
		if err := rows.Scan(places...); err != nil {
			return nil, fmt.Errorf("%s: %w", head(statement), err)
		}
		row := make([]string, len(columns))
		for i := range texts {
			row[i] = texts[i].String
		}
		list = append(list, row)
	}
	return list, rows.Err() //nolint:wrapcheck // nothing to add
}

func (db *liteDatabase) schemaVersion(ctx context.Context) (int64, error) {
	return number(ctx, db, "SELECT max(version_id) FROM goose_db_version")
}

// identity is the file's own name, without links.
func (db *liteDatabase) identity(context.Context) (identity, error) {
	path, err := filepath.EvalSymlinks(db.path)
	if err == nil {
		path, err = filepath.Abs(path)
	}
	if err != nil {
		return identity{}, fmt.Errorf("find out which file %s is: %w", db.path, err)
	}
	return identity{place: "sqlite " + path}, nil
}

func (db *liteDatabase) snapshot(ctx context.Context) error {
	if err := db.exec(ctx, "BEGIN"); err != nil {
		return err
	}
	// The snapshot is taken at the first read.
	return db.exec(ctx, "SELECT count(*) FROM database_epoch")
}

func (db *liteDatabase) endSnapshot(ctx context.Context) error { return db.exec(ctx, "COMMIT") }

func (db *liteDatabase) describe(ctx context.Context) ([]Table, error) {
	names, err := db.ask(ctx, "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name")
	if err != nil {
		return nil, err
	}
	var tables []Table
	for _, n := range names {
		if left(n[0]) {
			continue
		}
		t, err := db.describeTable(ctx, n[0])
		if err != nil {
			return nil, err
		}
		tables = append(tables, t)
	}
	return inOrder(tables)
}

func (db *liteDatabase) describeTable(ctx context.Context, name string) (Table, error) {
	t := Table{Name: name}
	columns, err := db.ask(ctx, "SELECT name, type, pk FROM pragma_table_xinfo(?) WHERE hidden = 0 ORDER BY cid", name)
	if err != nil {
		return t, err
	}
	key := map[int]string{}
	for _, c := range columns {
		place, err := strconv.Atoi(c[2])
		if err != nil {
			return t, fmt.Errorf("describe %s: %w", name, err)
		}
		if c[1] == "INTEGER" && place > 0 {
			continue // the rowid by another name, which the engine gives
		}
		kind, known := liteKinds()[c[1]]
		if !known {
			return t, fmt.Errorf("column %s of %s: the type %s is not known here", c[0], name, c[1])
		}
		if place > 0 {
			key[place] = c[0]
		}
		t.Columns = append(t.Columns, Column{Name: c[0], Kind: kind})
	}
	if len(key) == 0 {
		unique, err := db.ask(ctx, `SELECT x.seqno + 1, x.name FROM pragma_index_info(
			(SELECT name FROM pragma_index_list(?) WHERE origin = 'u' ORDER BY seq DESC LIMIT 1)) AS x`, name)
		if err != nil {
			return t, err
		}
		for i, u := range unique {
			key[i+1] = u[1]
		}
	}
	for i := range len(key) {
		t.Key = append(t.Key, t.column(key[i+1]))
	}
	if len(t.Key) == 0 {
		return t, fmt.Errorf("the table %s has no key", name)
	}
	parents, err := db.ask(ctx, `SELECT DISTINCT "table" FROM pragma_foreign_key_list(?) ORDER BY 1`, name)
	if err != nil {
		return t, err
	}
	for _, p := range parents {
		t.Parents = append(t.Parents, p[0])
	}
	t.finish()
	return t, nil
}

func liteKinds() map[string]Kind {
	return map[string]Kind{
		"UUID_TEXT": UUID, "TEXT": Text, "JSON_TEXT": JSON, "DATETIME": Time,
		"BOOLEAN": Bool, "BIGINT": Int, "REAL": Float, "BLOB": Bytes,
	}
}

func (*liteDatabase) months(context.Context, []int) (int, error) { return 0, nil }

func (db *liteDatabase) versionCounter(ctx context.Context) (int64, error) {
	return number(ctx, db, "SELECT value FROM row_version")
}

func (db *liteDatabase) raiseVersionCounter(ctx context.Context, least int64) error {
	return db.exec(ctx, "UPDATE row_version SET value = max(value, ?)", least)
}

// settle has everything reach the file itself.
func (db *liteDatabase) settle(ctx context.Context) error {
	return db.exec(ctx, "PRAGMA wal_checkpoint(TRUNCATE)")
}

// seize keeps all others out until release: a lock that the system takes back when this
// program ends, however it ends.
func (db *liteDatabase) seize(ctx context.Context) error {
	err := db.exec(ctx, "PRAGMA locking_mode = EXCLUSIVE")
	if err == nil {
		// Leaving WAL mode takes that nobody else has the file open, not even to read.
		err = db.exec(ctx, "PRAGMA journal_mode = DELETE")
	}
	if err == nil {
		err = db.exec(ctx, "BEGIN EXCLUSIVE")
	}
	if err == nil {
		err = db.exec(ctx, "COMMIT")
	}
	if err == nil {
		err = db.exec(ctx, "PRAGMA journal_mode = WAL")
	}
	if lite, ok := errors.AsType[*sqlite.Error](err); ok && (lite.Code()&0xff == sqlite3.SQLITE_BUSY || lite.Code()&0xff == sqlite3.SQLITE_LOCKED) {
		return fmt.Errorf("%w: another process has the file open", ErrInUse)
	}
	return err
}

func (db *liteDatabase) release(ctx context.Context) error {
	// A log that was opened under the lock cannot be shared: it is closed first.
	for _, statement := range []string{"PRAGMA journal_mode = DELETE", "PRAGMA locking_mode = NORMAL", "BEGIN IMMEDIATE", "COMMIT", "PRAGMA journal_mode = WAL"} {
		if err := db.exec(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

func (db *liteDatabase) atFault(err error) string {
	if own, ok := errors.AsType[*unfitError](err); ok {
		return own.Error()
	}
	lite, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return ""
	}
	switch lite.Code() & 0xff {
	case sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_RANGE:
		return lite.Error()
	default:
		return ""
	}
}

func (db *liteDatabase) clear(ctx context.Context, tables []Table) error {
	for _, t := range slices.Backward(tables) { // children first
		if err := db.exec(ctx, "DELETE FROM "+quote(t.Name)); err != nil {
			return err
		}
	}
	return nil
}
