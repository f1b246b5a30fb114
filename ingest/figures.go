package ingest

import (
	"sync"
	"sync/atomic"
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

	// Of the committers.
	waiting    atomic.Int64
	shed       *metrics.Counter
	batchSizes *metrics.PrometheusHistogram
	commits    *metrics.PrometheusHistogram

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
		shed:       set.NewCounter("hal9_ingest_shed_total"),
		batchSizes: set.NewPrometheusHistogramExt("hal9_ingest_batch_size", []float64{1, 2, 5, 10, 20, 50, 100, 200, 500, 1000}),
		commits:    set.NewPrometheusHistogramExt("hal9_ingest_commit_duration_seconds", durationBounds()),
	}
	set.NewGauge("hal9_ingest_queue_length", func() float64 { return float64(f.waiting.Load()) })
	for _, layer := range []string{"L1", "L2", "L3", "L4"} {
		f.durations[layer] = duration(layer)
	}
	return f
}

func (f *figures) accept(n int)    { f.accepted.Add(n) }
func (f *figures) duplicate(n int) { f.duplicates.Add(n) }
func (f *figures) fail(n int)      { f.failed.Add(n) }

// batch counts one commit of a committer.
func (f *figures) batch(size int, took time.Duration) {
	f.batchSizes.Update(float64(size))
	f.commits.Update(took.Seconds())
}

// commit counts signals that were accepted and committed together.
func (f *figures) commit(accepted, committed time.Time, signals ...model.SignalInsertParams) {
	if len(signals) == 0 {
		return
	}
	took := max(0, committed.Sub(accepted)) // a clock may be set back
	for n := range signals {
		f.durationOf(signals[n].LayerTo).Update(took.Seconds())
	}
	f.note(committed, len(signals), took*time.Duration(len(signals)))
}

// commitEach counts signals that were accepted one by one and committed together.
func (f *figures) commitEach(accepted []time.Time, committed time.Time, signals []model.SignalInsertParams) {
	var sum time.Duration
	for n := range signals {
		took := max(0, committed.Sub(accepted[n]))
		f.durationOf(signals[n].LayerTo).Update(took.Seconds())
		sum += took
	}
	f.note(committed, len(signals), sum)
}

func (f *figures) durationOf(layer string) *metrics.PrometheusHistogram {
	if h, ok := f.durations[layer]; ok {
		return h
	}
	return f.other
}

// note adds to the second of the commit.
func (f *figures) note(committed time.Time, signals int, latency time.Duration) {
	f.committed.Add(signals)
	f.mu.Lock()
	defer f.mu.Unlock()
	now := committed.Unix()
	s := &f.ring[index(now)]
	if s.unix != now {
		*s = second{unix: now}
	}
	s.signals += int64(signals)
	s.latency += latency
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
