package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hal9-ai/hal9/internal/config"
	"github.com/hal9-ai/hal9/model"
)

// CacheCmd groups the commands about what is cached.
type CacheCmd struct {
	Stats      CacheStatsCmd      `cmd:"" help:"Tell what is cached, and how the cache server is."`
	Get        CacheGetCmd        `cmd:"" help:"Show what the cache server holds under a key."`
	Drop       CacheDropCmd       `cmd:"" help:"Drop single entries or groups."`
	Invalidate CacheInvalidateCmd `cmd:"" help:"Put everything that was cached out of reach."`
}

// CacheInvalidateCmd bumps the database's epoch.
type CacheInvalidateCmd struct {
	Output
	Settings
}

// Help describes the command.
func (CacheInvalidateCmd) Help() string {
	return `Raises the epoch of the database, which is part of every cache key. Run it after the database went back in time: when a PostgreSQL backup was restored, or a replica that lagged was promoted; before servers start again. 'hal9 restore' does it by itself. Servers that run notice within cache.epoch_interval. Nothing is deleted from the cache server: what is out of reach expires.

Example:

    pg_restore --exit-on-error --no-owner --dbname="$HAL9_DATABASE_URL" hal9.dump && hal9 cache invalidate`
}

// Run bumps the epoch.
func (c *CacheInvalidateCmd) Run(g *Globals) (err error) {
	cfg, err := g.LoadConfig(c.Settings)
	if err != nil {
		return err
	}
	if err := refuseMemory(cfg, "has no cache that outlives it"); err != nil {
		return err
	}
	epoch, err := bumpEpoch(g.Context, cfg)
	if err != nil {
		return storeError(err)
	}
	return c.line(g.Stdout, map[string]int64{"epoch": epoch}, "the epoch is %d: nothing that was cached before is found", epoch)
}

func bumpEpoch(ctx context.Context, cfg *config.Config) (epoch int64, err error) {
	if err := checkSchema(ctx, cfg); err != nil {
		return 0, err
	}
	st, err := openStore(ctx, cfg)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, closeStore(st)) }()
	epoch, err = st.DatabaseEpochBump(ctx, model.DatabaseEpochBumpParams{UpdatedAt: time.Now()})
	if err != nil {
		return 0, fmt.Errorf("bump the epoch: %w", err)
	}
	return epoch, nil
}
