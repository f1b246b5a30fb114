package stream

import "github.com/VictoriaMetrics/metrics"

// figures are the feed's metrics.
type figures struct {
	resumedExact, resumedMemory, resumedDatabase *metrics.Counter
	sent, failed, received                       *metrics.Counter
	rowsRead, caughtUp                           *metrics.Counter
}

func newFigures(set *metrics.Set, f *Feed) *figures {
	const prefix = "hal9_signal_stream_"
	set.NewGauge(prefix+"listeners", func() float64 {
		f.mu.RLock()
		defer f.mu.RUnlock()
		return float64(f.listeners)
	})
	set.NewGauge(prefix+"buffered_bytes", func() float64 {
		f.mu.RLock()
		defer f.mu.RUnlock()
		return float64(f.ring.bytes)
	})
	if f.cfg.Bus != nil {
		set.NewGauge(prefix+"bus_up", func() float64 {
			f.in.mu.Lock()
			defer f.in.mu.Unlock()
			if f.in.up {
				return 1
			}
			return 0
		})
	}
	return &figures{
		resumedExact:    set.NewCounter(prefix + `resumes_total{from="place"}`),
		resumedMemory:   set.NewCounter(prefix + `resumes_total{from="memory"}`),
		resumedDatabase: set.NewCounter(prefix + `resumes_total{from="database"}`),
		sent:            set.NewCounter(prefix + `notices_total{direction="sent"}`),
		failed:          set.NewCounter(prefix + `notices_total{direction="failed"}`),
		received:        set.NewCounter(prefix + `notices_total{direction="received"}`),
		rowsRead:        set.NewCounter(prefix + "rows_read_total"),
		caughtUp:        set.NewCounter(prefix + "catch_ups_total"),
	}
}
