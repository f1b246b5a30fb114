package ingest_test

import (
	"context"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/hal9-ai/hal9/ingest"
	"github.com/hal9-ai/hal9/internal/testenv/migrated"
	"github.com/hal9-ai/hal9/model"
	"github.com/hal9-ai/hal9/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// onBothEngines runs a test on a new database of each engine.
func onBothEngines(t *testing.T, test func(t *testing.T, st model.Store)) {
	t.Helper()
	urls := map[string]func(*testing.T) string{
		"postgres": func(t *testing.T) string { return migrated.PostgresDatabase(t) },
		"sqlite":   func(t *testing.T) string { return migrated.SQLiteDatabase(t) },
	}
	for engine, url := range urls {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			st, err := store.Open(t.Context(), store.Config{URL: url(t), MaxConnections: 4})
			if err != nil {
				t.Fatalf("open the store: %v", err)
			}
			t.Cleanup(func() {
				if err := st.Close(); err != nil {
					t.Errorf("close the store: %v", err)
				}
			})
			test(t, st)
		})
	}
}

// start makes an Ingest, runs it, and closes it at the end of the test.
func start(t *testing.T, c ingest.Config) *ingest.Ingest {
	t.Helper()
	ing := ingest.New(c)
	ended := make(chan error, 1)
	go func() { ended <- ing.Run(context.WithoutCancel(t.Context())) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 10*time.Second)
		defer cancel()
		if err := ing.Close(ctx); err != nil {
			t.Errorf("close the ingest: %v", err)
		}
		if err := <-ended; err != nil {
			t.Errorf("run: %v", err)
		}
	})
	return ing
}

// signals makes signals with ids of their own.
type signals struct{ ids *model.IDGenerator }

func newSignals() signals { return signals{ids: model.NewIDGenerator(time.Now)} }

func (s signals) make(from, to, content string) model.SignalInsertParams {
	id := s.ids.New()
	at, _ := model.IDTime(id)
	return model.SignalInsertParams{
		ID: id, Timestamp: at, FromNeuron: from, ToNeuron: to, LayerFrom: "API", LayerTo: "L4",
		PropagationType: "forward", Content: content, Metadata: model.EmptyObject(),
	}
}
