package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/hal9-ai/hal9/model"
)

func (b *bench) exists(t *testing.T, id string) bool {
	t.Helper()
	_, err := b.NeuronGet(ctxOf(t), model.NeuronGetParams{ID: id})
	if err != nil && !errors.Is(err, model.ErrNotFound) {
		t.Fatal(err)
	}
	return err == nil
}

func testInTxCommits(t *testing.T, b *bench) {
	ctx := ctxOf(t)
	ok(t, b.InTx(ctx, func(ctx context.Context, tx model.Tx) error {
		if _, err := tx.NeuronInsert(ctx, b.neuron("a")); err != nil {
			return err
		}
		if _, err := tx.NeuronGet(ctx, model.NeuronGetParams{ID: "a"}); err != nil {
			return fmt.Errorf("a transaction does not see its own write: %w", err)
		}
		if _, err := tx.NeuronGet(ctx, model.NeuronGetParams{ID: "nobody"}); !errors.Is(err, model.ErrNotFound) {
			return fmt.Errorf("got %w, want not found", err)
		}
		_, err := tx.NeuronInsert(ctx, b.neuron("b")) // not found was no failure
		return err
	}))
	equal(t, "a", b.exists(t, "a"), true)
	equal(t, "b", b.exists(t, "b"), true)
}

func testInTxRollsBack(t *testing.T, b *bench) {
	ctx := ctxOf(t)
	mine := errors.New("mine")
	err := b.InTx(ctx, func(ctx context.Context, tx model.Tx) error {
		if _, err := tx.NeuronInsert(ctx, b.neuron("a")); err != nil {
			return err
		}
		return fmt.Errorf("wrapped: %w", mine)
	})
	if !errors.Is(err, mine) {
		t.Fatalf("got %v, want the function's own error", err)
	}
	equal(t, "a", b.exists(t, "a"), false)

	left, cancel := context.WithCancel(ctx)
	err = b.InTx(left, func(ctx context.Context, tx model.Tx) error {
		_, err := tx.NeuronInsert(ctx, b.neuron("a"))
		cancel()
		return err
	})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v after the caller left, want context canceled", err)
	}
	equal(t, "a after the caller left", b.exists(t, "a"), false)
	must[model.Neuron](t)(b.NeuronInsert(ctx, b.neuron("c"))) // the store works on
}

// testInTxAfterAnError holds SQLite, which would go on, to PostgreSQL's rule.
func testInTxAfterAnError(t *testing.T, b *bench) {
	ctx := ctxOf(t)
	err := b.InTx(ctx, func(ctx context.Context, tx model.Tx) error {
		if _, err := tx.NeuronInsert(ctx, b.neuron("a")); err != nil {
			return err
		}
		if _, err := tx.NeuronInsert(ctx, b.neuron("a")); !errors.Is(err, model.ErrConflict) {
			t.Errorf("got %v, want a conflict", err)
		}
		if _, err := tx.NeuronGet(ctx, model.NeuronGetParams{ID: "a"}); !errors.Is(err, model.ErrInternal) {
			t.Errorf("a statement after a failed one: got %v, want ErrInternal", err)
		}
		return nil // swallowing the error does not commit
	})
	wantError(t, err, model.ErrConflict, "neuron", "id")
	equal(t, "a", b.exists(t, "a"), false)
}

func testInTxRefusesTheStore(t *testing.T, b *bench) {
	err := b.InTx(ctxOf(t), func(ctx context.Context, _ model.Tx) error {
		calls := map[string]func() error{
			"read":  func() error { _, err := b.NeuronGet(ctx, model.NeuronGetParams{ID: "neuron-l1"}); return err },
			"write": func() error { _, err := b.NeuronInsert(ctx, b.neuron("a")); return err },
			"bulk": func() error {
				_, err := b.SignalInsertMany(ctx, []model.SignalInsertParams{b.signal(b.now)})
				return err
			},
			"tx":   func() error { return b.InTx(ctx, func(context.Context, model.Tx) error { return nil }) },
			"ping": func() error { return b.Ping(ctx) },
		}
		for name, call := range calls {
			if err := call(); !errors.Is(err, model.ErrInTx) {
				t.Errorf("%s inside a transaction: got %v, want ErrInTx", name, err)
			}
		}
		return nil
	})
	ok(t, err)
}

func testInTxPanics(t *testing.T, b *bench) {
	ctx := ctxOf(t)
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic did not reach the caller")
			}
		}()
		_ = b.InTx(ctx, func(ctx context.Context, tx model.Tx) error {
			must[model.Neuron](t)(tx.NeuronInsert(ctx, b.neuron("a")))
			panic("a fault in the function")
		})
	}()
	equal(t, "a", b.exists(t, "a"), false)
	must[model.Neuron](t)(b.NeuronInsert(ctx, b.neuron("b"))) // the store works on
}

func testInTxBulk(t *testing.T, b *bench) {
	ctx := ctxOf(t)
	rows := []model.SignalInsertParams{b.signal(b.now), b.signal(b.now), b.signal(b.now)}
	rows[1].ToNeuron = ""
	mine := errors.New("mine")
	run := func(end error) (result model.BulkResult, err error) {
		err = b.InTx(ctx, func(ctx context.Context, tx model.Tx) error {
			if result, err = tx.SignalInsertMany(ctx, rows); err != nil {
				return err
			}
			return end
		})
		return result, err
	}
	if _, err := run(mine); !errors.Is(err, mine) {
		t.Fatal(err)
	}
	equal(t, "stored after a rollback", len(must[[]model.Signal](t)(b.SignalList(ctx, everySignal(10)))), 0)
	result, err := run(nil)
	ok(t, err)
	equal(t, "inserted", result.Inserted, 2)
	equal(t, "failed", len(result.Failed), 1)
	equal(t, "index of the bad row", result.Failed[0].Index, 1)
	equal(t, "stored", len(must[[]model.Signal](t)(b.SignalList(ctx, everySignal(10)))), 2)
}

// testCallersLeave has many callers leave at any moment: what they were told is what
// is stored, and nobody else is harmed.
func testCallersLeave(t *testing.T, b *bench) {
	ctx := ctxOf(t)
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			ctx := ctx
			if i%2 == 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, time.Duration(i*10)*time.Microsecond)
				defer cancel()
			}
			p := b.neuron(fmt.Sprintf("leave-%03d", i))
			_, err := b.NeuronInsert(ctx, p)
			switch {
			case err == nil && !b.exists(t, p.ID): //nolint:contextcheck // after the caller left
				t.Errorf("%s was acknowledged and is not there", p.ID)
			case i%2 == 1 && err != nil:
				t.Errorf("%s stayed and failed: %v (cause %v)", p.ID, err, cause(err))
			case err != nil && !errors.Is(err, model.ErrTimeout) && !errors.Is(err, model.ErrUnavailable):
				t.Errorf("%s left and got %v (cause %v)", p.ID, err, cause(err))
			}
		})
	}
	wg.Wait()
}

// testConcurrentWriters mixes writes that succeed, writes that fail and transactions:
// each gets its own answer.
func testConcurrentWriters(t *testing.T, b *bench) {
	ctx := ctxOf(t)
	must[model.Neuron](t)(b.NeuronInsert(ctx, b.neuron("taken")))
	var wg sync.WaitGroup
	for i := range 300 {
		wg.Go(func() {
			id := fmt.Sprintf("w-%03d", i)
			switch i % 3 {
			case 0:
				if _, err := b.NeuronInsert(ctx, b.neuron(id)); err != nil {
					t.Errorf("%s: %v (cause %v)", id, err, cause(err))
				}
			case 1:
				if _, err := b.NeuronInsert(ctx, b.neuron("taken")); !errors.Is(err, model.ErrConflict) {
					t.Errorf("got %v, want a conflict", err)
				}
			case 2:
				if err := b.InTx(ctx, func(ctx context.Context, tx model.Tx) error {
					_, err := tx.NeuronInsert(ctx, b.neuron(id))
					return err
				}); err != nil {
					t.Errorf("%s in a transaction: %v (cause %v)", id, err, cause(err))
				}
			}
		})
	}
	wg.Wait()
	all := must[[]model.Neuron](t)(b.NeuronList(ctx, model.NeuronListParams{AfterID: "w-", PageLimit: 1000}))
	equal(t, "written", len(all), 200)
	versions := map[int64]bool{}
	for _, n := range all {
		versions[n.Version] = true
	}
	equal(t, "different versions", len(versions), 200)
}

func testPoolStats(t *testing.T, b *bench) {
	ok(t, b.Ping(ctxOf(t)))
	s := b.PoolStats()
	if s.Max < 1 || s.InUse != 0 || s.Idle < 1 || s.Waiting != 0 {
		t.Fatalf("at rest the pool is %+v", s)
	}
}

func testClosed(t *testing.T, b *bench) {
	ctx := ctxOf(t)
	ok(t, b.Close())
	_, err := b.NeuronGet(ctx, model.NeuronGetParams{ID: "neuron-l1"})
	if !errors.Is(err, model.ErrUnavailable) {
		t.Errorf("a read after Close: %v, want ErrUnavailable", err)
	}
	if _, err = b.NeuronInsert(ctx, b.neuron("a")); !errors.Is(err, model.ErrUnavailable) {
		t.Errorf("a write after Close: %v, want ErrUnavailable", err)
	}
	if err = b.InTx(ctx, func(context.Context, model.Tx) error { return nil }); !errors.Is(err, model.ErrUnavailable) {
		t.Errorf("a transaction after Close: %v, want ErrUnavailable", err)
	}
}
