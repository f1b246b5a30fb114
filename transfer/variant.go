package transfer

import (
	"strconv"
	"strings"
)

// variant is one kind of file that the original wrote.
type variant interface {
	// name is the letter by which the documentation knows it.
	name() string
	// describe says what such a file holds.
	describe() string
	// matches tells whether a schema is of this kind.
	matches(s *schema) bool
	// plan returns how its tables are imported, in order: a row comes after those
	// that it refers to.
	plan(s *schema) []step
}

// variants are asked in this order. The first two exclude all others; C and D can
// share a file.
func variants() []variant { return []variant{variantA{}, variantB{}, variantC{}, variantD{}} }

// match is what a file was recognised as.
type match struct {
	name     string
	describe string
	steps    []step
	ignored  []string // tables that stay behind, in lower case
}

func recognise(path string, s *schema) (match, error) {
	if s.has("goose_db_version") {
		return match{}, &SourceError{
			Path: path, Problem: "is a database of this service itself",
			Mend: "use it by its URL, --database-url sqlite://FILE; import takes files of the original HAL9 server",
		}
	}
	var m match
	for _, v := range variants() {
		if !v.matches(s) {
			continue
		}
		if m.name != "" {
			m.name += "+"
			m.describe += "; "
		}
		m.name += v.name()
		m.describe += v.describe()
		m.steps = append(m.steps, v.plan(s)...)
		if v.name() == "A" || v.name() == "B" {
			break // what the others are known by, these hold too
		}
	}
	if m.name == "" {
		return match{}, &SourceError{
			Path: path, Problem: "is an SQLite database, but none that HAL9 wrote: " + holds(s),
			Mend: "name the database file that HAL9 wrote; docs/import.md lists the tables by which such files are known",
		}
	}
	for _, name := range s.names() {
		if !m.takes(name) {
			m.ignored = append(m.ignored, name)
		}
	}
	return m, nil
}

func (m *match) takes(table string) bool {
	for _, st := range m.steps {
		if st.table() == table {
			return true
		}
	}
	return false
}

// holds lists the tables of a file for a person.
func holds(s *schema) string {
	const most = 8
	names := s.names()
	switch {
	case len(names) == 0:
		return "it holds no table"
	case len(names) > most:
		return "it holds the tables " + quoteAll(names[:most]) + " and " + strconv.Itoa(len(names)-most) + " more"
	default:
		return "it holds the tables " + quoteAll(names)
	}
}

func quoteAll(names []string) string {
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = strconv.Quote(n)
	}
	return strings.Join(quoted, ", ")
}
