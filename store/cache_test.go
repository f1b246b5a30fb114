package store_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/hal9-ai/hal9/cacheutil"
	"github.com/hal9-ai/hal9/gen/cachedstore"
	"github.com/hal9-ai/hal9/internal/testenv"
	"github.com/hal9-ai/hal9/internal/testenv/migrated"
	"github.com/hal9-ai/hal9/model"
	"github.com/hal9-ai/hal9/store"
)

// behind is an engine whose reads are counted and whose commits can be lost: the
// database took them, and nobody was told.
type behind struct {
	model.Store

	reads    int // of neurons, by key
	loseNext bool
}

var errLost = &model.Error{Kind: model.ErrUnavailable, Reason: "the connection failed"}

func (b *behind) NeuronGet(ctx context.Context, arg model.NeuronGetParams) (model.Neuron, error) {
	n, err := b.Store.NeuronGet(ctx, arg)
	if !errors.Is(err, model.ErrInTx) {
		b.reads++
	}
	return n, err
}

func (b *behind) lost(err error) error {
	if err == nil && b.loseNext {
		b.loseNext = false
		return errLost
	}
	return err
}

func (b *behind) NeuronSetState(ctx context.Context, arg model.NeuronSetStateParams) (model.Neuron, error) {
	n, err := b.Store.NeuronSetState(ctx, arg)
	if err = b.lost(err); err != nil {
		return model.Neuron{}, err
	}
	return n, nil
}

func (b *behind) InTx(ctx context.Context, fn func(context.Context, model.Tx) error) error {
	return b.lost(b.Store.InTx(ctx, fn))
}

// newCachedPair puts a cache around a store that can be looked into.
func newCachedPair(t *testing.T, strategy cacheutil.Strategy) (*cachedstore.Store, *behind) {
	t.Helper()
	engine := &behind{Store: open(t, migrated.SQLiteDatabase(t))}
	cfg := cacheWith("", strategy)
	m, err := cacheutil.Open(t.Context(), cfg.Config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	st, err := cachedstore.New(engine, m, cfg.Settings)
	if err != nil {
		t.Fatal(err)
	}
	return st, engine
}

func state(t *testing.T, st model.Store) string {
	t.Helper()
	n, err := st.NeuronGet(t.Context(), model.NeuronGetParams{ID: "neuron-l1"})
	if err != nil {
		t.Fatal(err)
	}
	return n.State
}

func setState(state string) model.NeuronSetStateParams {
	return model.NeuronSetStateParams{ID: "neuron-l1", State: state, Condition: model.ConditionRunning, UpdatedAt: epoch}
}

// TestWritesDropWhatTheyChange: at the end of a write the next read has its outcome,
// also if nobody knows it, and a read in between asks nobody.
func TestWritesDropWhatTheyChange(t *testing.T) {
	t.Parallel()
	for name, strategy := range map[string]cacheutil.Strategy{"cache_aside": cacheutil.CacheAside, "write_through": cacheutil.WriteThrough} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			st, engine := newCachedPair(t, strategy)
			set := func(state string, want error) {
				t.Helper()
				if _, err := st.NeuronSetState(t.Context(), setState(state)); !errors.Is(err, want) {
					t.Fatalf("set %s: %v", state, err)
				}
			}
			reads := func(what string, want int, state string, got string) {
				t.Helper()
				if got != state || engine.reads != want {
					t.Errorf("%s: %q after %d reads, want %q after %d", what, got, engine.reads, state, want)
				}
				engine.reads = 0
			}
			reads("cold", 1, "idle", state(t, st))
			reads("warm", 0, "idle", state(t, st))

			set("busy", nil)
			loads := 1
			if strategy == cacheutil.WriteThrough {
				loads = 0 // the row that was stored is there already
			}
			reads("written", loads, "busy", state(t, st))

			engine.loseNext = true
			set("lost", model.ErrUnavailable)
			reads("a write of unknown outcome", 1, "lost", state(t, st))

			bad := setState("no")
			bad.State = "\x00"
			if _, err := st.NeuronSetState(t.Context(), bad); !errors.Is(err, model.ErrInvalid) {
				t.Fatal(err)
			}
			reads("a refused write", 0, "lost", state(t, st))
		})
	}
}

// TestTransactionsDropAfterTheCommit: a rollback drops nothing, a commit what its
// writes name, and so does one of unknown outcome.
func TestTransactionsDropAfterTheCommit(t *testing.T) {
	t.Parallel()
	for name, strategy := range map[string]cacheutil.Strategy{"cache_aside": cacheutil.CacheAside, "write_through": cacheutil.WriteThrough} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			st, engine := newCachedPair(t, strategy)
			errOwn := errors.New("no")
			in := func(state string, end error) error {
				return st.InTx(t.Context(), func(ctx context.Context, tx model.Tx) error {
					if _, err := tx.NeuronSetState(ctx, setState(state)); err != nil {
						return err
					}
					seen, err := tx.NeuronGet(ctx, model.NeuronGetParams{ID: "neuron-l1"})
					if err != nil || seen.State != state {
						t.Errorf("inside the transaction: %q, %v", seen.State, err)
					}
					if _, err := st.NeuronGet(ctx, model.NeuronGetParams{ID: "neuron-l1"}); !errors.Is(err, model.ErrInTx) {
						t.Errorf("the store inside its own transaction, warm: %v", err)
					}
					return end
				})
			}
			want := func(what string, reads int, is string) {
				t.Helper()
				if got := state(t, st); got != is || engine.reads > reads {
					t.Errorf("%s: %q after %d reads, want %q after %d", what, got, engine.reads, is, reads)
				}
				engine.reads = 0
			}
			want("cold", 1, "idle")
			if err := in("rolled back", errOwn); !errors.Is(err, errOwn) {
				t.Fatal(err)
			}
			want("rolled back", 0, "idle")
			if err := in("committed", nil); err != nil {
				t.Fatal(err)
			}
			want("committed", 1, "committed")
			want("warm", 0, "committed")
			engine.loseNext = true
			if err := in("lost", nil); !errors.Is(err, model.ErrUnavailable) {
				t.Fatal(err)
			}
			want("of unknown outcome", 1, "lost")
		})
	}
}

// TestKeysAreNotMistaken: what a client may call a neuron does not lead to another
// entity's key.
func TestKeysAreNotMistaken(t *testing.T) {
	t.Parallel()
	st, _ := newCachedPair(t, cacheutil.CacheAside)
	for _, id := range []string{"a", "a:state", "a%3Astate", "{a}", "list:x", "a:metrics"} {
		if _, err := st.NeuronInsert(t.Context(), model.NeuronInsertParams{
			ID: id, Layer: "L1", Settings: model.EmptyObject(), State: id, Condition: model.ConditionRunning, CreatedAt: epoch,
		}); err != nil {
			t.Fatal(err)
		}
	}
	loads := func() (sum int64) {
		for _, s := range st.Manager().Stats() {
			sum += s.Loads
		}
		return sum
	}
	var cold int64
	for round := range 2 {
		if round == 1 {
			cold = loads()
		}
		for _, id := range []string{"a", "a:state", "a%3Astate", "{a}", "list:x", "a:metrics"} {
			n, err := st.NeuronGet(t.Context(), model.NeuronGetParams{ID: id})
			if err != nil || n.ID != id {
				t.Errorf("neuron %q: %q, %v", id, n.ID, err)
			}
			s, err := st.NeuronGetState(t.Context(), model.NeuronGetStateParams{ID: id})
			if err != nil || s.ID != id {
				t.Errorf("state of %q: %q, %v", id, s.ID, err)
			}
		}
	}
	if warm := loads(); warm != cold { // they push each other out
		t.Errorf("%d loads of warm entries: keys are shared", warm-cold)
	}
}

// TestEpochPutsEverythingOutOfReach: after the epoch was bumped by another program,
// nothing that was cached before is found.
func TestEpochPutsEverythingOutOfReach(t *testing.T) {
	t.Parallel()
	for name, url := range map[string]string{"process": "", "valkey": testenv.CacheURL(t)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			database := migrated.SQLiteDatabase(t)
			cache := cacheWith(url, cacheutil.CacheAside)
			cache.EpochInterval = quick
			st := openCached(t, database, cache)
			if got := state(t, st); got != "idle" {
				t.Fatal(got)
			}
			past := open(t, database) // as a restored backup: nobody is told
			if _, err := past.NeuronSetState(t.Context(), setState("restored")); err != nil {
				t.Fatal(err)
			}
			if got := state(t, st); got != "idle" {
				t.Fatalf("the cache was asked and said %q", got)
			}
			if _, err := past.DatabaseEpochBump(t.Context(), model.DatabaseEpochBumpParams{UpdatedAt: epoch}); err != nil {
				t.Fatal(err)
			}
			testenv.Eventually(t, "the new state", func() bool { return state(t, st) == "restored" })
		})
	}
}

// TestImportsAreHeardOf: rows that are sent together drop what they name, the absence
// of a user among it.
func TestImportsAreHeardOf(t *testing.T) {
	t.Parallel()
	for name, database := range map[string]string{"sqlite": migrated.SQLiteDatabase(t), "postgres": migrated.PostgresDatabase(t)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			st := openCached(t, database, cacheWith("", cacheutil.CacheAside))
			id := uuid.New()
			if _, err := st.UserGetProfile(t.Context(), model.UserGetProfileParams{ID: id}); !errors.Is(err, model.ErrNotFound) {
				t.Fatal(err)
			}
			err := st.InTx(t.Context(), func(ctx context.Context, tx model.Tx) error {
				_, err := tx.ImportMany(ctx, 1, func(ctx context.Context, q model.Imports, _ int) (int64, error) {
					return q.UserImport(ctx, model.UserImportParams{ID: id, Username: "ann", PasswordHash: "h", Role: "user", CreatedAt: epoch, UpdatedAt: epoch})
				})
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			if u, err := st.UserGetProfile(t.Context(), model.UserGetProfileParams{ID: id}); err != nil || u.Username != "ann" {
				t.Errorf("%+v, %v", u, err)
			}
		})
	}
}

// TestCacheOf: a store without a cache has none.
func TestCacheOf(t *testing.T) {
	t.Parallel()
	if m := store.CacheOf(open(t, "sqlite::memory:")); m != nil {
		t.Error("it has one")
	}
	m := store.CacheOf(openCached(t, "sqlite::memory:", cacheWith("", cacheutil.CacheAside)))
	if m == nil || len(m.Stats()) != len(cachedstore.Entities()) {
		t.Error("it lacks caches")
	}
}

// quick is how often a test has the epoch looked at.
const quick = 20 * time.Millisecond
