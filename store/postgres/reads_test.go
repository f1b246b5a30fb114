package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/hal9-ai/hal9/internal/testenv"
	"github.com/hal9-ai/hal9/model"
	"github.com/hal9-ai/hal9/store"
)

// betweenSignals spreads those of a test over several months.
const betweenSignals = 17 * time.Hour

// TestConcurrentLookUps: callers that are served by one statement get each his own.
func TestConcurrentLookUps(t *testing.T) {
	t.Parallel()
	st, err := store.Open(t.Context(), store.Config{URL: testenv.PostgresDatabase(t), Migrate: true, MaxConnections: 4, AcquireTimeout: time.Minute, StatementTimeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	// The n-th signal has n%4 signals and n%3 memories that name it.
	const count = 60
	ids, at := model.NewIDGenerator(time.Now), time.Date(2031, 5, 1, 0, 0, 0, 0, time.UTC)
	var signals []model.SignalInsertParams
	var keys []model.SignalGetParams
	add := func(content string, metadata string) {
		at = at.Add(betweenSignals)
		signals = append(signals, model.SignalInsertParams{
			ID: ids.New(), Timestamp: at, FromNeuron: "a", ToNeuron: "b", LayerFrom: "L1", LayerTo: "L2", PropagationType: "forward",
			Content: content, Metadata: model.JSON(metadata),
		})
	}
	for n := range count {
		add(fmt.Sprint("signal ", n), "{}")
		of := signals[len(signals)-1]
		keys = append(keys, model.SignalGetParams{ID: of.ID, Timestamp: of.Timestamp})
		for i := range n % 4 {
			add(fmt.Sprintf("answer %d to %d", i, n), `{"parent_id":"`+of.ID.String()+`"}`)
		}
		for i := range n % 3 {
			if _, err := st.MemoryInsert(t.Context(), model.MemoryInsertParams{
				ID: ids.New(), NeuronID: "b", Content: fmt.Sprintf("memory %d of %d", i, n), CreatedAt: at.Add(time.Duration(i) * time.Second),
				Context: model.EmptyObject(), Metadata: model.JSON(`{"signal_id":"` + of.ID.String() + `"}`),
			}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := st.SignalInsertMany(t.Context(), signals); err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for n, key := range keys {
		group.Go(func() { checkLookUps(t, st, n, key) })
		group.Go(func() {
			ctx, cancel := context.WithCancel(t.Context())
			go cancel()
			if _, err := st.SignalGet(ctx, key); err != nil && !errors.Is(err, context.Canceled) {
				t.Errorf("a caller who left: %v", err)
			}
		})
	}
	group.Wait()
	err = st.InTx(t.Context(), func(ctx context.Context, _ model.Tx) error {
		_, err := st.SignalGet(ctx, keys[0])
		return err
	})
	if !errors.Is(err, model.ErrInTx) {
		t.Errorf("inside a transaction: %v", err)
	}
}

func checkLookUps(t *testing.T, st model.Store, n int, key model.SignalGetParams) {
	t.Helper()
	for range 5 {
		if got, err := st.SignalGet(t.Context(), key); err != nil || got.Content != fmt.Sprint("signal ", n) || got.ID != key.ID {
			t.Errorf("signal %d: %+v, %v", n, got, err)
		}
		for _, absent := range []model.SignalGetParams{{ID: uuid.New(), Timestamp: key.Timestamp}, {ID: key.ID, Timestamp: key.Timestamp.Add(time.Millisecond)}} {
			if _, err := st.SignalGet(t.Context(), absent); !errors.Is(err, model.ErrNotFound) {
				t.Errorf("an absent signal: %v", err)
			}
		}
		limit, left := int64(1+n%5), n%3 // of the answers so many are too old
		answers, err := st.SignalListByReference(t.Context(), model.SignalListByReferenceParams{
			Reference: key.ID, Since: key.Timestamp.Add(time.Duration(left)*betweenSignals + time.Microsecond), PageLimit: limit,
		})
		if err != nil || len(answers) != min(max(n%4-left, 0), int(limit)) {
			t.Errorf("answers to %d: %+v, %v", n, answers, err)
		}
		for i, a := range answers {
			if want := fmt.Sprintf("answer %d to %d", left+i, n); a.Content != want {
				t.Errorf("%q, want %q", a.Content, want)
			}
		}
		memories, err := st.MemoryListByReference(t.Context(), model.MemoryListByReferenceParams{Reference: key.ID, PageLimit: 5})
		if err != nil || len(memories) != n%3 {
			t.Errorf("memories of %d: %+v, %v", n, memories, err)
		}
		for i, m := range memories {
			if want := fmt.Sprintf("memory %d of %d", i, n); m.Content != want {
				t.Errorf("%q, want %q", m.Content, want)
			}
		}
	}
}
