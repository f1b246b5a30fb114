package store

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/hal9-ai/hal9/cacheutil"
	"github.com/hal9-ai/hal9/model"
)

// Behind says what is accepted into a queue in the cache server and stored a moment
// later. Nothing else may be: what the cache server loses is lost.
type Behind struct {
	NeuronState bool // states of neurons, where the caller names no version
	LastUsed    bool // when API keys were used
}

// Later stores what was accepted. Its methods are safe for concurrent use.
type Later struct {
	st     model.Store
	states *cacheutil.Queue[model.NeuronApplyStateParams] // nil: not asked for
	uses   *cacheutil.Queue[keyUse]
}

// keyUse is when an API key was used.
type keyUse struct {
	ID uuid.UUID
	At int64 // microseconds since 1970
}

func timeOf(micro int64) time.Time { return time.UnixMicro(micro).UTC() }

// newLater makes the queues that are asked for, on the cache server of st.
func newLater(st model.Store, m *cacheutil.Manager, what Behind) (*Later, error) {
	l := &Later{st: st}
	var err error
	if what.NeuronState {
		l.states, err = cacheutil.NewQueue(m, cacheutil.QueueOptions[model.NeuronApplyStateParams]{
			Name:    "neuron_state",
			Key:     func(p model.NeuronApplyStateParams) string { return p.ID },
			Version: func(p model.NeuronApplyStateParams) int64 { return p.Version },
			Apply:   l.applyStates, Refused: refused,
		})
		if err != nil {
			return nil, fmt.Errorf("open the queue of states: %w", err)
		}
	}
	if what.LastUsed {
		l.uses, err = cacheutil.NewQueue(m, cacheutil.QueueOptions[keyUse]{
			Name: "last_used",
			Key:  func(u keyUse) string { return u.ID.String() },
			// Not a row's version, but it grows with what it is for: the query keeps
			// the latest use by itself.
			Version: func(u keyUse) int64 { return u.At },
			Apply:   l.applyUses, Refused: refused,
		})
		if err != nil {
			return nil, fmt.Errorf("open the queue of last uses: %w", err)
		}
	}
	return l, nil
}

// refused tells errors that the same values meet again.
func refused(err error) bool { return errors.Is(err, model.ErrInvalid) }

// applyStates stores states in one transaction. A neuron that is newer, or gone, stays
// as it is. All servers lock the rows in the same order: by that of their queues, two
// could wait for each other until PostgreSQL ends one of the transactions.
func (l *Later) applyStates(ctx context.Context, batch []model.NeuronApplyStateParams) error {
	slices.SortFunc(batch, func(a, b model.NeuronApplyStateParams) int { return cmp.Compare(a.ID, b.ID) })
	return l.st.InTx(ctx, func(ctx context.Context, tx model.Tx) error {
		for _, change := range batch {
			if _, err := tx.NeuronApplyState(ctx, change); err != nil && !errors.Is(err, model.ErrNotFound) {
				return fmt.Errorf("store the state of neuron %s: %w", change.ID, err)
			}
		}
		return nil
	})
}

func (l *Later) applyUses(ctx context.Context, batch []keyUse) error {
	slices.SortFunc(batch, func(a, b keyUse) int { return bytes.Compare(a.ID[:], b.ID[:]) }) // as in applyStates
	return l.st.InTx(ctx, func(ctx context.Context, tx model.Tx) error {
		for _, use := range batch {
			arg := model.APIKeySetLastUsedParams{ID: use.ID, LastUsedAt: timeOf(use.At)}
			if _, err := tx.APIKeySetLastUsed(ctx, arg); err != nil && !errors.Is(err, model.ErrNotFound) {
				return fmt.Errorf("note the use of API key %s: %w", use.ID, err)
			}
		}
		return nil
	})
}

// NeuronSetState accepts a state to be stored later, and returns the neuron as it will
// be. queued is false where it cannot be: the caller stores it then. ErrNotFound says
// that there is no such neuron.
func (l *Later) NeuronSetState(ctx context.Context, arg model.NeuronSetStateParams) (n model.Neuron, queued bool, err error) {
	if l.states == nil || arg.IfVersion != nil {
		return n, false, nil
	}
	if err := arg.Normalize(); err != nil {
		return n, false, err
	}
	if n, err = l.st.NeuronGet(ctx, model.NeuronGetParams{ID: arg.ID}); err != nil {
		return n, false, err
	}
	version, err := l.st.NeuronVersionNext(ctx)
	if err != nil {
		return n, false, err
	}
	queued, err = l.states.Submit(ctx, model.NeuronApplyStateParams{
		ID: arg.ID, State: arg.State, Condition: arg.Condition, UpdatedAt: arg.UpdatedAt, Version: version,
	})
	if err != nil || !queued {
		return n, false, err
	}
	n.State, n.Condition, n.StateSetAt, n.UpdatedAt, n.Version = arg.State, arg.Condition, &arg.UpdatedAt, arg.UpdatedAt, version
	return n, true, nil
}

// setLastUsed accepts the use of a key; false says that the caller has to store it.
func (l *Later) setLastUsed(ctx context.Context, arg model.APIKeySetLastUsedParams) (bool, error) {
	if l == nil || l.uses == nil {
		return false, nil
	}
	return l.uses.Submit(ctx, keyUse{arg.ID, model.NormalTime(arg.LastUsedAt).UnixMicro()})
}

// Run stores what is accepted until ctx ends.
func (l *Later) Run(ctx context.Context) error {
	var group errgroup.Group
	if l.states != nil {
		group.Go(func() error { return l.states.Run(ctx) })
	}
	if l.uses != nil {
		group.Go(func() error { return l.uses.Run(ctx) })
	}
	if err := group.Wait(); err != nil {
		return fmt.Errorf("run the queues: %w", err)
	}
	return nil
}

// Drain stores what was accepted before the call, when Run has ended. What is left when
// ctx ends stays in the cache server for the next server.
func (l *Later) Drain(ctx context.Context) error {
	var errs []error
	if l.states != nil {
		errs = append(errs, l.states.Drain(ctx))
	}
	if l.uses != nil {
		errs = append(errs, l.uses.Drain(ctx))
	}
	return errors.Join(errs...)
}
