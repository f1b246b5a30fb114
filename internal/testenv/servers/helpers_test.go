package servers_test

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/hal9-ai/hal9/internal/testenv/servers"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// requireGone fails unless the server, its directory and its port are free.
func requireGone(t *testing.T, server *servers.Server) {
	t.Helper()
	if err := syscall.Kill(server.PID(), 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("process %d is still there: %v", server.PID(), err)
	}
	if _, err := os.Stat(server.Dir()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("directory %s is still there: %v", server.Dir(), err)
	}
	address, err := url.Parse(server.URL())
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.DialTimeout("tcp", address.Host, time.Second)
	if err == nil {
		t.Errorf("someone listens on %s", address.Host)
		_ = conn.Close()
	}
}

// program writes an executable shell script.
func program(t *testing.T, dir, name, script string) {
	t.Helper()
	text := fmt.Sprintf("#!/bin/sh\n%s\n", script)
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
}

// tempRoot makes a directory the one for temporary files, also for the servers'
// account, and returns it.
func tempRoot(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for path, mode := range map[string]fs.FileMode{filepath.Dir(dir): 0o755, dir: 0o777 | fs.ModeSticky} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("TMPDIR", dir)
	return dir
}

// requireEmpty fails if something is left in the directory.
func requireEmpty(t *testing.T, dir string) {
	t.Helper()
	left, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range left {
		t.Errorf("%s is left behind", entry.Name())
	}
}
