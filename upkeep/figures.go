package upkeep

import (
	"sync/atomic"
	"time"

	"github.com/VictoriaMetrics/metrics"
)

// figures are the metrics, a set for each task.
type figures struct {
	leading atomic.Bool
	tasks   map[string]*taskFigures
}

type taskFigures struct {
	runs, failures, deleted *metrics.Counter

	succeeded atomic.Int64 // seconds since 1970
}

func newFigures(set *metrics.Set, all []task) *figures {
	f := &figures{tasks: map[string]*taskFigures{}}
	set.NewGauge("hal9_upkeep_leader", func() float64 {
		if f.leading.Load() {
			return 1
		}
		return 0
	})
	for _, t := range all {
		labels := `{task="` + t.name + `"}`
		one := &taskFigures{
			runs:     set.NewCounter("hal9_upkeep_runs_total" + labels),
			failures: set.NewCounter("hal9_upkeep_failures_total" + labels),
			deleted:  set.NewCounter("hal9_upkeep_deleted_total" + labels),
		}
		set.NewGauge("hal9_upkeep_last_success_timestamp_seconds"+labels, func() float64 { return float64(one.succeeded.Load()) })
		f.tasks[t.name] = one
	}
	return f
}

func (f *figures) lead(held bool) { f.leading.Store(held) }

func (f *figures) note(name string, deleted int64, failed error, now time.Time) {
	t := f.tasks[name]
	t.runs.Inc()
	t.deleted.AddInt64(deleted)
	if failed != nil {
		t.failures.Inc()
		return
	}
	t.succeeded.Store(now.Unix())
}
