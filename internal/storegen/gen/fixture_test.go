package gen_test

import (
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
)

var (
	sqlcPath = flag.String("sqlc", "", "run this sqlc on the fixtures and store its output in them")
	update   = flag.Bool("update", false, "store what the generator answers as what it ought to answer")
)

// fixture is a small repository in one file: SQL, what sqlc made of it, and
// what the generator is to say. A file named edit holds lines `path|old|new`
// that spoil sqlc's output, for faults that sqlc itself does not have today.
type fixture struct {
	path    string
	archive *txtar.Archive
}

func loadFixture(t *testing.T, path string) *fixture {
	t.Helper()
	archive, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{path: path, archive: archive}
	if *sqlcPath != "" {
		f.runSQLC(t)
	}
	return f
}

func (f *fixture) get(name string) string {
	for _, file := range f.archive.Files {
		if file.Name == name {
			return string(file.Data)
		}
	}
	return ""
}

// set replaces or adds a file and stores the archive.
func (f *fixture) set(t *testing.T, name, text string) {
	t.Helper()
	found := false
	for i := range f.archive.Files {
		if f.archive.Files[i].Name == name {
			f.archive.Files[i].Data, found = []byte(text), true
		}
	}
	if !found {
		f.archive.Files = append(f.archive.Files, txtar.File{Name: name, Data: []byte(text)})
	}
	if err := os.WriteFile(f.path, txtar.Format(f.archive), 0o600); err != nil {
		t.Fatal(err)
	}
}

// root is the fixture as a file system, edited.
func (f *fixture) root(t *testing.T) fs.FS {
	t.Helper()
	edited := &txtar.Archive{Files: []txtar.File{{Name: "go.mod", Data: []byte("module example.test/fixture\n")}}}
	edits := strings.Split(strings.TrimSpace(f.get("edit")), "\n")
	for _, file := range f.archive.Files {
		text := string(file.Data)
		for _, edit := range edits {
			parts := strings.Split(edit, "|")
			if parts[0] != file.Name {
				continue
			}
			if len(parts) != 3 || !strings.Contains(text, parts[1]) {
				t.Fatalf("%s: the edit %q finds nothing to change", f.path, edit)
			}
			text = strings.Replace(text, parts[1], parts[2], 1)
		}
		edited.Files = append(edited.Files, txtar.File{Name: file.Name, Data: []byte(text)})
	}
	for _, engine := range []string{"postgres", "sqlite"} { // as sqlc has read it
		const base = "00000_base.sql"
		text, err := os.ReadFile(filepath.Join("testdata", "schema", engine, base))
		if err != nil {
			t.Fatal(err)
		}
		edited.Files = append(edited.Files, txtar.File{Name: "schema/" + engine + "/" + base, Data: text})
	}
	root, err := txtar.FS(edited)
	if err != nil {
		t.Fatalf("%s: %v", f.path, err)
	}
	return root
}

// runSQLC replaces sqlc's output in the fixture.
func (f *fixture) runSQLC(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("testdata")); err != nil {
		t.Fatal(err)
	}
	kept := f.archive.Files[:0]
	for _, file := range f.archive.Files {
		if strings.HasPrefix(file.Name, "gen/pgdb/") || strings.HasPrefix(file.Name, "gen/sqlitedb/") {
			continue
		}
		kept = append(kept, file)
		writeFile(t, filepath.Join(dir, file.Name), file.Data)
	}
	f.archive.Files = kept
	cmd := exec.CommandContext(t.Context(), *sqlcPath, "generate")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("sqlc: %v\n%s", err, out)
	}
	for _, pattern := range []string{"gen/pgdb/*.go", "gen/sqlitedb/*.go"} {
		files, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			name := filepath.ToSlash(strings.TrimPrefix(file, dir+string(filepath.Separator)))
			if filepath.Base(name) == "db.go" && filepath.Base(f.path) != "agree.txtar" {
				continue // long, and of no interest to errors
			}
			f.set(t, name, string(text))
		}
	}
}

func writeFile(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// diff shows the first lines that differ.
func diff(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range max(len(g), len(w)) {
		a, b := "(end)", "(end)"
		if i < len(g) {
			a = g[i]
		}
		if i < len(w) {
			b = w[i]
		}
		if a != b {
			return fmt.Sprintf("line %d\n got: %s\nwant: %s", i+1, a, b)
		}
	}
	return ""
}
