package cacheutil

import (
	"context"
	"errors"
	"fmt"
	mathrand "math/rand/v2"

	"github.com/valkey-io/valkey-go"
)

const (
	// maxAttempts is how often a value fails alone, while others of the same round
	// succeed, before it is given up though Apply did not say that it is at fault.
	maxAttempts = 5
	// maxSilent is how many values are tried alone without any success before the
	// database is taken to be away.
	maxSilent = 3
	// maxReason bounds the reason in a dead letter, in bytes.
	maxReason = 500
)

// apply applies the entries, acknowledges what is committed and gives up what
// cannot be. It returns the last error that is not a value's fault.
func (w *worker[T]) apply(ctx context.Context, client valkey.Client, entries []queued[T]) error {
	w.tidy(entries)
	var readable, gone []queued[T]
	var faults []error
	for _, e := range entries {
		switch {
		case e.gone:
			gone = append(gone, e)
		case e.fault != nil:
			faults = append(faults, w.bury(ctx, client, e, e.fault))
		default:
			readable = append(readable, e)
		}
	}
	if len(gone) > 0 {
		faults = append(faults, w.ack(ctx, client, gone))
	}
	all := byKey(readable)
	if len(all) == 0 {
		return errors.Join(faults...)
	}
	r := &round[T]{worker: w, client: client}
	r.apply(ctx, all)
	if r.failed != nil {
		r.isolate(ctx, all)
	}
	return errors.Join(append(faults, r.failed, r.valkey)...)
}

// round is the work on one batch.
type round[T any] struct {
	*worker[T]

	client valkey.Client
	// done are the keys that need no further attempt in this round.
	done map[string]bool
	// succeeded tells that the database answered; failed is its last error that
	// is no value's fault, valkey the last one of acknowledging.
	succeeded      bool
	failed, valkey error
}

// apply tries the groups together. If a value is refused, it halves them until it
// stands alone; older values of its key have their turn in the next round. With
// any other error the groups stay as they are.
func (r *round[T]) apply(ctx context.Context, all []rivals[T]) {
	if ctx.Err() != nil || len(all) == 0 {
		return
	}
	err := r.call(ctx, all)
	switch {
	case err == nil:
		r.succeeded = true
		r.settle(ctx, all)
	case !r.q.refused(err):
		r.failed = err
	case len(all) > 1:
		r.apply(ctx, all[:len(all)/2])
		r.apply(ctx, all[len(all)/2:])
	default:
		// A refusal is an answer: the database is there.
		r.succeeded = true
		r.finish(all[0])
		r.valkey = errors.Join(r.valkey, r.bury(ctx, r.client, all[0][0], err))
	}
}

// isolate tries what failed one by one, so that one value which fails without
// being refused cannot hold up the others. It begins with the second failure: the
// first one is more often the database's. Values that were not tried before go
// together, those that failed before go alone. One that has failed alone
// maxAttempts times while others succeeded is given up; when nothing succeeds, the
// database is away and nobody is to blame.
func (r *round[T]) isolate(ctx context.Context, all []rivals[T]) {
	var fresh, suspects []rivals[T]
	for _, g := range all {
		switch {
		case r.done[g[0].key]:
		case r.attempts[g[0].id] > 0:
			suspects = append(suspects, g)
		default:
			fresh = append(fresh, g)
		}
	}
	if len(suspects) > 0 {
		r.apply(ctx, fresh)
	}
	r.blame(fresh)
	if len(all) == 1 {
		return // it was alone already, and nothing can tell whose fault it is
	}
	// In another order each time: the first ones may be the culprits.
	mathrand.Shuffle(len(suspects), func(i, j int) { suspects[i], suspects[j] = suspects[j], suspects[i] }) //nolint:gosec // no secret
	alone := make(map[int]error)
	for i, g := range suspects {
		if ctx.Err() != nil || !r.succeeded && i >= maxSilent {
			return
		}
		if r.apply(ctx, []rivals[T]{g}); !r.done[g[0].key] {
			alone[i] = r.failed
		}
	}
	if ctx.Err() != nil || !r.succeeded {
		return
	}
	for i, err := range alone {
		g := suspects[i]
		if r.attempts[g[0].id]++; r.attempts[g[0].id] >= maxAttempts {
			r.finish(g)
			reason := fmt.Errorf("it failed %d times while others succeeded: %w", maxAttempts, err)
			r.valkey = errors.Join(r.valkey, r.bury(ctx, r.client, g[0], reason))
		}
	}
}

// blame marks groups that failed together for the first time.
func (r *round[T]) blame(fresh []rivals[T]) {
	for _, g := range fresh {
		if !r.done[g[0].key] {
			r.attempts[g[0].id] = 1
		}
	}
}

func (r *round[T]) finish(g rivals[T]) {
	if r.done == nil {
		r.done = make(map[string]bool)
	}
	r.done[g[0].key] = true
}

// call calls Apply under its own deadline. A panic is taken for any other error.
func (r *round[T]) call(ctx context.Context, all []rivals[T]) (err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.q.options.ApplyTimeout)
	defer cancel()
	batch := make([]T, len(all))
	for i, g := range all {
		batch[i] = g[0].value
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("apply: panic: %v", p)
		}
		if err != nil {
			r.q.counts.failures.Add(1)
		}
	}()
	r.q.counts.batches.Add(1)
	if err := r.q.options.Apply(ctx, batch); err != nil {
		return fmt.Errorf("apply %d values: %w", len(batch), err)
	}
	return nil
}

// settle acknowledges the entries of groups that are committed: the older ones of
// each key with the one that was applied.
func (r *round[T]) settle(ctx context.Context, all []rivals[T]) {
	var entries []queued[T]
	for _, g := range all {
		r.finish(g)
		entries = append(entries, g...)
	}
	r.q.counts.coalesced.Add(int64(len(entries) - len(all)))
	r.valkey = errors.Join(r.valkey, r.ack(ctx, r.client, entries))
}

// ack removes entries from the stream. If that fails they are applied once more.
func (w *worker[T]) ack(ctx context.Context, client valkey.Client, entries []queued[T]) error {
	// What is committed is acknowledged although the program is ending.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchTimeout)
	defer cancel()
	args := make([]string, 1, 1+2*len(entries))
	args[0] = queueGroup
	for _, e := range entries {
		args = append(args, e.id, format(e.size()))
	}
	removed, err := w.q.scripts.ack.Exec(ctx, client, []string{w.q.keys.stream, w.q.keys.bytes}, args).AsInt64()
	if err != nil {
		return fmt.Errorf("acknowledge %d entries: %w", len(entries), err)
	}
	w.left += removed
	w.q.counts.applied.Add(removed)
	return nil
}

// bury moves an entry to the dead letters.
func (w *worker[T]) bury(ctx context.Context, client valkey.Client, e queued[T], reason error) error {
	call, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchTimeout)
	defer cancel()
	o := w.q.options
	letter := DeadLetter{Key: e.key, Version: e.version, Data: []byte(e.data), Reason: reason.Error()}
	letter.Reason = letter.Reason[:min(len(letter.Reason), maxReason)]
	moved, err := w.q.scripts.bury.Exec(call, client,
		[]string{w.q.keys.stream, w.q.keys.bytes, w.q.keys.dead}, []string{
			queueGroup, e.id, format(e.size()), format(o.DeadMaxLen), e.key, format(e.version), e.data, letter.Reason,
		}).AsInt64()
	if err != nil {
		return fmt.Errorf("move an entry to the dead letters: %w", err)
	}
	if moved == 0 {
		return nil
	}
	w.left++
	w.q.counts.buried.Add(1)
	w.q.link.logger.ErrorContext(ctx, "a queued value was given up; it is among the dead letters",
		"queue", o.Name, "key", e.key, "version", e.version, "error", reason)
	if o.OnDeadLetter != nil {
		o.OnDeadLetter(call, letter)
	}
	return nil
}

func (q *Queue[T]) refused(err error) bool {
	return errors.Is(err, ErrRefused) || q.options.Refused != nil && q.options.Refused(err)
}
