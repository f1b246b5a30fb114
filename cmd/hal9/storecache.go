package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/hal9-ai/hal9/cacheutil"
	"github.com/hal9-ai/hal9/gen/cachedstore"
	"github.com/hal9-ai/hal9/internal/config"
	"github.com/hal9-ai/hal9/server"
	"github.com/hal9-ai/hal9/store"
)

const (
	// softTimeout is how long a request waits for the database when a value past its
	// time could be served: far more than a read takes, far less than a request may.
	softTimeout = 250 * time.Millisecond
	// refreshAhead is the share of its life after which an entry that is asked for is
	// loaded again beside the requests, so that none of them waits.
	refreshAhead = 0.8
)

// cacheMetricPrefix stands before the names of the cache's metrics.
const cacheMetricPrefix = "hal9_cache_"

// storeCache is how the configuration wants the store to be cached.
func storeCache(cfg *config.Config, log *slog.Logger) *store.Cache {
	c := cfg.Cache
	return &store.Cache{
		Config: cacheutil.Config{
			URL: c.URL, Prefix: c.KeyPrefix, MaxConnections: c.MaxConnections, CallTimeout: c.CallTimeout, Pipelining: c.Pipelining,
			LocalMaxBytes: int64(c.LocalMaxBytes), LocalMaxTTL: c.LocalMaxTTL, EpochInterval: c.EpochInterval,
			MetricPrefix: cacheMetricPrefix, Logger: log,
		},
		Settings: func(e cachedstore.Entity) cachedstore.Settings {
			entity := c.Entity(e.Name)
			set := cachedstore.Settings{
				TTL: entity.TTL, NegativeTTL: entity.NegativeTTL, MaxStale: entity.MaxStale,
				HardTimeout: cfg.Database.AcquireTimeout + cfg.Database.StatementTimeout + time.Second,
			}
			if entity.MaxStale > 0 {
				set.SoftTimeout, set.RefreshAhead = softTimeout, refreshAhead
			}
			if entity.Strategy == config.StrategyThrough {
				set.Strategy = cacheutil.WriteThrough
			}
			return set
		},
	}
}

// behind is what serve stores later.
func behind(cfg *config.Config) store.Behind {
	return store.Behind{
		NeuronState: cfg.Cache.Entities.NeuronState.Strategy == config.StrategyBehind,
		LastUsed:    cfg.Cache.Entities.LastUsed.Strategy == config.StrategyBehind,
	}
}

// laterOrNil keeps a nil pointer from becoming an interface that is not nil.
func laterOrNil(l *store.Later) server.Later {
	if l == nil {
		return nil
	}
	return l
}

// runLater stores what was accepted until ctx ends, and then what is left.
func runLater(ctx context.Context, l *store.Later, limit time.Duration) error {
	if l == nil {
		return nil
	}
	if err := l.Run(ctx); err != nil {
		return fmt.Errorf("store what was accepted: %w", err)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	defer cancel()
	if err := l.Drain(ctx); err != nil {
		return fmt.Errorf("store what was accepted: %w", err)
	}
	return nil
}
