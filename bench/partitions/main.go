// Partitions measures how long inserts of signals wait while months are made, moved home
// and dropped: four writers insert one signal after the other, alone and then beside each
// kind of work.
//
//	partitions --url postgres://user@host/postgres --seconds 5
//	partitions --url sqlite:///tmp/partitions.db
//
// On PostgreSQL it makes a database of its own and drops it at the end; an SQLite file
// must not exist yet, and is left behind.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/hal9-ai/hal9/bench/benchdb"
	"github.com/hal9-ai/hal9/internal/program"
	"github.com/hal9-ai/hal9/model"
	"github.com/hal9-ai/hal9/store"
)

const writers = 4

func main() { program.Main("partitions", run) }

func run(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	flags := flag.NewFlagSet("partitions", flag.ContinueOnError)
	flags.SetOutput(stderr)
	url := flags.String("url", "", "PostgreSQL server (any database of it) or new SQLite file")
	seconds := flags.Int("seconds", 5, "how long each kind of work is watched, 1 to 6")
	if err := flags.Parse(args); err != nil {
		return err //nolint:wrapcheck // the flag package has told it
	}
	if *url == "" || *seconds < 1 || *seconds > 6 {
		return errors.New("give --url, a PostgreSQL server or a new SQLite file, and --seconds between 1 and 6")
	}
	sqlite := strings.HasPrefix(*url, "sqlite:")
	if !sqlite {
		address, drop, err := benchdb.New(ctx, *url, "partitions")
		if err != nil {
			return fmt.Errorf("make a database: %w", err)
		}
		defer func() { err = errors.Join(err, drop()) }()
		*url = address
	}
	st, err := store.Open(ctx, store.Config{URL: *url, Migrate: true, MaxConnections: writers + 2, StatementTimeout: time.Minute})
	if err != nil {
		return fmt.Errorf("open the store: %w", err)
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	phases := postgresPhases()
	if sqlite {
		phases = sqlitePhases()
	}
	if err := say(stdout, "%-44s %8s %8s %9s %9s %9s\n", "work beside the inserts", "times", "inserts", "median", "p99", "longest"); err != nil {
		return err
	}
	for i, p := range phases {
		// Each has the months of years that no other touches.
		year := 1000 + 100*i
		if err := p.prepare(ctx, st, year); err != nil {
			return fmt.Errorf("prepare %q: %w", p.name, err)
		}
		times, waits, err := watch(ctx, st, time.Duration(*seconds)*time.Second, func(ctx context.Context, n int) error {
			return p.work(ctx, st, monthOf(year, n))
		})
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		at := func(share float64) time.Duration {
			return waits[int(share*float64(len(waits)-1))].Round(10 * time.Microsecond)
		}
		if err := say(stdout, "%-44s %8d %8d %9s %9s %9s\n", p.name, times, len(waits), at(0.5), at(0.99), at(1)); err != nil {
			return err
		}
	}
	return nil
}

func say(w io.Writer, format string, args ...any) error {
	if _, err := fmt.Fprintf(w, format, args...); err != nil {
		return fmt.Errorf("write the figures: %w", err)
	}
	return nil
}

func monthOf(year, n int) time.Time {
	return time.Date(year, time.January+time.Month(n), 1, 0, 0, 0, 0, time.UTC)
}

// watch inserts for a time while work is done twice a second, the n-th of it at a time,
// and returns how often, and how long each insert took, in order.
func watch(ctx context.Context, st model.Store, during time.Duration, work func(ctx context.Context, n int) error) (int, []time.Duration, error) {
	bounded, stop := context.WithTimeout(ctx, during)
	defer stop()
	var (
		mu    sync.Mutex
		waits []time.Duration
		fault error
		group sync.WaitGroup
	)
	for range writers {
		group.Go(func() {
			var own []time.Duration
			var err error
			for err == nil && bounded.Err() == nil {
				began := time.Now()
				err = insert(ctx, st, time.Now(), 1)
				own = append(own, time.Since(began))
			}
			mu.Lock()
			defer mu.Unlock()
			waits, fault = append(waits, own...), errors.Join(fault, err)
		})
	}
	times := 0
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	var failed error
	for failed == nil && bounded.Err() == nil {
		select {
		case <-bounded.Done():
		case <-tick.C:
			if failed = work(ctx, times); failed == nil {
				times++
			}
		}
	}
	stop()
	group.Wait()
	slices.Sort(waits)
	return times, waits, errors.Join(failed, fault)
}

func insert(ctx context.Context, st model.Store, at time.Time, rows int) error {
	batch := make([]model.SignalInsertParams, rows)
	for i := range batch {
		batch[i] = model.SignalInsertParams{
			ID: uuid.New(), FromNeuron: "planner", ToNeuron: "executor", LayerFrom: "L5", LayerTo: "L4", PropagationType: "forward",
			Content: strings.Repeat("Plan the next step. ", 10), Metadata: model.EmptyObject(), Timestamp: at.Add(time.Duration(i) * time.Microsecond),
		}
	}
	result, err := st.SignalInsertMany(ctx, batch)
	if err == nil && result.Inserted != rows {
		err = fmt.Errorf("%d of %d rows were inserted", result.Inserted, rows)
	}
	return err
}
