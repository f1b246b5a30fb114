package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/VictoriaMetrics/metrics"
	"go.opentelemetry.io/otel/trace"

	"github.com/hal9-ai/hal9/model"
)

// Defaults of Config.
const (
	// DefaultActivityInterval is the time between two updates of the neurons' activity.
	DefaultActivityInterval = time.Second
	// DefaultActivityMaxNeurons bounds the names whose activity waits for an update.
	DefaultActivityMaxNeurons = 10_000
	// DefaultCommitters is how many batches of signals commit at the same time at the most.
	DefaultCommitters = 2
	// DefaultMaxBatch is how many signals of different callers commit together.
	DefaultMaxBatch = 500
	// DefaultMaxQueue is how many signals may wait for their commit.
	DefaultMaxQueue = 4096
)

// Store is what ingest asks of the database. Every model.Store is one.
type Store interface {
	SignalInsert(ctx context.Context, arg model.SignalInsertParams) (int64, error)
	SignalInsertMany(ctx context.Context, signals []model.SignalInsertParams) (model.BulkResult, error)
	SignalGet(ctx context.Context, arg model.SignalGetParams) (model.Signal, error)
	SignalListByIDs(ctx context.Context, arg model.SignalListByIDsParams) ([]model.Signal, error)
	InTx(ctx context.Context, fn func(ctx context.Context, tx model.Tx) error) error
}

// Config says what an Ingest works with. Store is required, the rest has defaults.
type Config struct {
	Store Store
	// Clock tells the time of acceptance and of commit. time.Now.
	Clock func() time.Time
	// Logger is told when the neurons' activity cannot be brought up to date.
	// Discards by default.
	Logger *slog.Logger
	// Metrics is where the signals' metrics are registered. A set of its own.
	Metrics *metrics.Set
	// Tracer makes spans of the commits of signals whose requests are traced; nil makes
	// none.
	Tracer trace.Tracer
	// ActivityInterval is the time between two updates of the neurons' activity.
	ActivityInterval time.Duration
	// ActivityMaxNeurons bounds the names whose activity waits for an update; when
	// it is reached the update is made at once and new names wait for it.
	ActivityMaxNeurons int
	// Committers is how many batches of signals commit at the same time at the most: a
	// second one only when many wait, or the first takes long. Below zero each signal is
	// stored by a statement of its own.
	Committers int
	// MaxBatch is how many signals of different callers commit together.
	MaxBatch int
	// MaxQueue is how many signals may wait for their commit. More are refused with
	// ErrUnavailable at once: what cannot be stored soon is better tried elsewhere.
	MaxQueue int
	// Committed, if it is not nil, is told of signals after their commit and before their
	// answer: each stored one once, duplicates not. It is called by many goroutines, must
	// not wait, and must leave the signals as they are.
	Committed func(signals []model.SignalInsertParams)
}

// WithDefaults returns the configuration with its zero values replaced.
func (c Config) WithDefaults() Config {
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Metrics == nil {
		c.Metrics = metrics.NewSet()
	}
	if c.ActivityInterval <= 0 {
		c.ActivityInterval = DefaultActivityInterval
	}
	if c.ActivityMaxNeurons <= 0 {
		c.ActivityMaxNeurons = DefaultActivityMaxNeurons
	}
	if c.Committers == 0 {
		c.Committers = DefaultCommitters
	}
	if c.MaxBatch <= 0 {
		c.MaxBatch = DefaultMaxBatch
	}
	if c.MaxQueue <= 0 {
		c.MaxQueue = DefaultMaxQueue
	}
	return c
}

// Result tells what became of a submission that succeeded.
type Result int

const (
	// Stored says that the signal was committed by this submission.
	Stored Result = iota + 1
	// Duplicate says that the same signal was stored before; nothing was written.
	Duplicate
)

// Ingest takes signals in. It is safe for concurrent use; make it with New, start
// Run, and Close it before the store is closed.
type Ingest struct {
	store    Store
	clock    func() time.Time
	logger   *slog.Logger
	figures  *figures
	activity *activity
	group    *group // nil: each signal by itself
	interval time.Duration
	told     func([]model.SignalInsertParams)

	mu      sync.Mutex
	closed  bool
	closing chan struct{} // closed by Close: ends Run
	under   sync.WaitGroup
}

// New returns an Ingest that writes to the given store.
func New(c Config) *Ingest {
	c = c.WithDefaults()
	i := &Ingest{
		store:    c.Store,
		clock:    c.Clock,
		logger:   c.Logger,
		figures:  newFigures(c.Metrics),
		activity: newActivity(c.Store, c.ActivityMaxNeurons),
		interval: c.ActivityInterval,
		told:     c.Committed,
		closing:  make(chan struct{}),
	}
	if i.told == nil {
		i.told = func([]model.SignalInsertParams) {}
	}
	if c.Committers > 0 {
		i.group = &group{ingest: i, tracer: c.Tracer, crew: crew{size: c.Committers}, maxBatch: c.MaxBatch, maxQueue: c.MaxQueue}
	}
	return i
}

// Submit stores one signal and answers after the commit. A signal whose id is stored
// already is a Duplicate if all of it is the same, metadata compared as JSON values,
// and otherwise ErrConflict that names id. After Close, and while too many wait, it is
// ErrUnavailable. When ctx ends, whether the signal is stored is unknown.
func (i *Ingest) Submit(ctx context.Context, signal model.SignalInsertParams) (Result, error) {
	if err := i.enter(); err != nil {
		return 0, err
	}
	defer i.under.Done()
	accepted := i.clock()
	i.figures.accept(1)
	// A bad row is told before it costs a batch its one statement.
	if err := signal.Normalize(); err != nil {
		i.figures.fail(1)
		return 0, fmt.Errorf("store signal: %w", err)
	}
	if i.group != nil {
		return i.group.submit(ctx, signal, accepted)
	}

	result, err := i.insert(ctx, signal)
	if err != nil {
		i.figures.fail(1)
		return 0, err
	}
	if result == Duplicate {
		i.figures.duplicate(1)
		return Duplicate, nil
	}
	i.figures.commit(accepted, i.clock(), signal)
	i.told([]model.SignalInsertParams{signal})
	i.activity.note(ctx, signal)
	return Stored, nil
}

func (i *Ingest) insert(ctx context.Context, signal model.SignalInsertParams) (Result, error) {
	rows, err := i.store.SignalInsert(ctx, signal)
	if err != nil {
		return 0, fmt.Errorf("store signal: %w", err)
	}
	if rows > 0 {
		return Stored, nil
	}
	if err := i.checkDuplicate(ctx, signal); err != nil {
		return 0, err
	}
	return Duplicate, nil
}

// SubmitMany stores signals and answers after the commit. Rows that cannot be stored
// take no others along: they are in Failed, in ascending order of Index, with
// ErrInvalid, or with ErrConflict where the id is stored with other content.
// Duplicates has those whose same content is stored already or stands earlier in
// the call. An error says that nothing is stored, or, if it came while duplicates
// were compared, that resubmitting the same signals is safe.
func (i *Ingest) SubmitMany(ctx context.Context, signals []model.SignalInsertParams) (model.BulkResult, error) {
	if err := i.enter(); err != nil {
		return model.BulkResult{}, err
	}
	defer i.under.Done()
	if len(signals) == 0 {
		return model.BulkResult{}, nil
	}
	accepted := i.clock()
	i.figures.accept(len(signals))

	result, err := i.store.SignalInsertMany(ctx, signals)
	if err != nil {
		i.figures.fail(len(signals))
		return model.BulkResult{}, fmt.Errorf("store signals: %w", err)
	}
	stored := storedOf(signals, result)
	i.figures.commit(accepted, i.clock(), stored...)
	i.told(stored)
	i.activity.note(ctx, stored...)

	checked, err := i.checkDuplicates(ctx, signals, result)
	if err != nil {
		i.figures.fail(len(signals) - len(stored))
		return model.BulkResult{}, err
	}
	i.figures.duplicate(len(checked.Duplicates))
	i.figures.fail(len(checked.Failed))
	return checked, nil
}

// storedOf returns the signals that a bulk insert wrote.
func storedOf(signals []model.SignalInsertParams, result model.BulkResult) []model.SignalInsertParams {
	if len(result.Duplicates) == 0 && len(result.Failed) == 0 {
		return signals
	}
	passed := make(map[int]struct{}, len(result.Duplicates)+len(result.Failed))
	for _, index := range result.Duplicates {
		passed[index] = struct{}{}
	}
	for _, row := range result.Failed {
		passed[row.Index] = struct{}{}
	}
	stored := make([]model.SignalInsertParams, 0, len(signals)-len(passed))
	for index, signal := range signals {
		if _, ok := passed[index]; !ok {
			stored = append(stored, signal)
		}
	}
	return stored
}

// enter counts a submission as under way, so that Close waits for it.
func (i *Ingest) enter() error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.closed {
		return &model.Error{Kind: model.ErrUnavailable, Entity: "signal", Reason: "the server is shutting down"}
	}
	i.under.Add(1)
	return nil
}

// Run brings the neurons' activity up to date, each interval and when many names
// wait, until ctx ends or Close is called. What is left then is written by Close.
func (i *Ingest) Run(ctx context.Context) error {
	tick := time.NewTicker(i.interval)
	defer tick.Stop()
	failing := false
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-i.closing:
			return nil
		case <-tick.C:
		case <-i.activity.full:
		}
		err := i.activity.flush(ctx)
		if err != nil && ctx.Err() != nil {
			return nil
		}
		// One line when it begins and one when it ends: not one a second.
		switch {
		case err != nil && !failing:
			i.logger.WarnContext(ctx, "neurons' activity is not up to date; the counts are kept and tried again", "error", err)
		case err == nil && failing:
			i.logger.InfoContext(ctx, "neurons' activity is up to date again")
		}
		failing = err != nil
	}
}

// Close refuses further submissions, waits for those under way, ends Run and writes
// the activity that is left, all within ctx; a database that takes no writes loses that
// activity, which is no error. It may be called more than once.
func (i *Ingest) Close(ctx context.Context) error {
	i.mu.Lock()
	if !i.closed {
		i.closed = true
		close(i.closing)
	}
	i.mu.Unlock()

	idle := make(chan struct{})
	go func() { // ends with the last submission, each of which ends with its context
		i.under.Wait()
		close(idle)
	}()
	var waiting error
	for done := false; !done; {
		select {
		case <-idle:
			done = true
		case <-i.activity.full: // submissions under way may wait for room
			if err := i.activity.flush(ctx); err != nil {
				waiting = err
			}
		case <-ctx.Done():
			waiting = fmt.Errorf("wait for signals under way: %w", ctx.Err())
			done = true
		}
	}
	switch err := i.activity.flush(ctx); {
	case errors.Is(err, model.ErrReadOnly):
		// A database that is being moved, or is in maintenance, is left as it is; the
		// signals themselves are stored, and to end now is no failure.
		i.logger.WarnContext(ctx, "the traffic of the last seconds is not counted: the database takes no writes", "error", err)
	case err != nil:
		return errors.Join(waiting, err)
	}
	return waiting
}
