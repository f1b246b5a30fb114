package transfer_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/hal9-ai/hal9/model"
	"github.com/hal9-ai/hal9/transfer"
)

func signal(t *testing.T, st model.Store, id string) model.Signal {
	t.Helper()
	s, err := st.SignalFind(t.Context(), model.SignalFindParams{ID: uuid.MustParse(id)})
	if err != nil {
		t.Fatalf("signal %s: %v", id, err)
	}
	return s
}

func neuron(t *testing.T, st model.Store, id string) model.Neuron {
	t.Helper()
	n, err := st.NeuronGet(t.Context(), model.NeuronGetParams{ID: id})
	if err != nil {
		t.Fatalf("neuron %s: %v", id, err)
	}
	return n
}

func countSignals(t *testing.T, st model.Store) int {
	t.Helper()
	list, err := st.SignalList(t.Context(), model.SignalListParams{
		Since: time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC), Until: time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC),
		CursorTimestamp: time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), CursorID: model.MaxID(), PageLimit: 100_000,
	})
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

func TestSignalsAndNeurons(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, st model.Store) {
		source := newSource(t, ddlD)
		source.exec(t, "INSERT INTO neurons VALUES ('planner', '\"Processing\"', '2025-06-12 10:00:00', '2025-06-13T11:00:00.25+02:00')")
		source.exec(t, "INSERT INTO neurons VALUES ('executor', 'Failed', '2025-06-12 10:00:00', NULL)")
		source.exec(t, "INSERT INTO neurons VALUES ('..', 'idle', '2025-06-12 10:00:00', '2025-06-12 10:00:00')")
		source.exec(t, "INSERT INTO neurons VALUES ('loner', 'idle', '2025-06-12 10:00:00', '2025-06-12 10:00:00')")
		source.exec(t, "INSERT INTO neurons VALUES ('neuron-l4', 'Processing', '2025-06-12 10:00:00', '2025-06-12 10:00:00')")
		source.signal(t, map[string]any{"id": numbered(1), "from_neuron": "planner", "to_neuron": "executor", "layer_from": "L4", "layer_to": "Execution"})
		source.signal(t, map[string]any{"id": numbered(2), "from_neuron": "planner", "to_neuron": "executor", "layer_from": "L4", "layer_to": "L1", "timestamp": 1718186400})
		source.signal(t, map[string]any{"id": "signal #3", "from_neuron": "api-client", "to_neuron": "executor", "layer_from": "API", "layer_to": "L2"})
		path := source.done(t)
		report := imported(t, path, st, transfer.Options{})
		wantCounts(t, table(t, report, "signals"), 3, 3, 0, 0)
		neurons := table(t, report, "neurons")
		wantCounts(t, neurons, 5, 4, 1, 0)
		for words, want := range map[string]int64{
			"taken from its signals": 2, "taken from its id": 1, "taken from nothing, set to L2": 2, "neither . nor ..": 1, "was there already with another": 1,
		} {
			if got := adapted(neurons, words); got != want {
				t.Errorf("%q: %d rows, want %d", words, got, want)
			}
		}

		s := signal(t, st, numbered(1))
		if s.FromNeuron != "planner" || s.ToNeuron != "executor" || s.LayerFrom != "L4" || s.LayerTo != "L1" || s.PropagationType != "forward" ||
			s.Content != "do it" || !s.Timestamp.Equal(time.Unix(1749722400, 0)) {
			t.Errorf("signal: %+v", s)
		}
		sameJSON(t, "metadata", s.Metadata, `{}`)
		old := signal(t, st, model.LegacyID("signal", "signal #3").String())
		if old.LayerFrom != "API" {
			t.Errorf("signal of a client: %+v", old)
		}
		sameJSON(t, "metadata", old.Metadata, `{"legacy_id":"signal #3"}`)

		planner := neuron(t, st, "planner")
		if planner.Layer != "L4" || planner.State != "Processing" || planner.Condition != "running" ||
			!planner.CreatedAt.Equal(time.Date(2025, 6, 12, 10, 0, 0, 0, time.UTC)) || !planner.UpdatedAt.Equal(time.Date(2025, 6, 13, 9, 0, 0, 250_000_000, time.UTC)) {
			t.Errorf("planner: %+v", planner)
		}
		executor := neuron(t, st, "executor")
		if executor.Layer != "L1" || executor.Condition != "failed" || !executor.UpdatedAt.Equal(executor.CreatedAt) {
			t.Errorf("executor: %+v", executor)
		}
		if loner := neuron(t, st, "loner"); loner.Layer != "L2" {
			t.Errorf("loner: %+v", loner)
		}
		if kept := neuron(t, st, "neuron-l4"); kept.State != "idle" {
			t.Errorf("a neuron that was there was overwritten: %+v", kept)
		}

		activity, err := st.NeuronActivityGet(t.Context(), model.NeuronActivityGetParams{NeuronID: "executor"})
		if err != nil || activity.SignalsProcessed != 3 || activity.LastSignalAt != nil {
			t.Errorf("executor's traffic: %+v, %v", activity, err)
		}
		activity, err = st.NeuronActivityGet(t.Context(), model.NeuronActivityGetParams{NeuronID: "planner"})
		if err != nil || activity.SignalsProcessed != 0 || activity.LastSignalAt == nil || !activity.LastSignalAt.Equal(time.Unix(1749722400, 0)) {
			t.Errorf("planner's traffic: %+v, %v", activity, err)
		}

		if st.Engine() == "postgres" {
			wantHome(t, st, report)
		}
		again := imported(t, path, st, transfer.Options{})
		wantCounts(t, table(t, again, "signals"), 3, 0, 3, 0)
		wantCounts(t, table(t, again, "neurons"), 5, 0, 5, 0)
		if got := countSignals(t, st); got != 3 || again.PartitionsMade != 0 {
			t.Errorf("after the second import: %d signals, %d partitions made", got, again.PartitionsMade)
		}
		if got := neuron(t, st, "executor"); got.Version != executor.Version {
			t.Error("the second import wrote a neuron")
		}
	})
}

// wantHome checks that the months of June 2024 and June 2025 were made, and that
// no row is in the default partition: it could not take a row of a month after.
func wantHome(t *testing.T, st model.Store, report *transfer.Report) {
	t.Helper()
	if report.PartitionsMade != 2 {
		t.Errorf("%d partitions were made, want 2", report.PartitionsMade)
	}
	for _, month := range []time.Time{time.Unix(1749722400, 0), time.Unix(1718186400, 0)} {
		made, err := st.SignalPartitionEnsure(t.Context(), month)
		if err != nil || made {
			t.Errorf("the month of %v was not made by the import: %v, %v", month, made, err)
		}
	}
}

func TestSignalsAreUniqueOverAllMonths(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, st model.Store) {
		source := newSource(t, ddlD)
		source.signal(t, map[string]any{"id": numbered(1), "timestamp": 1749722400})
		imported(t, source.done(t), st, transfer.Options{})
		other := newSource(t, ddlD)
		other.signal(t, map[string]any{"id": numbered(1), "timestamp": 1718186400})
		other.signal(t, map[string]any{"id": numbered(2), "timestamp": 1718186400})
		path := other.done(t)
		wantCounts(t, table(t, imported(t, path, st, transfer.Options{DryRun: true}), "signals"), 2, 1, 1, 0)
		wantCounts(t, table(t, imported(t, path, st, transfer.Options{}), "signals"), 2, 1, 1, 0)
		if got := countSignals(t, st); got != 2 {
			t.Errorf("%d signals, want 2", got)
		}
	})
}

func TestTimeInsideAnIDHolds(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, st model.Store) {
		source := newSource(t, ddlD)
		at := time.Date(2025, 3, 1, 12, 0, 0, 123_000_000, time.UTC)
		id := model.NewIDGenerator(time.Now).NewAt(at)
		source.signal(t, map[string]any{"id": id.String(), "timestamp": at.Unix()})
		report := imported(t, source.done(t), st, transfer.Options{})
		s, err := st.SignalGet(t.Context(), model.SignalGetParams{ID: id, Timestamp: at})
		if err != nil {
			t.Fatalf("the signal is not found by its id: %v", err)
		}
		sameJSON(t, "metadata", s.Metadata, `{"legacy_timestamp":"2025-03-01T12:00:00Z"}`)
		if adapted(table(t, report, "signals"), "the time in the id") != 1 {
			t.Errorf("not reported: %+v", table(t, report, "signals"))
		}
	})
}

// A stopped import keeps whole chunks, and the next one goes on.
func TestInterruptedImportGoesOn(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, st model.Store) {
		const rows, chunk = 50, 10
		source := newSource(t, ddlD)
		for n := range rows {
			source.signal(t, map[string]any{"id": fmt.Sprintf("s%d", n)})
		}
		path := source.done(t)
		ctx, cancel := contextWithCancel(t)
		var seen []transfer.Progress
		report, err := tryImport(t, ctx, path, st, transfer.Options{ChunkRows: chunk, Progress: func(p transfer.Progress) {
			seen = append(seen, p)
			if p.Done == 2*chunk {
				cancel()
			}
		}})
		if err == nil || !errors.Is(err, ctx.Err()) {
			t.Fatalf("a cancelled import returned %v", err)
		}
		signals := table(t, report, "signals")
		if got := countSignals(t, st); int64(got) != signals.Written || got != 2*chunk {
			t.Errorf("%d signals are stored and %d reported, want %d", got, signals.Written, 2*chunk)
		}
		last := int64(0)
		for _, p := range seen {
			if p.Total != rows || p.Done < last || p.Table == "" {
				t.Errorf("progress: %+v after %d", p, last)
			}
			last = p.Done
		}
		wantCounts(t, table(t, imported(t, path, st, transfer.Options{ChunkRows: chunk}), "signals"), rows, rows-2*chunk, 2*chunk, 0)
	})
}
