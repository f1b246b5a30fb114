// Faults breaks what the service stands on, under load, and tells what was lost.
//
//	faults           runs all faults on both engines and prints a table
//	faults --quick   fewer trials
//	faults --only X  only the faults whose name has X in it
//
// docs/faults.md tells what the table means.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/hal9-ai/hal9/bench/ledger"
	"github.com/hal9-ai/hal9/internal/program"
)

const usage = `Usage: faults [--quick] [--only TEXT] [--json] [--hal9 FILE]

Kills the server and PostgreSQL, fills the disk, lets syncs and writes fail, all
under load, and holds what was acknowledged against what the database has. The
servers are private to the run, on 127.0.0.1. 'make faults' builds all it needs.

Exits with 1 if anything that was acknowledged is lost, was stored twice, or was
stored although the answer denied it, or if a fault could not be tried.

Example:

    bin/faults --quick --only 'kill -9 the server'
    bin/faults --json > faults.json

Flags:
`

func main() { program.Main("faults", run) }

// options are what the command line says.
type options struct {
	hal9  string
	quick bool
	only  string
	json  bool
	// environment are further settings of the server.
	environment []string
	// told is where progress goes.
	told io.Writer
}

func run(ctx context.Context, args []string, out, told io.Writer) error {
	if len(args) > 0 && args[0] == "load" {
		return load(ctx, args[1:])
	}
	o := options{told: told}
	flags := flag.NewFlagSet("faults", flag.ContinueOnError)
	flags.Usage = func() {
		fmt.Fprint(flags.Output(), usage)
		flags.PrintDefaults()
	}
	flags.StringVar(&o.hal9, "hal9", "bin/hal9", "the program to try")
	flags.BoolVar(&o.quick, "quick", false, "fewer trials: up to 3 minutes instead of 20")
	flags.StringVar(&o.only, "only", "", "only the faults whose name has this in it")
	flags.BoolVar(&o.json, "json", false, "write JSON instead of a table")
	if err := flags.Parse(args); err != nil {
		return err //nolint:wrapcheck // the flag package has told it
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q: see faults --help", flags.Arg(0))
	}
	var err error
	if o.hal9, err = filepath.Abs(o.hal9); err != nil {
		return fmt.Errorf("find %s: %w", o.hal9, err)
	}
	if _, err := os.Stat(o.hal9); err != nil {
		return fmt.Errorf("--hal9: %w: build it by 'make build'", err)
	}
	chosen := choose(o)
	if len(chosen) == 0 {
		return fmt.Errorf("--only: no fault has %q in its name", o.only)
	}
	rows, err := tryAll(ctx, o, chosen)
	if err != nil {
		return err
	}
	if o.json {
		text, err := json.MarshalIndent(rows, "", "  ")
		if err != nil {
			return fmt.Errorf("write JSON: %w", err)
		}
		fmt.Fprintf(out, "%s\n", text)
	} else {
		table(out, rows)
	}
	return verdict(rows)
}

// lanes is how many faults are tried beside each other in a quick run: most of their time
// is spent waiting.
const lanes = 4

// tryAll tries the faults, one after the other unless it has to be quick.
func tryAll(ctx context.Context, o options, chosen []fault) ([]*Row, error) {
	var told sync.Mutex
	rows := make([]*Row, len(chosen))
	var group errgroup.Group
	group.SetLimit(1)
	if o.quick {
		group.SetLimit(lanes)
		// A key that a killed server held is locked for as long, and 5 s more.
		o.environment = append(o.environment, "HAL9_SERVER_REQUEST_TIMEOUT=3s")
	}
	for i, f := range chosen {
		group.Go(func() error {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			r := &Row{Fault: f.name, Engine: f.engine, Trials: f.trials}
			if err := f.try(ctx, o, r); err != nil {
				r.breaksf("%v", err)
			}
			rows[i] = r
			told.Lock()
			defer told.Unlock()
			fmt.Fprintf(o.told, "%s, %s:\n", f.name, f.engine)
			r.tell(o.told)
			return nil
		})
	}
	return rows, group.Wait() //nolint:wrapcheck // the context's
}

// load is what this program runs as the one who sends and writes down.
func load(ctx context.Context, args []string) error {
	var text string
	flags := flag.NewFlagSet("faults load", flag.ContinueOnError)
	flags.StringVar(&text, "load", "", "what to send, a ledger.Load in JSON")
	if err := flags.Parse(args); err != nil {
		return err //nolint:wrapcheck // the flag package has told it
	}
	var l ledger.Load
	if err := json.Unmarshal([]byte(text), &l); err != nil {
		return fmt.Errorf("--load: %w", err)
	}
	return l.Run(ctx)
}
