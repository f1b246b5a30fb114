package main

import (
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"testing"

	schemed "github.com/hal9-ai/hal9/internal/testenv/migrated"
)

var maxProcs = regexp.MustCompile(`(?m)^go_gomaxprocs (\d+)$`)

// A server with SQLite inside lets one goroutine more run at a time than one with
// PostgreSQL, unless it was told how many.
func TestSpareProcessor(t *testing.T) {
	t.Parallel()
	procs := func(database string, environ ...string) int {
		s, _ := startProgram(t, database, environ...)
		m := maxProcs.FindStringSubmatch(s.get(t, "/metrics"))
		if m == nil {
			t.Fatal("the metrics do not tell go_gomaxprocs")
		}
		n, _ := strconv.Atoi(m[1])
		return n
	}
	file := func() string { return "sqlite://" + filepath.Join(t.TempDir(), "hal9.db") }
	const unset = "GOMAXPROCS="
	postgres := procs(schemed.PostgresDatabase(t), unset)
	if postgres != runtime.NumCPU() && postgres != runtime.GOMAXPROCS(0) {
		t.Errorf("PostgreSQL: %d", postgres)
	}
	if n := procs(file(), unset); n != postgres+1 {
		t.Errorf("SQLite: %d, PostgreSQL %d", n, postgres)
	}
	if n := procs(file(), unset+"1"); n != 1 {
		t.Errorf("SQLite that was told to use one: %d", n)
	}
}
