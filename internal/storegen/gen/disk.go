package gen

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"

	"github.com/hal9-ai/hal9/internal/storegen/sqltext"
)

// Change is a generated file that is not as it ought to be.
type Change struct {
	Path string
	Why  string // missing, stale or left over
	text []byte // nil for a file to delete
}

// Changes tells how the files on disk differ from out. Files that the
// generator wrote for what has vanished are left over; files without its mark
// are nobody's business here.
func Changes(root string, out Output) ([]Change, error) {
	var changes []Change
	for _, name := range slices.Sorted(maps.Keys(out)) {
		old, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name))) //nolint:gosec // a path of our own making
		switch {
		case errors.Is(err, fs.ErrNotExist):
			changes = append(changes, Change{Path: name, Why: "missing", text: out[name]})
		case err != nil:
			return nil, fmt.Errorf("reading a generated file: %w", err)
		case !bytes.Equal(old, out[name]):
			changes = append(changes, Change{Path: name, Why: "stale", text: out[name]})
		}
	}
	for _, dir := range []string{modelDir, storeDir(sqltext.Postgres), storeDir(sqltext.SQLite), cacheDir} {
		files, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(dir), "*.go"))
		if err != nil {
			return nil, fmt.Errorf("listing %s: %w", dir, err)
		}
		for _, file := range files {
			name := path.Join(dir, filepath.Base(file))
			if out[name] != nil {
				continue
			}
			text, err := os.ReadFile(file) //nolint:gosec // as above
			if err != nil {
				return nil, fmt.Errorf("reading a generated file: %w", err)
			}
			if bytes.HasPrefix(text, []byte(Marker)) {
				changes = append(changes, Change{Path: name, Why: "left over"})
			}
		}
	}
	return changes, nil
}

// Apply makes the change.
func (c Change) Apply(root string) error {
	file := filepath.Join(root, filepath.FromSlash(c.Path))
	if c.text == nil {
		if err := os.Remove(file); err != nil {
			return fmt.Errorf("deleting a left-over file: %w", err)
		}
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil { //nolint:gosec // source is for everybody to read
		return fmt.Errorf("making a directory for generated code: %w", err)
	}
	if err := os.WriteFile(file, c.text, 0o644); err != nil { //nolint:gosec // as above
		return fmt.Errorf("writing generated code: %w", err)
	}
	return nil
}
