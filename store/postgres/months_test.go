package postgres_test

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/hal9-ai/hal9/internal/testenv/migrated"
	"github.com/hal9-ai/hal9/model"
	"github.com/hal9-ai/hal9/store/postgres"
)

// Lists walk the months from the newest back, and miss and repeat nothing wherever signals
// lie: many or none in a month, at its ends, in the default partition before all months and
// after them; whichever span is asked for, in pages of any size.
func TestSignalListsOverMonths(t *testing.T) {
	t.Parallel()
	st, _ := open(t)
	now := time.Now().UTC()
	month := func(n int) time.Time {
		return time.Date(now.Year(), now.Month()+time.Month(n), 1, 0, 0, 0, 0, time.UTC)
	}
	for n := -20; n <= 2; n++ {
		if _, err := st.SignalPartitionEnsure(t.Context(), month(n)); err != nil {
			t.Fatal(err)
		}
	}
	ids := model.NewIDGenerator(time.Now)
	var all []model.SignalInsertParams
	add := func(at time.Time, from, layer string) {
		all = append(all, model.SignalInsertParams{
			ID: ids.New(), Timestamp: at, FromNeuron: from, ToNeuron: "b", LayerFrom: layer, LayerTo: "L2", PropagationType: "forward",
			Content: "x", Metadata: model.EmptyObject(),
		})
	}
	for n := -20; n <= 2; n++ {
		add(month(n), "border", "L1")
		add(month(n).Add(-time.Microsecond), "border", "L3")
		if n%5 == 0 {
			add(month(n).Add(time.Hour), "rare", "L3")
		}
	}
	for i := range 40 {
		add(month(0).Add(time.Duration(i%7)*time.Minute), "busy", "L1") // some at the same time
		add(month(-7).Add(time.Duration(i)*time.Hour), "once", "L1")
	}
	for _, at := range []time.Time{month(-300), month(-21).Add(-time.Hour), month(3), month(900)} { // in no month
		add(at, "border", "L1")
		add(at, "far", "L3")
	}
	if _, err := st.SignalInsertMany(t.Context(), all); err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(all, func(a, b model.SignalInsertParams) int {
		if c := b.Timestamp.Compare(a.Timestamp); c != 0 {
			return c
		}
		return bytes.Compare(b.ID[:], a.ID[:])
	})
	spans := [][2]time.Time{
		{{}, model.MaxTime()},
		{month(-20), month(1)},
		{month(-9).Add(time.Hour), month(-3).Add(time.Microsecond)},
		{{}, month(0)},
		{{}, month(-30)},
		{month(1), model.MaxTime()},
		{month(-5), month(-5)},
		{month(0), month(-5)},
	}
	for _, neuron := range []string{"", "border", "rare", "busy", "once", "far", "b", "nobody"} {
		for _, layer := range []*string{nil, new("L3"), new("L4")} {
			for _, s := range spans {
				var want []uuid.UUID
				for _, x := range all {
					if (neuron == "" || x.FromNeuron == neuron || x.ToNeuron == neuron) && (layer == nil || x.LayerFrom == *layer || x.LayerTo == *layer) &&
						!x.Timestamp.Before(s[0]) && x.Timestamp.Before(s[1]) {
						want = append(want, x.ID)
					}
				}
				for _, size := range []int64{7, 1000} {
					what := fmt.Sprintf("of %q, layer %v, from %s to %s, by %d", neuron, layer != nil, s[0], s[1], size)
					got := walkSignals(t, st, what, neuron, model.SignalListParams{
						Since: s[0], Until: s[1], CursorTimestamp: model.MaxTime(), CursorID: model.MaxID(), Layer: layer, PageLimit: size,
					})
					if !slices.Equal(got, want) {
						t.Errorf("%s: %d came, want %d", what, len(got), len(want))
					}
				}
			}
		}
	}
}

// walkSignals reads all pages: each but the last is full.
func walkSignals(t *testing.T, st model.Store, what, neuron string, arg model.SignalListParams) (got []uuid.UUID) {
	t.Helper()
	for {
		var page []model.Signal
		var err error
		if neuron == "" {
			page, err = st.SignalList(t.Context(), arg)
		} else {
			page, err = st.SignalListByNeuron(t.Context(), model.SignalListByNeuronParams{
				NeuronID: neuron, Since: arg.Since, Until: arg.Until, CursorTimestamp: arg.CursorTimestamp, CursorID: arg.CursorID, Layer: arg.Layer, PageLimit: arg.PageLimit,
			})
		}
		if err != nil || int64(len(page)) > arg.PageLimit {
			t.Fatalf("%s: %d, %v", what, len(page), err)
		}
		for _, x := range page {
			got = append(got, x.ID)
			arg.CursorTimestamp, arg.CursorID = x.Timestamp, x.ID
		}
		if int64(len(page)) < arg.PageLimit {
			return got
		}
	}
}

// A page that the newest month fills opens no other: with a statement for all of them each
// month that is kept makes each page dearer. One that it does not fill takes few statements.
func TestSignalListOpensFewMonths(t *testing.T) {
	t.Parallel()
	queries := &counter{}
	st, err := postgres.Open(t.Context(), postgres.Config{URL: migrated.PostgresDatabase(t), MaxConnections: 1, Observer: queries})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	now := time.Now().UTC()
	month := func(n int) time.Time {
		return time.Date(now.Year(), now.Month()+time.Month(n), 1, 0, 0, 0, 0, time.UTC)
	}
	const months = 48
	ids := model.NewIDGenerator(time.Now)
	var signals []model.SignalInsertParams
	for n := range months {
		if _, err := st.SignalPartitionEnsure(t.Context(), month(-n)); err != nil {
			t.Fatal(err)
		}
		for i := range 60 {
			from := "rare"
			if i > 0 {
				from = "busy"
			}
			signals = append(signals, model.SignalInsertParams{
				ID: ids.New(), Timestamp: month(-n).Add(time.Duration(i) * time.Millisecond), FromNeuron: from, ToNeuron: "b", LayerFrom: "L1", LayerTo: "L2",
				PropagationType: "forward", Content: "x", Metadata: model.EmptyObject(),
			})
		}
	}
	if _, err := st.SignalInsertMany(t.Context(), signals); err != nil {
		t.Fatal(err)
	}
	opened := func() (n int) {
		if _, err := st.Pool().Exec(t.Context(), "SELECT pg_stat_force_next_flush()"); err != nil {
			t.Fatal(err)
		}
		err := st.Pool().QueryRow(t.Context(), "SELECT count(*) FROM pg_stat_user_tables WHERE relname LIKE 'signals_y%' AND idx_scan > 0").Scan(&n)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := opened(); n != 0 {
		t.Fatalf("%d months are opened before a list", n)
	}
	list := func(neuron string, want int) (statements int64) {
		t.Helper()
		before := queries.of("SignalListByNeuron")
		page, err := st.SignalListByNeuron(t.Context(), model.SignalListByNeuronParams{
			NeuronID: neuron, Until: model.MaxTime(), CursorTimestamp: model.MaxTime(), CursorID: model.MaxID(), PageLimit: 50,
		})
		if err != nil || len(page) != want {
			t.Fatalf("%d of %s, %v", len(page), neuron, err)
		}
		return queries.of("SignalListByNeuron") - before
	}
	if n := list("busy", 50); n != 1 {
		t.Errorf("a page of the newest month takes %d statements", n)
	}
	// The months ahead and the default partition are looked into with the newest.
	if n := opened(); n == 0 || n > 4 {
		t.Errorf("it opens %d months of %d", n, months)
	}
	if n := list("rare", months); n > 3 {
		t.Errorf("a page of all months takes %d statements", n)
	}
	if n := list("nobody", 0); n > 5 {
		t.Errorf("a page of nothing takes %d statements", n)
	}
}

// counter counts queries.
type counter struct {
	mu sync.Mutex
	n  map[string]int64
}

// QueryBegin implements model.QueryObserver.
func (*counter) QueryBegin(ctx context.Context, _ string) context.Context { return ctx }

// QueryEnd implements model.QueryObserver.
func (c *counter) QueryEnd(_ context.Context, query string, _ time.Duration, _ error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n == nil {
		c.n = map[string]int64{}
	}
	c.n[query]++
}

func (c *counter) of(query string) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n[query]
}
