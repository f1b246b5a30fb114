package upkeep

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/hal9-ai/hal9/internal/dburl"
	"github.com/hal9-ai/hal9/model"
)

// releaseTimeout bounds the last call to the database at shutdown.
const releaseTimeout = 2 * time.Second

// Keeper does the housekeeping. It is made by New; Run does the work.
type Keeper struct {
	cfg     Config
	log     *slog.Logger
	all     []task
	figures *figures
	// partitions are the figures of the signals' months.
	partitions *partitionFigures
	// leading is whether the last try got the lease; only for telling of changes.
	leading bool
	// turn keeps Run and RunOnce of one Keeper apart.
	turn sync.Mutex
}

// New makes a keeper and registers its metrics.
func New(cfg Config) (*Keeper, error) {
	cfg = cfg.WithDefaults()
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("make the upkeep: %w", err)
	}
	k := &Keeper{cfg: cfg, log: cfg.Logger}
	k.all = k.tasks()
	k.figures = newFigures(cfg.Metrics, k.all)
	k.partitions = newPartitionFigures(cfg.Metrics, cfg.Store.Engine() == dburl.Postgres)
	return k, nil
}

// Run does the housekeeping at once and then at each interval until ctx ends, whenever
// this server has or gets the lease; then it gives the lease back. It returns nil:
// failures are logged, counted and tried again.
func (k *Keeper) Run(ctx context.Context) error {
	tick := time.NewTicker(k.cfg.Interval)
	defer tick.Stop()
	defer k.end(ctx)
	// The gauges are right while the first run goes on, which may mend what they tell.
	_, _ = k.observe(ctx)
	for {
		if _, err := k.RunOnce(ctx); err != nil && ctx.Err() == nil {
			k.log.WarnContext(ctx, "the upkeep did not end; it is tried again", slog.String("error", err.Error()))
		}
		k.look(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Outcome is what became of one task of a run.
type Outcome struct {
	Task    string
	Deleted int64
	Err     error
}

// RunOnce does the housekeeping once, if this server has or gets the lease; acted is
// empty when another has it. A task that fails keeps no other from running: the error
// joins those of all. The lease stays with this server.
func (k *Keeper) RunOnce(ctx context.Context) (acted []Outcome, err error) {
	k.turn.Lock()
	defer k.turn.Unlock()
	held, err := k.acquire(ctx)
	if errors.Is(err, model.ErrReadOnly) {
		// Writes are held off on purpose: no house is kept, and nothing is amiss.
		k.leading = false
		k.figures.lead(false)
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	k.lead(ctx, held)
	if !held {
		return nil, nil
	}
	run, stop := k.renewing(ctx)
	defer stop()
	for _, t := range k.all {
		if run.Err() != nil {
			return acted, errors.Join(err, context.Cause(run))
		}
		deleted, failed := t.run(run, k.cfg.Clock())
		if failed != nil && run.Err() != nil {
			failed = context.Cause(run) // what the driver says of it adds nothing
		}
		k.figures.note(t.name, deleted, failed, k.cfg.Clock())
		k.partitions.note(t.name, failed, k.cfg.Clock())
		acted = append(acted, Outcome{t.name, deleted, failed})
		if deleted > 0 {
			k.log.InfoContext(ctx, "upkeep deleted rows", slog.String("task", t.name), slog.Int64("rows", deleted))
		}
		if failed != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w", t.name, failed))
		}
	}
	return acted, err
}

// lead notes whether this server has the lease, and tells when that changes.
func (k *Keeper) lead(ctx context.Context, held bool) {
	if held != k.leading {
		k.log.InfoContext(ctx, "the lease of the upkeep changed hands", slog.Bool("leading", held), slog.String("server", k.cfg.Holder))
	}
	k.leading = held
	k.figures.lead(held)
}

// end gives back what the keeper holds.
func (k *Keeper) end(ctx context.Context) {
	k.turn.Lock()
	defer k.turn.Unlock()
	if k.leading {
		k.release(ctx)
		k.leading = false
	}
	k.figures.lead(false)
}
