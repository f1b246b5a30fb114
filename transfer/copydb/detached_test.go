package copydb_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/hal9-ai/hal9/model"
	"github.com/hal9-ai/hal9/transfer/copydb"
)

// TestDetachedMonthsStay: a month that was detached is whoever's detached it: it goes into
// no export and no copy, and stands in the way of none.
func TestDetachedMonthsStay(t *testing.T) {
	t.Parallel()
	from, to := newDatabase(t, "postgres"), newDatabase(t, "postgres")
	var left int
	withStore(t, from, func(st model.Store) {
		ctx := t.Context()
		for _, month := range []int{0, 1} {
			_, err := st.SignalPartitionEnsure(ctx, start.AddDate(0, month, -5))
			must(t, err)
		}
		addSignals(t, st, 30)
		_, err := st.SignalPartitionDetach(ctx, start)
		must(t, err)
		rows, err := st.SignalList(ctx, model.SignalListParams{Until: model.MaxTime(), CursorTimestamp: model.MaxTime(), CursorID: model.MaxID(), PageLimit: 100})
		must(t, err)
		if left = len(rows); left == 0 || left == 30 {
			t.Fatalf("%d signals are left", left)
		}
	})
	exported, err := copydb.Export(t.Context(), copydb.ExportOptions{From: from}, new(bytes.Buffer))
	must(t, err)
	if exported.Rows["signals"] != int64(left) {
		t.Errorf("exported %d signals, want %d", exported.Rows["signals"], left)
	}
	for table := range exported.Rows {
		if strings.Contains(table, "detached") {
			t.Errorf("exported %s", table)
		}
	}
	copied, err := copydb.Copy(t.Context(), options(from, to))
	must(t, err)
	if refused, different := copied.Faults(); refused+different > 0 || !copied.Compared {
		t.Errorf("%+v", copied)
	}
	must(t, copydb.Fence(t.Context(), from, "a test"))
	must(t, copydb.Lift(t.Context(), from))
	withStore(t, from, func(st model.Store) {
		attached, err := st.SignalPartitionAttach(t.Context(), start)
		must(t, err)
		if attached.Moved != 0 {
			t.Errorf("%+v", attached)
		}
	})
}
