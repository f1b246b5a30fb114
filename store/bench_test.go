package store_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/hal9-ai/hal9/internal/testenv"
	"github.com/hal9-ai/hal9/model"
	"github.com/hal9-ai/hal9/store"
)

// What follows measures the store without HTTP, a benchmark for each query, on each engine, by
// one caller and by 64 for each processor. `make bench` starts PostgreSQL with fsync on; a
// server that is named by the environment says for itself. `benchstat -col /engine` sets the
// engines side by side.

func BenchmarkSignalInsert(b *testing.B) {
	benchmarkQuery(b, func(_ *testing.B, st model.Store) func(context.Context, int) error {
		ids := model.NewIDGenerator(time.Now)
		return func(ctx context.Context, i int) error {
			_, err := st.SignalInsert(ctx, benchSignal(ids, i))
			return err
		}
	})
}

func BenchmarkSignalGet(b *testing.B) {
	benchmarkQuery(b, func(b *testing.B, st model.Store) func(context.Context, int) error {
		b.Helper()
		stored := storeBenchSignals(b, st)
		return func(ctx context.Context, i int) error {
			s := stored[i%len(stored)]
			_, err := st.SignalGet(ctx, model.SignalGetParams{ID: s.ID, Timestamp: s.Timestamp})
			return err
		}
	})
}

// BenchmarkSignalList reads pages of 50.
func BenchmarkSignalList(b *testing.B) {
	benchmarkQuery(b, func(b *testing.B, st model.Store) func(context.Context, int) error {
		b.Helper()
		stored := storeBenchSignals(b, st)
		return func(ctx context.Context, i int) error {
			s := stored[i%len(stored)]
			_, err := st.SignalList(ctx, model.SignalListParams{Until: model.MaxTime(), Since: s.Timestamp.AddDate(0, -1, 0), CursorTimestamp: s.Timestamp, CursorID: s.ID, PageLimit: 50})
			return err
		}
	})
}

func BenchmarkNeuronGet(b *testing.B) {
	benchmarkQuery(b, func(_ *testing.B, st model.Store) func(context.Context, int) error {
		return func(ctx context.Context, _ int) error {
			_, err := st.NeuronGet(ctx, model.NeuronGetParams{ID: "neuron-l1"})
			return err
		}
	})
}

// BenchmarkMemorySearch looks for a word that 1 in 97 of 2,000 memories has, or some more.
func BenchmarkMemorySearch(b *testing.B) {
	benchmarkQuery(b, func(b *testing.B, st model.Store) func(context.Context, int) error {
		b.Helper()
		storeBenchMemories(b, st)
		return func(ctx context.Context, i int) error {
			_, err := st.MemorySearch(ctx, model.MemorySearchParams{Match: fmt.Sprintf(`"word%d"`, i%97), Phrases: model.JSON("[]"), PageLimit: 20, PageBytes: 1 << 30})
			return err
		}
	})
}

// BenchmarkSignalInsertMany stores so many signals at once, and tells how many that are a second.
func BenchmarkSignalInsertMany(b *testing.B) {
	onEachEngine(b, func(b *testing.B, st model.Store) {
		b.Helper()
		ids := model.NewIDGenerator(time.Now)
		for _, size := range []int{500, 10_000} {
			b.Run(fmt.Sprintf("rows=%d", size), func(b *testing.B) {
				b.ReportAllocs()
				rows := make([]model.SignalInsertParams, size)
				for b.Loop() {
					for i := range rows {
						rows[i] = benchSignal(ids, i)
					}
					if result, err := st.SignalInsertMany(b.Context(), rows); err != nil || result.Inserted != size {
						b.Fatalf("%+v, %v", result, err)
					}
				}
				b.ReportMetric(float64(size)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
			})
		}
	})
}

// onEachEngine runs a benchmark on a new database of each engine.
func onEachEngine(b *testing.B, run func(*testing.B, model.Store)) {
	b.Helper()
	for _, engine := range []struct {
		name string
		url  func(testing.TB) string
	}{
		{"postgres", func(tb testing.TB) string { tb.Helper(); return testenv.PostgresDatabase(tb) }},
		{"sqlite", func(tb testing.TB) string { tb.Helper(); return "sqlite://" + tb.TempDir() + "/hal9.db" }},
	} {
		b.Run("engine="+engine.name, func(b *testing.B) {
			run(b, openWith(b, store.Config{URL: engine.url(b), Migrate: true, MaxConnections: 16}))
		})
	}
}

// benchmarkQuery measures what prepare returns, which is given the number of the call.
func benchmarkQuery(b *testing.B, prepare func(*testing.B, model.Store) func(context.Context, int) error) {
	b.Helper()
	onEachEngine(b, func(b *testing.B, st model.Store) {
		b.Helper()
		query := prepare(b, st)
		b.Run("callers=one", func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if err := query(b.Context(), i); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("callers=many", func(b *testing.B) {
			b.ReportAllocs()
			b.SetParallelism(64)
			b.RunParallel(func(pb *testing.PB) {
				for i := 0; pb.Next(); i++ {
					if err := query(b.Context(), i); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	})
}

func benchSignal(ids *model.IDGenerator, i int) model.SignalInsertParams {
	id := ids.New()
	at, _ := model.IDTime(id)
	return model.SignalInsertParams{
		ID: id, FromNeuron: "api-client", ToNeuron: fmt.Sprintf("neuron-%03d", i%500), LayerFrom: "API", LayerTo: "L4", PropagationType: "forward",
		Content: "Plan the deployment of the new service and tell the others about it.", Metadata: model.JSON(`{"priority":3,"tags":["a","b"]}`), Timestamp: at,
	}
}

// storeBenchSignals stores 20,000 signals of the last hour.
func storeBenchSignals(b *testing.B, st model.Store) []model.SignalInsertParams {
	b.Helper()
	ids := model.NewIDGenerator(time.Now)
	stored := make([]model.SignalInsertParams, 20_000)
	first := time.Now().Add(-time.Hour)
	for i := range stored {
		stored[i] = benchSignal(ids, i)
		stored[i].Timestamp = first.Add(time.Duration(i) * time.Millisecond)
		stored[i].ID = ids.NewAt(stored[i].Timestamp)
	}
	if _, err := st.SignalInsertMany(b.Context(), stored); err != nil {
		b.Fatal(err)
	}
	return stored
}

func storeBenchMemories(b *testing.B, st model.Store) {
	b.Helper()
	err := st.InTx(b.Context(), func(ctx context.Context, tx model.Tx) error {
		for i := range 2000 {
			m := aMemory(fmt.Sprintf("word%d and word%d in the memory of number %d", i%97, i%89, i))
			if _, err := tx.MemoryInsert(ctx, m); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
}
