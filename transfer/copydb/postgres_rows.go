package copydb

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// pgEpoch is the moment from which PostgreSQL counts, in microseconds since 1970.
const pgEpoch = 946_684_800_000_000

// pgTimeMin is the first moment that a timestamptz holds, in microseconds since 1970; the
// last is beyond what an int64 does.
const pgTimeMin = -210_866_803_200_000_000

// unfitError says that a value cannot be sent at all.
type unfitError struct{ column, reason string }

func (e *unfitError) Error() string { return e.column + " " + e.reason }

func (db *pgDatabase) read(ctx context.Context, q query, each func(Row) error) error {
	t := q.table
	var where []string
	var params [][]byte
	param := func(text string) string {
		params = append(params, []byte(text))
		return "$" + strconv.Itoa(len(params))
	}
	if q.after != nil {
		values := make([]string, len(t.Key))
		for i, c := range t.Key {
			text := q.after[i].text(t.Columns[c].Kind)
			if t.Columns[c].Kind == Time {
				text = pgMoment(q.after[i].n)
			}
			values[i] = param(text) + "::" + pgTypeOf(t.Columns[c].Kind)
		}
		where = append(where, fmt.Sprintf("(%s) %s (%s)", t.ordered(t.Key), q.relation(), strings.Join(values, ", ")))
	}
	if q.bounded {
		name := quote(t.Columns[t.month].Name)
		where = append(where, fmt.Sprintf("%s >= %s::timestamptz AND %s < %s::timestamptz", name, param(pgMoment(q.since)), name, param(pgMoment(q.until))))
	}
	statement := "SELECT " + t.names(q.columns) + " FROM " + quote(t.Name)
	if len(where) > 0 {
		statement += " WHERE " + strings.Join(where, " AND ")
	}
	statement += " ORDER BY " + t.ordered(t.Key)
	if q.limit > 0 {
		statement += " LIMIT " + strconv.Itoa(q.limit)
	}
	reader := db.raw.ExecParams(ctx, statement, params, nil, nil, []int16{1})
	for reader.NextRow() {
		values := reader.Values()
		row := make(Row, len(q.columns))
		for i, c := range q.columns {
			if err := row[i].fromPostgres(values[i], t.Columns[c].Kind); err != nil {
				_, closing := reader.Close()
				return errors.Join(fmt.Errorf("read %s.%s: %w", t.Name, t.Columns[c].Name, err), closing)
			}
		}
		if err := each(row); err != nil {
			// What is left of the page is read past.
			_, closing := reader.Close()
			if errors.Is(err, errStop) {
				err = nil
			}
			return errors.Join(err, closing)
		}
	}
	if _, err := reader.Close(); err != nil {
		return fmt.Errorf("read %s: %w", t.Name, err)
	}
	return nil
}

func pgTypeOf(k Kind) string {
	for name, kind := range pgKinds() {
		if kind == k {
			return name
		}
	}
	return "text"
}

// pgMoment writes a moment, within what both a person and the engine can read.
func pgMoment(micro int64) string {
	switch {
	case micro < time.Date(-4000, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro():
		return "-infinity"
	case micro > time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro():
		return "infinity"
	case micro < time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro():
		t := time.UnixMicro(micro).UTC()
		return fmt.Sprintf("%04d-%s BC", 1-t.Year(), t.Format("01-02 15:04:05.000000Z07:00"))
	default:
		return time.UnixMicro(micro).UTC().Format("2006-01-02 15:04:05.000000Z07:00")
	}
}

func (v *Value) fromPostgres(b []byte, k Kind) error {
	if b == nil {
		v.null = true
		return nil
	}
	const size64 = 8
	switch k {
	case Time, Int, Float:
		if len(b) != size64 {
			return fmt.Errorf("%d bytes came", len(b))
		}
		v.n = int64(binary.BigEndian.Uint64(b)) //nolint:gosec // two's complement
		if k == Time {
			if v.n == math.MinInt64 || v.n > math.MaxInt64-pgEpoch {
				return errors.New("it is no moment that can be copied")
			}
			v.n += pgEpoch
		}
	case Bool:
		v.n = int64(b[0])
	case JSON:
		v.s = string(b[1:]) // behind the version of the format
	default:
		v.s = string(b)
	}
	return nil
}

// appendPostgres writes a value as COPY's binary format has it: its length, and it.
func (v *Value) appendPostgres(b []byte, c *Column) ([]byte, error) {
	if v.null {
		return append(b, 0xff, 0xff, 0xff, 0xff), nil
	}
	length := func(n int) []byte { return binary.BigEndian.AppendUint32(b, uint32(n)) } //nolint:gosec // far below
	const size64, sizeUUID = 8, 16
	switch c.Kind {
	case Time:
		if v.n < pgTimeMin {
			return b, &unfitError{c.Name, "lies outside what PostgreSQL can store"}
		}
		return binary.BigEndian.AppendUint64(length(size64), uint64(v.n-pgEpoch)), nil //nolint:gosec // two's complement
	case Int, Float:
		return binary.BigEndian.AppendUint64(length(size64), uint64(v.n)), nil //nolint:gosec // two's complement
	case Bool:
		return append(length(1), byte(v.n)), nil //nolint:gosec // 0 or 1
	case UUID:
		if len(v.s) != sizeUUID {
			return b, &unfitError{c.Name, "is no UUID in lower case"}
		}
		return append(length(sizeUUID), v.s...), nil
	case JSON:
		return append(append(length(len(v.s)+1), 1), v.s...), nil
	default:
		return append(length(len(v.s)), v.s...), nil
	}
}

// copyIn sends rows by COPY in its binary format:
// https://www.postgresql.org/docs/current/sql-copy.html, "Binary Format".
func (db *pgDatabase) copyIn(ctx context.Context, table string, columns []Column, rows []Row) error {
	b := db.buf[:0]
	b = append(b, "PGCOPY\n\xff\r\n\x00\x00\x00\x00\x00\x00\x00\x00\x00"...)
	var err error
	for _, r := range rows {
		b = binary.BigEndian.AppendUint16(b, uint16(len(columns))) //nolint:gosec // a few
		for i := range columns {
			if b, err = r[i].appendPostgres(b, &columns[i]); err != nil {
				return err
			}
		}
	}
	b = append(b, 0xff, 0xff)
	if db.buf = b; cap(b) > 4*chunkBytes {
		db.buf = nil // one huge row must not keep its room for ever
	}
	names := make([]string, len(columns))
	for i := range columns {
		names[i] = quote(columns[i].Name)
	}
	_, err = db.raw.CopyFrom(ctx, bytes.NewReader(b), fmt.Sprintf("COPY %s (%s) FROM STDIN BINARY", quote(table), strings.Join(names, ", ")))
	if err != nil {
		return fmt.Errorf("copy into %s: %w", table, err)
	}
	return nil
}

func (db *pgDatabase) insert(ctx context.Context, t *Table, rows []Row) error {
	return db.copyIn(ctx, t.Name, t.Columns, rows)
}

// aside is a temporary table for rows on their way, gone at the end of the transaction.
const aside = "hal9_copy_rows"

// sideload copies rows into a temporary table and runs a statement that takes them
// from there.
func (db *pgDatabase) sideload(ctx context.Context, t *Table, columns []int, rows []Row, statement string) error {
	list := make([]Column, len(columns))
	for i, c := range columns {
		list[i] = t.Columns[c]
	}
	if err := db.exec(ctx, fmt.Sprintf("CREATE TEMPORARY TABLE %s ON COMMIT DROP AS SELECT %s FROM %s WHERE false", aside, t.names(columns), quote(t.Name))); err != nil {
		return err
	}
	if err := db.copyIn(ctx, aside, list, rows); err != nil {
		return err
	}
	if err := db.exec(ctx, statement); err != nil {
		return err
	}
	return db.exec(ctx, "DROP TABLE "+aside)
}

func (db *pgDatabase) upsert(ctx context.Context, t *Table, rows []Row) error {
	return db.sideload(ctx, t, t.all(), rows, fmt.Sprintf("INSERT INTO %s (%s) SELECT %[2]s FROM %[3]s ON CONFLICT (%[4]s) DO UPDATE SET %[5]s",
		quote(t.Name), t.names(t.all()), aside, t.names(t.Key), t.assignments()))
}

// assignments is the SET of an upsert.
func (t *Table) assignments() string {
	list := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		list[i] = quote(c.Name) + " = excluded." + quote(c.Name)
	}
	return strings.Join(list, ", ")
}

func (db *pgDatabase) remove(ctx context.Context, t *Table, keys []Row) error {
	return db.sideload(ctx, t, t.Key, keys, fmt.Sprintf("DELETE FROM %s WHERE (%s) IN (SELECT %[2]s FROM %[3]s)", quote(t.Name), t.names(t.Key), aside))
}

func (db *pgDatabase) days(ctx context.Context, t *Table) (map[int64]int64, error) {
	name := quote(t.Columns[t.month].Name)
	return daysOf(ctx, db, fmt.Sprintf(`SELECT floor(extract(epoch FROM %s) / 86400)::bigint, count(*) FROM %s GROUP BY 1`, name, quote(t.Name)))
}

func daysOf(ctx context.Context, db database, statement string) (map[int64]int64, error) {
	rows, err := db.ask(ctx, statement)
	if err != nil {
		return nil, err
	}
	counts := make(map[int64]int64, len(rows))
	for _, r := range rows {
		day, err := strconv.ParseInt(r[0], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("read a day: %w", err)
		}
		if counts[day], err = strconv.ParseInt(r[1], 10, 64); err != nil {
			return nil, fmt.Errorf("read the rows of a day: %w", err)
		}
	}
	return counts, nil
}
