package main

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/hal9-ai/hal9/internal/config"
	"github.com/hal9-ai/hal9/server"
)

// reloadAtHangup reads the certificate again at each SIGHUP, until ctx ends. Without
// TLS the signal keeps its meaning, which is to end the program.
func reloadAtHangup(ctx context.Context, cfg *config.Config, srv *server.Server, log *slog.Logger) error {
	if cfg.Server.TLSCert == "" {
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
			if err := srv.ReloadCertificate(ctx); err != nil {
				log.ErrorContext(ctx, "the certificate cannot be read again; the old one stays", slog.String("error", err.Error()))
			}
		}
	}
}
