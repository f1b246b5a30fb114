package schema

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// lockSuffix is added to the name of a database file. The lock file stays: who
// removed it would split those that wait for it from those that come later.
const lockSuffix = ".migrate.lock"

// servingSuffix is that of the file by which a server sees whether another one serves.
const servingSuffix = ".serve.lock"

const (
	writePragmas = "mode=rwc&_pragma=busy_timeout(5000)&_pragma=foreign_keys(1)&_pragma=journal_mode(WAL)" +
		"&_pragma=synchronous(FULL)&_txlock=immediate&_time_integer_format=unix_micro&_inttotime=1&_timezone=UTC"
	// Reading must neither make the file nor change its journal mode.
	readPragmas = "mode=rw&_pragma=busy_timeout(5000)&_pragma=query_only(1)&_timezone=UTC"
)

// sqliteDB is a file, or a handle that somebody else opened.
type sqliteDB struct {
	file    string // "" for a database in memory
	writer  *sql.DB
	reader  *sql.DB
	waiting func(holder string)
}

func openSQLite(databaseURL string, o Options) (*Migrator, error) {
	file, err := sqliteFile(databaseURL)
	if err != nil {
		return nil, err
	}
	writer, err := openFile(file, writePragmas)
	if err != nil {
		return nil, err
	}
	reader, err := openFile(file, readPragmas)
	if err != nil {
		return nil, errors.Join(err, writer.Close())
	}
	engine := &sqliteDB{file: file, writer: writer, reader: reader, waiting: o.Waiting}
	m, err := newMigrator(SQLite, writer, o, engine)
	if err != nil {
		return nil, errors.Join(err, engine.close())
	}
	return m, nil
}

// openFile connects to nothing yet.
func openFile(file, pragmas string) (*sql.DB, error) {
	connector, err := sqlite.NewConnector("file:" + (&url.URL{Path: filepath.ToSlash(file)}).EscapedPath() + "?" + pragmas)
	if err != nil {
		return nil, fmt.Errorf("open the SQLite file %s: %w", file, err)
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(1)
	return db, nil
}

// hold takes the lock before the file is opened: that already writes, since it
// sets the journal mode.
func (s *sqliteDB) hold(ctx context.Context) (func() error, error) {
	unlock := func() error { return nil }
	if s.file != "" {
		if err := hasFolder(s.file); err != nil {
			return nil, err
		}
		var err error
		if unlock, err = lockFile(ctx, s.file+lockSuffix, s.waiting); err != nil {
			return nil, err
		}
		MakePrivate(s.file)
	}
	if err := s.writer.PingContext(ctx); err != nil {
		return nil, errors.Join(notOpened(s.file, err), unlock())
	}
	return unlock, nil
}

// notOpened says why a file was not opened, and what mends it where that is known.
func notOpened(file string, err error) error {
	return fmt.Errorf("%w: open the SQLite file %s: %w%s", ErrUnreachable, file, err, mendOf(err))
}

// mendOf is what mends an error of SQLite's that is no program's fault, or nothing.
func mendOf(err error) string {
	lite, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return ""
	}
	switch lite.Code() & 0xff { // without what further tells them apart
	case sqlite3.SQLITE_FULL:
		return "; make room on its disk"
	case sqlite3.SQLITE_NOTADB:
		return "; name the file of an SQLite database, or one that does not exist yet"
	case sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM:
		return "; this user has to be let write it, and make files in its folder, for SQLite's log"
	default:
		return ""
	}
}

// MakePrivate makes a database that does not exist as an empty file, which SQLite takes
// for a new one, that its owner alone can read: SQLite itself would let everybody, and
// it holds hashes of passwords. Its log gets the same mode from SQLite. What fails here
// SQLite meets as well, and tells.
func MakePrivate(file string) {
	if f, err := os.OpenFile(file, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600); err == nil { //nolint:gosec // the file that the operator named
		_ = f.Close() // nothing was written
	}
}

func hasFolder(file string) error {
	folder := filepath.Dir(file)
	info, err := os.Stat(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: the SQLite file %s lies in a folder that does not exist; make %s", ErrUnreachable, file, folder)
	}
	if err != nil {
		return fmt.Errorf("%w: find the folder of the SQLite file: %w", ErrUnreachable, err)
	}
	if !info.IsDir() {
		return fmt.Errorf("%w: %s is no folder", ErrUnreachable, folder)
	}
	if info, err := os.Stat(file); err == nil && info.IsDir() {
		return fmt.Errorf("%w: %s is a folder; name a file, as in sqlite://%s", ErrUnreachable, file, filepath.Join(file, "hal9.db"))
	}
	return nil
}

func (s *sqliteDB) read(ctx context.Context) (SQLQuerier, error) {
	if s.file != "" {
		if _, err := os.Stat(s.file); errors.Is(err, fs.ErrNotExist) {
			return nil, nil //nolint:nilnil // no database yet
		}
	}
	if err := s.reader.PingContext(ctx); err != nil {
		return nil, notOpened(s.file, err)
	}
	return s.reader, nil
}

func (s *sqliteDB) close() error {
	if err := errors.Join(s.reader.Close(), s.writer.Close()); err != nil {
		return fmt.Errorf("close the database: %w", err)
	}
	return nil
}

// HoldSQLite keeps migrators of an SQLite file away until release is called, and with
// them servers that start: they migrate first. It returns the file that the URL names.
func HoldSQLite(ctx context.Context, databaseURL string, waiting func(holder string)) (file string, release func() error, err error) {
	if file, err = sqliteFile(databaseURL); err != nil {
		return "", nil, err
	}
	if err := hasFolder(file); err != nil {
		return "", nil, err
	}
	release, err = lockFile(ctx, file+lockSuffix, waiting)
	return file, release, err
}
