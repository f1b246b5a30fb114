package store_test

import (
	"context"
	"crypto/rand"
	"database/sql"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hal9-ai/hal9/internal/testenv"
	"github.com/hal9-ai/hal9/model"
)

// pair is the same store on both engines, with a connection beside each, for what
// the interface has no words for.
type pair struct {
	pg, lite         model.Store
	pgConn           *pgx.Conn
	liteDB           *sql.DB
	pgURL, litePath  string
	pgVersionsToLite map[int64]int64
}

// newPair opens two fresh stores with nothing in them. The PostgreSQL database sorts
// as English does: where a query forgets to ask for the order of bytes, it shows.
func newPair(tb testing.TB) *pair {
	tb.Helper()
	p := &pair{pgURL: englishDatabase(tb), litePath: tb.TempDir() + "/hal9.db"}
	p.pg, p.lite = open(tb, p.pgURL), open(tb, "sqlite://"+p.litePath)
	p.pgConn, p.liteDB = pgConnect(tb, p.pgURL), liteOpen(tb, p.litePath)
	p.clear(tb)
	return p
}

func englishDatabase(tb testing.TB) string {
	tb.Helper()
	server := testenv.PostgresURL(tb)
	address, err := url.Parse(server)
	if err != nil {
		tb.Fatal(err)
	}
	name := "hal9_test_" + strings.ToLower(rand.Text()[:16])
	address.Path = "/" + name
	admin := pgConnect(tb, server)
	pgExec(tb, admin, "CREATE DATABASE "+name+" TEMPLATE template0 ENCODING 'UTF8' LOCALE_PROVIDER icu ICU_LOCALE 'en-US'")
	tb.Cleanup(func() { pgExec(tb, admin, "DROP DATABASE "+name+" WITH (FORCE)") })
	return address.String()
}

func pgConnect(tb testing.TB, address string) *pgx.Conn {
	tb.Helper()
	conn, err := pgx.Connect(tb.Context(), address)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := conn.Close(context.WithoutCancel(tb.Context())); err != nil {
			tb.Error(err)
		}
	})
	return conn
}

func pgExec(tb testing.TB, conn *pgx.Conn, query string, args ...any) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(tb.Context()), time.Minute)
	defer cancel()
	if _, err := conn.Exec(ctx, query, args...); err != nil {
		tb.Fatalf("%s: %v", query, err)
	}
}

// liteOpen opens the file beside the store that uses it.
func liteOpen(tb testing.TB, path string) *sql.DB {
	tb.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(10000)&_pragma=foreign_keys(1)&_txlock=immediate")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := db.Close(); err != nil {
			tb.Error(err)
		}
	})
	return db
}

func liteExec(tb testing.TB, db *sql.DB, query string, args ...any) {
	tb.Helper()
	if _, err := db.ExecContext(tb.Context(), query, args...); err != nil {
		tb.Fatalf("%s: %v", query, err)
	}
}

// clear empties both databases.
func (p *pair) clear(tb testing.TB) {
	tb.Helper()
	var script strings.Builder
	script.WriteString("BEGIN;")
	for _, table := range []string{"users", "neurons", "signals", "memories", "metrics_aggregate", "audit_log"} {
		script.WriteString("DELETE FROM " + table + ";") // cascades reach the rest
	}
	script.WriteString("COMMIT;")
	pgExec(tb, p.pgConn, script.String())
	liteExec(tb, p.liteDB, script.String())
	p.pgVersionsToLite = map[int64]int64{}
}
