package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hal9-ai/hal9/bench/cluster/ha"
	"github.com/hal9-ai/hal9/bench/ledger"
)

const (
	// workersOfEach kind of request: enough to see a gap of 20 ms, few enough for two cores.
	workersOfEach = 4
	// wholeTimeout bounds the wait until everything is well again after an event.
	wholeTimeout = 90 * time.Second
	// after is how long the load goes on once it is: what comes late should be seen.
	after = 2 * time.Second
)

// trial is a run of events under load.
type trial struct {
	quick      bool
	only, next string
	duration   time.Duration

	cluster *ha.Cluster
	options ha.Options
	file    string
	rows    []row
}

// row is what one event did.
type row struct {
	event event
	ledger.Account
	whole time.Duration // until everything was well again
	err   error
}

func (t *trial) run(ctx context.Context, o ha.Options) (err error) {
	t.options = o
	fmt.Printf("%d servers, %d nodes of PostgreSQL, %s, cache %s\n", o.Servers, o.Nodes, replication(o), o.Cache) //nolint:forbidigo // a command's words
	if t.cluster, err = ha.Start(ctx, o); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.cluster.Stop()) }()
	begin := time.Now()
	t.file = filepath.Join(t.cluster.Dir(), "ledger")
	stop, err := t.startLoad(ctx)
	if err != nil {
		return err
	}
	for _, e := range t.events() {
		if ctx.Err() != nil {
			break
		}
		t.rows = append(t.rows, t.try(ctx, e))
		t.rows[len(t.rows)-1].tell(os.Stdout)
	}
	if err := errors.Join(ctx.Err(), stop()); err != nil {
		return err
	}
	all, err := t.account(ctx, begin, time.Now())
	if err != nil {
		return err
	}
	t.rows = append(t.rows, row{event: event{name: "all together"}, Account: all})
	answered, reads, err := t.cluster.ReplicaReads(ctx)
	if err != nil {
		return err
	}
	table(os.Stdout, t.rows)
	fmt.Printf("standbys answered %.0f of %.0f lists since the servers were last started\n", answered, reads) //nolint:forbidigo // a command's words
	return t.verdict()
}

func replication(o ha.Options) string {
	switch {
	case o.Asynchronous:
		return "asynchronous"
	case o.Strict:
		return "synchronous, strict"
	default:
		return "synchronous, not strict"
	}
}

// startLoad runs this program again as the one who sends and writes down.
func (t *trial) startLoad(ctx context.Context) (stop func() error, err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	cmd := exec.CommandContext(context.WithoutCancel(ctx), self, "load", "--url", t.cluster.API, "--file", t.file) //nolint:gosec // this program
	cmd.Stderr = os.Stderr
	// It must not outlive us, and not hear the terminal's Ctrl+C before we do.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the load: %w", err)
	}
	return func() error {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			return fmt.Errorf("end the load: %w", err)
		}
		if err := cmd.Wait(); err != nil {
			return fmt.Errorf("the load: %w", err)
		}
		return nil
	}, nil
}

// try lets the event happen and waits until everything is well again.
func (t *trial) try(ctx context.Context, e event) row {
	r := row{event: e}
	begin := time.Now()
	ctx, cancel := context.WithTimeout(ctx, wholeTimeout)
	defer cancel()
	r.err = e.do(ctx, t.cluster)
	if r.err == nil {
		r.err = t.cluster.AwaitWhole(ctx)
	}
	r.whole = time.Since(begin)
	pause(ctx, after)
	err := ha.Until(ctx, func() (err error) {
		r.Account, err = t.account(ctx, begin, time.Now())
		return err
	})
	if err != nil {
		r.err = errors.Join(r.err, err)
	}
	return r
}

// account holds the ledger against the database.
func (t *trial) account(ctx context.Context, since, until time.Time) (ledger.Account, error) {
	stored := map[string]int{}
	entries, err := ledger.ReadFile(t.file)
	if err != nil {
		return ledger.Account{}, err
	}
	conn, err := pgx.Connect(ctx, t.cluster.Database)
	if err != nil {
		return ledger.Account{}, fmt.Errorf("ask the database what is stored: %w", err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	rows, err := conn.Query(ctx, `SELECT content, count(*) FROM signals WHERE from_neuron = 'ledger' AND timestamp >= $1 GROUP BY content`,
		since.Add(-time.Minute))
	if err != nil {
		return ledger.Account{}, fmt.Errorf("ask the database what is stored: %w", err)
	}
	var content string
	var n int
	if _, err := pgx.ForEachRow(rows, []any{&content, &n}, func() error { stored[content] = n; return nil }); err != nil {
		return ledger.Account{}, fmt.Errorf("ask the database what is stored: %w", err)
	}
	return ledger.Of(entries, stored, since, until), nil
}

// verdict is an error if a promise was broken.
func (t *trial) verdict() error {
	var broken []string
	for _, r := range t.rows {
		say := func(format string, args ...any) {
			broken = append(broken, r.event.name+": "+fmt.Sprintf(format, args...))
		}
		if r.err != nil {
			say("%v", r.err)
		}
		if r.Lost > 0 && !t.options.Asynchronous {
			say("%d acknowledged signals are lost", r.Lost)
		}
		if r.Duplicated > 0 {
			say("%d signals are stored twice", r.Duplicated)
		}
		if r.Untrue > 0 && !t.options.Asynchronous {
			say("%d signals are stored although the answer said that nothing was written", r.Untrue)
		}
		if r.Stale > 0 && !t.options.Asynchronous {
			say("%d of %d reads lacked the reader's own write", r.Stale, r.ReadBack)
		}
		if r.Wrong > 0 {
			say("%d answers were wrong: %v", r.Wrong, r.Said)
		}
		if failed := r.FailedWrites + r.FailedReads; r.event.harmless && failed > 0 {
			say("%d requests failed: %v", failed, r.Said)
		}
	}
	if len(broken) > 0 {
		return errors.New("promises were broken:\n  " + strings.Join(broken, "\n  "))
	}
	return nil
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
