package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/hal9-ai/hal9/bench/cluster/ha"
)

const (
	defaultStretch = 12 * time.Second
	// ramp is the part of a run before what is measured: users arrive and caches fill.
	ramp = 8 * time.Second
)

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

// scale measures 1, 2 and 4 servers that share one core, beside a database, a cache and
// a load that share another. The caller pins this process, and so all but the servers.
func (t *trial) scale(ctx context.Context, o ha.Options) error {
	type line struct {
		servers int
		load    string
		cost
	}
	var lines []line
	o.Nodes, o.Asynchronous, o.Cache, o.ServerCPU = 1, true, "single", "0"
	for _, n := range []int{1, 2, 4} {
		o.Servers = n
		fmt.Fprintf(o.Out, "\n%d servers\n", n)
		err := t.with(ctx, o, func(c *ha.Cluster) error {
			for _, r := range runs() {
				cost, err := t.measure(ctx, c, r.args)
				if err != nil {
					return err
				}
				lines = append(lines, line{n, r.name, cost})
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "\nload\tservers\trequests/s\thal9 µs\tPostgreSQL µs\tHAProxy µs\tcache µs\tcommits\tWAL bytes\t")
	for _, run := range runs() {
		for _, l := range lines {
			if l.load == run.name {
				fmt.Fprintf(w, "%s\t%d\t%.0f\t%.0f\t%.0f\t%.0f\t%.0f\t%.3f\t%.0f\t\n", l.load, l.servers, l.perSecond,
					l.service, l.postgres, l.haproxy, l.cache, l.commits, l.wal)
			}
		}
	}
	fmt.Fprintln(w)
	return w.Flush() //nolint:wrapcheck // to a terminal
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
	before, err := c.Look(ctx)
	if err == nil {
		pause(ctx, t.duration)
	}
	after, err2 := c.Look(ctx)
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
	return cost{
		perSecond: requests / after.At.Sub(before.At).Seconds(),
		service:   each(before.Service, after.Service), postgres: each(before.Postgres, after.Postgres),
		haproxy: each(before.HAProxy, after.HAProxy), cache: each(before.Cache, after.Cache),
		commits: float64(after.Commits-before.Commits) / requests, wal: float64(after.WAL-before.WAL) / requests,
	}, nil
}
