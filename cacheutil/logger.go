package cacheutil

import (
	"context"
	"log/slog"
)

// otterLogger is a slog.Logger as the first tier wants it.
type otterLogger struct {
	*slog.Logger
}

func (l otterLogger) Warn(ctx context.Context, msg string, err error) {
	l.WarnContext(ctx, "the first tier warns", "message", msg, "error", err)
}

func (l otterLogger) Error(ctx context.Context, msg string, err error) {
	l.ErrorContext(ctx, "the first tier has failed", "message", msg, "error", err)
}
