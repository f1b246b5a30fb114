package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/google/uuid"
	_ "modernc.org/sqlite" // the driver that sql.Open finds by name

	"github.com/hal9-ai/hal9/gen/sqlitedb"
	"github.com/hal9-ai/hal9/gen/sqlitestore"
	"github.com/hal9-ai/hal9/model"
	"github.com/hal9-ai/hal9/schema"
)

// Store is a SQLite database behind the shared interface.
type Store struct {
	*sqlitestore.Store
	cfg     Config
	readDB  *sql.DB
	writeDB *sql.DB
	readers *readers
	writer  *writer
}

var _ model.Store = (*Store)(nil)

// Handle is a database that is open and not yet prepared: it may still be migrated.
type Handle struct {
	cfg        Config
	memoryName string
	writeDB    *sql.DB
}

// OpenHandle opens the file, or makes it, and proves the settings that everything
// here leans on.
func OpenHandle(ctx context.Context, cfg Config) (*Handle, error) {
	cfg = cfg.WithDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	if err := CheckFile(cfg.Path); err != nil {
		return nil, fmt.Errorf("database.url: %w", err)
	}
	if cfg.Path != MemoryPath {
		schema.MakePrivate(cfg.Path)
	}
	h := &Handle{cfg: cfg, memoryName: uuid.NewString()}
	db, err := sql.Open("sqlite", cfg.dsn(h.memoryName, false))
	if err != nil {
		return nil, translate("", err)
	}
	// One connection for ever: two would fight for the write lock, and the last one
	// of a database in memory takes the database along.
	db.SetMaxOpenConns(1)
	db.SetMaxIdleConns(1)
	h.writeDB = db
	if err := h.checkPragmas(ctx); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return h, nil
}

// DB lends the writing connection, to migrate through it.
func (h *Handle) DB() *sql.DB { return h.writeDB }

// Close closes a handle that no store was made of.
func (h *Handle) Close() error { return h.writeDB.Close() }

// CheckFile says in plain words what SQLite calls "unable to open database file".
func CheckFile(path string) error {
	if path == MemoryPath {
		return nil
	}
	dir := filepath.Dir(path)
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("the folder %s does not exist: make it, or name another file", dir)
	case err != nil:
		return fmt.Errorf("the folder %s cannot be looked at: %w", dir, err)
	case !info.IsDir():
		return fmt.Errorf("%s is no folder", dir)
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return fmt.Errorf("%s is a folder: name a file in it", path)
	}
	return nil
}

// checkPragmas makes sure that the connection is what was asked for: a build of
// SQLite without foreign keys, or a file system without WAL, says nothing by itself.
func (h *Handle) checkPragmas(ctx context.Context) error {
	journal := "wal"
	if h.cfg.Path == MemoryPath {
		journal = "memory"
	}
	for _, p := range []struct{ name, want string }{{"foreign_keys", "1"}, {"synchronous", "2"}, {"journal_mode", journal}} {
		var got string
		if err := h.writeDB.QueryRowContext(ctx, "PRAGMA "+p.name).Scan(&got); err != nil {
			return fmt.Errorf("database.url: open %s: %w", h.cfg.Path, translate("", err))
		}
		if got != p.want {
			return fmt.Errorf("SQLite's %s is %q and must be %q: the file system or this build of SQLite does not support it", p.name, got, p.want)
		}
	}
	return nil
}

// Store needs a migrated schema. The store owns the handle from then on.
func (h *Handle) Store(ctx context.Context) (*Store, error) {
	w, err := newWriter(ctx, h.writeDB, h.cfg.AcquireTimeout)
	if err != nil {
		return nil, translate("", err)
	}
	w.readOnly = h.cfg.ReadOnly
	readDB, err := sql.Open("sqlite", h.cfg.dsn(h.memoryName, true))
	if err != nil {
		return nil, errors.Join(translate("", err), w.close())
	}
	readDB.SetMaxOpenConns(h.cfg.MaxConnections)
	readDB.SetMaxIdleConns(h.cfg.MaxConnections)
	s := &Store{
		cfg: h.cfg, readDB: readDB, writeDB: h.writeDB, writer: w,
		readers: newReaders(readDB, h.cfg.MaxConnections, h.cfg.AcquireTimeout),
	}
	s.Store = sqlitestore.New(s, translate)
	return s, nil
}

// Engine is "sqlite".
func (s *Store) Engine() string { return "sqlite" }

// Ping asks the engine for one answer.
func (s *Store) Ping(ctx context.Context) error {
	return s.read(ctx, "", func(ctx context.Context, rd *reader) error {
		var one int
		return rd.conn.QueryRowContext(ctx, "SELECT 1").Scan(&one)
	})
}

// Close answers what is queued, waits for calls under way, and closes the file.
func (s *Store) Close() error {
	return errors.Join(s.writer.close(), s.readers.close(), s.readDB.Close(), s.writeDB.Close())
}

// PoolStats tells how the readers are used at this moment, and how many calls wait for
// one of them or for the writer.
func (s *Store) PoolStats() model.PoolStats {
	return model.PoolStats{
		Max:      cap(s.readers.places),
		InUse:    len(s.readers.places),
		Idle:     s.readers.idleCount(),
		Waiting:  int(s.readers.waiting.Load()) + len(s.writer.queue),
		Waits:    s.readers.waits.Load(),
		WaitTime: time.Duration(s.readers.waitTime.Load()),
		Writer:   s.writer.stats(),
	}
}

// SchemaVersion tells how far the database has been migrated.
func (s *Store) SchemaVersion(ctx context.Context) (model.SchemaVersion, error) {
	var v model.SchemaVersion
	err := s.read(ctx, "", func(ctx context.Context, rd *reader) (err error) {
		v.Applied, v.Latest, err = schema.Version(ctx, rd.conn, schema.SQLite)
		return err
	})
	return v, err
}

// Read runs one generated query that writes nothing on a reader.
func (s *Store) Read(ctx context.Context, query string, fn func(context.Context, *sqlitedb.Queries) error) error {
	return s.read(ctx, query, func(ctx context.Context, rd *reader) error {
		return fn(ctx, rd.queries)
	})
}

// Write runs one generated query on the writer, together with others.
func (s *Store) Write(ctx context.Context, query string, fn func(context.Context, *sqlitedb.Queries) error) error {
	if insideTx(ctx, s) {
		return &model.Error{Kind: model.ErrInTx, Entity: model.EntityOf(query)}
	}
	return model.ObserveQuery(ctx, s.cfg.Observer, query, func(ctx context.Context) error {
		return translate(query, s.writer.do(&write{ctx: ctx, query: query, run: fn}))
	})
}

// read lends a reader for a statement.
func (s *Store) read(ctx context.Context, query string, fn func(context.Context, *reader) error) error {
	return s.readFor(ctx, s.cfg.StatementTimeout, query, fn)
}

// readFor is read for what may take another time.
func (s *Store) readFor(ctx context.Context, limit time.Duration, query string, fn func(context.Context, *reader) error) error {
	if insideTx(ctx, s) {
		return &model.Error{Kind: model.ErrInTx, Entity: model.EntityOf(query)}
	}
	ctx, cancel := bounded(ctx, limit)
	defer cancel()
	return model.ObserveQuery(ctx, s.cfg.Observer, query, func(ctx context.Context) error {
		return translate(query, s.readers.with(ctx, query, func(rd *reader) error { return fn(ctx, rd) }))
	})
}

// bounded ends after the limit at the latest. Most callers have less time left: no timer is
// made for them.
func bounded(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	if end, ok := ctx.Deadline(); ok && time.Until(end) <= limit {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, limit)
}
