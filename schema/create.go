package schema

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/pressly/goose/v3"
)

// maxName keeps the names of migrations readable in a list.
const maxName = 60

const newMigration = `-- %s: say what this is for.

-- +goose Up

-- +goose Down
`

// Create makes the next, empty migration for both engines in the folders
// DIR/postgres and DIR/sqlite, and returns the names of the files. The number is
// the same in both.
func Create(dir, name string) ([]string, error) {
	if !regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)*$`).MatchString(name) || len(name) > maxName {
		return nil, fmt.Errorf("%w: the name %q is not fit for a file; write up to %d small letters, digits and single "+
			"underscores, beginning with a letter, as in add_neuron_labels", ErrName, name, maxName)
	}
	folders := []string{filepath.Join(dir, string(Postgres)), filepath.Join(dir, string(SQLite))}
	next := int64(1)
	for _, folder := range folders {
		highest, err := highestIn(folder, name)
		if err != nil {
			return nil, err
		}
		next = max(next, highest+1)
	}
	var made []string
	for _, folder := range folders {
		file := filepath.Join(folder, fmt.Sprintf("%05d_%s.sql", next, name))
		if err := writeNew(file, fmt.Sprintf(newMigration, title(name))); err != nil {
			// Half a migration would be worse than none.
			for _, half := range made {
				err = errors.Join(err, os.Remove(half))
			}
			return nil, err
		}
		made = append(made, file)
	}
	return made, nil
}

func highestIn(folder, name string) (int64, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return 0, fmt.Errorf("%w: %w; give the folder that holds postgres/ and sqlite/ by --dir", ErrName, err)
	}
	highest := int64(0)
	for _, e := range entries {
		version, err := goose.NumericComponent(e.Name())
		if err != nil {
			continue // goose passes it over, too
		}
		highest = max(highest, version)
		if _, taken, _ := strings.Cut(strings.TrimSuffix(e.Name(), ".sql"), "_"); taken == name {
			return 0, fmt.Errorf("%w: %s has that name already; choose another", ErrName, filepath.Join(folder, e.Name()))
		}
	}
	return highest, nil
}

func writeNew(file, text string) (err error) {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644) //nolint:gosec // source code, for all to read
	if err != nil {
		return fmt.Errorf("make the migration: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err := f.WriteString(text); err != nil {
		return fmt.Errorf("write the migration: %w", err)
	}
	return nil
}

// title turns add_neuron_labels into "Add neuron labels".
func title(name string) string {
	return strings.ToUpper(name[:1]) + strings.ReplaceAll(name[1:], "_", " ")
}
