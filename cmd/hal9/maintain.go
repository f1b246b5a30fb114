package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/hal9-ai/hal9/model"
)

// partitionsEvery is how often the partitions of the coming months are looked at.
const partitionsEvery = time.Hour

// keepPartitions makes the partitions of this month and the coming ones, at once and
// then every hour, until ctx ends. A failure is logged and tried again: signals of a
// month without a partition go to the default one.
func keepPartitions(ctx context.Context, st model.SignalPartitions, ahead int, log *slog.Logger) error {
	tick := time.NewTicker(partitionsEvery)
	defer tick.Stop()
	for {
		if err := ensurePartitions(ctx, st, ahead, log); err != nil && ctx.Err() == nil {
			log.WarnContext(ctx, "the partitions of the coming months cannot be made; signals of a month without one go to the default partition",
				slog.String("error", err.Error()))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func ensurePartitions(ctx context.Context, st model.SignalPartitions, ahead int, log *slog.Logger) error {
	now := time.Now().UTC()
	for n := range ahead + 1 {
		month := time.Date(now.Year(), now.Month()+time.Month(n), 1, 0, 0, 0, 0, time.UTC)
		made, err := st.SignalPartitionEnsure(ctx, month)
		if err != nil {
			return fmt.Errorf("ensure the partition of %s: %w", month.Format("2006-01"), err)
		}
		if made {
			log.InfoContext(ctx, "made a partition", slog.String("month", month.Format("2006-01")))
		}
	}
	return nil
}
