package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/jackc/pgx/v5"
	_ "modernc.org/sqlite" // the driver that sql.Open finds by name

	"github.com/hal9-ai/hal9/bench/ledger"
	"github.com/hal9-ai/hal9/internal/testenv/servers"
)

// database is what a server works on, looked at directly and not through the service.
type database interface {
	engine() string
	url() string
	// look returns how often each signal and memory of the load, by its content, and each
	// state of its neurons is stored.
	look(ctx context.Context) (map[string]int, error)
	// check fails unless the database is whole.
	check(ctx context.Context) error
	close() error
}

const (
	signalsQuery  = "SELECT content, count(*) FROM signals WHERE from_neuron = '" + ledger.Sender + "' GROUP BY content"
	memoriesQuery = "SELECT content, count(*) FROM memories WHERE neuron_id = '" + ledger.Sender + "' GROUP BY content"
	statesQuery   = "SELECT state, count(*) FROM neurons WHERE state <> 'idle' GROUP BY state"
)

// lite is a file of SQLite. It is looked at in a copy, so that to open it, which replays
// and removes the log, is left to the server.
type lite struct {
	path string
	// through is where the files are seen from here, if not at path.
	through func() string
	copies  string
}

func newLite(_ context.Context, dir string) (database, error) {
	copies := filepath.Join(dir, "copies")
	if err := os.Mkdir(copies, 0o700); err != nil {
		return nil, fmt.Errorf("make a directory: %w", err)
	}
	return &lite{path: filepath.Join(dir, "hal9.db"), copies: copies}, nil
}

func (l *lite) engine() string { return "SQLite" }
func (l *lite) url() string    { return "sqlite://" + l.path }
func (l *lite) close() error   { return nil }

// open opens a copy as a crash would leave it: the file and its log, without the index.
// Nobody may write meanwhile.
func (l *lite) open() (db *sql.DB, done func() error, err error) {
	from, to := l.path, filepath.Join(l.copies, "hal9.db")
	if l.through != nil {
		from = l.through()
	}
	for _, suffix := range []string{"", "-wal"} {
		err := copyFile(from+suffix, to+suffix)
		if err != nil && (suffix == "" || !errors.Is(err, fs.ErrNotExist)) {
			return nil, nil, fmt.Errorf("copy the database: %w", err)
		}
	}
	if db, err = sql.Open("sqlite", to); err != nil {
		return nil, nil, fmt.Errorf("open the copy: %w", err)
	}
	return db, func() error {
		err := db.Close()
		for _, suffix := range []string{"", "-wal", "-shm"} {
			if removed := os.Remove(to + suffix); !errors.Is(removed, fs.ErrNotExist) {
				err = errors.Join(err, removed)
			}
		}
		return err
	}, nil
}

func copyFile(from, to string) (err error) {
	in, err := os.Open(from) //nolint:gosec // our own
	if err != nil {
		return err //nolint:wrapcheck // it tells the path
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600) //nolint:gosec // our own
	if err != nil {
		return err //nolint:wrapcheck // it tells the path
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

func (l *lite) look(ctx context.Context) (stored map[string]int, err error) {
	db, done, err := l.open()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, done()) }()
	stored = map[string]int{}
	for _, query := range []string{signalsQuery, memoriesQuery, statesQuery} {
		if err := lookInto(ctx, db, query, stored); err != nil {
			return nil, fmt.Errorf("ask the database what is stored: %w", err)
		}
	}
	return stored, nil
}

func lookInto(ctx context.Context, db *sql.DB, query string, stored map[string]int) (err error) {
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return err //nolint:wrapcheck // the caller tells what for
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var token string
		var n int
		if err := rows.Scan(&token, &n); err != nil {
			return err //nolint:wrapcheck // as above
		}
		stored[token] = n
	}
	return rows.Err() //nolint:wrapcheck // as above
}

// check looks at every page, every reference, and whether the full-text index agrees with
// the memories.
func (l *lite) check(ctx context.Context) (err error) {
	db, done, err := l.open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	var integrity string
	if err := db.QueryRowContext(ctx, "PRAGMA integrity_check").Scan(&integrity); err != nil {
		return fmt.Errorf("check the file: %w", err)
	}
	if integrity != "ok" {
		return fmt.Errorf("the file is damaged: %s", integrity)
	}
	var table string
	err = db.QueryRowContext(ctx, `SELECT "table" FROM pragma_foreign_key_check`).Scan(&table)
	switch {
	case err == nil:
		return fmt.Errorf("a row of %s refers to one that is not there", table)
	case !errors.Is(err, sql.ErrNoRows):
		return fmt.Errorf("check the references: %w", err)
	}
	if _, err := db.ExecContext(ctx, "INSERT INTO memories_fts (memories_fts, rank) VALUES ('integrity-check', 1)"); err != nil {
		return fmt.Errorf("check the full-text index: %w", err)
	}
	return nil
}

// postgres is a database of PostgreSQL.
type postgres struct {
	address string
	// node is nil where the server is not the trial's own.
	node *servers.PostgresNode
	stop func() error
}

// newPostgres starts a PostgreSQL that syncs what it commits.
func newPostgres(ctx context.Context, _ string) (database, error) {
	node, stop, err := servers.StartPostgresNode(ctx, servers.Durable)
	if err != nil {
		return nil, err
	}
	return &postgres{address: node.URL("postgres"), node: node, stop: stop}, nil
}

func (p *postgres) engine() string { return "PostgreSQL" }
func (p *postgres) url() string    { return p.address }

func (p *postgres) close() error {
	if p.stop == nil {
		return nil
	}
	return p.stop()
}

func (p *postgres) look(ctx context.Context) (stored map[string]int, err error) {
	conn, err := pgx.Connect(ctx, p.address)
	if err != nil {
		return nil, fmt.Errorf("ask the database what is stored: %w", err)
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }()
	stored = map[string]int{}
	for _, query := range []string{signalsQuery, memoriesQuery, statesQuery} {
		rows, err := conn.Query(ctx, query)
		if err != nil {
			return nil, fmt.Errorf("ask the database what is stored: %w", err)
		}
		var token string
		var n int
		if _, err := pgx.ForEachRow(rows, []any{&token, &n}, func() error { stored[token] = n; return nil }); err != nil {
			return nil, fmt.Errorf("ask the database what is stored: %w", err)
		}
	}
	return stored, nil
}

// check makes sure that the server has the settings under which nothing is lost.
func (p *postgres) check(ctx context.Context) (err error) {
	if p.node == nil {
		return nil
	}
	conn, err := pgx.Connect(ctx, p.address)
	if err != nil {
		return fmt.Errorf("ask for settings: %w", err)
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }()
	for _, setting := range []string{"fsync", "synchronous_commit", "full_page_writes"} {
		var value string
		if err := conn.QueryRow(ctx, "SELECT current_setting($1)", setting).Scan(&value); err != nil {
			return fmt.Errorf("ask for settings: %w", err)
		}
		if value != "on" {
			return fmt.Errorf("%s is %s", setting, value)
		}
	}
	return nil
}
