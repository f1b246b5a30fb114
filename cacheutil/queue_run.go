package cacheutil

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/valkey-io/valkey-go"
)

const (
	// fetchTimeout bounds a call that no request waits for.
	fetchTimeout = 2 * time.Second
	// fetchBytes bounds an answer of entries, by their mean size.
	fetchBytes = 8 << 20
	// maxQueuePause is the longest pause while the database or Valkey is away.
	maxQueuePause = 5 * time.Second
	// forgetAfter, in ClaimAfters: a consumer that was not seen for so long and
	// holds nothing was a process that is no more.
	forgetAfter = 10
)

var errUnexpected = errors.New("unexpected shape of Valkey's answer")

// Run applies what is queued until ctx ends, and then returns nil: after the batch
// in hand, which takes at most ApplyTimeout more. A database or a Valkey that is
// away never ends it; it tries again with growing pauses of up to 5 s. What it
// could not apply stays in Valkey, at once free for other processes to take over.
//
// Any number of processes may run the same queue. To empty the queue before a
// program ends, call Drain after Run has returned.
func (q *Queue[T]) Run(ctx context.Context) error {
	w := q.newWorker()
	defer w.leave(ctx)
	failures := 0
	for ctx.Err() == nil {
		pass, err := w.pass(ctx)
		pause := q.options.Interval
		switch {
		case err != nil && !pass.progress:
			failures++
			pause = backoff(q.options.Interval, failures)
		case err == nil && pass.full:
			failures, pause = 0, 0
		default:
			failures = 0
		}
		w.tell(err)
		if pauseFor(ctx, pause) != nil {
			break
		}
	}
	return nil
}

// Drain applies what was queued before the call, and returns nil when this process
// finds no more of it. What other processes have in hand is theirs to finish. When
// ctx ends first, the error tells how many entries are left; they stay in Valkey
// for the next Run.
func (q *Queue[T]) Drain(ctx context.Context) error {
	if q.link.client() == nil {
		return nil
	}
	w := q.newWorker()
	defer w.leave(ctx)
	limit, left := "", "an unknown number of"
	for failures := 0; ; {
		pass, err := w.pass(ctx)
		if err == nil {
			if limit == "" {
				limit = pass.last
			}
			if pass.lowest == "" || compareIDs(pass.lowest, limit) > 0 {
				return nil
			}
		}
		if pass.fetched {
			left = "about " + format(pass.length)
		}
		var pause time.Duration
		if failures++; err == nil || pass.progress {
			failures = 0
		} else {
			pause = backoff(q.options.Interval, failures)
		}
		if pauseFor(ctx, pause) != nil {
			return fmt.Errorf("queue %s: %s entries are left in Valkey: %w", q.options.Name, left, errors.Join(ctx.Err(), err))
		}
	}
}

// backoff doubles the interval with each failure, up to a bound, and takes up to a
// fifth off so that processes do not return in step.
func backoff(interval time.Duration, failures int) time.Duration {
	pause := maxQueuePause
	if shift := min(failures, 16); interval < maxQueuePause>>shift {
		pause = interval << shift
	}
	return pause - mathrand.N(pause/5+1) //nolint:gosec // no secret
}

func pauseFor(ctx context.Context, pause time.Duration) error {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return ctx.Err()
	}
}

// worker is one consumer of the stream.
type worker[T any] struct {
	q    *Queue[T]
	name string
	// attempts counts, by id, how often an entry failed while others did not.
	attempts map[string]int
	// cursor is where the search for entries of dead consumers goes on, claimed
	// when it was last made.
	cursor  string
	claimed time.Time
	swept   time.Time
	// left counts the entries that this worker took out of the stream.
	left     int64
	troubled bool
	warned   bool
}

func (q *Queue[T]) newWorker() *worker[T] {
	host, _ := os.Hostname() // for people who look at XINFO CONSUMERS only
	return &worker[T]{
		q:        q,
		name:     host + "-" + strconv.Itoa(os.Getpid()) + "-" + rand.Text()[:8],
		attempts: make(map[string]int),
		cursor:   "0-0",
	}
}

// pass is what one round did.
type pass struct {
	// fetched tells that Valkey answered; length, last and lowest are from its
	// answer: entries queued, the id of the newest, and the lowest id in hand.
	fetched      bool
	length       int64
	last, lowest string
	// full tells that there may be more, progress that an entry left the stream.
	full, progress bool
}

// pass fetches a batch and applies it.
func (w *worker[T]) pass(ctx context.Context) (pass, error) {
	var p pass
	client := w.q.link.client()
	if client == nil {
		return p, nil
	}
	entries, err := w.fetch(ctx, client, &p)
	if err != nil {
		return p, fmt.Errorf("fetch entries: %w", err)
	}
	for _, e := range entries {
		if p.lowest == "" || compareIDs(e.id, p.lowest) < 0 {
			p.lowest = e.id
		}
	}
	before := w.left
	err = w.apply(ctx, client, entries)
	p.progress = w.left > before
	return p, err
}

// fetch asks for a batch, and makes the group if Valkey does not know it: at
// first, and after it lost its data.
func (w *worker[T]) fetch(ctx context.Context, client valkey.Client, p *pass) ([]queued[T], error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	o := w.q.options
	claimAfter := int64(-1)
	if claimNow := time.Since(w.claimed) >= o.ClaimAfter/4; claimNow || w.cursor != "0-0" {
		claimAfter = o.ClaimAfter.Milliseconds()
	}
	// However many entries fail again and again, new ones get a share: that they
	// succeed shows that the others are at fault.
	reserve := int64(max(1, o.Batch/8))
	args := []string{
		queueGroup, w.name, format(int64(o.Batch)), format(reserve), format(claimAfter), w.cursor, format(fetchBytes),
	}
	keys := []string{w.q.keys.stream, w.q.keys.bytes, w.q.keys.dead}
	result := w.q.scripts.fetch.Exec(ctx, client, keys, args)
	if fault, ok := valkey.IsValkeyErr(result.Error()); ok && strings.HasPrefix(fault.Error(), "NOGROUP") {
		create := client.B().XgroupCreate().Key(w.q.keys.stream).Group(queueGroup).Id("0").Mkstream().Build()
		if err := client.Do(ctx, create).Error(); err != nil && !valkey.IsValkeyBusyGroup(err) {
			return nil, fmt.Errorf("make the consumer group: %w", err)
		}
		result = w.q.scripts.fetch.Exec(ctx, client, keys, args)
	}
	parts, err := result.ToArray()
	if err != nil {
		return nil, err //nolint:wrapcheck // the caller says what was being done
	}
	if len(parts) != 4 {
		return nil, errUnexpected
	}
	state, err := readState(parts[0])
	if err != nil {
		return nil, err
	}
	if w.cursor, err = parts[3].ToString(); err != nil {
		return nil, fmt.Errorf("read the cursor: %w", err)
	}
	if claimAfter >= 0 {
		w.claimed = time.Now()
	}
	p.fetched, p.length, p.last = true, state.length, state.last
	var entries []queued[T]
	for _, part := range parts[1:3] {
		messages, err := part.ToArray()
		if err != nil {
			return nil, fmt.Errorf("read the entries: %w", err)
		}
		for _, message := range messages {
			e, err := w.q.readEntry(message)
			if err != nil {
				return nil, err
			}
			entries = append(entries, e)
		}
	}
	p.full = len(entries) > 0 && int64(len(entries)) < state.length
	w.warn(ctx, client)
	w.sweep(ctx, client)
	return entries, nil
}

// sweep forgets the consumers of dead processes now and then.
func (w *worker[T]) sweep(ctx context.Context, client valkey.Client) {
	idle := forgetAfter * w.q.options.ClaimAfter
	if time.Since(w.swept) < idle {
		return
	}
	w.swept = time.Now()
	err := w.q.scripts.sweep.Exec(ctx, client, []string{w.q.keys.stream}, []string{queueGroup, format(idle.Milliseconds())}).Error()
	if err != nil {
		w.q.link.logger.DebugContext(ctx, "forget consumers that are gone", "queue", w.q.options.Name, "error", err)
	}
}

// warn tells once of a Valkey that is set up to lose what is queued. Where it may
// not be asked there is nothing to tell.
func (w *worker[T]) warn(ctx context.Context, client valkey.Client) {
	if w.warned {
		return
	}
	w.warned = true
	info, err := client.Do(ctx, client.B().Info().Section("memory", "persistence").Build()).ToString()
	if err != nil {
		return
	}
	log := w.q.link.logger.With("queue", w.q.options.Name)
	if strings.Contains(info, "maxmemory_policy:allkeys-") && !strings.Contains(info, "\nmaxmemory:0\r") {
		log.WarnContext(ctx, "Valkey may evict queued values to make room: set maxmemory-policy to noeviction or a volatile one, or give the queue a Valkey of its own")
	}
	if strings.Contains(info, "aof_enabled:0") {
		log.WarnContext(ctx, "Valkey loses queued values when it ends: set appendonly yes")
	}
}

// leave hands over what the worker still holds. The context of a worker that ends
// has often ended as well.
func (w *worker[T]) leave(ctx context.Context) {
	client := w.q.link.client()
	if client == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), w.q.link.budget)
	defer cancel()
	err := w.q.scripts.leave.Exec(ctx, client, []string{w.q.keys.stream},
		[]string{queueGroup, w.name, format(w.q.options.ClaimAfter.Milliseconds())}).Error()
	if err != nil {
		w.q.link.logger.DebugContext(ctx, "leave the queue; what is held is taken over later", "queue", w.q.options.Name, "error", err)
	}
}

// tell logs when trouble begins and when it ends, not each round of it.
func (w *worker[T]) tell(err error) {
	switch {
	case err != nil && !w.troubled:
		w.q.link.logger.Warn("the queue cannot apply its values; it tries again", "queue", w.q.options.Name, "error", err)
	case err == nil && w.troubled:
		w.q.link.logger.Info("the queue applies its values again", "queue", w.q.options.Name)
	}
	w.troubled = err != nil
}

// tidy forgets the attempts of entries that are no longer in hand.
func (w *worker[T]) tidy(entries []queued[T]) {
	if len(w.attempts) == 0 {
		return
	}
	kept := make(map[string]int)
	for _, e := range entries {
		if n := w.attempts[e.id]; n > 0 {
			kept[e.id] = n
		}
	}
	w.attempts = kept
}
