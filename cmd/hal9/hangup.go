package main

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"

	"github.com/VictoriaMetrics/metrics"

	"github.com/hal9-ai/hal9/internal/config"
	"github.com/hal9-ai/hal9/server"
)

// newReadOnly returns the switch that holds writes off, and shows it in the metrics.
func newReadOnly(cfg *config.Config, set *metrics.Set) *atomic.Bool {
	on := new(atomic.Bool)
	on.Store(cfg.Database.ReadOnly)
	set.NewGauge("hal9_database_read_only", func() float64 {
		if on.Load() {
			return 1
		}
		return 0
	})
	return on
}

// reload returns what reads database.read_only again, nil where it stands in no file:
// flags and the environment of a process stay what they are.
func (c *ServeCmd) reload(g *Globals, readOnly *atomic.Bool, log *slog.Logger) func(context.Context) {
	inEnviron := slices.ContainsFunc(g.Environ, func(v string) bool {
		return strings.HasPrefix(v, config.FileEnv+"=") && len(v) > len(config.FileEnv)+1
	})
	if c.file() == "" && !inEnviron {
		return nil
	}
	return func(ctx context.Context) {
		cfg, err := g.LoadConfig(c.Settings)
		if err != nil {
			log.ErrorContext(ctx, "the configuration cannot be read again; everything stays as it is", slog.String("error", err.Error()))
			return
		}
		if was := readOnly.Swap(cfg.Database.ReadOnly); was != cfg.Database.ReadOnly {
			log.InfoContext(ctx, "database.read_only changed", slog.Bool("read_only", cfg.Database.ReadOnly))
		}
	}
}

// reloadAtHangup reads the certificate, and what reload reads, again at each SIGHUP
// until ctx ends. Without either the signal keeps its meaning, which is to end the
// program.
func reloadAtHangup(ctx context.Context, cfg *config.Config, srv *server.Server, log *slog.Logger, reload func(context.Context)) error {
	if cfg.Server.TLSCert == "" && reload == nil {
		return nil
	}
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-hangup:
			if reload != nil {
				reload(ctx)
			}
			if cfg.Server.TLSCert == "" {
				continue
			}
			if err := srv.ReloadCertificate(ctx); err != nil {
				log.ErrorContext(ctx, "the certificate cannot be read again; the old one stays", slog.String("error", err.Error()))
			}
		}
	}
}
