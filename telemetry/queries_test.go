package telemetry_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/hal9-ai/hal9/internal/testenv"
	"github.com/hal9-ai/hal9/model"
	"github.com/hal9-ai/hal9/store"
	"github.com/hal9-ai/hal9/telemetry"
)

// TestQueriesByName: every way to an engine is counted under the query's name, once,
// and what the database is not to blame for is no error.
func TestQueriesByName(t *testing.T) {
	t.Parallel()
	for engine, url := range map[string]string{"sqlite": "sqlite://" + t.TempDir() + "/hal9.db", "postgres": testenv.PostgresDatabase(t)} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			set := metrics.NewSet()
			st, err := store.Open(t.Context(), store.Config{URL: url, Migrate: true, Observer: telemetry.NewQueries(set)})
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := st.Close(); err != nil {
					t.Error(err)
				}
			}()
			ask(t, st)
			var out strings.Builder
			set.WritePrometheus(&out)
			for _, want := range []string{
				`hal9_db_query_duration_seconds_count{query="NeuronGet"} 3`,
				`hal9_db_query_errors_total{query="NeuronGet"} 1`,
				`hal9_db_query_duration_seconds_count{query="NeuronSetState"} 1`,
				`hal9_db_query_duration_seconds_count{query="SignalInsertMany"} 2`,
				`hal9_db_query_duration_seconds_count{query="InTx"} 1`,
				`hal9_db_query_errors_total{query="InTx"} 0`,
			} {
				if !strings.Contains(out.String(), want+"\n") {
					t.Errorf("no %s in\n%s", want, out.String())
				}
			}
			if strings.Contains(out.String(), `query=""`) {
				t.Error("a probe counts as a query")
			}
		})
	}
}

// ask makes calls by every way there is.
func ask(t *testing.T, st model.Store) {
	t.Helper()
	get := func(ctx context.Context, q model.Queries, id string, want error) {
		t.Helper()
		if _, err := q.NeuronGet(ctx, model.NeuronGetParams{ID: id}); !errors.Is(err, want) {
			t.Errorf("neuron %s: %v, want %v", id, err, want)
		}
	}
	ids := model.NewIDGenerator(time.Now)
	signals := func() []model.SignalInsertParams {
		id := ids.New()
		at, _ := model.IDTime(id)
		return []model.SignalInsertParams{{
			ID: id, Timestamp: at, FromNeuron: "a", ToNeuron: "b", LayerFrom: "API", LayerTo: "L4", PropagationType: "forward", Metadata: model.EmptyObject(),
		}}
	}
	if err := st.Ping(t.Context()); err != nil {
		t.Error(err)
	}
	get(t.Context(), st, "nobody", model.ErrNotFound)
	late, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	get(late, st, "neuron-l1", model.ErrTimeout)
	if _, err := st.NeuronSetState(t.Context(), model.NeuronSetStateParams{
		ID: "neuron-l1", State: "busy", Condition: model.ConditionRunning, UpdatedAt: time.Now(),
	}); err != nil {
		t.Error(err)
	}
	if _, err := st.SignalInsertMany(t.Context(), signals()); err != nil {
		t.Error(err)
	}
	own := errors.New("changed my mind")
	err := st.InTx(t.Context(), func(ctx context.Context, tx model.Tx) error {
		get(ctx, tx, "neuron-l2", nil)
		if _, err := tx.SignalInsertMany(ctx, signals()); err != nil {
			t.Error(err)
		}
		return own
	})
	if !errors.Is(err, own) {
		t.Error(err)
	}
}

// What an observed query costs beyond one that nobody observes.
func BenchmarkQuery(b *testing.B) {
	for _, observed := range []bool{false, true} {
		cfg := store.Config{URL: "sqlite::memory:"}
		name := "unobserved"
		if observed {
			name, cfg.Observer = "metrics", telemetry.NewQueries(metrics.NewSet())
		}
		b.Run(name, func(b *testing.B) {
			st, err := store.Open(b.Context(), cfg)
			if err != nil {
				b.Fatal(err)
			}
			defer func() { _ = st.Close() }()
			b.ReportAllocs()
			for b.Loop() {
				if _, err := st.NeuronGet(b.Context(), model.NeuronGetParams{ID: "neuron-l1"}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
