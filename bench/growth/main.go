// Growth fills a new database for each size, measures single operations in them, one
// database after the other, round by round, and writes a table and a plot: what a statement
// costs must not grow with what is stored.
//
//	growth --url postgres://user@host/postgres --signals 10000,100000,1000000 --svg growth.svg
//	growth --url sqlite:///tmp/growth.db
//
// On PostgreSQL it makes databases of its own and drops them at the end; SQLite files
// must not exist yet, and are left behind.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/hal9-ai/hal9/internal/program"
)

func main() { program.Main("growth", run) }

// plan is what to measure.
type plan struct {
	url                          string
	signals, partitions, neurons []int
	svg                          string
	rounds, repeat, row          int
}

func parse(args []string, stderr io.Writer) (plan, error) {
	var p plan
	var signals, partitions, neurons string
	flags := flag.NewFlagSet("growth", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&p.url, "url", "", "PostgreSQL server (any database of it) or new SQLite file")
	flags.StringVar(&signals, "signals", "10000,100000,1000000", "numbers of signals in one month")
	flags.StringVar(&partitions, "partitions", "1,12,120", "numbers of months, with 1,000 signals each")
	flags.StringVar(&neurons, "neurons", "100,1000,10000,100000", "numbers of neurons")
	flags.StringVar(&p.svg, "svg", "", "file to write the plot to")
	flags.IntVar(&p.rounds, "rounds", 5, "how often each size is measured, in turns with the others")
	flags.IntVar(&p.repeat, "repeat", 500, "operations of a round to take the median of")
	flags.IntVar(&p.row, "row", 50, "how many of one operation follow each other before the next has its turn")
	if err := flags.Parse(args); err != nil {
		return p, err //nolint:wrapcheck // the flag package has told it
	}
	if p.url == "" {
		return p, errors.New("--url is missing: name a PostgreSQL server or a new SQLite file")
	}
	if p.rounds < 1 || p.repeat < 1 || p.row < 1 {
		return p, fmt.Errorf("--rounds is %d, --repeat %d and --row %d: give whole numbers from 1", p.rounds, p.repeat, p.row)
	}
	for _, list := range []struct {
		flag, text string
		into       *[]int
	}{{"--signals", signals, &p.signals}, {"--partitions", partitions, &p.partitions}, {"--neurons", neurons, &p.neurons}} {
		last := 0
		for field := range strings.SplitSeq(list.text, ",") {
			n, err := strconv.Atoi(strings.TrimSpace(field))
			if err != nil || n <= last {
				return p, fmt.Errorf("%s is %q: give growing whole numbers, as in 100,1000", list.flag, list.text)
			}
			*list.into = append(*list.into, n)
			last = n
		}
	}
	return p, nil
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	p, err := parse(args, stderr)
	if err != nil {
		return err
	}
	series := []struct {
		name  string
		steps []int
		run   func(*subject, int) error
	}{
		{"signals", p.signals, (*subject).growSignals},
		{"partitions", p.partitions, (*subject).growPartitions},
		{"neurons", p.neurons, (*subject).growNeurons},
	}
	if err := writeServer(ctx, stdout, p.url); err != nil {
		return err
	}
	var all []sample
	for _, s := range series {
		samples, err := measureSeries(ctx, p, s.name, s.steps, s.run, stderr)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		all = append(all, samples...)
	}
	if err := writeTable(stdout, all); err != nil {
		return err
	}
	if p.svg == "" {
		return nil
	}
	f, err := os.Create(p.svg)
	if err != nil {
		return fmt.Errorf("make the plot: %w", err)
	}
	return errors.Join(writePlot(f, all), f.Close())
}

// measureSeries grows one thing in a fresh database for each size, and measures them in
// turns: what the machine does beside it meets all of them.
func measureSeries(ctx context.Context, p plan, name string, steps []int, grow func(*subject, int) error, stderr io.Writer) (samples []sample, err error) {
	var subjects []*subject
	defer func() {
		for _, s := range subjects {
			err = errors.Join(err, s.close())
		}
	}()
	for _, n := range steps {
		s, err := newSubject(ctx, p.url, name+"_"+strconv.Itoa(n))
		if err != nil {
			return nil, err
		}
		subjects = append(subjects, s)
		began := time.Now()
		if err := grow(s, n); err != nil {
			return nil, fmt.Errorf("grow to %d: %w", n, err)
		}
		if err := s.settle(); err != nil {
			return nil, fmt.Errorf("settle %d: %w", n, err)
		}
		_, _ = fmt.Fprintf(stderr, "%s: %d, filled in %.1f s\n", name, n, time.Since(began).Seconds())
	}
	if err := subjects[0].checkpoint(); err != nil {
		return nil, err
	}
	for range p.rounds {
		for i, s := range subjects {
			medians, err := s.measure(name, p)
			if err != nil {
				return nil, fmt.Errorf("measure at %d: %w", steps[i], err)
			}
			samples = note(samples, name, steps[i], medians)
		}
	}
	return samples, nil
}
