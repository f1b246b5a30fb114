package servers_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/hal9-ai/hal9/internal/testenv/servers"
)

// A PostgreSQL that crashed with all its processes comes back at its address with what
// it had committed, and stop leaves nothing.
func TestStartPostgresNode(t *testing.T) {
	node, stop, err := servers.StartPostgresNode(t.Context(), servers.Durable)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = stop() })
	execute(t, node.URL("postgres"), "CREATE TABLE kept (n int)")
	execute(t, node.URL("postgres"), "INSERT INTO kept VALUES (1)")

	conn, err := pgx.Connect(t.Context(), node.URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if err := node.Crash(); err != nil {
		t.Fatal(err)
	}
	if err := node.Crash(); err == nil {
		t.Error("what does not run has crashed")
	}
	if err := conn.Ping(t.Context()); err == nil {
		t.Error("a process of its has lived on")
	}
	if err := node.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	again, err := pgx.Connect(t.Context(), node.URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	var n, fsync string
	if err := again.QueryRow(t.Context(), "SELECT count(*)::text, current_setting('fsync') FROM kept").Scan(&n, &fsync); err != nil || n != "1" || fsync != "on" {
		t.Errorf("there are %q rows with fsync %q: %v", n, fsync, err)
	}
	var dir string
	if err := again.QueryRow(t.Context(), "SHOW data_directory").Scan(&dir); err != nil {
		t.Fatal(err)
	}
	if err := again.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Dir(dir)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("its directory is still there: %v", err)
	}
}
