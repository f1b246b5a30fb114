package transfer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// file is the source as the file system sees it, and how it may be read without a
// trace: SQLite makes -wal and -shm files beside a database even for readers, and
// writes into it to recover from a crash.
type file struct {
	path string // as the caller named it
	real string // without symbolic links
	info fs.FileInfo
	// read is the file to open: the source itself, or a private copy.
	read string
	// mode is how to open it, as parameters of SQLite's URI.
	mode string
	// copied is the directory of the private copy, "" when there is none.
	copied string
	before map[string]stamp
}

// stamp tells whether a file was changed meanwhile.
type stamp struct {
	size  int64
	mtime time.Time
}

const (
	modeLocking   = "mode=ro"             // holds a shared lock: nobody changes the file meanwhile
	modeImmutable = "mode=ro&immutable=1" // no locks, no -wal and no -shm
	modeCopy      = "mode=rw"             // a copy of our own, which SQLite may recover
)

func openFile(ctx context.Context, path string) (*file, error) {
	f := &file{path: path}
	if err := f.find(); err != nil {
		return nil, err
	}
	f.before = f.stamps()
	h, locked, err := f.header()
	if err != nil {
		return nil, err
	}
	log := f.sidecar("-wal") || f.sidecar("-journal")
	if err := h.check(path, f.info.Size(), log); err != nil {
		return nil, err
	}
	f.read = f.real
	switch {
	case locked && (log || h.wal):
		return nil, &SourceError{Path: path, Problem: "is in use by another process", Mend: mendInUse}
	case log:
		// A server ended without closing it: part of the data is in the log. Only a
		// copy can be recovered without touching the source.
		err = f.copy(ctx)
	case h.wal:
		f.mode = modeImmutable
	default:
		f.mode = modeLocking
	}
	if err != nil {
		return nil, errors.Join(err, f.close())
	}
	return f, nil
}

// find resolves the path and says what stands there, if it is no file.
func (f *file) find() error {
	wrong := func(problem, mend string, cause error) error {
		return &SourceError{Path: f.path, Problem: problem, Mend: mend, Cause: cause}
	}
	resolved, err := filepath.EvalSymlinks(f.path)
	if err == nil {
		f.real, err = filepath.Abs(resolved)
	}
	if err == nil {
		f.info, err = os.Stat(f.real)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return wrong("does not exist", "check the path", nil)
	case errors.Is(err, fs.ErrPermission):
		return wrong("cannot be reached: permission denied", "give this user the right to read it", nil)
	case err != nil:
		return wrong("cannot be reached", "check the path", err)
	case f.info.IsDir():
		return wrong("is a directory", "name the database file in it", nil)
	case !f.info.Mode().IsRegular():
		return wrong("is no regular file", "name the database file that HAL9 wrote", nil)
	case f.info.Size() == 0:
		return wrong("is empty: no database was ever written to it", "name the database file that HAL9 wrote", nil)
	}
	return nil
}

// header reads the first bytes, and whether another process holds a lock. It must
// be done before the database is opened: closing any descriptor of a file drops
// the locks that this process holds on it.
func (f *file) header() (h header, locked bool, err error) {
	r, err := os.Open(f.real)
	if err != nil {
		if errors.Is(err, fs.ErrPermission) {
			return h, false, &SourceError{Path: f.path, Problem: "cannot be opened: permission denied", Mend: "give this user the right to read it"}
		}
		return h, false, &SourceError{Path: f.path, Problem: "cannot be opened", Mend: "see whether the disk and the file are sound", Cause: err}
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	if h, err = readHeader(r); err != nil {
		return h, false, &SourceError{Path: f.path, Problem: "cannot be read", Mend: "see whether the disk and the file are sound", Cause: err}
	}
	if locked, err = lockedElsewhere(r); err != nil {
		return h, false, fmt.Errorf("see whether %q is in use: %w", f.path, err)
	}
	return h, locked, nil
}

// sidecar tells whether a log with content lies beside the file.
func (f *file) sidecar(suffix string) bool { return f.before[suffix].size > 0 }

func (f *file) stamps() map[string]stamp {
	all := map[string]stamp{}
	for _, suffix := range []string{"", "-wal", "-journal"} {
		if info, err := os.Stat(f.real + suffix); err == nil {
			all[suffix] = stamp{info.Size(), info.ModTime()}
		}
	}
	return all
}

// unchanged refuses to go on when somebody wrote to the file since it was opened:
// what is read without locks might be neither the old state nor the new one.
func (f *file) unchanged() error {
	switch f.mode {
	case modeImmutable:
		return f.compare()
	default:
		return nil // a copy is ours alone, and a lock keeps others from writing
	}
}

func (f *file) compare() error {
	now := f.stamps()
	for suffix, old := range f.before {
		if now[suffix] != old {
			return &SourceError{Path: f.path, Problem: "was changed while it was read", Mend: mendInUse}
		}
	}
	if len(now) != len(f.before) {
		return &SourceError{Path: f.path, Problem: "was opened by another process while it was read", Mend: mendInUse}
	}
	return nil
}

// copy puts the file and its logs into a directory that only this user can read.
func (f *file) copy(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "hal9-import-")
	if err != nil {
		return fmt.Errorf("make a directory for a copy of %q: %w", f.path, err)
	}
	f.copied, f.mode = dir, modeCopy
	f.read = filepath.Join(dir, "source.db")
	for suffix := range f.before {
		if err := copyFile(ctx, f.read+suffix, f.real+suffix); err != nil {
			return fmt.Errorf("copy %q, which a server left without closing it, to recover the copy (set TMPDIR to a directory with room for it): %w", f.path+suffix, err)
		}
	}
	return f.compare()
}

func copyFile(ctx context.Context, to, from string) (err error) {
	r, err := os.Open(from) //nolint:gosec // the file that the user named
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	w, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) //nolint:gosec // in a directory of our own
	if err != nil {
		return fmt.Errorf("create: %w", err)
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	const step = 8 << 20
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		_, err := io.CopyN(w, r, step)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("write: %w", err)
		}
	}
}

func (f *file) close() error {
	if f.copied == "" {
		return nil
	}
	if err := os.RemoveAll(f.copied); err != nil {
		return fmt.Errorf("remove the copy: %w", err)
	}
	return nil
}
