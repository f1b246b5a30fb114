// Soak keeps a server under a mixed load for minutes, with clients that leave and come
// back, and tells whether what it holds stays flat.
//
// docs/faults.md tells what the table means.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/hal9-ai/hal9/internal/program"
)

const usage = `Usage: soak [--duration 15m] [--engine postgres|sqlite] [--users N] [--json] [--hal9 FILE]

Runs 'hal9 loadtest run mix' against a private server, again and again, with short
cache TTLs, upkeep every few seconds, and further clients that connect for one request,
leave before their answer, or listen for a moment. At a fifteenth, a third, two thirds
and the end of the time (1, 5, 10 and 15 minutes) it prints what the server holds. On
PostgreSQL it has a Valkey or Redis as well. 'make soak' builds all it needs.

Exits with 1 if something is not flat: the bounds are in the table's last lines.

Example:

    bin/soak --duration 1m --engine sqlite
    bin/soak --json > soak.json

Flags:
`

func main() { program.Main("soak", run) }

// options are what the command line says.
type options struct {
	hal9, engine string
	duration     time.Duration
	users        int
	json         bool
	told         io.Writer
}

const (
	postgresEngine = "postgres"
	sqliteEngine   = "sqlite"
	// least leaves each quarter time for a run of the load.
	least = 40 * time.Second
)

func run(ctx context.Context, args []string, out, told io.Writer) (err error) {
	o := options{told: told}
	flags := flag.NewFlagSet("soak", flag.ContinueOnError)
	flags.Usage = func() {
		fmt.Fprint(flags.Output(), usage)
		flags.PrintDefaults()
	}
	flags.StringVar(&o.hal9, "hal9", "bin/hal9", "the program to try")
	flags.StringVar(&o.engine, "engine", postgresEngine, "postgres or sqlite")
	flags.DurationVar(&o.duration, "duration", 15*time.Minute, "how long, 40s or more")
	flags.IntVar(&o.users, "users", 100, "virtual users, each with a connection")
	flags.BoolVar(&o.json, "json", false, "write JSON instead of a table")
	if err := flags.Parse(args); err != nil {
		return err //nolint:wrapcheck // the flag package has told it
	}
	switch {
	case flags.NArg() > 0:
		return fmt.Errorf("unexpected argument %q: see soak --help", flags.Arg(0))
	case o.engine != postgresEngine && o.engine != sqliteEngine:
		return fmt.Errorf("--engine: %q is neither postgres nor sqlite", o.engine)
	case o.duration < least:
		return fmt.Errorf("--duration: give %s or more", least)
	case o.users < 1 || o.users > 2000:
		return errors.New("--users: give 1 to 2000")
	}
	if o.hal9, err = filepath.Abs(o.hal9); err != nil {
		return fmt.Errorf("find %s: %w", o.hal9, err)
	}
	if _, err := os.Stat(o.hal9); err != nil {
		return fmt.Errorf("--hal9: %w: build it by 'make build'", err)
	}
	s, err := openSite(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	samples, err := s.soak(ctx)
	if err != nil {
		return err
	}
	judged := judge(samples)
	if o.json {
		text, err := json.MarshalIndent(map[string]any{"engine": o.engine, "samples": samples, "bounds": judged}, "", "  ")
		if err != nil {
			return fmt.Errorf("write JSON: %w", err)
		}
		fmt.Fprintf(out, "%s\n", text)
	} else {
		table(out, o, samples, judged)
	}
	return verdict(judged)
}
