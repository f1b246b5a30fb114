package upkeep

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/hal9-ai/hal9/internal/dburl"
	"github.com/hal9-ai/hal9/model"
)

// task is one kind of housekeeping. Its name is a metric's label.
type task struct {
	name string
	// run does the work of one run and returns how many rows it deleted, beside an
	// error too; a chunk that was cut off may be committed and is not counted.
	run func(ctx context.Context, now time.Time) (int64, error)
}

// The names of the tasks.
const (
	taskPartitions      = "partitions"
	taskRefreshTokens   = "refresh_tokens"
	taskSessions        = "sessions"
	taskIdempotencyKeys = "idempotency_keys"
	taskAuditLog        = "audit_log"
	taskMetrics         = "metrics_aggregate"
	taskSignals         = "signals"
)

// tasks returns what the settings ask for, in the order of running: partitions first,
// since signals wait for nothing; refresh tokens before the sessions that they hang on.
func (k *Keeper) tasks() []task {
	st := k.cfg.Store
	var all []task
	if st.Engine() == dburl.Postgres {
		all = append(all, task{taskPartitions, k.ensurePartitions})
	}
	expired := func(name string, remove func(context.Context, time.Time, int64) (int64, error)) {
		all = append(all, task{name, func(ctx context.Context, now time.Time) (int64, error) {
			return k.inChunks(ctx, now, remove)
		}})
	}
	old := func(name string, retention time.Duration, remove func(context.Context, time.Time, int64) (int64, error)) {
		if retention == 0 {
			return
		}
		all = append(all, task{name, func(ctx context.Context, now time.Time) (int64, error) {
			return k.inChunks(ctx, now.Add(-retention), remove)
		}})
	}
	expired(taskRefreshTokens, func(ctx context.Context, before time.Time, limit int64) (int64, error) {
		return st.RefreshTokenDeleteExpired(ctx, model.RefreshTokenDeleteExpiredParams{ExpiredBefore: before, PageLimit: limit})
	})
	expired(taskSessions, func(ctx context.Context, before time.Time, limit int64) (int64, error) {
		gone, err := st.SessionDeleteExpired(ctx, model.SessionDeleteExpiredParams{ExpiredBefore: before, PageLimit: limit})
		return int64(len(gone)), err
	})
	expired(taskIdempotencyKeys, func(ctx context.Context, before time.Time, limit int64) (int64, error) {
		return st.IdempotencyKeyDeleteExpired(ctx, model.IdempotencyKeyDeleteExpiredParams{ExpiredBefore: before, PageLimit: limit})
	})
	old(taskAuditLog, k.cfg.AuditRetention, func(ctx context.Context, before time.Time, limit int64) (int64, error) {
		return st.AuditDeleteOld(ctx, model.AuditDeleteOldParams{OlderThan: before, PageLimit: limit})
	})
	old(taskMetrics, k.cfg.MetricsRetention, func(ctx context.Context, before time.Time, limit int64) (int64, error) {
		return st.MetricDeleteOld(ctx, model.MetricDeleteOldParams{OlderThan: before, PageLimit: limit})
	})
	if k.cfg.SignalsRetention > 0 {
		all = append(all, task{taskSignals, k.dropSignals})
	}
	return all
}

// inChunks removes chunk after chunk until one is not full, and rests in between.
func (k *Keeper) inChunks(ctx context.Context, before time.Time, remove func(context.Context, time.Time, int64) (int64, error)) (int64, error) {
	var deleted int64
	for {
		began := time.Now()
		n, err := remove(ctx, before, int64(k.cfg.Chunk))
		deleted += n
		if err != nil {
			return deleted, err
		}
		if n < int64(k.cfg.Chunk) {
			return deleted, nil
		}
		if err := rest(ctx, time.Since(began)); err != nil {
			return deleted, err
		}
	}
}

// rest waits, or returns why ctx ended.
func rest(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx) //nolint:wrapcheck // the run wraps it
	case <-timer.C:
		return nil
	}
}

// dropSignals drops the months that lie before the retention as a whole: a partition
// on PostgreSQL, chunks of rows on SQLite.
func (k *Keeper) dropSignals(ctx context.Context, now time.Time) (int64, error) {
	gone, err := k.cfg.Store.SignalPartitionDrop(ctx, now.Add(-k.cfg.SignalsRetention))
	var deleted int64
	for _, p := range gone {
		deleted += max(p.Rows, 0) // -1 is a partition whose rows nobody counted
		if !p.IsDefault {
			k.partitions.dropped.Inc()
		}
		k.log.InfoContext(ctx, "dropped a month of signals", slog.String("partition", p.Name), slog.Int64("rows", p.Rows))
	}
	if err != nil {
		return deleted, fmt.Errorf("drop the months before the retention: %w", err)
	}
	return deleted, nil
}
