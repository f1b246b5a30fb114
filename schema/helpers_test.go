package schema_test

import (
	"database/sql"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/hal9-ai/hal9/internal/testenv"
	"github.com/hal9-ai/hal9/schema"
)

// engines names the engines, each with a way to make the URL of a new database.
func engines() map[schema.Engine]func(testing.TB) string {
	return map[schema.Engine]func(testing.TB) string{
		schema.Postgres: testenv.PostgresDatabase,
		schema.SQLite: func(tb testing.TB) string {
			tb.Helper()
			return "sqlite://" + filepath.Join(tb.TempDir(), "hal9.db")
		},
	}
}

// onEach runs a test on both engines, each time in a new database.
func onEach(t *testing.T, test func(t *testing.T, url string)) {
	t.Helper()
	for engine, newURL := range engines() {
		t.Run(string(engine), func(t *testing.T) {
			t.Parallel()
			test(t, newURL(t))
		})
	}
}

func open(tb testing.TB, url string, o schema.Options) *schema.Migrator {
	tb.Helper()
	m, err := schema.Open(tb.Context(), url, o)
	if err != nil {
		tb.Fatalf("open: %v", err)
	}
	tb.Cleanup(func() {
		if err := m.Close(); err != nil {
			tb.Errorf("close: %v", err)
		}
	})
	return m
}

// connect opens a database by the plain driver, as a stranger would.
func connect(tb testing.TB, url string) *sql.DB {
	tb.Helper()
	driver, name := "pgx", url
	if path, ok := strings.CutPrefix(url, "sqlite://"); ok {
		driver, name = "sqlite", "file:"+path+"?_pragma=busy_timeout(5000)&_pragma=foreign_keys(1)"
	}
	db, err := sql.Open(driver, name)
	if err != nil {
		tb.Fatalf("connect: %v", err)
	}
	tb.Cleanup(func() {
		if err := db.Close(); err != nil {
			tb.Errorf("close: %v", err)
		}
	})
	return db
}

func run(tb testing.TB, db *sql.DB, query string, args ...any) {
	tb.Helper()
	if _, err := db.ExecContext(tb.Context(), query, args...); err != nil {
		tb.Fatalf("%s: %v", query, err)
	}
}

func query[T any](tb testing.TB, db *sql.DB, text string, args ...any) []T {
	tb.Helper()
	rows, err := db.QueryContext(tb.Context(), text, args...)
	if err != nil {
		tb.Fatalf("%s: %v", text, err)
	}
	defer rows.Close()
	var all []T
	for rows.Next() {
		var v T
		if err := rows.Scan(&v); err != nil {
			tb.Fatalf("%s: %v", text, err)
		}
		all = append(all, v)
	}
	if err := rows.Err(); err != nil {
		tb.Fatalf("%s: %v", text, err)
	}
	return all
}

// one returns the single value of a query.
func one[T any](tb testing.TB, db *sql.DB, text string, args ...any) T {
	tb.Helper()
	all := query[T](tb, db, text, args...)
	if len(all) != 1 {
		tb.Fatalf("%s: %d rows", text, len(all))
	}
	return all[0]
}

// same fails unless two lists are equal, and shows how they differ.
func same(tb testing.TB, what string, got, want []string) {
	tb.Helper()
	for _, line := range want {
		if !slices.Contains(got, line) {
			tb.Errorf("%s: missing\n%s", what, line)
		}
	}
	for _, line := range got {
		if !slices.Contains(want, line) {
			tb.Errorf("%s: unexpected\n%s", what, line)
		}
	}
	if len(got) != len(want) {
		tb.Errorf("%s: %d lines instead of %d", what, len(got), len(want))
	}
}

func versions(steps []schema.Step) []int64 {
	out := []int64{}
	for _, s := range steps {
		v := s.Version
		if s.Direction == schema.Down {
			v = -v
		}
		out = append(out, v)
	}
	return out
}

// upTo returns 1 … n.
func upTo(n int64) []int64 {
	out := []int64{}
	for v := int64(1); v <= n; v++ {
		out = append(out, v)
	}
	return out
}

func latestOf(tb testing.TB, m *schema.Migrator) int64 {
	tb.Helper()
	n, err := schema.Latest(m.Engine())
	if err != nil {
		tb.Fatal(err)
	}
	return n
}
