// Package example is a package as it uses testenv. The tests of testenv run it
// in a process of its own.
package example

import (
	"bufio"
	"os"
	"runtime"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/hal9-ai/hal9/internal/testenv"
)

// query connects to the database and returns the query's only value.
func query(t *testing.T, url, text string) string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	var value string
	if err := conn.QueryRow(t.Context(), text).Scan(&value); err != nil {
		t.Fatal(err)
	}
	return value
}

// report prints what the parent process reads.
func report(t *testing.T, key, value string) {
	t.Helper()
	if _, err := os.Stdout.WriteString(key + "=" + value + "\n"); err != nil {
		t.Fatal(err)
	}
}

func TestReport(t *testing.T) {
	url := testenv.PostgresURL(t)
	report(t, "postgres", url)
	report(t, "cache", testenv.CacheURL(t))
	// A collected server would have ended.
	for range 3 {
		runtime.GC()
	}
	report(t, "directory", query(t, url, "SHOW data_directory"))
}

func TestDatabase(t *testing.T) {
	url := testenv.PostgresDatabase(t)
	report(t, "database", query(t, url, "SELECT current_database()"))
	report(t, "tables", query(t, url, "SELECT count(*)::text FROM pg_class WHERE relnamespace = 'public'::regnamespace"))
	if other := testenv.PostgresDatabase(t); other == url {
		t.Errorf("the database %s is given twice", url)
	}
}

func TestDatabaseOfFailedTest(t *testing.T) {
	url := testenv.PostgresDatabase(t)
	report(t, "database", query(t, url, "SELECT current_database()"))
	t.Fail()
}

// TestWait reports, then waits until its standard input is closed.
func TestWait(t *testing.T) {
	TestReport(t)
	report(t, "state", "waiting")
	_, _ = bufio.NewReader(os.Stdin).ReadByte()
}
