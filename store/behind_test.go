package store_test

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/hal9-ai/hal9/cacheutil"
	"github.com/hal9-ai/hal9/internal/testenv"
	"github.com/hal9-ai/hal9/internal/testenv/migrated"
	"github.com/hal9-ai/hal9/model"
	"github.com/hal9-ai/hal9/store"
)

// newBehind opens a store that stores states and last uses later, and a way around it.
func newBehind(t *testing.T, database, cacheURL string) (st, engine model.Store, later *store.Later) {
	t.Helper()
	cache := cacheWith(cacheURL, cacheutil.CacheAside)
	cache.CallTimeout = 10 * time.Second // a busy machine
	cache.Behind = store.Behind{NeuronState: true, LastUsed: true}
	st = openCached(t, database, cache)
	return st, open(t, database), store.LaterOf(st)
}

func run(t *testing.T, later *store.Later) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- later.Run(ctx) }()
	return func() {
		t.Helper()
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

// TestWriteBehind: what is accepted is stored a moment later, never over what was
// written after it, and is found by the next read then.
func TestWriteBehind(t *testing.T) {
	t.Parallel()
	for name, database := range map[string]string{"sqlite": migrated.SQLiteDatabase(t), "postgres": migrated.PostgresDatabase(t)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			st, engine, later := newBehind(t, database, testenv.CacheURL(t))
			accept := func(what string) model.Neuron {
				t.Helper()
				n, queued, err := later.NeuronSetState(t.Context(), setState(what))
				if err != nil || !queued || n.State != what {
					t.Fatalf("%s: %+v, queued: %v, %v", what, n, queued, err)
				}
				return n
			}
			if got := state(t, st); got != "idle" {
				t.Fatal(got)
			}
			accept("first")
			promised := accept("second")
			if got := state(t, engine); got != "idle" {
				t.Errorf("nobody runs the queue, and %q is stored", got)
			}
			stop := run(t, later)
			testenv.Eventually(t, "the state in the database", func() bool { return state(t, engine) == "second" })
			testenv.Eventually(t, "the state by the cache", func() bool { return state(t, st) == "second" })
			stop()
			if n, err := engine.NeuronGet(t.Context(), model.NeuronGetParams{ID: "neuron-l1"}); err != nil || n.Version != promised.Version {
				t.Errorf("it was to have version %d: %+v, %v", promised.Version, n, err)
			}

			// What is written while a change waits is newer, and stays.
			accept("overtaken")
			if _, err := st.NeuronSetState(t.Context(), setState("direct")); err != nil {
				t.Fatal(err)
			}
			accept("of a neuron that goes")
			if _, err := st.NeuronDelete(t.Context(), model.NeuronDeleteParams{ID: "neuron-l1"}); err != nil {
				t.Fatal(err)
			}
			if err := later.Drain(t.Context()); err != nil {
				t.Fatal(err)
			}
			for what, s := range map[string]model.Store{"cached": st, "engine": engine} {
				if _, err := s.NeuronGet(t.Context(), model.NeuronGetParams{ID: "neuron-l1"}); !errors.Is(err, model.ErrNotFound) {
					t.Errorf("%s: a deleted neuron came back: %v", what, err)
				}
			}
			if _, _, err := later.NeuronSetState(t.Context(), setState("x")); !errors.Is(err, model.ErrNotFound) {
				t.Errorf("a state of nobody: %v", err)
			}
		})
	}
}

// TestWriteBehindKeepsTheLaterWrite: an accepted change that is stored after a direct
// one that came later changes nothing.
func TestWriteBehindKeepsTheLaterWrite(t *testing.T) {
	t.Parallel()
	st, engine, later := newBehind(t, migrated.SQLiteDatabase(t), testenv.CacheURL(t))
	if _, queued, err := later.NeuronSetState(t.Context(), setState("accepted")); err != nil || !queued {
		t.Fatal(queued, err)
	}
	direct, err := st.NeuronSetState(t.Context(), setState("direct"))
	if err != nil {
		t.Fatal(err)
	}
	if err := later.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n, err := engine.NeuronGet(t.Context(), model.NeuronGetParams{ID: "neuron-l1"}); err != nil || n.State != "direct" || n.Version != direct.Version {
		t.Errorf("%+v, %v", n, err)
	}
	// As docs/cache.md warns, it need not be a state that came later.
	if _, queued, err := later.NeuronSetState(t.Context(), setState("waiting")); err != nil || !queued {
		t.Fatal(queued, err)
	}
	direct, err = st.NeuronUpdate(t.Context(), model.NeuronUpdateParams{ID: "neuron-l1", Layer: "L1", SystemPrompt: "new", Settings: model.EmptyObject(), UpdatedAt: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	if err := later.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n, err := engine.NeuronGet(t.Context(), model.NeuronGetParams{ID: "neuron-l1"}); err != nil || n.State != "direct" || n.Version != direct.Version {
		t.Errorf("%+v, %v", n, err)
	}
	// A condition is for what is stored.
	arg := setState("conditional")
	arg.IfVersion = &direct.Version
	if _, queued, err := later.NeuronSetState(t.Context(), arg); err != nil || queued {
		t.Errorf("a write with a condition was queued: %v, %v", queued, err)
	}
}

// TestLastUsesBehind: uses of keys are noted later; without the cache server at once.
func TestLastUsesBehind(t *testing.T) {
	t.Parallel()
	for name, cacheURL := range map[string]string{"valkey": testenv.CacheURL(t), "away": "redis://127.0.0.1:1"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			st, engine, later := newBehind(t, migrated.SQLiteDatabase(t), cacheURL)
			user, err := st.UserInsert(t.Context(), model.UserInsertParams{ID: uuid.New(), Username: "ann", PasswordHash: "h", Role: "user", CreatedAt: epoch, UpdatedAt: epoch})
			if err != nil {
				t.Fatal(err)
			}
			key, err := st.APIKeyInsert(t.Context(), model.APIKeyInsertParams{ID: uuid.New(), UserID: user.ID, Name: "k", KeyHash: "k", Permissions: model.JSON(`[]`), IsActive: true, CreatedAt: epoch})
			if err != nil {
				t.Fatal(err)
			}
			used := func(s model.Store) *time.Time {
				t.Helper()
				k, err := s.APIKeyGetByHash(t.Context(), model.APIKeyGetByHashParams{KeyHash: "k"})
				if err != nil {
					t.Fatal(err)
				}
				return k.LastUsedAt
			}
			if used(st) != nil {
				t.Fatal("it was used")
			}
			at := epoch.Add(time.Hour)
			if _, err := st.APIKeySetLastUsed(t.Context(), model.APIKeySetLastUsedParams{ID: key.ID, LastUsedAt: at}); err != nil {
				t.Fatal(err)
			}
			if early := used(engine); (early == nil) != (name == "valkey") {
				t.Errorf("stored before the queue ran: %v", early)
			}
			if name == "valkey" {
				if err := later.Drain(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			for what, s := range map[string]model.Store{"cached": st, "engine": engine} {
				if got := used(s); got == nil || !got.Equal(at) {
					t.Errorf("%s: %v", what, got)
				}
			}
			if _, queued, err := later.NeuronSetState(t.Context(), setState("x")); err != nil || queued != (name == "valkey") {
				t.Errorf("queued: %v, %v", queued, err)
			}
		})
	}
}

// TestWriteBehindLocksInOneOrder: another server that writes the same neurons, in another
// order than they were accepted in, is waited for and not brought to a deadlock.
func TestWriteBehindLocksInOneOrder(t *testing.T) {
	t.Parallel()
	database := migrated.PostgresDatabase(t)
	st, engine, later := newBehind(t, database, testenv.CacheURL(t))
	watcher, err := pgx.Connect(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = watcher.Close(context.WithoutCancel(t.Context())) }()
	for _, id := range []string{"neuron-l2", "neuron-l1"} {
		arg := setState("accepted")
		arg.ID = id
		if _, queued, err := later.NeuronSetState(t.Context(), arg); err != nil || !queued {
			t.Fatal(queued, err)
		}
	}
	drained := make(chan error, 1)
	err = engine.InTx(t.Context(), func(ctx context.Context, tx model.Tx) error {
		set := func(id string) error {
			arg := setState("direct")
			arg.ID = id
			_, err := tx.NeuronSetState(ctx, arg)
			return err
		}
		if err := set("neuron-l1"); err != nil {
			return err
		}
		go func() { drained <- later.Drain(t.Context()) }()
		testenv.Eventually(t, "the queue waiting for the row", func() bool {
			waiting := false
			err := watcher.QueryRow(t.Context(), "SELECT EXISTS (SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock')").Scan(&waiting)
			if err != nil {
				t.Error(err)
			}
			return waiting
		})
		return set("neuron-l2")
	})
	if err != nil {
		t.Errorf("the other server's transaction: %v", err)
	}
	if err := <-drained; err != nil {
		t.Errorf("the queue: %v", err)
	}
	var figures strings.Builder
	store.CacheOf(st).WritePrometheus(&figures)
	if !regexp.MustCompile(`failed_batches_total\{[^}]*"neuron_state"[^}]*\} 0\n`).MatchString(figures.String()) {
		t.Errorf("a batch of the queue failed:\n%s", regexp.MustCompile(`.*failed_batches.*`).FindAllString(figures.String(), -1))
	}
}
