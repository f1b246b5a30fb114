package main

import (
	"io"
	"log/slog"
	"os"

	"golang.org/x/term"

	"github.com/hal9-ai/hal9/internal/config"
)

// Logger returns the logger that log.level and log.format ask for. It writes to
// the standard error, so that the output of a command stays its own.
func (g *Globals) Logger(c config.Log) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.Level)); err != nil {
		level = slog.LevelInfo
	}
	options := &slog.HandlerOptions{Level: level}
	if c.Format == config.LogText || c.Format == config.LogAuto && isTerminal(g.Stderr) {
		return slog.New(slog.NewTextHandler(g.Stderr, options))
	}
	return slog.New(slog.NewJSONHandler(g.Stderr, options))
}

// isTerminal tells whether a person reads what is written.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
