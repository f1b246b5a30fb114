package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/hal9-ai/hal9/model"
)

func testSignals(t *testing.T, b *bench) {
	ctx := ctxOf(t)
	p := b.signal(b.now)
	p.Metadata = model.JSON(`{"priority": 3, "tags": ["a", "b"]}`)
	insertSignals(ctx, t, b, p)
	got := must[model.Signal](t)(b.SignalGet(ctx, model.SignalGetParams{ID: p.ID, Timestamp: p.Timestamp}))
	equalJSON(t, "metadata", got.Metadata, `{"tags":["a","b"],"priority":3}`)
	got.Metadata, p.Metadata = nil, nil
	if fmt.Sprint(got) != fmt.Sprint(model.Signal(p)) {
		t.Fatalf("read back %+v, want %+v", got, p)
	}
	found := must[model.Signal](t)(b.SignalFind(ctx, model.SignalFindParams{ID: p.ID}))
	equal(t, "found by id alone", found.ID, p.ID)

	p.Metadata, p.Content = model.EmptyObject(), "other"
	equal(t, "the same id again", must[int64](t)(b.SignalInsert(ctx, p)), 0)
	equal(t, "the first content stays", must[model.Signal](t)(b.SignalFind(ctx, model.SignalFindParams{ID: p.ID})).Content, "plan the day")
	_, err := b.SignalGet(ctx, model.SignalGetParams{ID: p.ID, Timestamp: b.now.Add(time.Millisecond)})
	wantError(t, err, model.ErrNotFound, "signal", "")

	far := b.signal(time.Date(2003, 5, 6, 7, 8, 9, 123456000, time.UTC)) // no partition is made for it
	far.ID = uuid.New()
	insertSignals(ctx, t, b, far)
	equal(t, "in the default partition", must[model.Signal](t)(b.SignalFind(ctx, model.SignalFindParams{ID: far.ID})).Timestamp, far.Timestamp)
	ids := must[[]uuid.UUID](t)(b.SignalListStoredIDs(ctx, model.SignalListStoredIDsParams{Ids: model.JSON(`["` + far.ID.String() + `","` + uuid.NewString() + `"]`)}))
	if len(ids) != 1 || ids[0] != far.ID {
		t.Fatalf("stored ids %v, want %v", ids, far.ID)
	}
}

func testSignalListByIDs(t *testing.T, b *bench) {
	ctx := ctxOf(t)
	inside, outside := b.signal(b.now), b.signal(b.now.Add(-time.Hour))
	insertSignals(ctx, t, b, inside, outside, b.signal(b.now))
	arg := model.SignalListByIDsParams{
		Ids:   model.JSON(`["` + inside.ID.String() + `","` + outside.ID.String() + `","` + uuid.NewString() + `"]`),
		Since: b.now, Until: b.now,
	}
	got := must[[]model.Signal](t)(b.SignalListByIDs(ctx, arg))
	if len(got) != 1 || got[0].ID != inside.ID {
		t.Fatalf("got %v, want the one of the given time, %v", got, inside.ID)
	}
	arg.Since = outside.Timestamp
	equal(t, "both", len(must[[]model.Signal](t)(b.SignalListByIDs(ctx, arg))), 2)
}

func testSignalListAfter(t *testing.T, b *bench) {
	ctx := ctxOf(t)
	const total = 30
	for i := range total {
		p := b.signal(b.now.Add(time.Duration(i/7) * time.Millisecond)) // seven share a moment
		p.ID = uuid.New()
		insertSignals(ctx, t, b, p)
	}
	late := b.signal(b.now.Add(time.Second))
	insertSignals(ctx, t, b, late)
	arg := model.SignalListAfterParams{CursorTimestamp: b.now, Until: late.Timestamp, PageLimit: 8}
	seen := map[uuid.UUID]bool{}
	for {
		page := must[[]model.Signal](t)(b.SignalListAfter(ctx, arg))
		for _, row := range page {
			if seen[row.ID] || row.Timestamp.Before(arg.CursorTimestamp) {
				t.Fatalf("%v at %v comes again, or out of order", row.ID, row.Timestamp)
			}
			seen[row.ID] = true
			arg.CursorTimestamp, arg.CursorID = row.Timestamp, row.ID
		}
		if len(page) < 8 {
			break
		}
	}
	equal(t, "signals before until", len(seen), total)
}

// everySignal is a first page with no bounds.
func everySignal(limit int64) model.SignalListParams {
	return model.SignalListParams{
		Since: time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC), Until: model.MaxTime(),
		CursorTimestamp: model.MaxTime(), CursorID: model.MaxID(), PageLimit: limit,
	}
}

func testSignalListPages(t *testing.T, b *bench) {
	ctx := ctxOf(t)
	const total = 60
	for i := range total {
		p := b.signal(b.now.Add(time.Duration(i/7) * time.Millisecond)) // seven share a moment
		p.ID = uuid.New()
		p.LayerTo = fmt.Sprintf("L%d", i%4+1)
		insertSignals(ctx, t, b, p)
	}
	seen := map[uuid.UUID]bool{}
	arg := everySignal(8)
	for {
		page := must[[]model.Signal](t)(b.SignalList(ctx, arg))
		if len(page) == 0 {
			break
		}
		for _, s := range page {
			if seen[s.ID] {
				t.Fatalf("%s came twice", s.ID)
			}
			seen[s.ID] = true
			if s.Timestamp.After(arg.CursorTimestamp) || s.Timestamp.Equal(arg.CursorTimestamp) && s.ID.String() >= arg.CursorID.String() {
				t.Fatalf("%v %v does not come after the cursor %v %v", s.Timestamp, s.ID, arg.CursorTimestamp, arg.CursorID)
			}
			arg.CursorTimestamp, arg.CursorID = s.Timestamp, s.ID
		}
	}
	equal(t, "signals walked", len(seen), total)

	l := must[[]model.Signal](t)
	arg = everySignal(1000)
	arg.Layer = new("L2")
	equal(t, "to L2", len(l(b.SignalList(ctx, arg))), total/4)
	arg.Layer = new("API")
	equal(t, "from API", len(l(b.SignalList(ctx, arg))), total)
	arg = everySignal(1000)
	arg.Since, arg.Until = b.now.Add(time.Millisecond), b.now.Add(3*time.Millisecond)
	equal(t, "from since to before until", len(l(b.SignalList(ctx, arg))), 14)
}

func testSignalListByNeuron(t *testing.T, b *bench) {
	ctx := ctxOf(t)
	want := map[uuid.UUID]bool{}
	for i := range 30 {
		p := b.signal(b.now.Add(time.Duration(i) * time.Millisecond))
		switch i % 4 {
		case 0:
			p.ToNeuron = "x"
		case 1:
			p.FromNeuron = "x"
		case 2:
			p.FromNeuron, p.ToNeuron = "x", "x" // to itself: once, not twice
		}
		if i%4 != 3 {
			want[p.ID] = true
		}
		insertSignals(ctx, t, b, p)
	}
	all := everySignal(5)
	arg := model.SignalListByNeuronParams{
		NeuronID: "x", Since: all.Since, Until: all.Until,
		CursorTimestamp: all.CursorTimestamp, CursorID: all.CursorID, PageLimit: 5,
	}
	got := 0
	for {
		page := must[[]model.Signal](t)(b.SignalListByNeuron(ctx, arg))
		if len(page) == 0 {
			break
		}
		for _, s := range page {
			if !want[s.ID] {
				t.Fatalf("%+v came twice or is not x's", s)
			}
			delete(want, s.ID)
			got++
			arg.CursorTimestamp, arg.CursorID = s.Timestamp, s.ID
		}
	}
	equal(t, "missing", len(want), 0)
	equal(t, "walked", got, 23)
	arg.CursorTimestamp, arg.CursorID, arg.Layer = all.CursorTimestamp, all.CursorID, new("L3")
	equal(t, "of a layer that none has", len(must[[]model.Signal](t)(b.SignalListByNeuron(ctx, arg))), 0)
}

func testSignalReferences(t *testing.T, b *bench) {
	ctx := ctxOf(t)
	root := b.signal(b.now)
	insertSignals(ctx, t, b, root)
	for i, key := range []string{"parent_id", "signal_id", "other_id"} {
		p := b.signal(b.now.Add(time.Duration(3-i) * time.Second))
		p.Metadata = model.JSON(`{"` + key + `":"` + root.ID.String() + `"}`)
		insertSignals(ctx, t, b, p)
		m := b.memory("n", "about it")
		m.Metadata = p.Metadata
		must[model.Memory](t)(b.MemoryInsert(ctx, m))
	}
	signals := must[[]model.Signal](t)(b.SignalListByReference(ctx, model.SignalListByReferenceParams{Reference: root.ID, PageLimit: 10}))
	equal(t, "signals that refer to it", len(signals), 2)
	if !signals[0].Timestamp.Before(signals[1].Timestamp) {
		t.Fatal("the oldest comes first")
	}
	for since, want := range map[time.Time]int{signals[0].Timestamp: 2, signals[0].Timestamp.Add(time.Microsecond): 1, signals[1].Timestamp.Add(time.Microsecond): 0} {
		later := must[[]model.Signal](t)(b.SignalListByReference(ctx, model.SignalListByReferenceParams{Reference: root.ID, Since: since, PageLimit: 10}))
		equal(t, "signals since "+since.String(), len(later), want)
	}
	memories := must[[]model.Memory](t)(b.MemoryListByReference(ctx, model.MemoryListByReferenceParams{Reference: root.ID, PageLimit: 10}))
	equal(t, "memories that refer to it", len(memories), 2)
}

func testSignalInsertMany(t *testing.T, b *bench) {
	ctx := ctxOf(t)
	many := must[model.BulkResult](t)
	var rows []model.SignalInsertParams
	for i := range 500 {
		rows = append(rows, b.signal(b.now.Add(time.Duration(i)*time.Millisecond)))
	}
	r := many(b.SignalInsertMany(ctx, rows))
	equal(t, "inserted", r.Inserted, 500)
	equal(t, "duplicates", len(r.Duplicates), 0)
	r = many(b.SignalInsertMany(ctx, rows))
	equal(t, "inserted again", r.Inserted, 0)
	equal(t, "duplicates", len(r.Duplicates), 500)
	mixed := append([]model.SignalInsertParams{b.signal(b.now), rows[7], b.signal(b.now)}, rows[9])
	mixed = append(mixed, mixed[0])
	r = many(b.SignalInsertMany(ctx, mixed))
	equal(t, "inserted of mixed", r.Inserted, 2)
	equal(t, "duplicates of mixed", fmt.Sprint(r.Duplicates), "[1 3 4]")
	equal(t, "stored", len(must[[]model.Signal](t)(b.SignalList(ctx, everySignal(1000)))), 502)
	r = many(b.SignalInsertMany(ctx, nil))
	equal(t, "nothing", r.Inserted+len(r.Duplicates)+len(r.Failed), 0)
}

func testSignalInsertManyBadRows(t *testing.T, b *bench) {
	ctx := ctxOf(t)
	rows := make([]model.SignalInsertParams, 200)
	for i := range rows {
		rows[i] = b.signal(b.now)
	}
	rows[3].Content = "nul \x00 byte"
	rows[50].ToNeuron = "" // refused by the schema, not by a check before
	rows[51].LayerTo = string(make([]byte, 0, 1)) + fmt.Sprintf("%0300d", 1)
	rows[120].Metadata = model.JSON(`{"a":1,"a":2}`)
	rows[199].Metadata = nil
	r := must[model.BulkResult](t)(b.SignalInsertMany(ctx, rows))
	equal(t, "inserted", r.Inserted, 195)
	want := []struct {
		index int
		field string
	}{{3, "content"}, {50, "to_neuron"}, {51, "layer_to"}, {120, "metadata"}, {199, "metadata"}}
	equal(t, "failed", len(r.Failed), len(want))
	for i, w := range want {
		equal(t, "index", r.Failed[i].Index, w.index)
		wantError(t, r.Failed[i].Err, model.ErrInvalid, "signal", w.field)
	}
	equal(t, "stored", len(must[[]model.Signal](t)(b.SignalList(ctx, everySignal(1000)))), 195)
}

func testSignalPartitions(t *testing.T, b *bench) {
	ctx := ctxOf(t)
	old := time.Date(2021, 3, 4, 5, 6, 7, 0, time.UTC)
	for _, at := range []time.Time{old, old.AddDate(0, 1, 0), b.now} {
		p := b.signal(at)
		insertSignals(ctx, t, b, p)
	}
	must[bool](t)(b.SignalPartitionEnsure(ctx, old))
	equal(t, "made twice", must[bool](t)(b.SignalPartitionEnsure(ctx, old)), false)
	has := func(start time.Time) bool {
		t.Helper()
		for _, p := range must[[]model.SignalPartition](t)(b.SignalPartitionList(ctx)) {
			if p.Start.Equal(start) && p.End.Equal(start.AddDate(0, 1, 0)) {
				return true
			}
		}
		return false
	}
	march := time.Date(2021, 3, 1, 0, 0, 0, 0, time.UTC)
	equal(t, "March is listed", has(march), true)
	equal(t, "before a drop", len(must[[]model.Signal](t)(b.SignalList(ctx, everySignal(10)))), 3)
	must[[]model.SignalPartition](t)(b.SignalPartitionDrop(ctx, march)) // ends where March begins
	equal(t, "March is still there", has(march), true)
	dropped := must[[]model.SignalPartition](t)(b.SignalPartitionDrop(ctx, march.AddDate(0, 2, 0)))
	if len(dropped) == 0 || !dropped[0].Start.Equal(march) {
		t.Fatalf("dropped %+v, want March 2021 first", dropped)
	}
	equal(t, "March is gone", has(march), false)
	left := must[[]model.Signal](t)(b.SignalList(ctx, everySignal(10)))
	equal(t, "after the drop", len(left), 1)
	equal(t, "what is left is new", left[0].Timestamp, b.now)
}
