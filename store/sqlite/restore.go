package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/hal9-ai/hal9/model"
	"github.com/hal9-ai/hal9/schema"
)

// RestoreReport tells what was put in place.
type RestoreReport struct {
	BackupReport

	// Replaced is where the database is now that was there before; "" if there was none.
	Replaced string
}

// Restore puts a backup in the place of a database that nobody has open: ErrInUse says
// that somebody has. The backup is copied, checked and given an epoch that the database
// never had, so that nothing which was cached before is found, and versions that no row
// had, so that no client takes another row for the one that it read; then it takes the name,
// and the database that was there, or the log that one left, is kept beside it. The backup
// stays as it is.
//
// The caller holds the migrators' lock (schema.HoldSQLite), which keeps servers from
// starting meanwhile.
func Restore(ctx context.Context, backup, target string, now time.Time) (report RestoreReport, err error) {
	src, err := openBackup(backup, target)
	if err != nil {
		return report, err
	}
	defer func() { err = errors.Join(err, src.Close()) }()
	temp, err := tempBeside(target)
	if err != nil {
		return report, err
	}
	defer removeTemp(temp)
	if err := copyFile(ctx, src, temp); err != nil {
		return report, fmt.Errorf("copy the backup: %w", err)
	}
	if report.BackupReport, err = verify(ctx, temp); err != nil {
		return report, fmt.Errorf("check the backup: %w", err)
	}
	if err := checkVersion(ctx, temp); err != nil {
		return report, fmt.Errorf("check the backup: %w", err)
	}
	current, err := seize(ctx, target)
	if err != nil {
		return report, err
	}
	defer func() { err = errors.Join(err, current.close()) }()
	// Beyond the epochs of both, and of any that was restored and then lost.
	report.Epoch = max(report.Epoch+1, current.epoch+1, now.Unix())
	if err := setMarks(ctx, temp, report.Epoch, max(current.version, model.UnusedVersion(now)), now); err != nil {
		return report, err
	}
	if current.exists {
		// Who restores may be root, and the server another user.
		if err := likeFile(target, temp); err != nil {
			return report, err
		}
	}
	if err := syncPath(temp); err != nil {
		return report, err
	}
	aside := target + now.UTC().Format(".before-restore-20060102T150405Z")
	if err := current.setAside(aside); err != nil {
		return report, err
	}
	if current.exists {
		report.Replaced = aside
	}
	return report, giveName(temp, target, true)
}

// openBackup opens a backup, looks at what was opened, and is the last to ask for its name.
func openBackup(backup, target string) (_ *os.File, err error) {
	named, err := os.Stat(backup)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s", ErrNoFile, backup)
	}
	if err != nil {
		return nil, fmt.Errorf("look at the backup: %w", err)
	}
	if !named.Mode().IsRegular() { // opening a pipe would wait for who writes to it
		return nil, fmt.Errorf("%w: %s is no file", ErrNotWhole, backup)
	}
	src, err := os.Open(backup) //nolint:gosec // the file that the operator named
	if err != nil {
		return nil, fmt.Errorf("open the backup: %w", err)
	}
	defer func() {
		if err != nil {
			_ = src.Close() // it was only looked at
		}
	}()
	return src, checkBackup(src, backup, target)
}

func checkBackup(src *os.File, backup, target string) error {
	from, err := src.Stat()
	if err != nil {
		return fmt.Errorf("look at the backup: %w", err)
	}
	if !from.Mode().IsRegular() {
		return fmt.Errorf("%w: %s is no file", ErrNotWhole, backup)
	}
	if to, err := os.Stat(target); err == nil && os.SameFile(from, to) {
		return fmt.Errorf("%w: %s is the database itself", ErrInUse, backup)
	}
	if log := logBeside(backup); log != "" {
		return fmt.Errorf("%w: %s lies beside it, so it is a database in use and no backup: make one by hal9 backup", ErrNotWhole, log)
	}
	return nil
}

func copyFile(ctx context.Context, src io.Reader, to string) (err error) {
	dst, err := os.OpenFile(to, os.O_WRONLY|os.O_TRUNC, 0o600) //nolint:gosec // made by tempBeside
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dst.Close()) }()
	_, err = io.Copy(dst, &contextReader{ctx, src})
	return err
}

// contextReader lets a long copy be given up.
type contextReader struct {
	ctx context.Context //nolint:containedctx // lives as long as one copy
	r   io.Reader
}

func (c *contextReader) Read(p []byte) (int, error) {
	if c.ctx.Err() != nil {
		return 0, context.Cause(c.ctx)
	}
	return c.r.Read(p)
}

// checkVersion refuses what a newer program wrote; an older schema is migrated when a
// server opens it.
func checkVersion(ctx context.Context, path string) (err error) {
	db, err := openFile(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := schema.Check(ctx, db, schema.SQLite); err != nil && !errors.Is(err, schema.ErrBehind) {
		return err
	}
	return nil
}

// seized is the database that a restore replaces, locked.
type seized struct {
	path   string
	exists bool
	db     *sql.DB
	// epoch and version are its marks, 0 where they cannot be read.
	epoch, version int64
	damage         bool // it cannot be opened as a database
}

// seize locks the database against everybody, and has its log written into it. A file
// that is damaged is a good reason to restore, and nobody works with it.
func seize(ctx context.Context, target string) (*seized, error) {
	s := &seized{path: target}
	if _, err := os.Stat(target); errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	s.exists = true
	db, err := openFile(target)
	if err != nil {
		return nil, err
	}
	s.db = db
	var mode string
	// Leaving WAL mode takes that nobody else has the file open.
	err = db.QueryRowContext(ctx, "PRAGMA journal_mode = DELETE").Scan(&mode)
	if err == nil && mode != "delete" {
		err = fmt.Errorf("its journal mode stays %s", mode)
	}
	if err == nil {
		_, err = db.ExecContext(ctx, "BEGIN EXCLUSIVE")
	}
	var lite *sqlite.Error
	switch {
	case err == nil:
		s.epoch, _ = epochOf(ctx, db) // damaged further in, as what follows
		_ = db.QueryRowContext(ctx, "SELECT value FROM row_version").Scan(&s.version)
		return s, nil
	case errors.As(err, &lite) && (lite.Code()&0xff == sqlite3.SQLITE_NOTADB || lite.Code()&0xff == sqlite3.SQLITE_CORRUPT):
		s.damage = true
		return s, nil
	case errors.As(err, &lite) && (lite.Code()&0xff == sqlite3.SQLITE_BUSY || lite.Code()&0xff == sqlite3.SQLITE_LOCKED):
		err = ErrInUse
	}
	return nil, errors.Join(fmt.Errorf("lock %s: %w", target, err), db.Close())
}

// setAside gives the database another name. Where the file system has links it keeps
// its own until the restored one takes that: there is always one.
func (s *seized) setAside(name string) error {
	if s.damage || !s.exists {
		// A log that was left, be it of a database that was lost or moved away, would be
		// read into the restored file.
		for _, suffix := range logSuffixes() {
			if err := os.Rename(s.path+suffix, name+suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("set the log of the replaced database aside: %w", err)
			}
		}
		_ = os.Remove(s.path + "-shm")
	}
	if !s.exists {
		return nil
	}
	err := os.Link(s.path, name)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		err = os.Rename(s.path, name) // a file system without links
	}
	if err != nil {
		return fmt.Errorf("set the replaced database aside: %w", err)
	}
	return nil
}

func (s *seized) close() error {
	if s.db == nil {
		return nil
	}
	return s.db.Close()
}

// setMarks gives a file an epoch, and versions from the given one on.
func setMarks(ctx context.Context, path string, epoch, version int64, now time.Time) (err error) {
	db, err := openFile(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	_, err = db.ExecContext(ctx, "UPDATE database_epoch SET epoch = ?, updated_at = ? WHERE id = 1", epoch, now.UnixMicro())
	if err != nil {
		return fmt.Errorf("bump the epoch: %w", err)
	}
	if _, err = db.ExecContext(ctx, "UPDATE row_version SET value = max(value, ?)", version); err != nil {
		return fmt.Errorf("raise the versions: %w", err)
	}
	return nil
}
