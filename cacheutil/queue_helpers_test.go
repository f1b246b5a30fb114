package cacheutil_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/valkey-io/valkey-go"

	"github.com/hal9-ai/hal9/cacheutil"
	"github.com/hal9-ai/hal9/internal/testenv"
)

// thing is a row that a queue writes.
type thing struct {
	Key     string
	Version int64
	Body    string
}

// things is a table on a real database. Its Apply keeps the contract: it only
// updates rows, and only with what is newer.
type things struct {
	pool *pgxpool.Pool
	// away makes the database unreachable.
	away atomic.Bool
	// calls counts Apply, delivered the values that it was given.
	calls, delivered atomic.Int64
}

func newThings(t *testing.T, url string) *things {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return &things{pool: pool}
}

// createThings makes the table in a database of the test's own.
func createThings(t *testing.T) *things {
	t.Helper()
	db := newThings(t, testenv.PostgresDatabase(t))
	db.exec(t, `CREATE TABLE things (
		key text PRIMARY KEY,
		version bigint NOT NULL,
		body text NOT NULL,
		CHECK (body <> 'poison'))`)
	return db
}

func (d *things) exec(t *testing.T, sql string, args ...any) {
	t.Helper()
	if _, err := d.pool.Exec(context.WithoutCancel(t.Context()), sql, args...); err != nil {
		t.Fatal(err)
	}
}

// insert makes rows of version 1 for the keys.
func (d *things) insert(t *testing.T, keys ...string) {
	t.Helper()
	d.exec(t, `INSERT INTO things SELECT key, 1, 'first' FROM unnest($1::text[]) AS key`, keys)
}

func (d *things) Apply(ctx context.Context, batch []thing) error {
	d.calls.Add(1)
	d.delivered.Add(int64(len(batch)))
	if d.away.Load() {
		return &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
	}
	keys, versions, bodies := make([]string, len(batch)), make([]int64, len(batch)), make([]string, len(batch))
	for i, v := range batch {
		keys[i], versions[i], bodies[i] = v.Key, v.Version, v.Body
	}
	_, err := d.pool.Exec(ctx, `UPDATE things SET version = new.version, body = new.body
		FROM unnest($1::text[], $2::bigint[], $3::text[]) AS new (key, version, body)
		WHERE things.key = new.key AND things.version < new.version`, keys, versions, bodies)
	return err
}

// refused knows the errors that are the values' fault by their class.
func refused(err error) bool {
	fault, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (fault.Code[:2] == "22" || fault.Code[:2] == "23")
}

// all returns the table.
func (d *things) all(t *testing.T) map[string]thing {
	t.Helper()
	rows, err := d.pool.Query(t.Context(), `SELECT key, version, body FROM things`)
	if err != nil {
		t.Fatal(err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[thing])
	if err != nil {
		t.Fatal(err)
	}
	byKey := make(map[string]thing)
	for _, row := range list {
		byKey[row.Key] = row
	}
	return byKey
}

// options are those of most tests: quick, and short of patience with the dead.
func (d *things) options(name string) cacheutil.QueueOptions[thing] {
	return cacheutil.QueueOptions[thing]{
		Name:    name,
		Key:     func(v thing) string { return v.Key },
		Version: func(v thing) int64 { return v.Version },
		Apply:   d.Apply,
		Refused: refused,
		// Long enough for a busy machine.
		ApplyTimeout: 10 * time.Second,
		Interval:     10 * time.Millisecond,
	}
}

type testManager struct {
	*cacheutil.Manager

	prefix string
}

// stream is the key of the stream of the queue of things.
func (m *testManager) stream() string { return "{" + m.prefix + "queue:thing}" }

// openManager opens caches on the Valkey at the URL, under a prefix of the test's
// own, and sees to it that no goroutine outlives the test.
func openManager(t *testing.T, url string, change ...func(*cacheutil.Config)) *testManager {
	t.Helper()
	noLeaks(t)
	m, err := openQueues(t.Context(), url, t.Name()+"-"+rand.Text()[:8]+":", change...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	return m
}

func openQueues(ctx context.Context, url, prefix string, change ...func(*cacheutil.Config)) (*testManager, error) {
	config := cacheutil.Config{
		URL:         url,
		Prefix:      prefix,
		CallTimeout: 500 * time.Millisecond,
		Logger:      slog.New(slog.DiscardHandler),
	}
	for _, c := range change {
		c(&config)
	}
	m, err := cacheutil.Open(ctx, config)
	return &testManager{Manager: m, prefix: prefix}, err
}

func newQueue(t *testing.T, m *testManager, o cacheutil.QueueOptions[thing]) *cacheutil.Queue[thing] {
	t.Helper()
	q, err := cacheutil.NewQueue(m.Manager, o)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// run runs the queue until the returned function is called, at the latest until
// the test ends.
func run(t *testing.T, q *cacheutil.Queue[thing]) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := q.Run(ctx); err != nil {
			t.Errorf("Run: %v", err)
		}
	}()
	stop = func() { cancel(); <-ended }
	t.Cleanup(stop)
	return stop
}

// submit queues the values and fails if one is not taken.
func submit(t *testing.T, q *cacheutil.Queue[thing], values ...thing) {
	t.Helper()
	for _, v := range values {
		if queued, err := q.Submit(t.Context(), v); !queued || err != nil {
			t.Fatalf("Submit(%v) = %v, %v; want it queued", v, queued, err)
		}
	}
}

// empty waits until nothing is queued any more.
func empty(t *testing.T, q *cacheutil.Queue[thing]) {
	t.Helper()
	testenv.Eventually(t, "the queue is empty", func() bool {
		s := q.Stats(t.Context())
		return s.Known && s.Depth == 0
	})
}

// left waits until this process has taken n entries out of the queue and counted
// them: applied, or given up.
func left(t *testing.T, q *cacheutil.Queue[thing], n int64) {
	t.Helper()
	testenv.Eventually(t, fmt.Sprint(n, " entries have left the queue"), func() bool {
		s := q.Stats(t.Context())
		return s.Applied+s.Buried == n
	})
}

// soon is a context that ends before the test's patience does.
func soon(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// do sends a command to the server that the manager uses.
func do(t *testing.T, m *testManager, command ...string) valkey.ValkeyResult {
	t.Helper()
	result := m.Client().Do(t.Context(), m.Client().B().Arbitrary(command...).Build())
	if err := result.Error(); err != nil && !valkey.IsValkeyNil(err) {
		t.Fatalf("%v: %v", command, err)
	}
	return result
}
