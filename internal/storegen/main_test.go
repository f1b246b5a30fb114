package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/hal9-ai/hal9/internal/storegen/gen"
)

// repository lays a fixture of the generator out on disk.
func repository(t *testing.T, fixture string) string {
	t.Helper()
	archive, err := txtar.ParseFile(filepath.Join("gen", "testdata", fixture))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write(t, dir, "go.mod", "module example.test/fixture\n")
	if err := os.CopyFS(filepath.Join(dir, "schema"), os.DirFS(filepath.Join("gen", "testdata", "schema"))); err != nil {
		t.Fatal(err)
	}
	for _, f := range archive.Files {
		if !strings.HasPrefix(f.Name, "want/") {
			write(t, dir, f.Name, string(f.Data))
		}
	}
	return dir
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// storegen runs the command and returns its exit status and what it printed.
func storegen(args ...string) (status int, stdout, stderr string) {
	var out, err strings.Builder
	status = run(args, &out, &err)
	return status, out.String(), err.String()
}

func wants(t *testing.T, what, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%s: %q is missing in:\n%s", what, part, text)
		}
	}
}

func TestWriteAndCheck(t *testing.T) {
	t.Parallel()
	dir := repository(t, "agree.txtar")
	status, _, stderr := storegen("--root", dir, "--check")
	if status != 1 {
		t.Errorf("nothing is written yet, and --check exits %d", status)
	}
	wants(t, "check", stderr, "model/queries_gen.go: missing: run `make generate`", "gen/pgstore/neurons.sql.go: missing")
	if _, err := os.Stat(filepath.Join(dir, "model", "queries_gen.go")); !os.IsNotExist(err) {
		t.Errorf("--check wrote: %v", err)
	}

	if status, _, stderr := storegen("--root", dir); status != 0 {
		t.Fatalf("exit %d: %s", status, stderr)
	}
	if status, stdout, stderr := storegen("--root", dir, "--check"); status != 0 || stdout+stderr != "" {
		t.Errorf("just written, and --check exits %d: %s%s", status, stdout, stderr)
	}
	if status, stdout, _ := storegen("--root", dir); status != 0 || stdout != "" {
		t.Errorf("a second run exits %d and wrote: %s", status, stdout)
	}

	write(t, dir, "gen/pgstore/gone.sql.go", gen.Marker+"\n\npackage pgstore\n")
	write(t, dir, "gen/pgstore/hand.go", "package pgstore\n")
	write(t, dir, "gen/sqlitestore/store.go", "package sqlitestore\n")
	status, _, stderr = storegen("--root", dir, "--check")
	if status != 1 || strings.Contains(stderr, "hand.go") {
		t.Errorf("exit %d: %s", status, stderr)
	}
	wants(t, "check", stderr, "gen/pgstore/gone.sql.go: left over", "gen/sqlitestore/store.go: stale")
	if status, _, stderr := storegen("--root", dir); status != 0 {
		t.Fatalf("exit %d: %s", status, stderr)
	}
	if _, err := os.Stat(filepath.Join(dir, "gen/pgstore/gone.sql.go")); !os.IsNotExist(err) {
		t.Errorf("a left-over file stays: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "gen/pgstore/hand.go")); err != nil {
		t.Errorf("a file without the marker is gone: %v", err)
	}
}

func TestFaultyQueriesWriteNothing(t *testing.T) {
	t.Parallel()
	dir := repository(t, "errors/trap_operator.txtar")
	for _, args := range [][]string{{"--root", dir}, {"--root", dir, "--check"}, {"--root", dir, "--sql"}} {
		status, stdout, stderr := storegen(args...)
		if status != 1 || stdout != "" {
			t.Errorf("%v: exit %d, %s", args, status, stdout)
		}
		wants(t, "errors", stderr, "queries/postgres/neurons.sql:3: NeuronGet: ", "| WHERE id=@id;", "mend: ", "1 to mend")
	}
	if _, err := os.Stat(filepath.Join(dir, "model")); !os.IsNotExist(err) {
		t.Errorf("something was written: %v", err)
	}
}

// TestSQLAlone: --sql answers before sqlc has ever run.
func TestSQLAlone(t *testing.T) {
	t.Parallel()
	dir := repository(t, "agree.txtar")
	if err := os.RemoveAll(filepath.Join(dir, "gen")); err != nil {
		t.Fatal(err)
	}
	if status, stdout, stderr := storegen("--root", dir, "--sql"); status != 0 || stdout+stderr != "" {
		t.Errorf("exit %d: %s%s", status, stdout, stderr)
	}
	status, _, stderr := storegen("--root", dir)
	if status != 2 {
		t.Errorf("without sqlc's code: exit %d", status)
	}
	wants(t, "error", stderr, "gen/pgdb holds no Go code of sqlc", "make generate")
}

func TestUsage(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		args   []string
		status int
		want   string
	}{
		{"help", []string{"--help"}, 0, "Example, after a change to the SQL:"},
		{"unknown flag", []string{"--chek"}, 2, "flag provided but not defined: -chek"},
		{"argument", []string{"queries"}, 2, `unexpected argument "queries"`},
		{"no repository", []string{"--root", "gen/testdata"}, 2, "say --root"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			status, _, stderr := storegen(tt.args...)
			if status != tt.status {
				t.Errorf("exit %d, want %d", status, tt.status)
			}
			wants(t, "message", stderr, tt.want)
		})
	}
}
