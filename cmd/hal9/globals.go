package main

import (
	"context"
	"io"

	"github.com/hal9-ai/hal9/internal/config"
)

// Globals is what every command is handed in place of the process.
type Globals struct {
	// Context ends at SIGINT or SIGTERM.
	Context context.Context //nolint:containedctx // lives as long as one command
	Stdin   io.Reader
	Stdout  io.Writer
	Stderr  io.Writer
	Environ []string
	// Self is the program that runs, to start it once more; "" where it must not be.
	Self string
	// Alone says that the process is this command's: what holds for all of it may be set.
	Alone bool
}

// LoadConfig loads the configuration with the flags of a command. Its error
// exits with 2.
func (g *Globals) LoadConfig(s Settings) (*config.Config, error) {
	flags, set, err := s.given()
	if err != nil {
		return nil, err
	}
	return config.Load(config.Options{
		File:    s.file(),
		Environ: g.Environ,
		Flags:   flags,
		Set:     set,
	})
}
