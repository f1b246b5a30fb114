// Ratios sets the service beside bare gin and beside plain hand-written servers: the same
// requests, on one machine, in one run, in turns, and prints each figure, the medians and
// their ratios. Absolute figures do not carry from one machine to another; ratios do.
//
//	make bench-baseline
//	bin/ratios --rounds 3 --seconds 6 --only "POST signal"
//
// It starts all servers itself, on loopback, from bin/, and needs HAL9_TEST_POSTGRES_URL
// and HAL9_TEST_CACHE_URL, as `bin/testenv run --durable --` sets them.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/hal9-ai/hal9/internal/program"
)

func main() { program.Main("ratios", run) }

// options are what the command line says.
type options struct {
	rounds, seconds int
	bin, only       string
	postgres, cache string
}

func parse(args []string, stderr io.Writer) (options, error) {
	o := options{postgres: os.Getenv("HAL9_TEST_POSTGRES_URL"), cache: os.Getenv("HAL9_TEST_CACHE_URL")}
	flags := flag.NewFlagSet("ratios", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.IntVar(&o.rounds, "rounds", 3, "how often each side runs")
	flags.IntVar(&o.seconds, "seconds", 6, "how long each run is measured, after 2 s of warm-up")
	flags.StringVar(&o.bin, "bin", "bin", "the folder with hal9, hello, ginpgx and ginsqlite")
	flags.StringVar(&o.only, "only", "", "only the measures whose name holds this")
	if err := flags.Parse(args); err != nil {
		return o, err //nolint:wrapcheck // the flag package has told it
	}
	switch {
	case o.postgres == "" || o.cache == "":
		return o, errors.New("HAL9_TEST_POSTGRES_URL or HAL9_TEST_CACHE_URL is missing: run 'make bench-baseline'")
	case o.rounds < 1 || o.seconds < 1:
		return o, errors.New("--rounds and --seconds must be 1 or more")
	}
	return o, nil
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	s, err := startServers(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	table := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "measure\tserver\trequests/s of each round\tmedian\tp50\tp99\tratio of the service to it")
	all := measures(s.ids)
	names := make([]string, len(all))
	for i, m := range all {
		names[i] = m.name
	}
	chosen := slices.DeleteFunc(all, func(m measure) bool { return !strings.Contains(m.name, o.only) })
	if len(chosen) == 0 {
		return fmt.Errorf("--only %q names no measure: take a part of %s", o.only, strings.Join(names, "; "))
	}
	for _, m := range chosen {
		figures := map[string][]figure{}
		for round := range o.rounds {
			for _, side := range m.sides {
				_, _ = fmt.Fprintf(stderr, "%s: %s, round %d of %d\n", m.name, side.server, round+1, o.rounds)
				f, err := s.load(ctx, o, m, side)
				if err != nil {
					return fmt.Errorf("%s: %s: %w", m.name, side.server, err)
				}
				figures[side.server] = append(figures[side.server], f)
			}
		}
		writeMeasure(table, m, figures)
	}
	if err := table.Flush(); err != nil {
		return fmt.Errorf("write the table: %w", err)
	}
	return nil
}

// figure is what one run measured.
type figure struct{ rate, p50, p99 float64 }

func writeMeasure(w io.Writer, m measure, figures map[string][]figure) {
	ours := median(figures[m.sides[0].server], func(f figure) float64 { return f.rate })
	for i, side := range m.sides {
		all := figures[side.server]
		rates := make([]string, len(all))
		for n, f := range all {
			rates[n] = fmt.Sprintf("%.0f", f.rate)
		}
		rate := median(all, func(f figure) float64 { return f.rate })
		ratio := "–"
		if i > 0 {
			ratio = fmt.Sprintf("%.2f", ours/rate)
		}
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%.0f\t%.1f ms\t%.1f ms\t%s\n", m.name, side.server, strings.Join(rates, " "), rate,
			1000*median(all, func(f figure) float64 { return f.p50 }), 1000*median(all, func(f figure) float64 { return f.p99 }), ratio)
	}
}

func median(all []figure, of func(figure) float64) float64 {
	values := make([]float64, len(all))
	for i, f := range all {
		values[i] = of(f)
	}
	slices.Sort(values)
	return values[len(values)/2]
}
