package ingest

import (
	"sync"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/hal9-ai/hal9/model"
)

// Stats are the figures about signals on this server; the package comment says what
// they mean.
type Stats struct {
	Accepted   uint64
	Committed  uint64
	Duplicates uint64
	Failed     uint64
	// MeanLatency is the mean time from acceptance to commit of the signals that
	// were committed in the last minute, zero if there were none.
	MeanLatency time.Duration
	// CommittedPerSecond is how many were committed in the last minute, by 60.
	CommittedPerSecond float64
}

// Stats returns the figures as they are now.
func (i *Ingest) Stats() Stats { return i.figures.stats(i.clock()) }

const window = 60 // seconds

// figures keeps the counters, for Stats and for Prometheus.
type figures struct {
	accepted   *metrics.Counter
	committed  *metrics.Counter
	duplicates *metrics.Counter
	failed     *metrics.Counter
	durations  map[string]*metrics.PrometheusHistogram // by layer
	other      *metrics.PrometheusHistogram            // of any other layer: labels stay few

	mu   sync.Mutex
	ring [window]second
}

// second is what was committed within one second.
type second struct {
	unix    int64
	signals int64
	latency time.Duration // the sum
}

// durationBounds reach from a write that met an idle disk to the longest that a
// request may take, in seconds.
func durationBounds() []float64 {
	return []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}
}

func newFigures(set *metrics.Set) *figures {
	duration := func(layer string) *metrics.PrometheusHistogram {
		return set.NewPrometheusHistogramExt(`hal9_signal_processing_duration_seconds{layer="`+layer+`"}`, durationBounds())
	}
	f := &figures{
		accepted:   set.NewCounter("hal9_signals_sent_total"),
		committed:  set.NewCounter(`hal9_signals_processed_total{status="success"}`),
		duplicates: set.NewCounter(`hal9_signals_processed_total{status="duplicate"}`),
		failed:     set.NewCounter(`hal9_signals_processed_total{status="failed"}`),
		durations:  map[string]*metrics.PrometheusHistogram{},
		other:      duration("other"),
	}
	for _, layer := range []string{"L1", "L2", "L3", "L4"} {
		f.durations[layer] = duration(layer)
	}
	return f
}

func (f *figures) accept(n int)    { f.accepted.Add(n) }
func (f *figures) duplicate(n int) { f.duplicates.Add(n) }
func (f *figures) fail(n int)      { f.failed.Add(n) }

// commit counts signals that were accepted and committed together.
func (f *figures) commit(accepted, committed time.Time, signals ...model.SignalInsertParams) {
	if len(signals) == 0 {
		return
	}
	took := max(0, committed.Sub(accepted)) // a clock may be set back
	f.committed.Add(len(signals))
	for n := range signals {
		h, ok := f.durations[signals[n].LayerTo]
		if !ok {
			h = f.other
		}
		h.Update(took.Seconds())
	}

	f.mu.Lock()
	defer f.mu.Unlock()
	now := committed.Unix()
	s := &f.ring[index(now)]
	if s.unix != now {
		*s = second{unix: now}
	}
	s.signals += int64(len(signals))
	s.latency += took * time.Duration(len(signals))
}

func (f *figures) stats(now time.Time) Stats {
	st := Stats{
		Accepted:   f.accepted.Get(),
		Committed:  f.committed.Get(),
		Duplicates: f.duplicates.Get(),
		Failed:     f.failed.Get(),
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	var signals int64
	var latency time.Duration
	for _, s := range f.ring {
		if age := now.Unix() - s.unix; age >= 0 && age < window {
			signals += s.signals
			latency += s.latency
		}
	}
	if signals > 0 {
		st.MeanLatency = latency / time.Duration(signals)
	}
	st.CommittedPerSecond = float64(signals) / window
	return st
}

func index(unix int64) int64 { return (unix%window + window) % window }
