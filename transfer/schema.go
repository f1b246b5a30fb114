package transfer

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
)

// schema is what a file holds. Names are folded to lower case, as SQLite compares
// them.
type schema struct {
	tables map[string]*tableSchema
	// shadows are virtual tables, which are never read, and what belongs to them.
	shadows []string
}

type tableSchema struct {
	name    string            // as it is written
	columns map[string]string // folded name to the one written
	order   []string          // folded, as they were declared
	rowid   bool              // the table has one
}

func readSchema(ctx context.Context, s *Source) (*schema, error) {
	const doing = "read the list of tables"
	rows, err := s.conn.QueryContext(ctx, "SELECT name, sql FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite~_%' ESCAPE '~' ORDER BY name")
	if err != nil {
		return nil, s.readError(doing, err)
	}
	defer rows.Close() //nolint:errcheck // reading to the end closes it
	var names, virtual []string
	for rows.Next() {
		var name, sql string
		if err := rows.Scan(&name, &sql); err != nil {
			return nil, s.readError(doing, err)
		}
		if strings.HasPrefix(strings.ToUpper(sql), "CREATE VIRTUAL TABLE") {
			virtual = append(virtual, strings.ToLower(name))
		} else {
			names = append(names, name)
		}
	}
	if err := rows.Err(); err != nil {
		return nil, s.readError(doing, err)
	}
	found := &schema{tables: map[string]*tableSchema{}, shadows: virtual}
	for _, name := range names {
		if found.isShadow(name) {
			continue
		}
		t, err := readTable(ctx, s, name)
		if err != nil {
			return nil, err
		}
		found.tables[strings.ToLower(name)] = t
	}
	return found, nil
}

// isShadow tells whether a table belongs to a virtual one, as FTS5 keeps its data.
func (s *schema) isShadow(name string) bool {
	for _, v := range s.shadows {
		rest, found := strings.CutPrefix(strings.ToLower(name), v+"_")
		if found && slices.Contains([]string{"data", "idx", "content", "docsize", "config", "segments", "segdir", "stat"}, rest) {
			return true
		}
	}
	return false
}

func readTable(ctx context.Context, s *Source, name string) (_ *tableSchema, err error) {
	doing := "read the columns of table " + name
	rows, err := s.conn.QueryContext(ctx, "SELECT name FROM pragma_table_xinfo(?) ORDER BY cid", name)
	if err != nil {
		return nil, s.readError(doing, err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	t := &tableSchema{name: name, columns: map[string]string{}}
	for rows.Next() {
		var column string
		if err := rows.Scan(&column); err != nil {
			return nil, s.readError(doing, err)
		}
		folded := strings.ToLower(column)
		t.columns[folded] = column
		t.order = append(t.order, folded)
	}
	if err := rows.Err(); err != nil {
		return nil, s.readError(doing, err)
	}
	// PRAGMA table_list would tell, but it opens the virtual tables too.
	probe, err := s.conn.QueryContext(ctx, "SELECT rowid FROM "+quoted(name)+" LIMIT 0") //nolint:gosec // names are quoted
	if err != nil {
		return t, nil
	}
	if err := errors.Join(probe.Err(), probe.Close()); err != nil { //nolint:sqlclosecheck // nothing stands between
		return nil, s.readError(doing, err)
	}
	t.rowid = true
	return t, nil
}

// has tells whether all these columns are in the table.
func (t *tableSchema) has(columns ...string) bool {
	if t == nil {
		return false
	}
	for _, c := range columns {
		if _, found := t.columns[c]; !found {
			return false
		}
	}
	return true
}

func (s *schema) has(tables ...string) bool {
	for _, t := range tables {
		if s.tables[t] == nil {
			return false
		}
	}
	return true
}

// names returns the tables in order.
func (s *schema) names() []string { return slices.Sorted(maps.Keys(s.tables)) }

// quoted is a name as SQL writes it.
func quoted(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// check reads a table and its indexes through. What its own constraints say is of
// no concern here: rows are judged one by one.
func (s *Source) check(ctx context.Context, table string) (err error) {
	doing := "check table " + table
	rows, err := s.conn.QueryContext(ctx, "PRAGMA quick_check("+quoted(s.schema.tables[table].name)+")")
	if err != nil {
		return s.readError(doing, err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var finding string
		if err := rows.Scan(&finding); err != nil {
			return s.readError(doing, err)
		}
		if !harmless(finding) {
			first, _, _ := strings.Cut(strings.TrimPrefix(finding, "*** in database main ***\n"), "\n")
			return &SourceError{Path: s.path, Problem: "is damaged in table " + table, Mend: mendDamaged, Cause: errors.New(first)}
		}
	}
	if err := rows.Err(); err != nil {
		return s.readError(doing, err)
	}
	return nil
}

// harmless tells findings about single values from those about the file.
func harmless(finding string) bool {
	for _, words := range []string{"NULL value in ", "CHECK constraint failed in ", "non-", "NUMERIC value in ", "TEXT value in "} {
		if strings.HasPrefix(finding, words) {
			return true
		}
	}
	return finding == "ok"
}

func (s *Source) count(ctx context.Context, table string) (int64, error) {
	var n int64
	if err := s.conn.QueryRowContext(ctx, "SELECT count(*) FROM "+quoted(s.schema.tables[table].name)+" NOT INDEXED").Scan(&n); err != nil {
		return 0, s.readError("count the rows of table "+table, err)
	}
	return n, nil
}
