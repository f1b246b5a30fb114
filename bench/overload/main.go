// Overload measures what a server does with more than it can bear: its peak, then one, two
// and five times as many requests as that, whoever waits; a flood of logins; and a thousand
// clients that drip bytes. It starts the servers itself, on loopback, from bin/.
//
//	make overload
//	bin/overload --quick --only sqlite --json
//
// Where taskset is there the server, with the databases, has the first core and the
// generator the last one, so that neither takes from the other; for logins and dripping
// clients the server has all. It needs
// HAL9_TEST_POSTGRES_URL and HAL9_TEST_CACHE_URL, as `bin/testenv run --durable --` sets them.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/hal9-ai/hal9/internal/program"
)

func main() { program.Main("overload", run) }

const (
	sqlite   = "sqlite"
	postgres = "postgres"
	flood    = "flood"
	drip     = "drip"
)

// options are what the command line says.
type options struct {
	bin, postgres, cache string
	only                 map[string]bool
	quick, json          bool
	pinned               bool
	clients              int
	took, target         time.Duration
}

func parse(args []string, stderr io.Writer) (options, error) {
	o := options{postgres: os.Getenv("HAL9_TEST_POSTGRES_URL"), cache: os.Getenv("HAL9_TEST_CACHE_URL"), only: map[string]bool{}}
	flags := flag.NewFlagSet("overload", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		_, _ = fmt.Fprint(stderr, "Measures a server under more load than it can bear. Example:\n\n    make overload\n    bin/overload --quick --only sqlite,drip --json\n\n")
		flags.PrintDefaults()
	}
	var only string
	flags.StringVar(&o.bin, "bin", "bin", "the folder with hal9")
	flags.StringVar(&only, "only", "sqlite,postgres,flood,drip", "what to measure; flood and drip run on PostgreSQL and Valkey")
	flags.BoolVar(&o.quick, "quick", false, "at most 90 s in all, with weaker figures")
	flags.BoolVar(&o.json, "json", false, "print JSON")
	flags.BoolVar(&o.pinned, "pin", true, "give the server the first core and the generator the last, where taskset is there")
	flags.IntVar(&o.clients, "clients", 2000, "connections of the overload")
	flags.DurationVar(&o.target, "target", 200*time.Millisecond, "how long a good answer takes at the most")
	if err := flags.Parse(args); err != nil {
		return o, err //nolint:wrapcheck // the flag package has told it
	}
	for name := range strings.SplitSeq(only, ",") {
		switch name {
		case sqlite, postgres, flood, drip:
			o.only[name] = true
		default:
			return o, fmt.Errorf("--only names %q: give some of sqlite, postgres, flood, drip", name)
		}
	}
	switch {
	case flags.NArg() > 0:
		return o, fmt.Errorf("%q is not understood: see --help", flags.Arg(0))
	case (o.postgres == "" || o.cache == "") && (o.only[postgres] || o.only[flood] || o.only[drip]):
		return o, errors.New("HAL9_TEST_POSTGRES_URL or HAL9_TEST_CACHE_URL is missing: run 'make overload', or give --only sqlite")
	case o.clients < 1 || o.target <= 0:
		return o, errors.New("--clients and --target must be above 0")
	}
	o.took = 12 * time.Second
	if o.quick {
		o.took = 4 * time.Second
	}
	if _, err := exec.LookPath("taskset"); err != nil || runtime.NumCPU() < 2 && os.Getenv(pinnedVariable) == "" {
		o.pinned = false
	}
	return o, nil
}

// pinnedVariable tells the program, started anew on the last core, that it is there, and
// which that is.
const pinnedVariable = "OVERLOAD_PINNED"

// pin is what stands before the server's command.
func (o options) pin(cores string) []string {
	if !o.pinned {
		return nil
	}
	return []string{"taskset", "-c", cores}
}

// allCores are those of the machine: this program may have been given one of them.
func allCores() string { return "0-" + os.Getenv(pinnedVariable) }

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	if o.pinned && os.Getenv(pinnedVariable) == "" {
		return again(ctx, args, stdout, stderr)
	}
	r := report{Cores: "shared by server, databases and generator", TargetMS: float64(o.target.Milliseconds())}
	if o.pinned {
		r.Cores = "one for the server, one for the generator"
	}
	for _, engine := range []string{sqlite, postgres} {
		if !o.only[engine] {
			continue
		}
		if err := r.overload(ctx, o, engine, stderr); err != nil {
			return err
		}
	}
	if o.only[flood] || o.only[drip] {
		if err := r.disturb(ctx, o, stderr); err != nil {
			return err
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if o.json {
		e := json.NewEncoder(stdout)
		e.SetIndent("", "  ")
		return e.Encode(r) //nolint:wrapcheck // to the standard output
	}
	return r.print(stdout)
}

// again starts this program anew on the last core: threads that run already cannot all
// be moved.
func again(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	last := strconv.Itoa(runtime.NumCPU() - 1)
	c := exec.CommandContext(ctx, "taskset", append([]string{"-c", last, program}, args...)...) //nolint:gosec // this program
	c.Cancel = func() error { return c.Process.Signal(os.Interrupt) }
	c.Env = append(os.Environ(), pinnedVariable+"="+last)
	c.Stdout, c.Stderr = stdout, stderr
	if err := c.Run(); err != nil {
		return fmt.Errorf("on a core of its own: %w", err)
	}
	return nil
}
