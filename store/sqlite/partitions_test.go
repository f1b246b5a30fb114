package sqlite_test

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/hal9-ai/hal9/internal/testenv/migrated"
	"github.com/hal9-ai/hal9/model"
	"github.com/hal9-ai/hal9/store"
)

func TestPartitionDropDeletesInChunks(t *testing.T) {
	t.Parallel()
	st, err := store.Open(t.Context(), store.Config{URL: migrated.SQLiteDatabase(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	}()
	march := time.Date(2001, 3, 1, 0, 0, 0, 0, time.UTC)
	months := map[time.Time]int{march.AddDate(-40, 0, 0): 1, march.AddDate(0, -1, 0): 2000, march.AddDate(0, -2, 0): 1001, march: 5}
	for month, rows := range months {
		batch := make([]model.SignalInsertParams, rows)
		for i := range batch {
			batch[i] = model.SignalInsertParams{
				ID: uuid.New(), FromNeuron: "a", ToNeuron: "b", LayerFrom: "L1", LayerTo: "L2", PropagationType: "forward",
				Content: "c", Metadata: model.JSON(`{}`), Timestamp: month.Add(time.Duration(i) * time.Microsecond),
			}
		}
		if result, err := st.SignalInsertMany(t.Context(), batch); err != nil || result.Inserted != rows {
			t.Fatalf("insert: %+v, %v", result, err)
		}
	}
	all, err := st.SignalPartitionList(t.Context())
	if err != nil || len(all) != len(months) {
		t.Fatalf("list: %+v, %v", all, err)
	}
	for _, p := range all {
		if p.Rows != int64(months[p.Start]) {
			t.Errorf("%s has %d rows, not %d", p.Name, p.Rows, months[p.Start])
		}
	}
	gone, err := st.SignalPartitionDrop(t.Context(), march.AddDate(0, 0, 14))
	if err != nil || len(gone) != 3 {
		t.Fatalf("drop: %+v, %v", gone, err)
	}
	for _, p := range gone {
		if p.Rows != int64(months[p.Start]) {
			t.Errorf("%s: %d rows were deleted, not %d", p.Name, p.Rows, months[p.Start])
		}
	}
	left, err := st.SignalPartitionList(t.Context())
	if err != nil || len(left) != 1 || left[0].Rows != 5 || !left[0].Start.Equal(march) {
		t.Errorf("left: %+v, %v", left, err)
	}
}

// Writers get their turn between the chunks of a drop, not at its end.
func TestPartitionDropLetsWritersIn(t *testing.T) {
	t.Parallel()
	st, err := store.Open(t.Context(), store.Config{URL: migrated.SQLiteDatabase(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	}()
	old, now := time.Date(2001, 2, 3, 0, 0, 0, 0, time.UTC), time.Now()
	insert := func(at time.Time, rows int) {
		batch := make([]model.SignalInsertParams, rows)
		for i := range batch {
			batch[i] = model.SignalInsertParams{
				ID: uuid.New(), FromNeuron: "a", ToNeuron: "b", LayerFrom: "L1", LayerTo: "L2", PropagationType: "forward",
				Content: "c", Metadata: model.JSON(`{}`), Timestamp: at,
			}
		}
		if result, err := st.SignalInsertMany(t.Context(), batch); err != nil || result.Inserted != rows {
			t.Errorf("insert: %+v, %v", result, err)
		}
	}
	left := func() (rows int64) {
		all, err := st.SignalPartitionList(t.Context())
		if err != nil {
			t.Error(err)
		}
		for _, p := range all {
			if p.End.Before(now) {
				rows += p.Rows
			}
		}
		return rows
	}
	const chunks = 8
	insert(old, chunks*1000)
	dropped := make(chan error, 1)
	go func() {
		_, err := st.SignalPartitionDrop(t.Context(), now.AddDate(-1, 0, 0))
		dropped <- err
	}()
	// How far the drop was after each insert.
	seen := map[int64]bool{}
	for len(dropped) == 0 {
		insert(now, 1)
		seen[left()] = true
	}
	if err := <-dropped; err != nil {
		t.Fatal(err)
	}
	delete(seen, 0)
	delete(seen, chunks*1000)
	if len(seen) < chunks/4 {
		t.Errorf("inserts found their way between chunks when these were left: %v", seen)
	}
	if n := left(); n != 0 {
		t.Errorf("%d old signals are left", n)
	}
}
