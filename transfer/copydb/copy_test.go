package copydb_test

import (
	"testing"

	"github.com/hal9-ai/hal9/model"
)

// TestCopyThereAndBack: what a database holds is in the other engine's, and in a
// third one when that is copied on.
func TestCopyThereAndBack(t *testing.T) {
	t.Parallel()
	first, second, third, fourth := newDatabase(t, "sqlite"), newDatabase(t, "postgres"), newDatabase(t, "postgres"), newDatabase(t, "sqlite")
	fill(t, first, 500)
	report := copyAll(t, options(first, second))
	if report.PartitionsMade < 3 {
		t.Errorf("%d partitions were made", report.PartitionsMade)
	}
	copyAll(t, options(second, third))
	copyAll(t, options(third, fourth))
	var epoch, version int64
	withStore(t, first, func(st model.Store) { epoch, version = marks(t, st) })
	for _, url := range []string{second, third, fourth} {
		withStore(t, url, func(st model.Store) { wantGoodCopy(t, st, epoch, version) })
	}
}

// marks returns a database's epoch, and the version that it gives next.
func marks(t *testing.T, st model.Store) (epoch, version int64) {
	t.Helper()
	epoch, err := st.DatabaseEpochGet(t.Context())
	must(t, err)
	n, err := st.NeuronSetState(t.Context(), model.NeuronSetStateParams{ID: "neuron-l2", State: "busy", Condition: "running", UpdatedAt: start})
	must(t, err)
	return epoch, n.Version
}

// wantGoodCopy asks a copy what only a good one can answer.
func wantGoodCopy(t *testing.T, st model.Store, epoch, version int64) {
	t.Helper()
	search := model.MemorySearchParams{Match: `"run" AND "naiv"`, Phrases: model.JSON("[]"), PageLimit: 100, PageBytes: 1 << 30}
	if st.Engine() == "postgres" {
		search.Match = "'run' & 'naiv'"
	}
	if found, err := st.MemorySearch(t.Context(), search); err != nil || len(found) != 40 {
		t.Errorf("%s: found %d memories, %v", st.Engine(), len(found), err)
	}
	ownEpoch, ownVersion := marks(t, st)
	if ownEpoch <= epoch {
		t.Errorf("the epoch went from %d to %d", epoch, ownEpoch)
	}
	if ownVersion < version {
		t.Errorf("versions go on at %d, the source's at %d", ownVersion, version)
	}
	parts, err := st.SignalPartitionList(t.Context())
	must(t, err)
	for _, p := range parts {
		if st.Engine() == "postgres" && p.IsDefault && p.Rows > 0 {
			t.Errorf("%d rows lie in the default partition", p.Rows)
		}
	}
}
