package ingest_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/hal9-ai/hal9/ingest"
	"github.com/hal9-ai/hal9/model"
)

func TestSubmitStoresOnce(t *testing.T) {
	t.Parallel()
	onBothEngines(t, func(t *testing.T, st model.Store) {
		ing := start(t, ingest.Config{Store: st})
		signal := newSignals().make("api-client", "neuron-l4", "open the pod bay doors")
		signal.Metadata = model.JSON(`{"n": 100, "who": {"name": "é"}}`)

		result, err := ing.Submit(t.Context(), signal)
		if err != nil || result != ingest.Stored {
			t.Fatalf("first submission: %v, %v, want Stored", result, err)
		}
		stored, err := st.SignalGet(t.Context(), model.SignalGetParams{ID: signal.ID, Timestamp: signal.Timestamp})
		if err != nil || stored.Content != signal.Content {
			t.Fatalf("stored: %+v, %v", stored, err)
		}

		again := signal
		again.Metadata = model.JSON(`{"who":{"name":"\u00e9"},"n":1e2}`)
		if result, err = ing.Submit(t.Context(), again); err != nil || result != ingest.Duplicate {
			t.Errorf("the same metadata spelt otherwise: %v, %v, want Duplicate", result, err)
		}

		for name, change := range map[string]func(*model.SignalInsertParams){
			"content":          func(s *model.SignalInsertParams) { s.Content = "close them" },
			"metadata":         func(s *model.SignalInsertParams) { s.Metadata = model.JSON(`{"n": 101}`) },
			"from_neuron":      func(s *model.SignalInsertParams) { s.FromNeuron = "dave" },
			"to_neuron":        func(s *model.SignalInsertParams) { s.ToNeuron = "dave" },
			"layer_from":       func(s *model.SignalInsertParams) { s.LayerFrom = "L1" },
			"layer_to":         func(s *model.SignalInsertParams) { s.LayerTo = "L1" },
			"propagation_type": func(s *model.SignalInsertParams) { s.PropagationType = "backward" },
		} {
			other := signal
			change(&other)
			_, err := ing.Submit(t.Context(), other)
			var fault *model.Error
			if !errors.Is(err, model.ErrConflict) || !errors.As(err, &fault) || fault.Field != "id" {
				t.Errorf("same id, other %s: %v, want ErrConflict that names id", name, err)
			}
		}

		if got, want := ing.Stats(), (ingest.Stats{Accepted: 9, Committed: 1, Duplicates: 1, Failed: 7}); !sameCounters(got, want) {
			t.Errorf("stats %+v, want %+v", got, want)
		}
	})
}

func TestSubmitConcurrentResubmissions(t *testing.T) {
	t.Parallel()
	onBothEngines(t, func(t *testing.T, st model.Store) {
		ing := start(t, ingest.Config{Store: st})
		signal := newSignals().make("api-client", "neuron-l4", "daisy")

		const times = 100
		results := make([]ingest.Result, times)
		errs := make([]error, times)
		var group sync.WaitGroup
		for n := range times {
			group.Go(func() { results[n], errs[n] = ing.Submit(t.Context(), signal) })
		}
		group.Wait()

		stored := 0
		for n := range times {
			if errs[n] != nil {
				t.Errorf("submission %d: %v", n, errs[n])
			}
			if results[n] == ingest.Stored {
				stored++
			}
		}
		if stored != 1 {
			t.Errorf("%d submissions say Stored, want 1", stored)
		}
		page := listAll(t, st)
		if len(page) != 1 {
			t.Errorf("%d signals are stored, want 1", len(page))
		}
	})
}

func TestSubmitManyNamesBadRows(t *testing.T) {
	t.Parallel()
	onBothEngines(t, func(t *testing.T, st model.Store) {
		ing := start(t, ingest.Config{Store: st})
		gen := newSignals()
		known := gen.make("api-client", "neuron-l1", "known")
		if _, err := ing.Submit(t.Context(), known); err != nil {
			t.Fatal(err)
		}
		conflicting := known
		conflicting.Content = "not what is known"
		first := gen.make("api-client", "neuron-l2", "first")
		changed := first
		changed.Content = "first, changed"
		nul := gen.make("api-client", "neuron-l2", "a\x00b")
		batch := []model.SignalInsertParams{
			0: first, 1: conflicting, 2: nul, 3: known, 4: first, 5: changed, 6: gen.make("a", "neuron-l3", "last"),
		}

		result, err := ing.SubmitMany(t.Context(), batch)
		if err != nil {
			t.Fatal(err)
		}
		if result.Inserted != 2 || !reflect.DeepEqual(result.Duplicates, []int{3, 4}) {
			t.Errorf("inserted %d, duplicates %v, want 2 and [3 4]", result.Inserted, result.Duplicates)
		}
		var failed []string
		for _, row := range result.Failed {
			failed = append(failed, fmt.Sprintf("%d %t %t", row.Index, errors.Is(row.Err, model.ErrInvalid), errors.Is(row.Err, model.ErrConflict)))
		}
		if want := []string{"1 false true", "2 true false", "5 false true"}; !reflect.DeepEqual(failed, want) {
			t.Errorf("failed rows (index, invalid, conflict) %v, want %v", failed, want)
		}
		if got := len(listAll(t, st)); got != 3 {
			t.Errorf("%d signals are stored, want 3", got)
		}
		if got, want := ing.Stats(), (ingest.Stats{Accepted: 8, Committed: 3, Duplicates: 2, Failed: 3}); !sameCounters(got, want) {
			t.Errorf("stats %+v, want %+v", got, want)
		}

		if result, err := ing.SubmitMany(t.Context(), nil); err != nil || result.Inserted != 0 {
			t.Errorf("no signals: %+v, %v", result, err)
		}
	})
}

func listAll(t *testing.T, st model.Store) []model.Signal {
	t.Helper()
	all, err := st.SignalList(t.Context(), model.SignalListParams{
		Until: model.MaxTime(), CursorTimestamp: model.MaxTime(), CursorID: model.MaxID(), PageLimit: 100_000,
	})
	if err != nil {
		t.Fatalf("list the signals: %v", err)
	}
	return all
}

func sameCounters(a, b ingest.Stats) bool {
	return a.Accepted == b.Accepted && a.Committed == b.Committed && a.Duplicates == b.Duplicates && a.Failed == b.Failed
}

// forgetful is a real store whose retention strikes before a signal is looked up.
type forgetful struct{ model.Store }

func (f *forgetful) SignalGet(ctx context.Context, arg model.SignalGetParams) (model.Signal, error) {
	if _, err := f.SignalPartitionDrop(ctx, time.Now().AddDate(0, 2, 0)); err != nil {
		return model.Signal{}, err
	}
	return f.Store.SignalGet(ctx, arg)
}

// A signal that was stored before and is dropped while it is compared was stored all the
// same: nothing was not found.
func TestSubmitOfWhatRetentionDrops(t *testing.T) {
	t.Parallel()
	onBothEngines(t, func(t *testing.T, st model.Store) {
		ing := start(t, ingest.Config{Store: &forgetful{st}})
		signal := newSignals().make("a", "b", "soon gone")
		for _, want := range []ingest.Result{ingest.Stored, ingest.Duplicate} {
			if got, err := ing.Submit(t.Context(), signal); err != nil || got != want {
				t.Errorf("submit: %v, %v, want %v", got, err, want)
			}
		}
	})
}
