//go:build unix

package sqlite_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/hal9-ai/hal9/store/sqlite"
)

// A database holds hashes of passwords: whoever else is on the machine does not read it.
func TestNewDatabaseIsPrivate(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "hal9.db")
	openStore(t, sqlite.Config{Path: path})
	for _, suffix := range []string{"", "-wal", "-shm"} {
		info, err := os.Stat(path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if mode := info.Mode().Perm(); mode != 0o600 {
			t.Errorf("hal9.db%s has mode %o", suffix, mode)
		}
	}
}

// Who opens a database with another mode meant that mode.
func TestModeOfADatabaseStays(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "hal9.db")
	if err := os.WriteFile(path, nil, 0o640); err != nil {
		t.Fatal(err)
	}
	openStore(t, sqlite.Config{Path: path})
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("%v %v", info, err)
	}
}

// The server's user can open what root restored.
func TestRestoreKeepsOwnerAndMode(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, copied := filepath.Join(dir, "hal9.db"), filepath.Join(dir, "copy.db")
	if err := openStore(t, sqlite.Config{Path: path}).Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := sqlite.Backup(t.Context(), path, copied, sqlite.BackupOptions{}); err != nil {
		t.Fatal(err)
	}
	uid, gid := os.Getuid(), os.Getgid()
	if uid == 0 { // otherwise nobody can be told apart from nobody else
		uid, gid = 12345, 23456
	}
	if err := os.Chown(path, uid, gid); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	report, err := sqlite.Restore(t.Context(), copied, path, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{path, report.Replaced} {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		stat, ok := info.Sys().(*syscall.Stat_t)
		if !ok || int(stat.Uid) != uid || int(stat.Gid) != gid || info.Mode().Perm() != 0o640 {
			t.Errorf("%s: %v of %d:%d", name, info.Mode(), stat.Uid, stat.Gid)
		}
	}
}
