package transfer

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// rowReader reads the rows of one table in their order.
type rowReader struct {
	source *Source
	table  string
	rows   *sql.Rows
	index  map[string]int
	extra  []string
	rowid  bool
	width  int
	size   int // bytes of the row read last
	// repeats are, for each column that must be unique, the values that several rows
	// of the table bear, and the first row that laid claim to them.
	repeats map[string]map[string]*where
}

// rows begins to read a table: the columns wanted, NULL where the table lacks one,
// and all others. A value that is too large is not read at all. That each is an
// expression also keeps the driver from changing it by the column's declared type.
func (s *Source) rows(ctx context.Context, table string, wanted []string, unique ...string) (*rowReader, error) {
	t := s.schema.tables[table]
	r := &rowReader{source: s, table: table, index: map[string]int{}, rowid: t.rowid, width: len(t.order)}
	var selected, limits []string
	if t.rowid {
		selected = append(selected, "rowid")
	} else {
		selected = append(selected, "NULL")
	}
	for i, column := range t.order {
		r.index[column] = i
		if !slices.Contains(wanted, column) {
			r.extra = append(r.extra, column)
		}
		name := quoted(t.columns[column])
		selected = append(selected, fmt.Sprintf("CASE WHEN octet_length(%s) <= %d THEN %s END", name, maxContent, name))
		limits = append(limits, fmt.Sprintf("WHEN octet_length(%s) > %d THEN %d", name, maxContent, i))
	}
	query := "SELECT " + strings.Join(selected, ", ") + ", CASE " + strings.Join(limits, " ") + " END FROM " + quoted(t.name) + " NOT INDEXED" //nolint:gosec // names are quoted
	var err error
	r.repeats = map[string]map[string]*where{}
	for _, column := range append([]string{"id"}, unique...) {
		if r.repeats[column], err = s.repeated(ctx, t, column); err != nil {
			return nil, err
		}
	}
	if r.rows, err = s.conn.QueryContext(ctx, query); err != nil { //nolint:rowserrcheck // next checks it
		return nil, s.readError("read table "+table, err)
	}
	return r, nil
}

// next returns the next row, nil after the last one.
func (r *rowReader) next() (*row, error) {
	if !r.rows.Next() {
		if err := r.rows.Err(); err != nil {
			return nil, r.source.readError("read table "+r.table, err)
		}
		return nil, nil //nolint:nilnil // the end is no error
	}
	found := &row{reader: r, index: r.index, extra: r.extra, values: make([]any, r.width)}
	var tooBig any
	dest := make([]any, 0, r.width+2)
	dest = append(dest, &found.rowid)
	for i := range found.values {
		dest = append(dest, &found.values[i])
	}
	if err := r.rows.Scan(append(dest, &tooBig)...); err != nil {
		return nil, r.source.readError("read table "+r.table, err)
	}
	if i, ok := tooBig.(int64); ok {
		found.tooBig = r.schema().order[i]
	}
	r.size = 0
	for _, v := range found.values {
		switch v := v.(type) {
		case string:
			r.size += len(v)
		case []byte:
			r.size += len(v)
		}
	}
	return found, nil
}

func (r *rowReader) schema() *tableSchema { return r.source.schema.tables[r.table] }

func (r *rowReader) close() {
	// Its error was seen by next, or the caller has one of its own.
	_ = r.rows.Close()
}

// repeated returns the values of a column that stand in more than one row. It sorts
// within SQLite, which spills to a temporary file, rather than here.
func (s *Source) repeated(ctx context.Context, t *tableSchema, column string) (_ map[string]*where, err error) {
	if !t.has(column) {
		return nil, nil //nolint:nilnil // none
	}
	doing := "look for repeated values of " + column + " in table " + t.name
	id := quoted(t.columns[column])
	rows, err := s.conn.QueryContext(ctx, "SELECT +"+id+" FROM "+quoted(t.name)+ //nolint:gosec // names are quoted
		" WHERE octet_length("+id+") <= "+strconv.Itoa(maxContent)+" GROUP BY "+id+" HAVING count(*) > 1")
	if err != nil {
		return nil, s.readError(doing, err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	repeats := map[string]*where{}
	for rows.Next() {
		var v any
		if err := rows.Scan(&v); err != nil {
			return nil, s.readError(doing, err)
		}
		text, _ := textOf(v)
		repeats[text] = nil
	}
	if err := rows.Err(); err != nil {
		return nil, s.readError(doing, err)
	}
	return repeats, nil
}

// repeated refuses a row whose id an earlier row of the table bears.
func (r *rowReader) repeated(found *row) error { return found.claim("id") }

// claim lays claim to a value that must be unique, and refuses the row when an
// earlier one did.
func (r *row) claim(column string) error {
	text, ok := textOf(r.value(column))
	if !ok {
		return nil
	}
	first, repeats := r.reader.repeats[column][text]
	if !repeats {
		return nil
	}
	if first == nil {
		r.reader.repeats[column][text] = &where{r.rowid}
		return nil
	}
	detail := ""
	if first.rowid != nil {
		detail = fmt.Sprintf("row %v", first.rowid)
	}
	return &skip{column + " is that of an earlier row in the file", detail}
}

// where remembers the first row of a repeated value.
type where struct{ rowid any }
