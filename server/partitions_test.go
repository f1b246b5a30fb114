package server_test

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/hal9-ai/hal9/model"
)

func TestPartitionList(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, s *harness) {
		s.send("one")
		month := s.clock.Now().UTC()
		for _, p := range data[[]struct {
			Since, Until *time.Time
			Rows, Bytes  *int64
		}](s.ask("GET", "/api/v1/partitions", "").want(200)) {
			if (p.Bytes == nil) != (s.store.Engine() == sqliteEngine) {
				t.Errorf("the size is there: %v", p.Bytes != nil)
			}
			if p.Since != nil && !p.Since.After(month) && p.Until.After(month) {
				return
			}
		}
		t.Error("the month of the signal is missing")
	})
}

// The last month ends in the year 10000, which a time in JSON cannot have.
func TestPartitionListOfTheLastMonth(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, s *harness) {
		month := time.Date(9999, 12, 1, 0, 0, 0, 0, time.UTC)
		if _, err := s.store.SignalInsert(t.Context(), model.SignalInsertParams{
			ID: uuid.New(), Timestamp: month.AddDate(0, 0, 14), FromNeuron: "a", ToNeuron: "b", LayerFrom: "L1", LayerTo: "L2",
			PropagationType: "forward", Content: "imported", Metadata: model.EmptyObject(),
		}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.store.SignalPartitionEnsure(t.Context(), month); err != nil { // as an import does
			t.Fatal(err)
		}
		for _, p := range data[[]struct{ Since, Until *time.Time }](s.ask("GET", "/api/v1/partitions", "").want(200)) {
			if p.Since != nil && p.Since.Equal(month) {
				if !p.Until.Equal(model.MaxTime()) {
					t.Errorf("the month lasts until %v, want the last moment that there is", p.Until)
				}
				return
			}
		}
		t.Error("the month is missing")
	})
}
