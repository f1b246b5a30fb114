package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/hal9-ai/hal9/bench/cluster/ha"
)

const (
	defaultStretch = 12 * time.Second
	// ramp is the part of a run before what is measured: users arrive and caches fill.
	ramp = 8 * time.Second
	// What servers use at rest is measured this long, when what starting left is done.
	restRamp, restStretch = 3 * time.Second, 4 * time.Second
)

// atRest is the name of no load.
const atRest = "at rest"

// runs are the loads under which each number of servers is measured.
func runs() []struct {
	name string
	args []string
} {
	return []struct {
		name string
		args []string
	}{
		// The same requests a second whatever serves them: what one costs.
		{"mix, as asked for", []string{"mix", "--users", "400"}},
		// As many as there can be: what the same machine serves.
		{"peak, 64 connections", []string{"peak", "--users", "64"}},
		// So many that each of four servers has others to commit a signal with.
		{"peak, 512 connections", []string{"peak", "--users", "512"}},
	}
}

// scaling says what of it to measure.
type scaling struct {
	servers    []int
	load       string   // only the loads whose name has this in it
	programs   []string // of hal9, measured in turns
	statements bool
}

// scale measures servers that share one core, beside a database, a cache and a load that
// share another. The caller pins this process, and so all but the servers.
func (t *trial) scale(ctx context.Context, o ha.Options, what scaling) error {
	type line struct {
		program string
		servers int
		load    string
		cost
	}
	var lines []line
	o.Nodes, o.Asynchronous, o.Cache, o.ServerCPU = 1, true, "single", "0"
	o.Statements = what.statements
	for _, n := range what.servers {
		for _, program := range what.programs {
			o.Servers, o.Hal9 = n, program
			fmt.Fprintf(o.Out, "\n%d servers of %s\n", n, filepath.Base(program))
			err := t.with(ctx, o, func(c *ha.Cluster) error {
				if strings.Contains(atRest, what.load) {
					if err := t.rest(ctx, c, o.Out); err != nil {
						return err
					}
				}
				for _, r := range runs() {
					if !strings.Contains(r.name, what.load) {
						continue
					}
					cost, err := t.measure(ctx, c, r.args)
					if err != nil {
						return err
					}
					lines = append(lines, line{filepath.Base(program), n, r.name, cost})
					tellStatements(o.Out, r.name, cost.statements, cost.requests, "request")
				}
				return nil
			})
			if err != nil {
				return err
			}
		}
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "\nload\tservers\tprogram\trequests/s\thal9 µs\tPostgreSQL µs\tHAProxy µs\tcache µs\tcommits\tof them of signals\teach of so many\tWAL bytes\t")
	for _, run := range runs() {
		for _, l := range lines {
			if l.load == run.name {
				fmt.Fprintf(w, "%s\t%d\t%s\t%.0f\t%.0f\t%.0f\t%.0f\t%.0f\t%.3f\t%.3f\t%.2f\t%.0f\t\n", l.load, l.servers, l.program, l.perSecond,
					l.service, l.postgres, l.haproxy, l.cache, l.commits, l.batches, l.batch, l.wal)
			}
		}
	}
	fmt.Fprintln(w)
	return w.Flush() //nolint:wrapcheck // to a terminal
}

// rest tells what servers use, and ask of the database, when nobody asks them anything.
func (t *trial) rest(ctx context.Context, c *ha.Cluster, out io.Writer) error {
	pause(ctx, restRamp)
	if c.CountsStatements() {
		if _, err := c.Statements(ctx); err != nil {
			return err
		}
	}
	before, err := c.Look(ctx)
	if err != nil {
		return err
	}
	pause(ctx, restStretch)
	after, err := c.Look(ctx)
	if err != nil {
		return err
	}
	seconds := after.At.Sub(before.At).Seconds()
	ms := func(a, b time.Duration) float64 { return float64((b - a).Microseconds()) / 1000 / seconds }
	fmt.Fprintf(out, atRest+": CPU of all hal9 %.1f ms a second, of PostgreSQL %.1f, of the cache %.1f\n",
		ms(before.Service, after.Service), ms(before.Postgres, after.Postgres), ms(before.Cache, after.Cache))
	if !c.CountsStatements() {
		return nil
	}
	list, err := c.Statements(ctx)
	if err != nil {
		return err
	}
	tellStatements(out, atRest, list, seconds, "second")
	return nil
}

// tellStatements shows what took the most time, for each of so many units.
func tellStatements(out io.Writer, when string, list []ha.Statement, units float64, unit string) {
	const shown, width = 12, 90
	if len(list) == 0 {
		return
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "\n%s: calls, rows, µs in the engine and WAL bytes a %s\n", when, unit)
	for _, s := range list[:min(len(list), shown)] {
		text := strings.Join(strings.Fields(s.Text), " ")
		if strings.HasPrefix(text, "-- name: ") { // sqlc's
			text, _, _ = strings.Cut(text[len("-- name: "):], " ")
		}
		fmt.Fprintf(w, "%.4f\t%.3f\t%.2f\t%.1f\t%.*s\n", float64(s.Calls)/units, float64(s.Rows)/units,
			float64(s.Time.Nanoseconds())/1000/units, float64(s.WAL)/units, width, text)
	}
	_ = w.Flush() // to a terminal
}

func (t *trial) with(ctx context.Context, o ha.Options, do func(*ha.Cluster) error) (err error) {
	c, err := ha.Start(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Stop()) }()
	return do(c)
}

// cost is per request, but for the first.
type cost struct {
	perSecond                         float64
	service, postgres, haproxy, cache float64 // CPU, µs
	commits, wal                      float64
	batches, batch                    float64 // commits of signals, and how many are in one
	requests                          float64 // altogether
	statements                        []ha.Statement
}

// measure runs a load and takes two looks at what everything has used.
func (t *trial) measure(ctx context.Context, c *ha.Cluster, args []string) (cost, error) {
	ctx, cancel := context.WithTimeout(ctx, ramp+t.duration+time.Minute)
	defer cancel()
	whole := ramp + t.duration + 2*time.Second
	args = append([]string{"loadtest", "run"}, args...)
	args = append(args, "--url", c.API, "--duration", strconv.Itoa(int(whole.Seconds()))+"s", "--warm-up", "1s", "--json")
	cmd := exec.CommandContext(ctx, c.Program(), args...) //nolint:gosec // our own program
	cmd.Stdout = io.Discard
	if err := cmd.Start(); err != nil {
		return cost{}, fmt.Errorf("start the load: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	pause(ctx, ramp)
	if c.CountsStatements() {
		if _, err := c.Statements(ctx); err != nil {
			return cost{}, err
		}
	}
	before, err := c.Look(ctx)
	if err == nil {
		pause(ctx, t.duration)
	}
	after, err2 := c.Look(ctx)
	var statements []ha.Statement
	if c.CountsStatements() {
		var err3 error
		statements, err3 = c.Statements(ctx)
		err2 = errors.Join(err2, err3)
	}
	if exit, ok := errors.AsType[*exec.ExitError](<-ended); ok && exit.ExitCode() != 1 { // 1: a threshold was broken
		err = errors.Join(err, fmt.Errorf("the load: %w", exit))
	}
	if err := errors.Join(err, err2); err != nil {
		return cost{}, err
	}
	requests := after.Requests - before.Requests
	if requests <= 0 {
		return cost{}, errors.New("measure: no request was counted")
	}
	each := func(a, b time.Duration) float64 { return float64((b - a).Microseconds()) / requests }
	batches, batched := after.Batches-before.Batches, after.Batched-before.Batched
	return cost{
		requests: requests, statements: statements, batches: batches / requests, batch: batched / max(batches, 1),
		perSecond: requests / after.At.Sub(before.At).Seconds(),
		service:   each(before.Service, after.Service), postgres: each(before.Postgres, after.Postgres),
		haproxy: each(before.HAProxy, after.HAProxy), cache: each(before.Cache, after.Cache),
		commits: float64(after.Commits-before.Commits) / requests, wal: float64(after.WAL-before.WAL) / requests,
	}, nil
}
