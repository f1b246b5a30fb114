package schema

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"
)

// errLocked says that somebody else has the lock at this moment.
var errLocked = errors.New("locked")

// lockFile takes an exclusive lock on a file, which is made if there is none, and
// waits for it until the context ends. The kernel gives the lock back when its
// holder ends in whatever way.
func lockFile(ctx context.Context, name string, waiting func(holder string)) (unlock func() error, err error) {
	file, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600) //nolint:gosec // beside the database that the operator named
	switch {
	case errors.Is(err, fs.ErrPermission), err != nil && isReadOnly(err):
		return nil, fmt.Errorf("%w: make the lock file: %w; the folder has to let this user make files, for SQLite's log too", ErrUnreachable, err)
	case err != nil:
		return nil, fmt.Errorf("%w: make the lock file: %w", ErrUnreachable, err)
	}
	if err := waitForLock(ctx, file, waiting); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	// For whoever wonders who holds the lock; nothing leans on it.
	if err := file.Truncate(0); err == nil {
		_, _ = file.WriteAt([]byte(fmt.Sprintf("%d\n", os.Getpid())), 0)
	}
	return func() error {
		if err := file.Close(); err != nil {
			return fmt.Errorf("give the migration lock back: %w", err)
		}
		return nil
	}, nil
}

// Serving says that this process serves from an SQLite file, until release is called or it
// ends. It tells whether another one does so already; where that cannot be known, no.
func Serving(file string) (another bool, release func()) {
	mark, err := os.OpenFile(file+servingSuffix, os.O_RDWR|os.O_CREATE, 0o600) //nolint:gosec // beside the database that the operator named
	if err != nil {
		return false, func() {}
	}
	another = errors.Is(tryLock(mark), errLocked)
	return another, func() { _ = mark.Close() } // nothing was written
}

func waitForLock(ctx context.Context, file *os.File, waiting func(holder string)) error {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	holder := ""
	for {
		err := tryLock(file)
		if err == nil {
			return nil
		}
		if !errors.Is(err, errLocked) {
			return fmt.Errorf("lock %s: %w", file.Name(), err)
		}
		if holder == "" {
			holder = lockHolder(file)
			if waiting != nil {
				waiting(holder)
			}
		}
		select {
		case <-ctx.Done():
			return waitEnded(ctx, holder)
		case <-tick.C:
		}
	}
}

func lockHolder(file *os.File) string {
	text := make([]byte, 32)
	n, _ := file.ReadAt(text, 0)
	pid := strings.TrimSpace(string(text[:n]))
	if pid == "" {
		return "another migrator"
	}
	return "process " + pid
}
