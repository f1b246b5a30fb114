package cacheutil

import (
	"context"
	"time"
)

const (
	// defaultTrust is for how long process memory is believed after the last proof
	// that it hears of every change, unless Config.LocalMaxTTL says otherwise;
	// minTrust is the least, which leaves room for a few heartbeats.
	defaultTrust = 2 * time.Second
	minTrust     = 500 * time.Millisecond
	// watchInterval is how often it is asked at the most whether a proof has become too
	// old: a process that has nothing else to do should not be woken for it.
	watchInterval = 50 * time.Millisecond
)

// What is in process memory is right as long as the changes of others are heard of.
// Three things prove it, each for a while:
//
//   - of each link, the heartbeat: a PING that was sent when everything that was
//     changed before had been told, or is told ahead of the answer, since one
//     connection keeps the order;
//   - the era: calls are answered by the same server as before, so that others can
//     tell their changes where they are heard;
//   - in a cluster, that all masters have links.
//
// Whether calls are answered in time proves nothing: a busy machine leaves them
// unanswered while every change is heard of.
//
// When a proof is overdue, process memory is suspended: not used, and kept. The
// next proof of the same connection says that nothing was missed, and it is used
// again. When a connection breaks, what it would have told is lost, and everything
// is forgotten.

// trust is how old a proof may be.
func (c Config) trust() time.Duration {
	if c.LocalMaxTTL == 0 {
		return defaultTrust
	}
	return max(c.LocalMaxTTL, minTrust)
}

// heard records that a link has proved at the moment to have told all.
func (r *remote) heard(l *link, at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	l.heard = at
	r.judge()
}

// eraHeard records that at the moment the era was the one that is known.
func (r *remote) eraHeard(at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.eraProven = at
	r.judge()
}

// judge lets process memory be used or suspends it. r.mu is held.
func (r *remote) judge() {
	proven := r.live && r.proven(time.Now().Add(-r.cfg.trust()))
	switch {
	case proven == r.local.usable.Load():
	case proven:
		r.local.resume()
	default:
		r.local.suspend()
		r.waiters.wakeAll()
	}
}

// proven tells whether no proof is older than the moment. r.mu is held.
func (r *remote) proven(since time.Time) bool {
	for _, l := range r.links {
		if !l.up || l.heard.Before(since) {
			return false
		}
	}
	return !r.eraProven.Before(since) && (!r.clustered || !r.mastersProven.Before(since))
}

// beating tells whether every link has answered the last heartbeats.
func (r *remote) beating() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	since := time.Now().Add(-beatTimeout)
	for _, l := range r.links {
		if !l.up || l.heard.Before(since) {
			return false
		}
	}
	return len(r.links) > 0
}

// watch suspends process memory when a proof is overdue, until the context ends.
func (r *remote) watch(ctx context.Context) {
	timer := time.NewTimer(watchInterval)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
			r.mu.Lock()
			r.judge()
			wait := r.untilOverdue(time.Now())
			r.mu.Unlock()
			timer.Reset(wait)
		}
	}
}

// untilOverdue is how long it takes until a proof can be too old, if no other comes.
// Proofs only become younger, and a new link has just proved. While process memory is
// suspended, and nearly so, it is watchInterval. r.mu is held.
func (r *remote) untilOverdue(now time.Time) time.Duration {
	if !r.local.usable.Load() {
		return watchInterval
	}
	oldest := r.eraProven
	if r.clustered && r.mastersProven.Before(oldest) {
		oldest = r.mastersProven
	}
	for _, l := range r.links {
		if l.heard.Before(oldest) {
			oldest = l.heard
		}
	}
	return max(oldest.Add(r.cfg.trust()).Sub(now), watchInterval)
}
