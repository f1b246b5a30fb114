package copydb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/google/uuid"
)

func (db *liteDatabase) read(ctx context.Context, q query, each func(Row) error) error {
	t := q.table
	var where []string
	var args []driver.NamedValue
	param := func(v driver.Value) {
		args = append(args, driver.NamedValue{Ordinal: len(args) + 1, Value: v})
	}
	if q.after != nil {
		marks := make([]string, len(t.Key))
		for i, c := range t.Key {
			marks[i] = "?"
			param(q.after[i].toSQLite(t.Columns[c].Kind))
		}
		where = append(where, fmt.Sprintf("(%s) %s (%s)", t.names(t.Key), q.relation(), strings.Join(marks, ", ")))
	}
	order := t.names(t.Key)
	if q.bounded {
		name := quote(t.Columns[t.month].Name)
		where = append(where, name+" >= ? AND "+name+" < ?")
		param(q.since)
		param(q.until)
		// The plus keeps the planner from walking the whole key for one day's rows.
		order = "+" + strings.ReplaceAll(order, ", ", ", +")
	}
	statement := "SELECT " + t.names(q.columns) + " FROM " + quote(t.Name)
	if len(where) > 0 {
		statement += " WHERE " + strings.Join(where, " AND ")
	}
	statement += " ORDER BY " + order
	if q.limit > 0 {
		statement += " LIMIT " + strconv.Itoa(q.limit)
	}
	// Below database/sql, whose conversions would take longer than the reading.
	err := db.conn.Raw(func(conn any) (err error) {
		queryer, ok := conn.(driver.QueryerContext)
		if !ok {
			return errors.New("this driver of SQLite cannot be asked directly")
		}
		rows, err := queryer.QueryContext(ctx, statement, args)
		if err != nil {
			return err //nolint:wrapcheck // wrapped below
		}
		defer func() { err = errors.Join(err, rows.Close()) }()
		values := make([]driver.Value, len(q.columns))
		for {
			if err := rows.Next(values); err != nil {
				if errors.Is(err, io.EOF) {
					return nil
				}
				return err //nolint:wrapcheck // wrapped below
			}
			row := make(Row, len(q.columns))
			for i, c := range q.columns {
				if err := row[i].fromSQLite(values[i], t.Columns[c].Kind); err != nil {
					return fmt.Errorf("%s: %w", t.Columns[c].Name, err)
				}
			}
			if err := each(row); err != nil {
				return err
			}
		}
	})
	if err != nil && !errors.Is(err, errStop) {
		return fmt.Errorf("read %s: %w", t.Name, err)
	}
	return nil
}

func (v *Value) fromSQLite(from driver.Value, k Kind) error {
	switch from := from.(type) {
	case nil:
		v.null = true
	case int64:
		if k == Float {
			v.n = int64(math.Float64bits(float64(from))) //nolint:gosec // its bits
			return nil
		}
		v.n = from
	case float64:
		if k != Float {
			return errors.New("holds a fraction")
		}
		v.n = int64(math.Float64bits(from)) //nolint:gosec // its bits
	case bool:
		if from {
			v.n = 1
		}
	case string:
		v.s = from
		if k == UUID {
			v.s = packUUID(from)
		}
	case []byte:
		v.s = string(from)
	default:
		return fmt.Errorf("holds a %T", from)
	}
	return nil
}

// packUUID returns the bytes of a UUID that is written as this service writes them,
// and what it was given otherwise: two writings of one would be two keys here.
func packUUID(text string) string {
	const written = 36
	if len(text) != written {
		return text
	}
	for i := range len(text) {
		if c := text[i]; c >= 'A' && c <= 'F' {
			return text
		}
	}
	id, err := uuid.Parse(text)
	if err != nil {
		return text
	}
	return string(id[:])
}

func (v *Value) toSQLite(k Kind) driver.Value {
	switch {
	case v.null:
		return nil
	case k == UUID:
		return v.text(UUID)
	case k == Time, k == Int, k == Bool:
		return v.n
	case k == Float:
		return math.Float64frombits(uint64(v.n)) //nolint:gosec // its bits
	case k == Bytes:
		return []byte(v.s)
	default:
		return v.s
	}
}

func (db *liteDatabase) insert(ctx context.Context, t *Table, rows []Row) error {
	return db.each(ctx, t, t.all(), rows, fmt.Sprintf("INSERT INTO %s (%s) VALUES (%s)", quote(t.Name), t.names(t.all()), marks(len(t.Columns))))
}

func (db *liteDatabase) upsert(ctx context.Context, t *Table, rows []Row) error {
	return db.each(ctx, t, t.all(), rows, fmt.Sprintf("INSERT INTO %s (%s) VALUES (%s) ON CONFLICT (%s) DO UPDATE SET %s",
		quote(t.Name), t.names(t.all()), marks(len(t.Columns)), t.names(t.Key), t.assignments()))
}

func (db *liteDatabase) remove(ctx context.Context, t *Table, keys []Row) error {
	return db.each(ctx, t, t.Key, keys, fmt.Sprintf("DELETE FROM %s WHERE (%s) = (%s)", quote(t.Name), t.names(t.Key), marks(len(t.Key))))
}

func marks(n int) string { return strings.TrimSuffix(strings.Repeat("?, ", n), ", ") }

// each runs a statement for every row.
func (db *liteDatabase) each(ctx context.Context, t *Table, columns []int, rows []Row, statement string) error {
	stmt, prepared := db.stmts[statement]
	if !prepared {
		var err error
		if stmt, err = db.conn.PrepareContext(ctx, statement); err != nil {
			return fmt.Errorf("%s: %w", head(statement), err)
		}
		db.stmts[statement] = stmt
	}
	args := make([]any, len(columns))
	for _, r := range rows {
		for i, c := range columns {
			args[i] = r[i].toSQLite(t.Columns[c].Kind)
		}
		if err := execStmt(ctx, stmt, args); err != nil {
			return fmt.Errorf("write into %s: %w", t.Name, err)
		}
	}
	return nil
}

func execStmt(ctx context.Context, stmt *sql.Stmt, args []any) error {
	_, err := stmt.ExecContext(ctx, args...)
	return err //nolint:wrapcheck // wrapped above
}

func (db *liteDatabase) days(ctx context.Context, t *Table) (map[int64]int64, error) {
	name := quote(t.Columns[t.month].Name)
	// Rounded down, also before 1970.
	return daysOf(ctx, db, fmt.Sprintf(`SELECT (%[1]s - (%[1]s %% 86400000000 + 86400000000) %% 86400000000) / 86400000000, count(*) FROM %[2]s GROUP BY 1`, name, quote(t.Name)))
}
