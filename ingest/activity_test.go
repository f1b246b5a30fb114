package ingest_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hal9-ai/hal9/ingest"
	"github.com/hal9-ai/hal9/internal/testenv"
	"github.com/hal9-ai/hal9/model"
)

// checkRecount compares what was gathered with a count over the table.
func checkRecount(t *testing.T, st model.Store) (signals int64) {
	t.Helper()
	before := activities(t, st)
	for neuron := range before {
		if _, err := st.NeuronActivityRecount(t.Context(), model.NeuronActivityRecountParams{NeuronID: neuron}); err != nil {
			t.Fatalf("recount: %v", err)
		}
	}
	for neuron, want := range activities(t, st) {
		got := before[neuron]
		signals += want.SignalsProcessed
		if got.SignalsProcessed != want.SignalsProcessed || moment(got.LastSignalAt) != moment(want.LastSignalAt) {
			t.Errorf("%s: gathered %d, %s; a recount says %d, %s", neuron,
				got.SignalsProcessed, moment(got.LastSignalAt), want.SignalsProcessed, moment(want.LastSignalAt))
		}
	}
	return signals
}

func activities(t *testing.T, st model.Store) map[string]model.NeuronActivity {
	t.Helper()
	list, err := st.NeuronActivityList(t.Context(), model.NeuronActivityListParams{PageLimit: 1000})
	if err != nil {
		t.Fatalf("list the activity: %v", err)
	}
	byID := map[string]model.NeuronActivity{}
	for _, a := range list {
		byID[a.NeuronID] = a
	}
	return byID
}

func moment(t *time.Time) string {
	if t == nil {
		return "never"
	}
	return t.Format(time.RFC3339Nano)
}

func TestActivityAgreesWithRecount(t *testing.T) {
	t.Parallel()
	onBothEngines(t, func(t *testing.T, st model.Store) {
		ing := ingest.New(ingest.Config{Store: st, ActivityInterval: time.Hour, ActivityMaxNeurons: 5})
		ended := make(chan error, 1)
		go func() { ended <- ing.Run(t.Context()) }()

		// Known and unknown neurons, more names than may wait, duplicates, bad rows.
		names := []string{"neuron-l1", "neuron-l2", "neuron-l3", "neuron-l4"}
		for n := range 20 {
			names = append(names, fmt.Sprintf("stranger-%d", n))
		}
		gen := newSignals()
		var group sync.WaitGroup
		for range 4 {
			group.Go(func() {
				for range 25 {
					pick := func() string { return names[rand.IntN(len(names))] }
					one := gen.make(pick(), pick(), "one")
					if _, err := ing.Submit(t.Context(), one); err != nil {
						t.Errorf("submit: %v", err)
					}
					bad := gen.make(pick(), pick(), "bad\x00")
					if _, err := ing.SubmitMany(t.Context(), []model.SignalInsertParams{
						gen.make(pick(), pick(), "many"), one, bad, gen.make(pick(), "neuron-l4", "many"),
					}); err != nil {
						t.Errorf("submit many: %v", err)
					}
				}
			})
		}
		group.Wait()
		late := gen.make("neuron-l1", "neuron-l2", "an old signal that comes late")
		late.Timestamp = late.Timestamp.Add(-time.Hour)
		if _, err := ing.Submit(t.Context(), late); err != nil {
			t.Fatal(err)
		}

		testenv.Eventually(t, "an update before its time", func() bool { return activities(t, st)["neuron-l4"].SignalsProcessed > 0 })
		if err := ing.Close(t.Context()); err != nil {
			t.Fatalf("close: %v", err)
		}
		if err := <-ended; err != nil {
			t.Fatalf("run: %v", err)
		}
		if counted := checkRecount(t, st); counted < 100 {
			t.Errorf("the known neurons were sent %d signals, want 100 at the least", counted)
		}
		if _, ok := activities(t, st)["stranger-1"]; ok {
			t.Error("an unknown neuron has activity")
		}
	})
}

// faulty is a real store whose transactions fail while it is told to.
type faulty struct {
	model.Store
	broken atomic.Bool
	failed atomic.Int64
}

func (f *faulty) InTx(ctx context.Context, fn func(ctx context.Context, tx model.Tx) error) error {
	if !f.broken.Load() {
		return f.Store.InTx(ctx, fn)
	}
	return f.Store.InTx(ctx, func(ctx context.Context, tx model.Tx) error {
		f.failed.Add(1)
		return errors.Join(fn(ctx, tx), &model.Error{Kind: model.ErrUnavailable, Reason: "told to"})
	})
}

func TestActivityIsKeptWhenTheStoreFails(t *testing.T) {
	t.Parallel()
	onBothEngines(t, func(t *testing.T, st model.Store) {
		f := &faulty{Store: st}
		f.broken.Store(true)
		ing := start(t, ingest.Config{Store: f, ActivityInterval: time.Millisecond})
		gen := newSignals()
		submit := func() {
			for n := range 4 {
				if _, err := ing.Submit(t.Context(), gen.make("neuron-l1", fmt.Sprintf("neuron-l%d", n+1), "kept")); err != nil {
					t.Fatal(err)
				}
			}
		}
		submit()
		testenv.Eventually(t, "two failures", func() bool { return f.failed.Load() >= 2 })
		submit()
		if a := activities(t, st)["neuron-l1"]; a.SignalsProcessed != 0 {
			t.Fatalf("activity %+v was written by a transaction that failed", a)
		}
		f.broken.Store(false)
		testenv.Eventually(t, "the kept counts", func() bool { return activities(t, st)["neuron-l1"].SignalsProcessed == 2 })
		if counted := checkRecount(t, st); counted != 8 {
			t.Errorf("%d signals are counted, want 8", counted)
		}
	})
}

func TestCloseWritesTheRestAndRefuses(t *testing.T) {
	t.Parallel()
	onBothEngines(t, func(t *testing.T, st model.Store) {
		ing := ingest.New(ingest.Config{Store: st, ActivityInterval: time.Hour})
		gen := newSignals()
		if _, err := ing.Submit(t.Context(), gen.make("neuron-l2", "neuron-l1", "last words")); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := ing.Close(t.Context()); err != nil {
				t.Fatalf("close: %v", err)
			}
		}
		if counted := checkRecount(t, st); counted != 1 {
			t.Errorf("%d signals are counted, want 1", counted)
		}
		if _, err := ing.Submit(t.Context(), gen.make("a", "b", "late")); !errors.Is(err, model.ErrUnavailable) {
			t.Errorf("submit after close: %v, want ErrUnavailable", err)
		}
		if _, err := ing.SubmitMany(t.Context(), nil); !errors.Is(err, model.ErrUnavailable) {
			t.Errorf("submit many after close: %v, want ErrUnavailable", err)
		}
		if got := len(listAll(t, st)); got != 1 {
			t.Errorf("%d signals are stored, want 1", got)
		}
		if err := ing.Run(t.Context()); err != nil {
			t.Errorf("run after close: %v", err)
		}
	})
}

// gated is a real store whose transactions begin when they are let.
type gated struct {
	model.Store
	came, let chan struct{}
}

func (g *gated) InTx(ctx context.Context, fn func(ctx context.Context, tx model.Tx) error) error {
	g.came <- struct{}{}
	<-g.let
	return g.Store.InTx(ctx, fn)
}

// An update under way that the database does not answer keeps Close no longer than it may
// take, and loses nothing.
func TestCloseDoesNotWaitForAnUpdate(t *testing.T) {
	t.Parallel()
	onBothEngines(t, func(t *testing.T, st model.Store) {
		g := &gated{Store: st, came: make(chan struct{}), let: make(chan struct{})}
		ing := ingest.New(ingest.Config{Store: g, ActivityInterval: time.Millisecond})
		ended := make(chan error, 1)
		go func() { ended <- ing.Run(context.WithoutCancel(t.Context())) }()
		if _, err := ing.Submit(t.Context(), newSignals().make("neuron-l2", "neuron-l1", "counted")); err != nil {
			t.Fatal(err)
		}
		<-g.came
		closed := make(chan error, 1)
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		go func() { closed <- ing.Close(ctx) }()
		select {
		case err := <-closed:
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("close: %v", err)
			}
		case <-time.After(10 * time.Second):
			t.Error("Close waits beyond its time")
		}
		close(g.let)
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if got := activities(t, st)["neuron-l1"].SignalsProcessed; got != 1 {
			t.Errorf("%d signals are counted, want 1", got)
		}
	})
}
