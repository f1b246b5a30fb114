package sqlite_test

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/hal9-ai/hal9/model"
	"github.com/hal9-ai/hal9/store/sqlite"
)

// TestOpenRefuses holds the errors at the start to naming the file and what is wrong.
func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	text := filepath.Join(dir, "text.db")
	if err := os.WriteFile(text, []byte(strings.Repeat("this is no database\n", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct{ name, path, want string }{
		{"no path", "", "names no file"},
		{"the folder is missing", filepath.Join(dir, "missing", "hal9.db"), "does not exist"},
		{"the folder is a file", filepath.Join(text, "hal9.db"), "is no folder"},
		{"the file is a folder", dir, "is a folder"},
		{"the file is no database", text, "no SQLite database"},
		{"the folder takes no files", "/proc/hal9.db", "cannot be read or written"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			handle, err := sqlite.OpenHandle(t.Context(), sqlite.Config{Path: tt.path})
			if err == nil {
				t.Fatal(errors.Join(errors.New("it was opened"), handle.Close()))
			}
			if !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), strings.TrimSuffix(tt.path, "/hal9.db")) || !strings.Contains(err.Error(), "database.url") {
				t.Errorf("got %q, want the key, the path and %q", err, tt.want)
			}
		})
	}
}

func TestOpenADamagedFile(t *testing.T) {
	t.Parallel()
	path := t.TempDir() + "/hal9.db"
	st := openStore(t, sqlite.Config{Path: path})
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := 100; i < len(whole); i += 97 {
		whole[i] ^= 0xff
	}
	if err := os.WriteFile(path, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	handle, err := sqlite.OpenHandle(t.Context(), sqlite.Config{Path: path})
	if err != nil {
		if !strings.Contains(err.Error(), "damaged") {
			t.Errorf("got %q, want it to say that the file is damaged", err)
		}
		return
	}
	damaged, err := handle.Store(t.Context())
	if err == nil {
		t.Error("it was opened")
		err = damaged.Close()
	} else if !strings.Contains(err.Error(), "damaged") {
		t.Errorf("got %q, want it to say that the file is damaged", err)
	}
	if closeErr := handle.Close(); closeErr != nil {
		t.Error(err, closeErr)
	}
}

// TestAReadOnlyFile opens a file that the process may read and not write. Root may
// write any file, so the test lets go of that right for as long as it runs.
func TestAReadOnlyFile(t *testing.T) { //nolint:paralleltest // keeps its thread to itself
	dir := t.TempDir()
	path := filepath.Join(dir, "hal9.db")
	st := openStore(t, sqlite.Config{Path: path})
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	for name, mode := range map[string]os.FileMode{path: 0o444, dir: 0o755, filepath.Dir(dir): 0o755} {
		if err := os.Chmod(name, mode); err != nil {
			t.Fatal(err)
		}
	}
	actAsNobody(t)
	handle, err := sqlite.OpenHandle(t.Context(), sqlite.Config{Path: path})
	if err == nil {
		t.Fatal(errors.Join(errors.New("it was opened"), handle.Close()))
	}
	t.Log(err)
	if !errors.Is(err, model.ErrReadOnly) && !strings.Contains(err.Error(), "cannot be read or written") {
		t.Errorf("got %q, want it to say that the file is read-only", err)
	}
	if !strings.Contains(err.Error(), path) {
		t.Errorf("got %q, want the path", err)
	}
}

// actAsNobody gives up root's power over files for the test's thread, until it ends.
func actAsNobody(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		return
	}
	runtime.LockOSThread()
	const nobody = 65534
	// It answers with the id before, whether it succeeded or not.
	become := func(id uintptr) uintptr {
		before, _, _ := syscall.RawSyscall(syscall.SYS_SETFSUID, id, 0, 0)
		return before
	}
	become(nobody)
	if become(nobody) != nobody {
		t.Fatal("the thread cannot become nobody")
	}
	t.Cleanup(func() {
		become(0)
		runtime.UnlockOSThread()
	})
}
