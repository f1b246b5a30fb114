package main

import (
	"crypto/rand"
	"fmt"
	"log/slog"
	"os"

	"github.com/VictoriaMetrics/metrics"

	"github.com/hal9-ai/hal9/internal/config"
	"github.com/hal9-ai/hal9/model"
	"github.com/hal9-ai/hal9/upkeep"
)

// newKeeper returns what keeps the house beside the server.
func newKeeper(cfg *config.Config, st model.Store, log *slog.Logger, set *metrics.Set) (*upkeep.Keeper, error) {
	return upkeep.New(upkeep.Config{
		Store: st, Logger: log, Metrics: set, Holder: holderName(), Interval: cfg.Upkeep.Interval,
		SignalsRetention: cfg.Signals.Retention, AuditRetention: cfg.Audit.Retention, MetricsRetention: cfg.Metrics.Retention,
		PartitionsAhead: cfg.Database.PartitionsAhead,
	})
}

// holderName tells this process from all others, to the database and to who looks at
// it: containers share host names and process numbers.
func holderName() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	const longest = 100
	return fmt.Sprintf("%.*s:%d %s", longest, host, os.Getpid(), rand.Text()[:8])
}
