package schema_test

import (
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/hal9-ai/hal9/schema"
)

const (
	tablesPostgres = `SELECT c.relname FROM pg_class c WHERE c.relnamespace = current_schema()::regnamespace
		AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relname NOT LIKE 'goose_db_version%' ORDER BY 1`
	tablesSQLite = `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'goose_db_version%'
		AND name NOT LIKE 'sqlite_%' AND name NOT LIKE 'memories_fts%' ORDER BY 1`
)

// rowsOf returns all rows of all tables, in an order of their own, by table and then by
// the names of the columns.
func rowsOf(t *testing.T, db *sql.DB, engine schema.Engine) map[string][]map[string]string {
	t.Helper()
	tables := tablesPostgres
	if engine == schema.SQLite {
		tables = tablesSQLite
	}
	all := map[string][]map[string]string{}
	for _, table := range query[string](t, db, tables) {
		all[table] = rowsOfTable(t, db, table)
	}
	return all
}

func rowsOfTable(t *testing.T, db *sql.DB, table string) []map[string]string {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), "SELECT * FROM "+table) //nolint:gosec // a name out of the catalog
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	all := []map[string]string{}
	for rows.Next() {
		values, targets := make([]any, len(names)), make([]any, len(names))
		for i := range values {
			targets[i] = &values[i]
		}
		if err := rows.Scan(targets...); err != nil {
			t.Fatal(err)
		}
		row := map[string]string{}
		for i, name := range names {
			row[name] = fmt.Sprintf("%v", values[i])
		}
		all = append(all, row)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// sameRows fails unless the tables that are in both hold the same rows, in the columns
// that are in both.
func sameRows(t *testing.T, what string, before, after map[string][]map[string]string) {
	t.Helper()
	for table, old := range before {
		now, there := after[table]
		if !there {
			continue
		}
		if table == "schema_compatibility" || table == "row_version" {
			continue // what migrations say and count by themselves
		}
		lines := func(rows, others []map[string]string) []string {
			all := make([]string, 0, len(rows))
			for _, row := range rows {
				var b strings.Builder
				names := make([]string, 0, len(row))
				for name := range row {
					if len(others) == 0 {
						names = append(names, name)
					} else if _, common := others[0][name]; common {
						names = append(names, name)
					}
				}
				slices.Sort(names)
				for _, name := range names {
					_, _ = b.WriteString(name + "=" + row[name] + " ")
				}
				all = append(all, b.String())
			}
			slices.Sort(all)
			return all
		}
		same(t, what+", rows of "+table, lines(now, old), lines(old, now))
	}
}

// Going down and up again one by one over tables that all hold rows, each migration
// leaves the rows of the others' tables as they were.
func TestRowsSurviveMigrations(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, url string) {
		m := open(t, url, schema.Options{})
		db := connect(t, url)
		if _, err := m.Up(t.Context()); err != nil {
			t.Fatal(err)
		}
		fill(t, db, m.Engine())
		before := rowsOf(t, db, m.Engine())
		if len(before) < 15 {
			t.Errorf("only %d tables: %v", len(before), before)
		}
		for table, rows := range before {
			if len(rows) == 0 {
				t.Errorf("%s is empty: let fill of describe_test.go put a row in", table)
			}
		}
		n := latestOf(t, m)
		for v := n; v >= 1; v-- {
			if _, err := m.DownTo(t.Context(), v-1); err != nil {
				t.Fatalf("down to %d: %v", v-1, err)
			}
			after := rowsOf(t, db, m.Engine())
			sameRows(t, fmt.Sprintf("down from %d", v), before, after)
			before = after
		}
		if len(before) != 0 {
			t.Errorf("at the ground there are %v", before)
		}
		for v := int64(1); v <= n; v++ {
			if _, err := m.UpTo(t.Context(), v); err != nil {
				t.Fatalf("up to %d: %v", v, err)
			}
			sameRows(t, fmt.Sprintf("up to %d", v), before, rowsOf(t, db, m.Engine()))
			fill(t, db, m.Engine())
			before = rowsOf(t, db, m.Engine())
		}
	})
}
