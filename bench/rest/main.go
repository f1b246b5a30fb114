// Rest sets what the service costs when nobody asks it for anything beside the hello
// program's: the time from its start to its first answer, and its memory after a rest. On
// Linux, in turns, and prints each figure, the medians and their ratios.
//
//	make rest
//	bin/rest --rounds 5 --rest 5s
//
// The service runs on SQLite without any setting; its first start, which makes the
// database, is told apart.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/hal9-ai/hal9/internal/program"
)

func main() { program.Main("rest", run) }

// options are what the command line says.
type options struct {
	rounds int
	rest   time.Duration
	bin    string
}

// The columns of the figures, in the order of their lines.
const (
	firstStart = "first start, makes the database, ms"
	start      = "start to the first answer, ms"
	resident   = "resident at rest, MB"
	anonymous  = "  of that anonymous, MB"
	mapped     = "  of that pages of the program, MB"
)

// figures has the repetitions of each measure of one program.
type figures map[string][]float64

func run(ctx context.Context, args []string, out, stderr io.Writer) error {
	var o options
	flags := flag.NewFlagSet("rest", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.IntVar(&o.rounds, "rounds", 5, "how often each program is started")
	flags.DurationVar(&o.rest, "rest", 5*time.Second, "how long nobody asks before memory is looked at")
	flags.StringVar(&o.bin, "bin", "bin", "the folder with hal9 and hello")
	if err := flags.Parse(args); err != nil {
		return err //nolint:wrapcheck // the flag package has told it
	}
	if o.rounds < 1 || o.rest < 0 {
		return errors.New("give at least one round, and no negative rest")
	}
	hello, hal9 := figures{}, figures{}
	for round := range o.rounds {
		if err := o.round(ctx, round, hello, hal9); err != nil {
			return err
		}
	}
	return write(out, hello, hal9)
}

// round starts the programs one after another and lets them rest together.
func (o options) round(ctx context.Context, round int, hello, hal9 figures) (err error) {
	folder, err := os.MkdirTemp("", "hal9-rest-")
	if err != nil {
		return fmt.Errorf("make a folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	serve := func(address string) []string { return []string{"serve", "--server-listen", address} }

	first, took, err := o.start(ctx, folder, "hal9", "/livez", serve)
	if err != nil {
		return err
	}
	hal9.add(firstStart, milliseconds(took))
	if err := first.end(); err != nil {
		return err
	}

	type side struct {
		figures       figures
		program, path string
		arguments     func(string) []string
	}
	sides := []side{
		{hello, "hello", "/hello", func(address string) []string { return []string{address} }},
		{hal9, "hal9", "/livez", serve},
	}
	if round%2 == 1 {
		slices.Reverse(sides)
	}
	running := make([]*process, 0, len(sides))
	defer func() {
		for _, p := range running {
			err = errors.Join(err, p.end())
		}
	}()
	for _, s := range sides {
		p, took, err := o.start(ctx, folder, s.program, s.path, s.arguments)
		if err != nil {
			return err
		}
		running = append(running, p)
		s.figures.add(start, milliseconds(took))
	}
	select {
	case <-time.After(o.rest):
	case <-ctx.Done():
		return fmt.Errorf("let them rest: %w", context.Cause(ctx))
	}
	for i, s := range sides {
		if err := running[i].memory(s.figures); err != nil {
			return err
		}
	}
	return nil
}

func (f figures) add(measure string, value float64) { f[measure] = append(f[measure], value) }

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func write(out io.Writer, hello, hal9 figures) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "MEASURE\thello\thal9\tRATIO OF MEDIANS") // Flush tells of errors
	for _, measure := range []string{start, firstStart, resident, anonymous, mapped} {
		ratio := "–"
		if len(hello[measure]) > 0 {
			ratio = fmt.Sprintf("%.2f", median(hal9[measure])/median(hello[measure]))
		}
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", measure, list(hello[measure]), list(hal9[measure]), ratio)
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("write the table: %w", err)
	}
	return nil
}

func list(values []float64) string {
	texts := make([]string, len(values))
	for i, v := range values {
		texts[i] = fmt.Sprintf("%.1f", v)
	}
	return strings.Join(texts, " ")
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// binary is the absolute path of a program, since it runs in another folder.
func (o options) binary(program string) (string, error) {
	path, err := filepath.Abs(filepath.Join(o.bin, program))
	if err != nil {
		return "", fmt.Errorf("find %s: %w", program, err)
	}
	return path, nil
}
