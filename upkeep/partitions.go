package upkeep

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/hal9-ai/hal9/internal/dburl"
	"github.com/hal9-ai/hal9/model"
)

const (
	// mostBroughtHome bounds the months of one run, each a pause of inserts.
	mostBroughtHome = 12
	// mostPartitions is how many partitions a server brings about by moving signals home:
	// planning a query takes the longer, the more there are.
	mostPartitions = 600
)

// ensurePartitions makes the partitions of this month and the coming ones, and then
// those of the months whose signals lie in the default partition. A month that cannot be
// made keeps no other from it.
func (k *Keeper) ensurePartitions(ctx context.Context, now time.Time) (int64, error) {
	var failed error
	for n := range k.cfg.PartitionsAhead + 1 {
		err := k.ensurePartition(ctx, addMonths(now, n))
		failed = errors.Join(failed, err)
		if ofAll(ctx, err) {
			return 0, failed
		}
	}
	return 0, errors.Join(failed, k.bringHome(ctx, now))
}

// ofAll tells an error that the other months would meet as well: while somebody holds the
// signals, each try keeps inserts waiting for as long as it waits itself.
func ofAll(ctx context.Context, err error) bool {
	return ctx.Err() != nil || errors.Is(err, model.ErrTimeout) || errors.Is(err, model.ErrUnavailable) || errors.Is(err, model.ErrReadOnly)
}

func (k *Keeper) ensurePartition(ctx context.Context, month time.Time) error {
	made, err := k.cfg.Store.SignalPartitionEnsure(ctx, month)
	if err != nil {
		return fmt.Errorf("ensure the partition of %s: %w", month.Format("2006-01"), err)
	}
	if made {
		k.partitions.made.Inc()
		k.log.InfoContext(ctx, "made a partition", slog.String("month", month.Format("2006-01")))
	}
	return nil
}

// bringHome makes the months whose signals lie in the default partition, which moves
// them. Those that the retention is about to delete stay.
func (k *Keeper) bringHome(ctx context.Context, now time.Time) error {
	months, err := k.cfg.Store.SignalPartitionDefaultMonths(ctx, int64(k.cfg.MoveLimit)+1)
	if err != nil || len(months) == 0 {
		return err
	}
	all, err := k.cfg.Store.SignalPartitionList(ctx)
	if err != nil {
		return err
	}
	room := min(mostBroughtHome, mostPartitions-len(all))
	var failed error
	for _, m := range months {
		name := slog.String("month", m.Start.Format("2006-01"))
		switch {
		case k.cfg.SignalsRetention > 0 && !m.End.After(now.Add(-k.cfg.SignalsRetention)):
			continue
		case m.Rows > int64(k.cfg.MoveLimit):
			k.log.WarnContext(ctx, "a month has too many signals in the default partition to move them home while inserts wait; "+
				"run 'hal9 partitions ensure --month' when that is all right", name, slog.Int("more_than", k.cfg.MoveLimit))
			continue
		case room <= 0:
			return failed // those that are left come home in the next runs
		}
		room--
		began := time.Now()
		err := k.ensurePartition(ctx, m.Start)
		failed = errors.Join(failed, err)
		if err == nil {
			k.partitions.moved.AddInt64(m.Rows)
		} else if ofAll(ctx, err) {
			return failed
		}
		if err := rest(ctx, time.Since(began)); err != nil { // inserts have waited
			return errors.Join(failed, err)
		}
	}
	return failed
}

// look takes the figures of the partitions as they are now, on every server, and warns
// when too few lie ahead.
func (k *Keeper) look(ctx context.Context) {
	ahead, err := k.observe(ctx)
	switch {
	case ctx.Err() != nil:
	case err != nil:
		k.partitions.failures.Inc()
		k.log.WarnContext(ctx, "cannot look at the partitions of signals", slog.String("error", err.Error()))
	case ahead < model.LeastMonthsAhead:
		k.log.WarnContext(ctx, "too few partitions of signals lie ahead; run 'hal9 partitions ensure' and see what keeps the upkeep from it",
			slog.Int("months_ahead", ahead), slog.Int("least", model.LeastMonthsAhead))
	}
}

// observe sets the gauges and returns how many months lie ahead, enough of them where
// the engine needs none.
func (k *Keeper) observe(ctx context.Context) (ahead int, err error) {
	if k.cfg.Store.Engine() != dburl.Postgres {
		return model.LeastMonthsAhead, nil
	}
	all, err := k.cfg.Store.SignalPartitionList(ctx)
	if err != nil {
		return 0, err
	}
	months, err := k.cfg.Store.SignalPartitionDefaultMonths(ctx, int64(k.cfg.MoveLimit)+1)
	if err != nil {
		return 0, err
	}
	var rows int64
	for _, m := range months {
		rows += m.Rows
	}
	ahead = model.SignalMonthsAhead(all, k.cfg.Clock())
	k.partitions.ahead.Store(int64(ahead))
	k.partitions.defaultRows.Store(rows)
	return ahead, nil
}

// addMonths returns the first moment of the month n months after a moment's.
func addMonths(moment time.Time, n int) time.Time {
	moment = moment.UTC()
	return time.Date(moment.Year(), moment.Month()+time.Month(n), 1, 0, 0, 0, 0, time.UTC)
}

// partitionFigures are the metrics of the signals' months. The counters are of what this
// server did, the gauges of what it saw last, whoever did it.
type partitionFigures struct {
	made, moved, dropped, failures *metrics.Counter

	ahead, defaultRows, ran atomic.Int64
}

// newPartitionFigures registers those that the engine has: SQLite's months are dropped only.
func newPartitionFigures(set *metrics.Set, partitioned bool) *partitionFigures {
	f := &partitionFigures{made: &metrics.Counter{}, moved: &metrics.Counter{}}
	f.dropped = set.NewCounter("hal9_partition_dropped_total")
	f.failures = set.NewCounter("hal9_partition_failures_total")
	set.NewGauge("hal9_partition_last_run_timestamp_seconds", func() float64 { return float64(f.ran.Load()) })
	if !partitioned {
		return f
	}
	f.made = set.NewCounter("hal9_partition_made_total")
	f.moved = set.NewCounter("hal9_partition_moved_rows_total")
	set.NewGauge("hal9_partition_months_ahead", func() float64 { return float64(f.ahead.Load()) })
	set.NewGauge("hal9_partition_default_rows", func() float64 { return float64(f.defaultRows.Load()) })
	return f
}

// note takes the outcome of a task that works on partitions.
func (f *partitionFigures) note(task string, failed error, now time.Time) {
	switch {
	case task != taskPartitions && task != taskSignals:
	case failed != nil:
		f.failures.Inc()
	default:
		f.ran.Store(now.Unix())
	}
}
