// Package testenv gives tests a PostgreSQL and a Valkey or Redis.
//
// The servers are those that HAL9_TEST_POSTGRES_URL and HAL9_TEST_CACHE_URL
// name. `make test` sets both: it starts one pair of private servers for all
// packages (see cmd/testenv). Where a variable is not set, as in a plain
// `go test ./store`, the first test that asks starts a private server for its
// test binary. A supervisor outside the test binary ends that server when the
// binary has ended, however it ended; packages need no TestMain for it.
//
// A test is never skipped because a server is missing: it fails and tells what
// to do.
package testenv

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hal9-ai/hal9/internal/testenv/servers"
)

const (
	startTimeout    = 2 * time.Minute
	databaseTimeout = 30 * time.Second
)

// shared is the server that all tests of a binary use.
type shared struct {
	url string
	// private is nil for a server that the environment names. It is kept because
	// a private server ends when nothing refers to it.
	private *servers.Server
}

//nolint:gochecknoglobals // the tests of a binary have nothing else in common
var (
	sharedPostgres = sync.OnceValues(func() (shared, error) {
		return choose(servers.GivenPostgres, func(ctx context.Context) (*servers.Server, error) {
			return servers.StartPostgres(ctx, servers.Fast)
		})
	})
	sharedCache = sync.OnceValues(func() (shared, error) {
		return choose(servers.GivenCache, servers.StartCache)
	})
)

// PostgresURL returns the URL of a PostgreSQL superuser's database, which all
// tests share: use it to make databases and roles, and PostgresDatabase for a
// database to work in.
func PostgresURL(tb testing.TB) string {
	tb.Helper()
	server, err := sharedPostgres()
	if err != nil {
		tb.Fatalf("testenv: %v", err)
	}
	return server.url
}

// PostgresDatabase makes an empty database for the test and returns its URL. The
// database is dropped when the test ends; if the test failed, it is kept and its
// name is logged. Package migrated makes databases that have the schema.
func PostgresDatabase(tb testing.TB) string {
	tb.Helper()
	// Unlike template1, template0 has no sessions that could be in the way.
	return PostgresCopy(tb, "template0")
}

// PostgresCopy is PostgresDatabase with a copy of a database of the server that
// nobody is connected to.
func PostgresCopy(tb testing.TB, template string) string {
	tb.Helper()
	server := PostgresURL(tb)
	address, err := url.Parse(server)
	if err != nil {
		tb.Fatalf("testenv: read the server's URL: %v", err)
	}
	name := "hal9_test_" + strings.ToLower(rand.Text()[:16])
	address.Path = "/" + name

	create := "CREATE DATABASE " + name + " TEMPLATE " + template + " ENCODING 'UTF8'"
	if err := execute(tb.Context(), server, create); err != nil {
		tb.Fatalf("testenv: make a database: %v", err)
	}
	tb.Cleanup(func() {
		if tb.Failed() {
			tb.Logf("testenv: kept database %s (a private server's ends with the test run; "+
				"set %s to look into it afterwards)", name, servers.PostgresVariable)
			return
		}
		// The test's own context has ended.
		if err := execute(context.WithoutCancel(tb.Context()), server, "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			tb.Errorf("testenv: drop the database: %v", err)
		}
	})
	return address.String()
}

// CacheURL returns the URL of a Valkey or Redis, which all tests of all packages
// share: use keys and channels that no other test uses, and StartCache to flush,
// stop or freeze a server.
func CacheURL(tb testing.TB) string {
	tb.Helper()
	server, err := sharedCache()
	if err != nil {
		tb.Fatalf("testenv: %v", err)
	}
	return server.url
}

// StartPostgres starts a PostgreSQL of the test's own, whatever the environment
// names: for tests that stop or freeze the server, or change its settings.
func StartPostgres(tb testing.TB) *servers.Server {
	tb.Helper()
	server, err := servers.StartPostgres(tb.Context(), servers.Fast)
	return own(tb, server, err)
}

// StartCache starts a Valkey or Redis of the test's own, whatever the
// environment names.
func StartCache(tb testing.TB) *servers.Server {
	tb.Helper()
	server, err := servers.StartCache(tb.Context())
	return own(tb, server, err)
}

// StartPgBouncer starts a PgBouncer in transaction mode of the test's own before the
// PostgreSQL that all tests share. `make test-pooler` installs it.
func StartPgBouncer(tb testing.TB) *servers.Server {
	tb.Helper()
	server, err := servers.StartPgBouncer(tb.Context(), PostgresURL(tb))
	return own(tb, server, err)
}

func own(tb testing.TB, server *servers.Server, err error) *servers.Server {
	tb.Helper()
	if err != nil {
		tb.Fatalf("testenv: %v", explain(err))
	}
	tb.Cleanup(func() {
		if err := server.Stop(); err != nil {
			tb.Errorf("testenv: %v", err)
		}
	})
	return server
}

// choose returns the given server, or else a new private one.
func choose(
	given func(context.Context) (string, error),
	start func(context.Context) (*servers.Server, error),
) (shared, error) {
	// The server outlives the test that asks first, so its context is no use.
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	address, err := given(ctx)
	if err != nil {
		return shared{}, err
	}
	if address != "" {
		return shared{url: address}, nil
	}
	server, err := start(ctx)
	if err != nil {
		return shared{}, explain(err)
	}
	return shared{url: server.URL(), private: server}, nil
}

// explain adds the mend to an error that a missing program causes.
func explain(err error) error {
	missing, ok := errors.AsType[*servers.MissingError](err)
	if !ok {
		return err
	}
	if missing.Variable == "" {
		return fmt.Errorf("%w: run `make test-pooler`, which installs it, or `apt-get install %s`", err, missing.Packages[0])
	}
	return fmt.Errorf("%w: run `make test`, which installs it, or `apt-get install %s`, or name a server in %s",
		err, missing.Packages[len(missing.Packages)-1], missing.Variable)
}

// execute runs one statement on a connection of its own.
func execute(ctx context.Context, address, statement string) (err error) {
	ctx, cancel := context.WithTimeout(ctx, databaseTimeout)
	defer cancel()
	conn, err := pgx.Connect(ctx, address)
	if err != nil {
		return fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }()
	if _, err := conn.Exec(ctx, statement); err != nil {
		return fmt.Errorf("run %s: %w", statement, err)
	}
	return nil
}
