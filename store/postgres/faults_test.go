package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgconn"
	"go.uber.org/goleak"

	"github.com/hal9-ai/hal9/model"
	"github.com/hal9-ai/hal9/store/postgres"
)

// reopen opens the database of a migrated store once more, with settings of the
// test's own and parameters added to the URL.
func reopen(t *testing.T, address string, cfg postgres.Config, params ...string) *postgres.Store {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	for _, param := range params {
		key, value, _ := strings.Cut(param, "=")
		q.Set(key, value)
	}
	u.RawQuery = q.Encode()
	cfg.URL = u.String()
	st, err := postgres.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return st
}

func neuron(id string) model.NeuronInsertParams {
	return model.NeuronInsertParams{
		ID: id, Layer: "L1", Settings: model.EmptyObject(), State: model.StateIdle, Condition: model.ConditionRunning, CreatedAt: time.Now(),
	}
}

func signal() model.SignalInsertParams {
	return model.SignalInsertParams{
		ID: uuid.New(), FromNeuron: "a", ToNeuron: "b", LayerFrom: "L1", LayerTo: "L1", Metadata: model.EmptyObject(), Timestamp: time.Now(),
	}
}

// calls are one call of each way into the engine.
func calls(st model.Store) map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		"a read": func(ctx context.Context) error {
			_, err := st.NeuronGet(ctx, model.NeuronGetParams{ID: "neuron-l1"})
			return err
		},
		"a write": func(ctx context.Context) error {
			_, err := st.NeuronInsert(ctx, neuron(uuid.NewString()))
			return err
		},
		"a bulk insert": func(ctx context.Context) error {
			_, err := st.SignalInsertMany(ctx, []model.SignalInsertParams{signal()})
			return err
		},
		"a transaction": func(ctx context.Context) error {
			return st.InTx(ctx, func(ctx context.Context, tx model.Tx) error {
				_, err := tx.NeuronInsert(ctx, neuron(uuid.NewString()))
				return err
			})
		},
	}
}

func TestNoFreeConnection(t *testing.T) {
	t.Parallel()
	_, address := open(t)
	st := reopen(t, address, postgres.Config{MaxConnections: 1, AcquireTimeout: 50 * time.Millisecond})
	held, free := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		err := st.InTx(t.Context(), func(context.Context, model.Tx) error {
			close(held)
			<-free
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
	<-held
	for name, call := range calls(st) {
		start := time.Now()
		if err := call(t.Context()); !errors.Is(err, model.ErrUnavailable) {
			t.Errorf("%s: %v, want %v", name, err, model.ErrUnavailable)
		}
		if took := time.Since(start); took < 50*time.Millisecond || took > 5*time.Second {
			t.Errorf("%s: it took %v to be refused, want 50ms", name, took)
		}
		hurried, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		if err := call(hurried); !errors.Is(err, model.ErrTimeout) {
			t.Errorf("%s of a caller with less time: %v, want %v", name, err, model.ErrTimeout)
		}
		cancel()
	}
	if got := st.PoolStats(); got.Max != 1 || got.InUse != 1 || got.Waiting != 0 {
		t.Errorf("the pool tells %+v", got)
	}
	close(free)
	wg.Wait()
	for name, call := range calls(st) {
		if err := call(t.Context()); err != nil {
			t.Errorf("%s after that: %v", name, err)
		}
	}
}

// A limit beyond what PostgreSQL's settings hold, or twice of it, is no reason not to
// connect.
func TestLongStatementTimeout(t *testing.T) {
	t.Parallel()
	_, address := open(t)
	for limit, want := range map[time.Duration]string{400 * time.Hour: "400h", 1000 * time.Hour: "2147483647ms", math.MaxInt64: "2147483647ms"} {
		for _, pooled := range []bool{false, true} {
			st := reopen(t, address, postgres.Config{StatementTimeout: limit, Pooled: pooled})
			err := st.InTx(t.Context(), func(context.Context, model.Tx) error { return nil })
			if err != nil {
				t.Errorf("%s, pooled %v: %v", limit, pooled, err)
			}
			var got string
			if err := st.Pool().QueryRow(t.Context(), "SHOW statement_timeout").Scan(&got); err != nil || !pooled && got != want {
				t.Errorf("%s, pooled %v: the engine's limit is %q, %v, want %s", limit, pooled, got, err, want)
			}
		}
	}
}

func TestStatementTimeout(t *testing.T) {
	t.Parallel()
	_, address := open(t)
	st := reopen(t, address, postgres.Config{StatementTimeout: 100 * time.Millisecond})
	other := connect(t, address)
	run(t, other, "BEGIN; LOCK TABLE neurons, signals IN ACCESS EXCLUSIVE MODE")
	for name, call := range calls(st) {
		err := call(t.Context())
		if !errors.Is(err, model.ErrTimeout) {
			t.Errorf("%s: %v, want %v", name, err, model.ErrTimeout)
		}
		if pg, ok := errors.AsType[*pgconn.PgError](err); !ok || pg.Code != "57014" {
			t.Errorf("%s: ended by %v, want the engine's statement_timeout", name, err)
		}
		// Without the engine's help: the caller's own deadline.
		hurried, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		if err := call(hurried); !errors.Is(err, model.ErrTimeout) {
			t.Errorf("%s of a caller with less time: %v, want %v", name, err, model.ErrTimeout)
		}
		cancel()
	}
	run(t, other, "ROLLBACK")
	err := st.InTx(t.Context(), func(ctx context.Context, _ model.Tx) error {
		<-ctx.Done() // the engine ends the idle session before
		return nil
	})
	if !errors.Is(err, model.ErrTimeout) && !errors.Is(err, model.ErrUnavailable) {
		t.Errorf("an idle transaction: %v (cause %v)", err, errors.Unwrap(err))
	}
	for name, call := range calls(st) {
		if err := call(t.Context()); err != nil {
			t.Errorf("%s after that: %v", name, err)
		}
	}
}

// TestKilledConnections has the engine end all sessions of the store, idle ones, one in
// a transaction and one that waits: calls fail as unavailable, and soon no more. A read
// runs once more on another connection, and its caller sees nothing of it.
func TestKilledConnections(t *testing.T) {
	t.Parallel()
	_, address := open(t)
	st := reopen(t, address, postgres.Config{MaxConnections: 4}, "application_name=victim")
	other := connect(t, address)
	const kill = `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'victim' AND datname = current_database()`

	err := st.InTx(t.Context(), func(ctx context.Context, tx model.Tx) error {
		if _, err := tx.NeuronInsert(ctx, neuron("lost")); err != nil {
			return err
		}
		run(t, other, kill)
		_, err := tx.NeuronGet(ctx, model.NeuronGetParams{ID: "lost"})
		if !errors.Is(err, model.ErrUnavailable) {
			t.Errorf("in a transaction whose session is gone: %v, want %v", err, model.ErrUnavailable)
		}
		return nil
	})
	if !errors.Is(err, model.ErrUnavailable) {
		t.Errorf("the transaction ended with %v, want %v", err, model.ErrUnavailable)
	}
	if _, err := st.NeuronGet(t.Context(), model.NeuronGetParams{ID: "lost"}); !errors.Is(err, model.ErrNotFound) {
		t.Errorf("what the lost transaction wrote: %v, want %v", err, model.ErrNotFound)
	}

	for name, call := range calls(st) {
		fill(t, st)
		run(t, other, kill)
		failures := 0
		for err := call(t.Context()); err != nil; err = call(t.Context()) {
			if !errors.Is(err, model.ErrUnavailable) {
				t.Fatalf("%s after all sessions were ended: %v, want %v", name, err, model.ErrUnavailable)
			}
			if failures++; failures > 4 {
				t.Fatalf("%s: more failures than there were connections: %v", name, err)
			}
		}
	}

	single := reopen(t, address, postgres.Config{MaxConnections: 1}, "application_name=single")
	for range 5 {
		for _, when := range []string{"before", "after"} {
			if _, err := single.NeuronGet(t.Context(), model.NeuronGetParams{ID: "neuron-l1"}); err != nil {
				t.Errorf("a read %s its only connection was ended: %v", when, err)
			}
		}
		run(t, other, strings.Replace(kill, "victim", "single", 1))
	}
}

// fill opens all connections of the pool and gives them back.
func fill(t *testing.T, st *postgres.Store) {
	t.Helper()
	var wg, all sync.WaitGroup
	all.Add(st.PoolStats().Max)
	for range st.PoolStats().Max {
		wg.Go(func() {
			err := st.InTx(t.Context(), func(context.Context, model.Tx) error {
				all.Done()
				all.Wait()
				return nil
			})
			if err != nil && !errors.Is(err, model.ErrUnavailable) {
				t.Error(err)
			}
			if err != nil {
				all.Done()
			}
		})
	}
	wg.Wait()
}

// TestFormerPrimary has the pool hold connections of a server that took writes no more,
// while new connections lead to one that does: as after a failover.
func TestFormerPrimary(t *testing.T) {
	t.Parallel()
	_, address := open(t)
	other := connect(t, address)
	run(t, other, "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = on', current_database()); END $$")
	for name := range calls(nil) {
		st := reopen(t, address, postgres.Config{MaxConnections: 4})
		fill(t, st)
		run(t, other, "SET default_transaction_read_only = off; DO $$ BEGIN EXECUTE format('ALTER DATABASE %I RESET default_transaction_read_only', current_database()); END $$")
		err := calls(st)[name](t.Context())
		if name == "a transaction" && errors.Is(err, model.ErrReadOnly) {
			err = calls(st)[name](t.Context()) // its function is not run twice behind the caller's back
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		run(t, other, "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = on', current_database()); END $$")
	}
}

// TestInterrupted breaks the connection under a statement that runs, and where nothing
// was sent: only of the first is the outcome unknown.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	_, address := open(t)
	proxy := startCutter(t, address)
	st := reopen(t, proxy.url(t, address), postgres.Config{MaxConnections: 2})
	other := connect(t, address)
	run(t, other, "BEGIN; LOCK TABLE neurons, signals IN ACCESS EXCLUSIVE MODE")
	waiting := map[int]bool{}
	for name, call := range calls(st) {
		failed := make(chan error, 1)
		go func() { failed <- call(t.Context()) }()
		awaitWaiting(t, other, waiting)
		proxy.cut()
		if name == "a read" { // it is repeated, once, on another connection
			awaitWaiting(t, other, waiting)
			proxy.cut()
		}
		err := <-failed
		if !errors.Is(err, model.ErrUnavailable) {
			t.Errorf("%s: %v, want %v", name, err, model.ErrUnavailable)
		}
		// In a transaction that was not told to commit nothing can have happened.
		if want := name != "a transaction"; errors.Is(err, model.ErrInterrupted) != want {
			t.Errorf("%s: %v; the outcome is unknown: want %v", name, err, want)
		}
	}
	run(t, other, "ROLLBACK")
	proxy.close()
	for name, call := range calls(st) {
		for range 3 { // idle connections are cut, and no new one can be made
			if err := call(t.Context()); !errors.Is(err, model.ErrUnavailable) {
				t.Errorf("%s with nobody there: %v", name, err)
			}
		}
		if err := call(t.Context()); errors.Is(err, model.ErrInterrupted) {
			t.Errorf("%s with nobody there: %v, although nothing was sent", name, err)
		}
	}
}

func TestReadOnly(t *testing.T) {
	t.Parallel()
	_, address := open(t)
	st := reopen(t, address, postgres.Config{}, "default_transaction_read_only=on")
	for name, call := range calls(st) {
		err := call(t.Context())
		if name == "a read" && err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if name != "a read" && !errors.Is(err, model.ErrReadOnly) {
			t.Errorf("%s: %v, want %v", name, err, model.ErrReadOnly)
		}
	}
}

func TestStatementsArePrepared(t *testing.T) {
	t.Parallel()
	_, address := open(t)
	st := reopen(t, address, postgres.Config{MaxConnections: 1})
	const times = 20
	for range times {
		if err := calls(st)["a read"](t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	var statements, runs int
	err := st.Pool().QueryRow(t.Context(), `SELECT count(*), sum(generic_plans)::int
		FROM pg_prepared_statements WHERE statement LIKE '-- name: NeuronGet %'`).Scan(&statements, &runs)
	if err != nil || statements != 1 || runs != times {
		t.Errorf("%d statements were prepared and ran by one plan %d times (%v), want 1 and %d", statements, runs, err, times)
	}
}

func TestTimesAreUTC(t *testing.T) {
	t.Parallel()
	_, address := open(t)
	for _, zone := range []string{"Asia/Kolkata", "America/St_Johns", "UTC"} {
		st := reopen(t, address, postgres.Config{MaxConnections: 1}, "timezone="+zone)
		n := neuron("in " + zone)
		n.CreatedAt = time.Date(2026, 7, 8, 9, 10, 11, 123456000, time.FixedZone("", -7200))
		made, err := st.NeuronInsert(t.Context(), n)
		if err != nil {
			t.Fatal(err)
		}
		read, err := st.NeuronGet(t.Context(), model.NeuronGetParams{ID: n.ID})
		if err != nil {
			t.Fatal(err)
		}
		for _, got := range []time.Time{made.CreatedAt, read.CreatedAt, read.UpdatedAt} {
			if !got.Equal(n.CreatedAt) || got.Location() != time.UTC {
				t.Errorf("with the session in %s: %v, want %v in UTC", zone, got, n.CreatedAt.UTC())
			}
		}
	}
}

func TestNoGoroutineIsLeft(t *testing.T) { //nolint:paralleltest // looks at all goroutines
	_, address := open(t)
	run(t, connect(t, address), "SELECT 1") // whatever a first connection leaves behind
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	st, err := postgres.Open(t.Context(), postgres.Config{URL: address, MaxConnections: 8, MinConnections: 2})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			if _, err := st.NeuronInsert(t.Context(), neuron(fmt.Sprintf("n%03d", i))); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	left, cancel := context.WithCancel(t.Context())
	cancel()
	for name, call := range calls(st) {
		if err := call(left); !errors.Is(err, context.Canceled) {
			t.Errorf("%s of a caller who has left: %v", name, err)
		}
	}
	if err := st.Close(); err != nil {
		t.Error(err)
	}
}
