package ingest_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/hal9-ai/hal9/ingest"
	"github.com/hal9-ai/hal9/model"
)

// Rows that the database alone refuses, each in its own way, fail by themselves wherever
// they stand in a batch of concurrent callers.
func TestPoisonousSignalsFailAlone(t *testing.T) {
	t.Parallel()
	const size = 400
	onBothEngines(t, func(t *testing.T, st model.Store) {
		b := block(t, st, ingest.Config{})
		rows := b.gen.many(size)
		poisonous := map[int]error{}
		for n, spoil := range map[int]func(*model.SignalInsertParams){
			0:        func(s *model.SignalInsertParams) { s.ToNeuron = "" },
			1:        func(s *model.SignalInsertParams) { s.FromNeuron = "" },
			77:       func(s *model.SignalInsertParams) { s.FromNeuron = strings.Repeat("é", 256) },
			78:       func(s *model.SignalInsertParams) { s.ToNeuron = strings.Repeat("é", 256) },
			size - 1: func(s *model.SignalInsertParams) { s.LayerFrom = strings.Repeat("x", 256) },
		} {
			spoil(&rows[n])
			poisonous[n] = model.ErrInvalid
		}
		// The same id with other content, of a row in the same batch.
		rows[300].ID, rows[300].Timestamp = rows[299].ID, rows[299].Timestamp
		answers := b.submitAll(t.Context(), t, rows)
		b.release()
		collateral, conflicts := 0, 0
		for n, answer := range answers {
			s := <-answer
			switch wanted := poisonous[n]; {
			case wanted != nil:
				if !errors.Is(s.err, wanted) {
					t.Errorf("poisonous row %d: %+v", n, s)
				}
			case n == 299 || n == 300: // whichever came first is stored
				if errors.Is(s.err, model.ErrConflict) {
					conflicts++
				} else if s.err != nil {
					t.Errorf("row %d: %v", n, s.err)
				}
			case s.err != nil || s.result != ingest.Stored:
				collateral++
				t.Errorf("row %d: %+v", n, s)
			}
		}
		if conflicts != 1 {
			t.Errorf("%d of two rows with one id are refused, want 1", conflicts)
		}
		bad := len(poisonous) + conflicts
		if got := len(listAll(t, st)); got != size-bad+1 { // and the one that held the batch up
			t.Errorf("%d are stored, want %d", got, size-bad+1)
		}
		if batches := metric(t, b.set, "hal9_ingest_batch_size_count"); batches != 2 {
			t.Errorf("%d batches: the rows did not commit together", batches)
		}
		t.Logf("%d poisonous rows among %d of one batch: %d of the others failed", bad, size, collateral)
	})
}

// blind is a real store that cannot be read for the moment.
type blind struct{ model.Store }

func (blind) SignalListByIDs(context.Context, model.SignalListByIDsParams) ([]model.Signal, error) {
	return nil, &model.Error{Kind: model.ErrUnavailable, Entity: "signal"}
}

// That the duplicates of a batch cannot be compared says nothing of a row that could not be
// stored: it is refused, and not taken for stored.
func TestRefusedSignalsStayRefused(t *testing.T) {
	t.Parallel()
	onBothEngines(t, func(t *testing.T, st model.Store) {
		rows := newSignals().many(3)
		if _, err := st.SignalInsert(t.Context(), rows[0]); err != nil {
			t.Fatal(err)
		}
		b := block(t, blind{st}, ingest.Config{})
		rows[1].ToNeuron = ""
		answers := b.submitAll(t.Context(), t, rows)
		b.release()
		// The duplicate may be another signal by the same id, the bad row is stored nowhere,
		// and the third one is.
		for n, wanted := range []error{model.ErrInterrupted, model.ErrInvalid, nil} {
			if s := <-answers[n]; !errors.Is(s.err, wanted) {
				t.Errorf("row %d: %+v, want %v", n, s, wanted)
			}
		}
		if got := len(listAll(t, st)); got != 3 {
			t.Errorf("%d are stored, want the duplicate, the third and the one that held the batch up", got)
		}
	})
}
