package main

import (
	"cmp"
	"context"

	"github.com/hal9-ai/hal9/internal/config"
	"github.com/hal9-ai/hal9/internal/dburl"
	"github.com/hal9-ai/hal9/model"
	"github.com/hal9-ai/hal9/store"
	"github.com/hal9-ai/hal9/store/postgres"
	"github.com/hal9-ai/hal9/stream"
)

// newBus is how this server and others tell each other of committed signals, nil if they
// do not; closeBus ends its connections when nobody uses it any more.
func newBus(cfg *config.Config, st model.Store) (bus stream.Bus, closeBus func(context.Context) error) {
	nothing := func(context.Context) error { return nil }
	kind := cfg.Stream.Bus
	if kind == config.BusAuto {
		switch {
		case cfg.Cache.URL != "":
			kind = config.BusValkey
		case cfg.Database.Engine() == dburl.Postgres:
			kind = config.BusPostgres
		}
	}
	switch kind {
	case config.BusValkey:
		return store.CacheOf(st).Channel("signals:committed"), nothing
	case config.BusPostgres:
		channel := postgres.NewChannel(cmp.Or(cfg.Database.AdminURL, cfg.Database.URL), "hal9_signals_committed")
		return channel, channel.Close
	default:
		return nil, nothing
	}
}
