package ingest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/hal9-ai/hal9/model"
)

// noteTimeout bounds how long a committer waits for room among the neurons' activity
// before it goes on to the next batch.
const noteTimeout = time.Second

// group commits signals of concurrent callers together. A committer is started when a
// signal comes and none is at work; it takes all that waits, commits it by one statement,
// and goes on until nothing waits. So a lone signal waits for nobody, and under load the
// commit in flight is the time in which the next batch gathers: there is no timer to tune.
// When there is more than one committer, crew tells.
type group struct {
	ingest   *Ingest
	tracer   trace.Tracer // nil: no spans
	maxBatch int
	maxQueue int
	used     used

	mu    sync.Mutex
	queue []*submission
	crew  crew
}

// submit queues a signal and waits for its commit, or until ctx ends. A caller that
// leaves while its signal waits takes it along; one that leaves later leaves it to
// be stored with the others, and does not learn of it.
func (g *group) submit(ctx context.Context, signal model.SignalInsertParams, accepted time.Time) (Result, error) {
	s := g.used.submission()
	s.signal, s.accepted, s.caller = signal, accepted, model.ConsistencyFrom(ctx)
	if g.tracer != nil {
		s.span = recording(ctx)
	}
	if err := g.enter(s); err != nil { //nolint:contextcheck // the committers serve many callers, and end when nothing waits
		return 0, err
	}
	if s.wait(ctx, &g.used) {
		result, err := s.result, s.err
		g.used.over(s)
		return result, err
	}
	if s.state.CompareAndSwap(submissionWaiting, submissionAbandoned) {
		g.ingest.figures.fail(1)
		return 0, fmt.Errorf("the caller left before the signal was stored: %w", ctx.Err())
	}
	select {
	case <-s.answered: // both at once: the outcome is the better answer
		return s.result, s.err
	default:
		return 0, fmt.Errorf("the caller left while the signal was being stored: %w", ctx.Err())
	}
}

// enter puts a submission into the queue, and starts a committer if one may be.
func (g *group) enter(s *submission) error {
	f := g.ingest.figures
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.queue) >= g.maxQueue {
		f.shed.Inc()
		f.fail(1)
		return &model.Error{
			Kind: model.ErrUnavailable, Entity: "signal",
			Reason: fmt.Sprintf("%d signals wait for their commit already", g.maxQueue),
		}
	}
	g.queue = append(g.queue, s)
	f.waiting.Store(int64(len(g.queue)))
	g.staff()
	return nil
}

// work commits batches until it is not needed.
func (g *group) work(own *committer) {
	defer g.ingest.under.Done()
	for batch := g.take(own); len(batch) > 0; batch = g.take(own) {
		took := g.commit(batch)
		g.mu.Lock()
		g.crew.took(took)
		g.mu.Unlock()
	}
}

// take claims the signals that waited longest; none means that the committer ends.
func (g *group) take(own *committer) []*submission {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	if len(g.queue) == 0 || !g.crew.wants(len(g.queue), g.many(), own, now) {
		g.crew.leave(own)
		g.staff() // for those that wait another one is at work
		return nil
	}
	own.began = now
	batch := make([]*submission, 0, min(len(g.queue), g.maxBatch))
	taken := 0
	for _, s := range g.queue {
		if len(batch) == g.maxBatch {
			break
		}
		taken++
		if s.state.CompareAndSwap(submissionWaiting, submissionTaken) {
			batch = append(batch, s)
		}
	}
	rest := copy(g.queue, g.queue[taken:])
	clear(g.queue[rest:])
	g.queue = g.queue[:rest]
	g.ingest.figures.waiting.Store(int64(rest))
	if len(batch) == 0 { // nor is anybody left in the queue
		g.crew.leave(own)
		return nil
	}
	g.staff()
	return batch
}

// commit stores a batch by one statement and answers each submission. No caller's
// context reaches the engine: the one who leaves must not take the others along. The
// store bounds the time by itself. It returns how long that took.
func (g *group) commit(batch []*submission) (took time.Duration) {
	i, ctx := g.ingest, context.Background()
	begin := time.Now()
	asking, tell := withCallers(ctx, batch)
	traced, end := g.spanOf(asking, batch)
	outcomes := i.storeBatch(traced, batch)
	end(outcomes)
	took = time.Since(begin)
	i.figures.batch(len(batch), took)

	committed := i.clock()
	stored := make([]model.SignalInsertParams, 0, len(batch))
	accepted := make([]time.Time, 0, len(batch))
	for n, s := range batch {
		s.result, s.err = outcomes[n].result, outcomes[n].err
		switch {
		case s.err != nil:
			i.figures.fail(1)
		case s.result == Duplicate:
			i.figures.duplicate(1)
		default:
			stored = append(stored, s.signal)
			accepted = append(accepted, s.accepted)
		}
	}
	// Counted before it is answered, so that whoever has the answer finds it counted.
	i.figures.commitEach(accepted, committed, stored)
	// Told before, too: what is sent after the answer comes later in the stream.
	i.told(stored)
	for _, s := range batch {
		tell(s)
		s.answered <- struct{}{}
	}
	ctx, cancel := context.WithTimeout(ctx, noteTimeout)
	defer cancel()
	i.activity.note(ctx, stored...)
	return took
}

// withCallers lets the store take the position of the commit, once for all, if one of the
// callers asks. tell hands it to a caller.
func withCallers(ctx context.Context, batch []*submission) (_ context.Context, tell func(*submission)) {
	if !slices.ContainsFunc(batch, func(s *submission) bool { return s.caller != nil }) {
		return ctx, func(*submission) {}
	}
	together := model.NewConsistency(nil)
	return model.WithConsistency(ctx, together), func(s *submission) {
		p, wrote, known := together.Written()
		switch {
		case s.caller == nil || !wrote:
		case known:
			s.caller.Wrote(p)
		default:
			s.caller.Lost()
		}
	}
}

// outcome is what became of one signal of a batch.
type outcome struct {
	result Result
	err    error
}

func (i *Ingest) storeBatch(ctx context.Context, batch []*submission) []outcome {
	outcomes := make([]outcome, len(batch))
	if len(batch) == 1 {
		outcomes[0].result, outcomes[0].err = i.insert(ctx, batch[0].signal)
		return outcomes
	}
	signals := make([]model.SignalInsertParams, len(batch))
	for n, s := range batch {
		signals[n] = s.signal
		outcomes[n].result = Stored
	}
	result, err := i.store.SignalInsertMany(ctx, signals)
	if err != nil {
		return allFailed(outcomes, fmt.Errorf("store signal: %w", err))
	}
	checked, err := i.checkDuplicates(ctx, signals, result)
	if err != nil { // the others are stored, or refused, all the same
		for _, n := range result.Duplicates {
			outcomes[n] = outcome{err: err}
		}
		checked.Failed = result.Failed
	}
	for _, n := range checked.Duplicates {
		outcomes[n].result = Duplicate
	}
	for _, row := range checked.Failed {
		outcomes[row.Index] = outcome{err: fmt.Errorf("store signal: %w", row.Err)}
	}
	return outcomes
}

func allFailed(outcomes []outcome, err error) []outcome {
	for n := range outcomes {
		outcomes[n] = outcome{err: err}
	}
	return outcomes
}
