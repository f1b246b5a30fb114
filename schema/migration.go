package schema

import (
	"bufio"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/pressly/goose/v3"
)

// migration is one file, taken apart as far as showing it needs. goose parses the
// file itself when it runs it.
type migration struct {
	version int64
	file    string
	up      string
	down    string
	useTx   bool
}

// load reads the migrations of a folder in the order of their versions.
func load(files fs.FS) ([]migration, error) {
	names, err := fs.Glob(files, "*.sql")
	if err != nil {
		return nil, fmt.Errorf("list the migrations: %w", err)
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("list the migrations: %w", fs.ErrNotExist)
	}
	all := make([]migration, 0, len(names))
	for _, name := range names {
		version, err := goose.NumericComponent(name)
		if err != nil {
			return nil, fmt.Errorf("read the version of migration %s: %w", name, err)
		}
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, fmt.Errorf("read migration %s: %w", name, err)
		}
		m := split(string(text))
		m.version, m.file = version, name
		all = append(all, m)
	}
	slices.SortFunc(all, func(a, b migration) int { return int(a.version - b.version) })
	return all, nil
}

// split finds the two sections of a migration and leaves goose's annotations out.
func split(text string) migration {
	m := migration{useTx: true}
	var up, down strings.Builder
	var section *strings.Builder
	lines := bufio.NewScanner(strings.NewReader(text))
	lines.Buffer(nil, len(text)+1)
	for lines.Scan() {
		line := lines.Text()
		annotation, found := strings.CutPrefix(line, "-- +goose ")
		if !found {
			if section != nil {
				section.WriteString(line + "\n")
			}
			continue
		}
		switch strings.ToLower(strings.TrimSpace(annotation)) {
		case "up":
			section = &up
		case "down":
			section = &down
		case "no transaction":
			m.useTx = false
		}
	}
	m.up, m.down = strings.TrimSpace(up.String()), strings.TrimSpace(down.String())
	return m
}

// latest returns the highest version; migrations are in order.
func latest(all []migration) int64 {
	return all[len(all)-1].version
}

func find(all []migration, version int64) (migration, bool) {
	for _, m := range all {
		if m.version == version {
			return m, true
		}
	}
	return migration{}, false
}
