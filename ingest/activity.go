package ingest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/hal9-ai/hal9/model"
)

// activityChunk is how many neurons are brought up to date in one transaction: one
// commit for all of a normal second, and no long hold on the writer of SQLite.
const activityChunk = 500

// activity gathers what committed signals mean to their neurons.
type activity struct {
	store      Store
	maxNeurons int
	// full asks for a flush before its time.
	full chan struct{}

	flushing chan struct{} // holds one word while a flush is under way

	mu      sync.Mutex
	pending map[string]traffic
	room    chan struct{} // closed, and replaced, when a flush took pending away
}

// traffic is what is to be added to one neuron.
type traffic struct {
	received int64
	sentAt   time.Time // of the newest signal from it; zero for none
}

func newActivity(store Store, maxNeurons int) *activity {
	return &activity{
		store:      store,
		maxNeurons: maxNeurons,
		full:       make(chan struct{}, 1),
		flushing:   make(chan struct{}, 1),
		pending:    map[string]traffic{},
		room:       make(chan struct{}),
	}
}

// note gathers the traffic of committed signals. While too many names wait it waits
// for a flush, at the longest until ctx ends; a name that finds no room by then is
// gathered all the same, since its signal is stored: the excess is bounded by the
// submissions under way.
func (a *activity) note(ctx context.Context, signals ...model.SignalInsertParams) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, s := range signals {
		a.makeRoom(ctx, s.ToNeuron)
		to := a.pending[s.ToNeuron]
		to.received++
		a.pending[s.ToNeuron] = to

		a.makeRoom(ctx, s.FromNeuron)
		from := a.pending[s.FromNeuron]
		if s.Timestamp.After(from.sentAt) {
			from.sentAt = s.Timestamp
		}
		a.pending[s.FromNeuron] = from
	}
}

// makeRoom is called with mu held and lets go of it while it waits.
func (a *activity) makeRoom(ctx context.Context, neuron string) {
	for {
		if _, ok := a.pending[neuron]; ok || len(a.pending) < a.maxNeurons || ctx.Err() != nil {
			return
		}
		select {
		case a.full <- struct{}{}:
		default:
		}
		room := a.room
		a.mu.Unlock()
		select {
		case <-room:
		case <-ctx.Done():
		}
		a.mu.Lock()
	}
}

// flush writes what is pending, one at a time. What could not be written is kept for the
// next one.
func (a *activity) flush(ctx context.Context) error {
	select {
	case a.flushing <- struct{}{}:
	case <-ctx.Done():
		return fmt.Errorf("wait for the neurons' activity that is being written: %w", ctx.Err())
	}
	defer func() { <-a.flushing }()

	a.mu.Lock()
	batch := a.pending
	a.pending = map[string]traffic{}
	close(a.room)
	a.room = make(chan struct{})
	a.mu.Unlock()

	// Sorted, so that servers that update the same neurons at once lock them in the
	// same order.
	names := slices.Sorted(maps.Keys(batch))
	for chunk := range slices.Chunk(names, activityChunk) {
		if err := a.write(ctx, chunk, batch); err != nil {
			a.putBack(batch)
			return err
		}
		for _, name := range chunk {
			delete(batch, name)
		}
	}
	return nil
}

func (a *activity) write(ctx context.Context, names []string, batch map[string]traffic) error {
	err := a.store.InTx(ctx, func(ctx context.Context, tx model.Tx) error {
		for _, name := range names {
			t := batch[name]
			arg := model.NeuronActivityAddParams{NeuronID: name, SignalsAdded: t.received}
			if !t.sentAt.IsZero() {
				arg.LastSignalAt = &t.sentAt
			}
			// No row is written for a neuron that is unknown: signals may go to any name.
			if _, err := tx.NeuronActivityAdd(ctx, arg); err != nil {
				return fmt.Errorf("neuron %q: %w", name, err)
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("add to the neurons' activity: %w", err)
	}
	return nil
}

// putBack adds what a failed flush left to what came in meanwhile.
func (a *activity) putBack(batch map[string]traffic) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for name, t := range batch {
		p := a.pending[name]
		p.received += t.received
		if t.sentAt.After(p.sentAt) {
			p.sentAt = t.sentAt
		}
		a.pending[name] = p
	}
}
