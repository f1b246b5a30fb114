package store_test

import (
	"testing"

	"github.com/hal9-ai/hal9/cacheutil"
	"github.com/hal9-ai/hal9/internal/testenv"
	"github.com/hal9-ai/hal9/internal/testenv/migrated"
	"github.com/hal9-ai/hal9/model"
	"github.com/hal9-ai/hal9/store"
)

// TestKeysOfNeuronsWithTheNamesOfLists: a neuron called as a word of the cache's keys is no
// other answer's key, so that neither drops the other from the cache.
func TestKeysOfNeuronsWithTheNamesOfLists(t *testing.T) {
	t.Parallel()
	st := openCached(t, migrated.SQLiteDatabase(t), cacheWith(testenv.CacheURL(t), cacheutil.CacheAside))
	ctx := t.Context()
	for _, id := range []string{"states", "list", "activity", "%73tates"} {
		if _, err := st.NeuronInsert(ctx, model.NeuronInsertParams{
			ID: id, Layer: "L1", Settings: model.EmptyObject(), State: "idle", Condition: model.ConditionRunning, CreatedAt: epoch,
		}); err != nil {
			t.Fatal(err)
		}
	}
	read := func() {
		t.Helper()
		for _, id := range []string{"states", "list", "activity", "%73tates"} {
			if n, err := st.NeuronGet(ctx, model.NeuronGetParams{ID: id}); err != nil || n.ID != id {
				t.Errorf("%s: %+v, %v", id, n, err)
			}
		}
		if states, err := st.NeuronCountByState(ctx); err != nil || len(states) != 1 || states[0].NeuronsCount != 8 {
			t.Errorf("%+v, %v", states, err)
		}
	}
	loads := func() (n int64) {
		for _, s := range store.CacheOf(st).Stats() {
			n += s.Loads
			if s.Corrupt > 0 {
				t.Errorf("%s: %d entries were another's", s.Name, s.Corrupt)
			}
		}
		return n
	}
	read()
	first := loads()
	read()
	if again := loads(); first != 5 || again != first {
		t.Errorf("%d loads, and %d when all was cached", first, again)
	}
}
