package migrated_test

import (
	"database/sql"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	_ "modernc.org/sqlite"

	"github.com/hal9-ai/hal9/internal/testenv"
	"github.com/hal9-ai/hal9/internal/testenv/migrated"
	"github.com/hal9-ai/hal9/schema"
)

// Databases that are asked for at once are whole, and each test's own.
func TestPostgresDatabase(t *testing.T) {
	t.Parallel()
	urls := make([]string, 4)
	var group sync.WaitGroup
	for i := range urls {
		group.Go(func() { urls[i] = migrated.PostgresDatabase(t) })
	}
	group.Wait()
	for _, url := range urls {
		if url == "" {
			t.Fatal("no database")
		}
		check(t, url)
		conn, err := pgx.Connect(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		// Fails where another test has done it before.
		if _, err := conn.Exec(t.Context(), "CREATE TABLE mine ()"); err != nil {
			t.Error(err)
		}
		if err := conn.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
	admin, err := pgx.Connect(t.Context(), testenv.PostgresURL(t))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = admin.Close(t.Context()) }()
	var templates int
	err = admin.QueryRow(t.Context(), "SELECT count(*) FROM pg_database WHERE datname LIKE 'hal9_template_%_unfinished'").Scan(&templates)
	if err != nil || templates != 0 {
		t.Errorf("%d templates were left unfinished, %v", templates, err)
	}
}

func TestSQLiteDatabase(t *testing.T) {
	t.Parallel()
	for range 2 {
		url := migrated.SQLiteDatabase(t)
		check(t, url)
		db, err := sql.Open("sqlite", strings.TrimPrefix(url, "sqlite://"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := db.ExecContext(t.Context(), "CREATE TABLE mine (a)"); err != nil {
			t.Error(err)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
}

func check(t *testing.T, url string) {
	t.Helper()
	m, err := schema.Open(t.Context(), url, schema.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Check(t.Context()); err != nil {
		t.Error(err)
	}
	if err := m.Close(); err != nil {
		t.Error(err)
	}
}
