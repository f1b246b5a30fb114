package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/hal9-ai/hal9/internal/config"
	"github.com/hal9-ai/hal9/model"
	"github.com/hal9-ai/hal9/store"
)

// tellServers makes sure that the servers hear of what a command wrote. Where the
// cache server cannot be told, the epoch in the database is raised, which every
// server looks at.
func (g *Globals) tellServers(ctx context.Context, cfg *config.Config, st model.Store) error {
	m := store.CacheOf(st)
	if m == nil || cfg.Cache.URL == "" || m.State().Pending == 0 {
		return nil
	}
	if err := raiseEpoch(ctx, st); err != nil {
		return err
	}
	_, _ = fmt.Fprintf(g.Stderr, "hal9: warning: the cache server does not answer; the servers forget what they cached within cache.epoch_interval (%s)\n", cfg.Cache.EpochInterval)
	return nil
}

// tellOthers does so for a server that ends: what it still keeps for a cache server that
// was away nobody repeats after it. That is given a moment, since to raise the epoch costs all
// servers all that they have cached.
func tellOthers(ctx context.Context, cfg *config.Config, st model.Store, log *slog.Logger) error {
	const (
		patience = time.Second
		within   = 5 * time.Second
	)
	m := store.CacheOf(st)
	if m == nil || cfg.Cache.URL == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), within) // that of the command has ended
	defer cancel()
	tick := time.NewTicker(patience / 50)
	defer tick.Stop()
	for until := time.Now().Add(patience); m.State().Pending > 0 && time.Now().Before(until); {
		<-tick.C
	}
	pending := m.State().Pending
	if pending == 0 {
		return nil
	}
	if err := raiseEpoch(ctx, st); err != nil {
		return &ExitError{
			Code: exitFailure, Err: fmt.Errorf("tell the other servers of %d writes, which the cache server did not take: %w", pending, err),
			Hint: "When the database answers, run: hal9 cache invalidate",
		}
	}
	log.WarnContext(ctx, "the cache server did not take invalidations; the other servers forget what they cached within cache.epoch_interval",
		slog.Int("pending", pending), slog.Duration("epoch_interval", cfg.Cache.EpochInterval))
	return nil
}

// cutOffEpochs is how many epoch intervals lie between two times that a server that cannot
// reach the cache server raises the epoch: each makes everybody's cache cold.
const cutOffEpochs = 6

// tellMeanwhile does so while a server runs that cannot reach the cache server: the others
// may reach it well, and would have what this one writes as it was before. Where none can,
// nobody has anything cached.
func tellMeanwhile(ctx context.Context, cfg *config.Config, st model.Store, log *slog.Logger) error {
	m := store.CacheOf(st)
	if m == nil || cfg.Cache.URL == "" {
		return nil
	}
	tick := time.NewTicker(cfg.Cache.EpochInterval / 5) //nolint:mnd // often enough
	defer tick.Stop()
	var cutOff, raised time.Time
	var told int64
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		state, now := m.State(), time.Now()
		switch {
		case state.Pending == 0:
			cutOff, told = time.Time{}, state.Deferred
			continue
		case cutOff.IsZero():
			cutOff = now
			continue
		case now.Sub(cutOff) < cfg.Cache.EpochInterval, state.Deferred == told, now.Sub(raised) < cutOffEpochs*cfg.Cache.EpochInterval:
			continue
		}
		if err := raiseEpoch(ctx, st); err != nil {
			continue // the database is away as well, which others tell; what was written waits
		}
		told, raised = state.Deferred, now
		log.WarnContext(ctx, "the cache server does not take invalidations; the epoch was raised, so that the other servers forget what they cached",
			slog.Int("pending", state.Pending), slog.Duration("for", now.Sub(cutOff)))
	}
}

func raiseEpoch(ctx context.Context, st model.Store) error {
	if _, err := st.DatabaseEpochBump(ctx, model.DatabaseEpochBumpParams{UpdatedAt: time.Now()}); err != nil {
		return fmt.Errorf("raise the epoch, since the cache server does not answer: %w", err)
	}
	return nil
}
