package auth

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/VictoriaMetrics/metrics"
)

// hashGate lets a bounded number of password hashes run at once. Each takes tens of
// milliseconds of a core and 19 MiB: without a bound a flood of logins would take
// the machine from all other routes. A few may wait, for a short time; who would wait
// longer learns it at once.
type hashGate struct {
	places  chan struct{}
	waiting chan struct{}
	timeout time.Duration
	average atomic.Int64 // nanoseconds of a hash, the newer ones weighing more
	waited  *metrics.PrometheusHistogram
	took    *metrics.PrometheusHistogram
	refused *metrics.Counter
}

func newHashGate(concurrency, queue int, timeout time.Duration, set *metrics.Set) *hashGate {
	g := &hashGate{
		places: make(chan struct{}, concurrency), waiting: make(chan struct{}, queue), timeout: timeout,
		waited:  set.NewPrometheusHistogramExt("hal9_auth_hash_wait_seconds", metrics.ExponentialBuckets(0.001, 2, 12)),
		took:    set.NewPrometheusHistogramExt("hal9_auth_hash_duration_seconds", metrics.ExponentialBuckets(0.005, 2, 10)),
		refused: set.NewCounter("hal9_auth_hash_refused_total"),
	}
	set.NewGauge("hal9_auth_hash_running", func() float64 { return float64(len(g.places)) })
	set.NewGauge("hal9_auth_hash_waiting", func() float64 { return float64(len(g.waiting)) })
	return g
}

// do runs a hash when there is room, or says when to come back.
func (g *hashGate) do(ctx context.Context, hash func() error) error {
	arrived := time.Now()
	select {
	case g.places <- struct{}{}:
	default:
		if err := g.wait(ctx); err != nil {
			return err
		}
	}
	defer func() { <-g.places }()
	g.waited.UpdateDuration(arrived)
	begin := time.Now()
	err := hash()
	g.took.UpdateDuration(begin)
	g.note(time.Since(begin))
	return err
}

// note keeps the time of a hash. That two at once may lose one of them is no matter.
func (g *hashGate) note(took time.Duration) {
	const weight = 8
	old := g.average.Load()
	if old == 0 {
		old = int64(took)
	}
	g.average.Store(old + (int64(took)-old)/weight)
}

// hopeless tells whether one more would wait longer than it may: those who wait are served
// in their order.
func (g *hashGate) hopeless() bool {
	ahead := time.Duration(len(g.waiting)) * time.Duration(g.average.Load()) / time.Duration(cap(g.places))
	return ahead > g.timeout
}

// crowded refuses, before anything is looked up for it, whoever would be refused by do as
// soon as that was done: under a flood of logins these are all but a few.
func (g *hashGate) crowded() error {
	if len(g.places) < cap(g.places) || !g.hopeless() && len(g.waiting) < cap(g.waiting) {
		return nil
	}
	g.refused.Inc()
	return &BusyError{RetryAfter: g.timeout}
}

func (g *hashGate) wait(ctx context.Context) error {
	if g.hopeless() {
		g.refused.Inc()
		return &BusyError{RetryAfter: g.timeout}
	}
	select {
	case g.waiting <- struct{}{}:
	default:
		g.refused.Inc()
		return &BusyError{RetryAfter: g.timeout}
	}
	defer func() { <-g.waiting }()
	timer := time.NewTimer(g.timeout)
	defer timer.Stop()
	select {
	case g.places <- struct{}{}:
		return nil
	case <-timer.C:
		g.refused.Inc()
		return &BusyError{RetryAfter: g.timeout}
	case <-ctx.Done():
		return ctx.Err()
	}
}
