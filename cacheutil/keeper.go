package cacheutil

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/valkey-io/valkey-go"
)

const (
	// keepInterval is how often the keeper looks after everything.
	keepInterval = 100 * time.Millisecond
	// eraInterval is how often the era is asked for though nobody told of a
	// change: with a Sentinel, calls may go to a new master before the link to the
	// old one breaks. It also keeps the key from being evicted as unused.
	eraInterval = 200 * time.Millisecond
	// keeperBudget is for questions that no caller waits for.
	keeperBudget = 500 * time.Millisecond
	// nodesInterval is how often the masters of a cluster are looked for.
	nodesInterval = time.Second
)

// keeper is the goroutine that connects, probes, tracks and repeats.
type keeper struct {
	*remote
	option       valkey.ClientOption
	backoff      time.Duration
	nextTry      time.Time
	nextEra      time.Time
	nextNodes    time.Time
	nextPresence time.Time
	answered     int // pings in a row while the breaker is open
	// replicas are the nodes of a cluster that last said they were.
	replicas map[string]bool
}

// keep runs until the context ends, then closes what it has opened.
func (r *remote) keep(ctx context.Context, option valkey.ClientOption) {
	k := &keeper{remote: r, option: option, backoff: minBackoff, replicas: map[string]bool{}}
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		r.watch(ctx)
	}()
	defer func() { <-watched }()
	ticker := time.NewTicker(keepInterval)
	defer ticker.Stop()
	for opening := true; ctx.Err() == nil; {
		k.look(ctx)
		if opening && (k.client.Load() == nil || k.isLive()) {
			opening = false
			close(r.ready)
		}
		select {
		case <-ctx.Done():
		case <-ticker.C:
		case <-r.kick:
		}
	}
	r.unlink(nil)
	if client := r.client.Load(); client != nil {
		k.depart(ctx, *client)
		(*client).Close()
	}
}

func (r *remote) wakeKeeper() {
	select {
	case r.kick <- struct{}{}:
	default: // it is awake
	}
}

// look does what is due.
func (k *keeper) look(ctx context.Context) {
	now := time.Now()
	if k.client.Load() == nil {
		if now.Before(k.nextTry) {
			return
		}
		if err := k.connect(k.option); err != nil {
			because := why(err)
			if before := k.trouble.Swap(&because); before == nil || *before != because {
				k.log.WarnContext(ctx, "Valkey is away; the cache works without it", "address", k.address(), "error", because)
			}
			k.nextTry = time.Now().Add(spread(k.backoff))
			k.backoff = min(2*k.backoff, maxBackoff)
			return
		}
		k.trouble.Store(nil)
		k.log.InfoContext(ctx, "connected to Valkey")
	}
	client := *k.client.Load()
	back := k.breaker.open() && k.probe(ctx, client)
	if !now.Before(k.nextNodes) {
		k.nextNodes = now.Add(nodesInterval)
		k.relink(ctx, client)
	}
	if k.journal.overflowed() {
		k.newEra(ctx, client)
	}
	if k.eraDue.Load() || k.space.Load() == nil || !now.Before(k.nextEra) {
		k.nextEra = now.Add(eraInterval)
		k.readEra(ctx, client)
	}
	if back && k.space.Load() != nil && !k.eraDue.Load() {
		k.breaker.close(time.Now())
		k.trouble.Store(nil)
		k.log.InfoContext(ctx, "Valkey answers again")
	}
	k.settle(ctx)
	k.replay(ctx)
}

// patience is how long the keeper waits for an answer that no caller waits for.
func (k *keeper) patience() time.Duration { return max(keeperBudget, k.cfg.CallTimeout) }

// probe tells whether Valkey answers again: twice in a row and in time.
func (k *keeper) probe(ctx context.Context, client valkey.Client) bool {
	if err := ping(ctx, client, k.cfg.CallTimeout); err != nil {
		k.answered = 0
		if _, ok := errors.AsType[*valkey.ValkeyError](err); !ok { // what it says itself, refused tells
			because := why(err)
			k.trouble.Store(&because)
		}
		return false
	}
	if k.answered++; k.answered < 2 {
		k.wakeKeeper()
		return false
	}
	k.answered = 0
	k.nextNodes = time.Time{}
	return true
}

// readEra asks for the era. One begins where there is none, and where the one that
// was must not go on.
func (k *keeper) readEra(ctx context.Context, client valkey.Client) {
	k.eraDue.Store(false)
	k.mu.Lock()
	condemned := k.condemned
	k.mu.Unlock()
	began := time.Now()
	era, run, err := k.askEra(ctx, client, condemned)
	if err != nil {
		k.refused(ctx, err)
		k.eraDue.Store(true)
		return
	}
	if !k.breaker.open() { // else what the probe met goes on
		k.trouble.Store(nil)
	}
	k.enter(era)
	k.follow(run)
	k.eraHeard(began)
}

// askEra returns the era and the process that gave it; see eraScript for what not.
func (k *keeper) askEra(ctx context.Context, client valkey.Client, not string) (era, run string, err error) {
	began := time.Now()
	limited, cancel := context.WithTimeout(ctx, k.patience())
	defer cancel()
	args := []string{newName(), not, k.presence(began), millis(presenceTimeout), millis(presenceGap)}
	answer, err := runScript(limited, client, scriptCall{k.scripts.era, eraKeys(k.cfg.Prefix), args}).ToArray()
	if !answered(err) || time.Since(began) <= k.cfg.CallTimeout {
		k.observe(ctx, began, k.patience(), err)
	}
	if err != nil {
		return "", "", fmt.Errorf("ask Valkey for the era: %w", err)
	}
	if len(answer) != 2 {
		return "", "", fmt.Errorf("ask Valkey for the era: %d fields", len(answer))
	}
	era, err = answer[0].ToString()
	if err != nil {
		return "", "", fmt.Errorf("read Valkey's answer: %w", err)
	}
	if silent, _ := answer[1].AsInt64(); silent > 0 {
		k.log.WarnContext(ctx, "another process fell silent and may not have told what it changed: the cache begins anew", "processes", silent)
	}
	name := min(len(newName()), len(era))
	return era[:name], era[name:], nil
}

// newEra puts everything out of reach, because more invalidations were missed
// than were kept.
func (k *keeper) newEra(ctx context.Context, client valkey.Client) {
	lost := k.journal.lost()
	era, _, err := k.askEra(ctx, client, "*")
	if err != nil || !k.journal.reset(lost) {
		return
	}
	k.enter(era)
	k.log.WarnContext(ctx, "more invalidations were missed than were kept: the cache begins anew")
}

// enter works in the era from now on, unless it was condemned meanwhile.
func (k *keeper) enter(era string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.condemned == era {
		return
	}
	k.era, k.condemned = era, ""
	next := newKeyspace(k.cfg.Prefix, k.epoch.Load(), era)
	if there := k.space.Load(); there != nil && *there == *next || k.journal.overflowed() {
		return
	}
	k.space.Store(next)
	if k.entered != *next {
		k.entered = *next
		k.local.fences.advance()
	}
}

// overflow leaves Valkey alone until a new era has begun.
func (r *remote) overflow() {
	r.space.Store(nil)
	r.doubt()
}

// setEpoch works with another epoch of the database.
func (r *remote) setEpoch(epoch int64) {
	r.epoch.Store(epoch)
	r.space.Store(nil)
	r.doubt()
}

// replay repeats invalidations that Valkey did not take.
func (k *keeper) replay(ctx context.Context) {
	if k.journal.count.Load() == 0 || k.space.Load() == nil || k.eraDue.Load() {
		return
	}
	batch := make([]invalidation, 0, maxBatch)
	serials := make([]int64, 0, maxBatch)
	flush := func() bool {
		for i, err := range k.send(ctx, batch, true) {
			if err != nil {
				return false
			}
			k.journal.taken(batch[i].subject, serials[i])
			k.dropped(batch[i].subject)
		}
		batch, serials = batch[:0], serials[:0]
		return true
	}
	for subject, kept := range k.journal.all() {
		batch, serials = append(batch, invalidation{subject, kept.version}), append(serials, kept.serial)
		if len(batch) == maxBatch && !flush() {
			return
		}
	}
	flush()
}

// dropped forgets locally what was dropped in Valkey: its own telling may come
// later.
func (r *remote) dropped(s subject) {
	if s.group {
		r.drop(s.name)
	} else {
		r.local.drop(s.name, 0)
	}
}

// state describes the tier.
func (r *remote) state() State {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := State{Valkey: stateDown, Tracking: r.local.usable.Load(), BreakerOpen: r.breaker.open(), Pending: r.journal.length(), Deferred: r.journal.deferred()}
	if _, _, err := r.usable(); err == nil { // connected, and it is known to be the same as before
		s.Valkey = stateUp
	} else if because := r.trouble.Load(); because != nil {
		s.Why = *because
	}
	return s
}
