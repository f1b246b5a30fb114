package server_test

import (
	"testing"
	"time"
)

func TestPartitionList(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, s *harness) {
		s.send("one")
		month := s.clock.now().UTC()
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
