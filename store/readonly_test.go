package store_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hal9-ai/hal9/internal/testenv"
	"github.com/hal9-ai/hal9/model"
	"github.com/hal9-ai/hal9/store"
)

// TestReadOnlyHoldsWritesOff: while the switch is on every kind of write is refused,
// reads go on, and afterwards writes do.
func TestReadOnlyHoldsWritesOff(t *testing.T) {
	t.Parallel()
	for name, database := range map[string]string{"sqlite": "sqlite://" + t.TempDir() + "/hal9.db", "postgres": testenv.PostgresDatabase(t)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var on atomic.Bool
			st := openWith(t, store.Config{URL: database, Migrate: true, ReadOnly: on.Load})
			ids := model.NewIDGenerator(time.Now)
			writes := map[string]func(context.Context) error{
				"one": func(ctx context.Context) error {
					_, err := st.SignalInsert(ctx, benchSignal(ids, 1))
					return err
				},
				"many": func(ctx context.Context) error {
					_, err := st.SignalInsertMany(ctx, []model.SignalInsertParams{benchSignal(ids, 2)})
					return err
				},
				"transaction": func(ctx context.Context) error {
					return st.InTx(ctx, func(ctx context.Context, tx model.Tx) error {
						_, err := tx.SignalInsert(ctx, benchSignal(ids, 3))
						return err
					})
				},
				"month dropped": func(ctx context.Context) error {
					_, err := st.SignalPartitionDrop(ctx, time.Now().AddDate(0, 2, 0))
					return err
				},
			}
			if name == "postgres" {
				writes["month made"] = func(ctx context.Context) error {
					_, err := st.SignalPartitionEnsure(ctx, time.Now().AddDate(2, 0, 0))
					return err
				}
			}
			if _, err := st.SignalInsertMany(t.Context(), []model.SignalInsertParams{benchSignal(ids, 4)}); err != nil {
				t.Fatal(err)
			}
			on.Store(true)
			for what, write := range writes {
				if err := write(t.Context()); !errors.Is(err, model.ErrReadOnly) {
					t.Errorf("%s: %v", what, err)
				}
			}
			if _, err := st.NeuronGet(t.Context(), model.NeuronGetParams{ID: "neuron-l1"}); err != nil {
				t.Errorf("a read: %v", err)
			}
			on.Store(false)
			for what, write := range writes {
				if err := write(t.Context()); err != nil {
					t.Errorf("%s afterwards: %v", what, err)
				}
			}
		})
	}
}
