package ingest_test

import (
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/hal9-ai/hal9/ingest"
	"github.com/hal9-ai/hal9/internal/testenv"
	"github.com/hal9-ai/hal9/store"
)

// BenchmarkSubmit measures signals of concurrent callers, each answered after its
// commit: by one statement a signal, and by so many committers.
func BenchmarkSubmit(b *testing.B) {
	engines := []struct {
		name string
		url  func(b *testing.B) string
	}{
		{"postgres", func(b *testing.B) string { b.Helper(); return testenv.PostgresDatabase(b) }},
		{"sqlite", func(b *testing.B) string { b.Helper(); return "sqlite://" + filepath.Join(b.TempDir(), "hal9.db") }},
	}
	for _, engine := range engines {
		b.Run(engine.name, func(b *testing.B) {
			st, err := store.Open(b.Context(), store.Config{URL: engine.url(b), Migrate: true, MaxConnections: 20})
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(func() { _ = st.Close() })
			for _, callers := range []int{1, 64, 1000} {
				for _, committers := range []int{-1, 1, 2, 4} {
					name := fmt.Sprintf("callers=%d/committers=%d", callers, committers)
					if committers < 0 {
						name = fmt.Sprintf("callers=%d/alone", callers)
					}
					b.Run(name, func(b *testing.B) { benchmarkSubmit(b, ingest.Config{Store: st, Committers: committers}, callers) })
				}
			}
		})
	}
}

func benchmarkSubmit(b *testing.B, c ingest.Config, callers int) {
	b.Helper()
	ing, gen := ingest.New(c), newSignals()
	b.ReportAllocs()
	b.ResetTimer()
	var next atomic.Int64
	done := make(chan struct{})
	for range callers {
		go func() {
			defer func() { done <- struct{}{} }()
			for int(next.Add(1)) <= b.N {
				if _, err := ing.Submit(b.Context(), gen.make("api-client", "neuron-l4", "Plan the deployment of the new service and tell the others about it.")); err != nil {
					b.Error(err)
					return
				}
			}
		}()
	}
	for range callers {
		<-done
	}
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "signals/s")
	if err := ing.Close(b.Context()); err != nil {
		b.Fatal(err)
	}
}
