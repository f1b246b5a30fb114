package gen_test

import (
	"bytes"
	"go/format"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hal9-ai/hal9/internal/storegen/gen"
)

// TestErrors holds each fixture of testdata/errors to what it is to be told,
// word for word: the file and line, what is wrong and how to mend it.
func TestErrors(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob("testdata/errors/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no fixtures: %v", err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			t.Parallel()
			f := loadFixture(t, path)
			root := f.root(t)
			out, problems, err := gen.Generate(root)
			if err != nil {
				t.Fatal(err)
			}
			if len(problems) == 0 || out != nil {
				t.Fatalf("it was taken: %d problems, %d files", len(problems), len(out))
			}
			var said strings.Builder
			if err := problems.Write(&said, root); err != nil {
				t.Fatal(err)
			}
			if *update {
				f.set(t, "want", said.String())
			}
			if d := diff(said.String(), f.get("want")); d != "" {
				t.Errorf("%s\nin full:\n%s", d, said.String())
			}
		})
	}
}

// TestTaken: what is right is not refused.
func TestTaken(t *testing.T) {
	t.Parallel()
	generate(t, loadFixture(t, "testdata/taken.txtar"))
}

// TestAgree holds the output for queries on which the engines agree to the
// files in the fixture; of the one about caching, the cached store.
func TestAgree(t *testing.T) {
	t.Parallel()
	for fixture, only := range map[string]string{"agree": "", "cached": "gen/cachedstore/"} {
		t.Run(fixture, func(t *testing.T) {
			t.Parallel()
			f := loadFixture(t, "testdata/"+fixture+".txtar")
			out := generate(t, f)
			maps.DeleteFunc(out, func(name string, _ []byte) bool {
				return !strings.HasPrefix(name, only) || name == "gen/cachedstore/support.go" // the same for all
			})
			agrees(t, f, out)
		})
	}
}

func agrees(t *testing.T, f *fixture, out gen.Output) {
	t.Helper()
	var want []string
	for _, file := range f.archive.Files {
		if name, ok := strings.CutPrefix(file.Name, "want/"); ok {
			want = append(want, name)
		}
	}
	slices.Sort(want)
	if *update {
		for _, name := range slices.Sorted(maps.Keys(out)) {
			f.set(t, "want/"+name, string(out[name]))
		}
	} else if got := slices.Sorted(maps.Keys(out)); !slices.Equal(got, want) {
		t.Errorf("files: got %v, want %v", got, want)
	}
	for name, text := range out {
		if d := diff(string(text), f.get("want/"+name)); d != "" {
			t.Errorf("%s: %s", name, d)
		}
		if !strings.HasPrefix(string(text), gen.Marker+"\n") {
			t.Errorf("%s does not begin with the marker", name)
		}
		if formatted, err := format.Source(text); err != nil || string(formatted) != string(text) {
			t.Errorf("%s is not in gofmt's form: %v", name, err)
		}
	}
}

// TestRepeats: the same input gives the same bytes.
func TestRepeats(t *testing.T) {
	t.Parallel()
	f := loadFixture(t, "testdata/agree.txtar")
	first := generate(t, f)
	for range 5 {
		if again := generate(t, f); !maps.EqualFunc(first, again, slices.Equal) {
			t.Fatal("another run wrote something else")
		}
	}
}

func generate(t *testing.T, f *fixture) gen.Output {
	t.Helper()
	root := f.root(t)
	out, problems, err := gen.Generate(root)
	if err != nil {
		t.Fatal(err)
	}
	if len(problems) > 0 {
		var said strings.Builder
		if err := problems.Write(&said, root); err != nil {
			t.Fatal(err)
		}
		t.Fatalf("the queries were refused:\n%s", said.String())
	}
	return out
}

// TestCompiles builds the generated code together with sqlc's, as a module of
// its own with this module's requirements, and runs the fixture's own test.
func TestCompiles(t *testing.T) {
	t.Parallel()
	for fixture, packages := range map[string][]string{"agree": {"./..."}, "cached": {"./model", "./gen/cachedstore"}} {
		t.Run(fixture, func(t *testing.T) {
			t.Parallel()
			dir := layOut(t, loadFixture(t, "testdata/"+fixture+".txtar"))
			if fixture == "cached" {
				for _, name := range []string{"cacheutil", "internal/netcause"} {
					copyPackage(t, "../../../"+name, filepath.Join(dir, name))
				}
			}
			cmd := exec.CommandContext(t.Context(), "go", append([]string{"test"}, packages...)...)
			cmd.Dir = dir
			cmd.Env = append(os.Environ(), "GOFLAGS=-mod=readonly", "GOWORK=off", "CGO_ENABLED=0")
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("the generated code does not work: %v\n%s", err, out)
			}
		})
	}
}

// layOut writes a fixture and what comes of it into a directory.
func layOut(t *testing.T, f *fixture) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for _, file := range f.archive.Files {
		if !strings.HasPrefix(file.Name, "want/") {
			writeFile(t, filepath.Join(dir, file.Name), file.Data)
		}
	}
	changes, err := gen.Changes(dir, generate(t, f))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range changes {
		if err := c.Apply(dir); err != nil {
			t.Fatal(err)
		}
	}
	mod, err := os.ReadFile("../../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	sum, err := os.ReadFile("../../../go.sum")
	if err != nil {
		t.Fatal(err)
	}
	_, requirements, _ := strings.Cut(string(mod), "\n")
	writeFile(t, filepath.Join(dir, "go.mod"), []byte("module example.test/fixture\n"+requirements))
	writeFile(t, filepath.Join(dir, "go.sum"), sum)
	return dir
}

// copyPackage copies a package into the fixture's module, without its tests. What it
// imports of ours has to be copied, too.
func copyPackage(t *testing.T, from, to string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(from, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if info, err := os.Stat(file); err != nil || info.IsDir() || strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		text = bytes.ReplaceAll(text, []byte(`"github.com/hal9-ai/hal9/`), []byte(`"example.test/fixture/`))
		writeFile(t, filepath.Join(to, filepath.Base(file)), text)
	}
}
