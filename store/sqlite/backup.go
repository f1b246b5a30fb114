package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"

	"modernc.org/sqlite"
)

// What Backup and Restore refuse. Test with errors.Is.
var (
	ErrExists   = errors.New("there is such a file already")
	ErrNoFile   = errors.New("there is no such file")
	ErrInUse    = errors.New("the database is in use")
	ErrNotWhole = errors.New("the file is no whole HAL9 database")
	ErrLog      = errors.New("a log of another database lies there, and SQLite would read it into the copy")
)

// backupStep is how many pages are copied between two looks at the context.
const backupStep = 1000

// BackupOptions are what may differ from one backup to the next. All may be zero.
type BackupOptions struct {
	// Overwrite replaces a file of that name.
	Overwrite bool
	// Progress is called as pages are copied.
	Progress func(done, total int)
}

// BackupReport tells what a backup holds.
type BackupReport struct {
	Bytes int64
	Rows  map[string]int64 // by table
	Epoch int64
}

// Backup copies a database into a new file while others read and write it: what was
// committed when it begins is in the copy, and nothing of what is committed later. It
// holds one read transaction, so no writer waits, but the write-ahead log grows
// meanwhile. The copy is one file, without a log beside it, checked (integrity, foreign
// keys, the count of rows of each table) and on the disk before it bears its name; a
// backup that fails leaves no file behind.
//
// It uses SQLite's online backup interface, whose steps see one snapshot since the
// source's connection has a transaction open (https://www.sqlite.org/backup.html).
func Backup(ctx context.Context, source, dest string, o BackupOptions) (BackupReport, error) {
	var report BackupReport
	if err := checkPlaces(source, dest, o.Overwrite); err != nil {
		return report, err
	}
	temp, err := tempBeside(dest)
	if err != nil {
		return report, err
	}
	defer removeTemp(temp)
	before, err := copyPages(ctx, source, temp, o.Progress)
	if err != nil {
		return report, fmt.Errorf("copy the database: %w", err)
	}
	if report, err = verify(ctx, temp); err != nil {
		return report, fmt.Errorf("check the copy: %w", err)
	}
	if !maps.Equal(before, report.Rows) {
		return report, fmt.Errorf("check the copy: %w: it has other rows than the database: %v, not %v", ErrNotWhole, report.Rows, before)
	}
	if err := syncPath(temp); err != nil {
		return report, err
	}
	return report, giveName(temp, dest, o.Overwrite)
}

func checkPlaces(source, dest string, overwrite bool) error {
	from, err := os.Stat(source)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %s", ErrNoFile, source)
	}
	if err != nil {
		return fmt.Errorf("look at the database: %w", err)
	}
	to, err := os.Stat(dest)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return fmt.Errorf("look at the backup's place: %w", err)
	case os.SameFile(from, to):
		return fmt.Errorf("%w: %s is the database itself", ErrExists, dest)
	case to.IsDir():
		return fmt.Errorf("%w: %s is a folder: name a file in it", ErrExists, dest)
	case !overwrite:
		return fmt.Errorf("%w: %s", ErrExists, dest)
	}
	if log := logBeside(dest); log != "" {
		return fmt.Errorf("%w: %s", ErrLog, log)
	}
	return nil
}

// logSuffixes are those of the files by which SQLite brings a database up to date that was
// not closed. It knows them by their names alone: one that lies beside a file is read into
// it, whichever database it was of.
func logSuffixes() []string { return []string{"-wal", "-journal"} }

// logBeside returns a log with content that lies beside a file, "" if there is none.
func logBeside(path string) string {
	for _, suffix := range logSuffixes() {
		if info, err := os.Stat(path + suffix); err == nil && info.Size() > 0 {
			return path + suffix
		}
	}
	return ""
}

// copyPages copies one snapshot of the source, and counts its rows in it.
func copyPages(ctx context.Context, source, temp string, progress func(done, total int)) (rows map[string]int64, err error) {
	db, err := sql.Open("sqlite", "file:"+escapePath(source)+"?mode=rw&_pragma=busy_timeout(5000)&_pragma=query_only(1)")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	// Deferred: it reads, and takes no lock that a writer waits for.
	if _, err := conn.ExecContext(ctx, "BEGIN"); err != nil {
		return nil, err
	}
	defer func() {
		_, rollback := conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
		err = errors.Join(err, rollback)
	}()
	if rows, err = countRows(ctx, conn); err != nil { // the snapshot is taken here
		return nil, err
	}
	return rows, conn.Raw(func(driver any) error {
		backuper, ok := driver.(interface {
			NewBackup(uri string) (*sqlite.Backup, error)
		})
		if !ok {
			return errors.New("this driver of SQLite makes no backups")
		}
		// The copy is synced as a whole at the end.
		b, err := backuper.NewBackup("file:" + escapePath(temp) + "?_pragma=journal_mode(OFF)&_pragma=synchronous(OFF)")
		if err != nil {
			return err
		}
		return errors.Join(step(ctx, b, progress), b.Finish())
	})
}

func step(ctx context.Context, b *sqlite.Backup, progress func(done, total int)) error {
	for more := true; more; {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		var err error
		if more, err = b.Step(backupStep); err != nil {
			return err
		}
		if progress != nil {
			progress(b.PageCount()-b.Remaining(), b.PageCount())
		}
	}
	return nil
}

// countRows counts each table's rows; those in which FTS5 keeps its index it leaves out.
func countRows(ctx context.Context, db rowsQuerier) (_ map[string]int64, err error) {
	names, err := texts(ctx, db, `SELECT name FROM sqlite_schema WHERE type = 'table'
		AND name NOT LIKE 'sqlite\_%' ESCAPE '\' AND name NOT LIKE 'memories\_fts%' ESCAPE '\' ORDER BY name`)
	if err != nil {
		return nil, err
	}
	counts := map[string]int64{}
	for _, name := range names {
		var n int64
		if err := db.QueryRowContext(ctx, `SELECT count(*) FROM "`+name+`"`).Scan(&n); err != nil {
			return nil, fmt.Errorf("count %s: %w", name, err)
		}
		counts[name] = n
	}
	return counts, nil
}

// tempBeside makes an empty file in the folder of a file to come, for its owner alone.
func tempBeside(dest string) (string, error) {
	f, err := os.CreateTemp(filepath.Dir(dest), "."+filepath.Base(dest)+".*.partial")
	if err != nil {
		return "", fmt.Errorf("make the file: %w", err)
	}
	return f.Name(), f.Close()
}

// removeTemp removes what is left of a file that did not get its name.
func removeTemp(temp string) {
	for _, suffix := range []string{"", "-journal", "-wal", "-shm"} {
		_ = os.Remove(temp + suffix)
	}
}

// giveName makes a file appear under its name, whole or not at all.
func giveName(temp, dest string, overwrite bool) error {
	if !overwrite {
		// A link, unlike a rename, refuses to replace what came in between. Some file
		// systems have no links.
		err := os.Link(temp, dest)
		if err == nil {
			return syncPath(filepath.Dir(dest))
		}
		if errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("%w: %s", ErrExists, dest)
		}
	}
	if err := os.Rename(temp, dest); err != nil {
		return fmt.Errorf("give the file its name: %w", err)
	}
	return syncPath(filepath.Dir(dest))
}

// syncPath has a file or folder reach the disk.
func syncPath(path string) error {
	f, err := os.Open(path) //nolint:gosec // the file that the operator named
	if err != nil {
		return fmt.Errorf("sync %s: %w", path, err)
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("sync %s: %w", path, err)
	}
	return nil
}
