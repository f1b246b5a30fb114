package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/hal9-ai/hal9/auth"
	"github.com/hal9-ai/hal9/internal/config"
	"github.com/hal9-ai/hal9/internal/subprocess"
)

// HashWorkerCmd computes password hashes for a server.
type HashWorkerCmd struct{}

// hashWorker is the command as it stands on a command line.
const hashWorker = "hash-worker"

// hashNice is the nice level of the process that hashes. Decision 28 has what was
// measured at others.
const hashNice = 10

// Help describes the command.
func (HashWorkerCmd) Help() string {
	return `'hal9 serve' starts it for itself with auth.hash_process: auto, so that hashing has a lower priority than everything else, and ends it when no password came for a minute. It reads requests from its standard input and ends with it; at a terminal it is of no use.

Example:

    hal9 hash-worker </dev/null`
}

// Run answers until the standard input ends.
func (HashWorkerCmd) Run(g *Globals) error {
	// Ctrl+C reaches it as well as the server, which still needs it for the logins under
	// way, and ends it.
	signal.Ignore(os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	subprocess.Call("hal9")
	_ = subprocess.Lower(hashNice) // it is of use with the server's priority, too
	return subprocess.Serve(g.Stdin, g.Stdout, runtime.GOMAXPROCS(0), auth.AnswerHash)
}

// newHasher returns where a server computes hashes: in a process of its own, if self, its
// program, is known and the configuration has it so. end ends that.
func newHasher(cfg *config.Config, self string, log *slog.Logger, set *metrics.Set) (hash auth.HashFunc, end func()) {
	starts := set.NewCounter("hal9_auth_hash_process_starts_total")
	failures := set.NewCounter("hal9_auth_hash_process_failures_total")
	if self == "" || cfg.Auth.HashProcess == config.HashProcessOff {
		return auth.HashHere, func() {}
	}
	concurrency := auth.Config{HashConcurrency: cfg.Auth.HashConcurrency}.WithDefaults().HashConcurrency
	process := subprocess.New(subprocess.Config{
		Command: []string{self, hashWorker}, Name: "hal9", Concurrency: concurrency, Logger: log, Starts: starts, Failures: failures,
		// Nothing of the server's environment, which may hold the database's password;
		// GOMEMLIMIT is the server's own.
		// One processor more than hashes, for what Go does beside them: with as many the same
		// hashes took two thirds longer.
		Environ: []string{"GOMAXPROCS=" + strconv.Itoa(concurrency+1), "GOTRACEBACK=none", "GOGC=10"},
	})
	set.NewGauge("hal9_auth_hash_process_running", func() float64 { return float64(process.Running()) })
	there := auth.HashThere(process.Do)
	return func(ctx context.Context, job auth.HashJob) (auth.HashResult, error) {
		result, err := there(ctx, job)
		switch {
		case errors.Is(err, subprocess.ErrNotStarted):
			return auth.HashHere(ctx, job)
		case errors.Is(err, subprocess.ErrDied):
			// Not here: what killed two processes, as too little memory does, would end this one.
			return result, &auth.BusyError{RetryAfter: time.Second}
		default:
			return result, err
		}
	}, process.Close
}
