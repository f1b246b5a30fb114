package copydb

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/hal9-ai/hal9/internal/searchtext"
	"github.com/hal9-ai/hal9/store/postgres"
)

// Kind is what a column holds, alike on both engines.
type Kind uint8

// The kinds of columns.
const (
	UUID Kind = iota + 1
	Text      // compared by bytes
	JSON      // compared as a value
	Time      // microseconds
	Bool
	Int // 64 bits
	Float
	Bytes
)

// Column is one column of a table.
type Column struct {
	Name string
	Kind Kind
	// locale is set where the engine would not order and compare by bytes.
	locale bool
}

// Table is what a database tells of one of its tables. Columns that the engine fills
// in by itself are left out.
type Table struct {
	Name    string
	Columns []Column
	Key     []int    // the columns that tell its rows apart, in order
	Parents []string // the tables that its foreign keys refer to

	version int // the column that each change of a row raises, -1 if there is none
	fixed   bool
	month   int // the column that says which monthly partition a row belongs to, or -1
	search  int // the column that is computed from content, or -1
	content int
}

// Value is one value; its column's kind says which field holds it.
type Value struct {
	s    string // UUID (16 bytes), Text, JSON, Bytes
	n    int64  // Time (microseconds since 1970), Bool, Int, Float (its bits)
	null bool
}

// Row is the values of a table's columns, in their order.
type Row []Value

// left stays where it is: it belongs to one database alone, or is kept apart.
func left(table string) bool {
	switch table {
	case "goose_db_version", "schema_compatibility", "row_version", "database_epoch", "upkeep_leases", progressTable, refusedTable:
		return true
	}
	return strings.HasPrefix(table, postgres.DetachedPrefix)
}

// finish completes what the columns' names say.
func (t *Table) finish() {
	t.version, t.month, t.search, t.content = t.column("version"), -1, -1, -1
	switch t.Name {
	case "signals":
		t.month = t.column("timestamp")
	case "memories":
		t.search, t.content = t.column("search_text"), t.column("content")
	}
	// Their rows are inserted and deleted, never changed.
	t.fixed = slices.Contains([]string{"signals", "audit_log", "metrics_aggregate", "legacy_details"}, t.Name)
}

func (t *Table) column(name string) int {
	return slices.IndexFunc(t.Columns, func(c Column) bool { return c.Name == name })
}

func (t *Table) names(columns []int) string {
	list := make([]string, len(columns))
	for i, c := range columns {
		list[i] = quote(t.Columns[c].Name)
	}
	return strings.Join(list, ", ")
}

// ordered is names for an order and for comparisons: by bytes, whatever the columns'
// collation is.
func (t *Table) ordered(columns []int) string {
	list := make([]string, len(columns))
	for i, c := range columns {
		list[i] = quote(t.Columns[c].Name)
		if t.Columns[c].locale {
			list[i] += ` COLLATE "C"`
		}
	}
	return strings.Join(list, ", ")
}

func (t *Table) all() []int {
	all := make([]int, len(t.Columns))
	for i := range all {
		all[i] = i
	}
	return all
}

func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// derive computes what a row holds of its other columns: the search text is that of
// this program's analyzer, whichever wrote the row.
func (t *Table) derive(r Row) {
	if t.search >= 0 && t.content >= 0 {
		r[t.search] = Value{s: searchtext.Analyze(r[t.content].s)}
	}
}

// keyOf returns the values of a row's key, from a row with all columns.
func (t *Table) keyOf(r Row) Row {
	key := make(Row, len(t.Key))
	for i, c := range t.Key {
		key[i] = r[c]
	}
	return key
}

// compareKeys orders keys as both engines do: by bytes, and by number.
func (t *Table) compareKeys(a, b Row) int {
	for i, c := range t.Key {
		var order int
		switch t.Columns[c].Kind {
		case Time, Bool, Int:
			order = cmp.Compare(a[i].n, b[i].n)
		default:
			order = strings.Compare(a[i].s, b[i].s)
		}
		if order != 0 {
			return order
		}
	}
	return 0
}

// keyText shows a key to people.
func (t *Table) keyText(key Row) string {
	list := make([]string, len(key))
	for i, c := range t.Key {
		list[i] = key[i].text(t.Columns[c].Kind)
	}
	return strings.Join(list, " ")
}

// text is a value as people read it, and as keys are kept while a copy is under way.
func (v Value) text(k Kind) string {
	switch {
	case v.null:
		return ""
	case k == UUID && len(v.s) == len(uuid.UUID{}):
		return uuid.UUID([]byte(v.s)).String()
	case k == Time:
		return time.UnixMicro(v.n).UTC().Format("2006-01-02T15:04:05.000000Z07:00")
	case k == Bool, k == Int:
		return strconv.FormatInt(v.n, 10)
	case k == Bytes:
		return base64.StdEncoding.EncodeToString([]byte(v.s))
	default:
		return v.s
	}
}

// encodeKey writes a key so that decodeKey reads it again.
func (t *Table) encodeKey(key Row) (string, error) {
	list := make([]any, len(key))
	for i, c := range t.Key {
		switch t.Columns[c].Kind {
		case Time, Bool, Int:
			list[i] = key[i].n
		case UUID, Bytes:
			list[i] = []byte(key[i].s)
		case Text:
			list[i] = key[i].s
		default:
			return "", fmt.Errorf("table %s: a key cannot hold the column %s", t.Name, t.Columns[c].Name)
		}
	}
	text, err := json.Marshal(list)
	if err != nil {
		return "", fmt.Errorf("note a key of %s: %w", t.Name, err)
	}
	return string(text), nil
}

func (t *Table) decodeKey(text string) (Row, error) {
	var list []json.RawMessage
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		return nil, fmt.Errorf("read the noted key of %s: %w", t.Name, err)
	}
	if len(list) != len(t.Key) {
		return nil, fmt.Errorf("the noted key of %s has %d values and not %d", t.Name, len(list), len(t.Key))
	}
	key := make(Row, len(t.Key))
	for i, c := range t.Key {
		var err error
		switch t.Columns[c].Kind {
		case Time, Bool, Int:
			err = json.Unmarshal(list[i], &key[i].n)
		case UUID, Bytes:
			var raw []byte
			err = json.Unmarshal(list[i], &raw)
			key[i].s = string(raw)
		default:
			err = json.Unmarshal(list[i], &key[i].s)
		}
		if err != nil {
			return nil, fmt.Errorf("read the noted key of %s: %w", t.Name, err)
		}
	}
	return key, nil
}

// size is about what a row takes in memory, in bytes.
func (r Row) size() int {
	const overhead = 32 // of a Value
	n := len(r) * overhead
	for i := range r {
		n += len(r[i].s)
	}
	return n
}

// inOrder puts parents before children.
func inOrder(tables []Table) ([]Table, error) {
	slices.SortFunc(tables, func(a, b Table) int { return strings.Compare(a.Name, b.Name) })
	placed := map[string]bool{}
	var ordered []Table
	for len(ordered) < len(tables) {
		before := len(ordered)
		for _, t := range tables {
			if placed[t.Name] || slices.ContainsFunc(t.Parents, func(p string) bool { return p != t.Name && !placed[p] }) {
				continue
			}
			placed[t.Name] = true
			ordered = append(ordered, t)
		}
		if len(ordered) == before {
			return nil, errors.New("the foreign keys of the tables go round in a circle")
		}
	}
	return ordered, nil
}

// align returns the tables of both databases, which must be the same.
func align(source, target []Table) ([]Table, error) {
	if len(source) != len(target) {
		return nil, fmt.Errorf("the databases have different tables: %d and %d", len(source), len(target))
	}
	for i := range source {
		s, t := &source[i], &target[i]
		same := s.Name == t.Name && len(s.Columns) == len(t.Columns) && len(s.Key) == len(t.Key)
		for j := 0; same && j < len(s.Columns); j++ {
			at := t.column(s.Columns[j].Name)
			if same = at >= 0 && t.Columns[at].Kind == s.Columns[j].Kind; same && t.Columns[at].locale {
				s.Columns[j].locale = true // the tables of the source stand for those of both
			}
		}
		for j := 0; same && j < len(s.Key); j++ {
			same = s.Columns[s.Key[j]].Name == t.Columns[t.Key[j]].Name
		}
		if !same {
			return nil, fmt.Errorf("the databases have different tables: %s and %s: migrate both with the same program", s.Name, t.Name)
		}
	}
	return source, nil
}
