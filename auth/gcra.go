package auth

import (
	"sync"
	"time"
)

// RateLimit bounds how often something may happen for each of many keys. It is the
// generic cell rate algorithm (ITU-T I.371) as a virtual schedule: for a key only
// the moment is kept at which its budget will be whole again, and an event can be
// given back. Safe for concurrent use; it forgets whole budgets, and holds a bounded
// number of others.
type RateLimit struct {
	interval time.Duration // what one event costs
	burst    time.Duration // the whole budget
	max      int

	mu   sync.Mutex
	full map[string]time.Time // when the key's budget is whole again
}

// NewRateLimit allows count events at once for each key, and as many more in each
// window. It remembers up to max keys; past it, some that used little are forgotten.
func NewRateLimit(count int, window time.Duration, maxKeys int) *RateLimit {
	interval := window / time.Duration(count)
	return &RateLimit{interval: interval, burst: interval * time.Duration(count), max: maxKeys, full: map[string]time.Time{}}
}

// Take takes one event from the key's budget. When it is used up, ok is false and
// retryAfter says when one event is there again.
func (l *RateLimit) Take(key string, now time.Time) (retryAfter time.Duration, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at, wait := l.after(key, now)
	if wait > 0 {
		return wait, false
	}
	if _, known := l.full[key]; !known && len(l.full) >= l.max {
		l.forget(now)
	}
	l.full[key] = at
	return 0, true
}

// Wait tells when the key's next event is there, 0 for now. It takes none.
func (l *RateLimit) Wait(key string, now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, wait := l.after(key, now)
	return wait
}

// after tells when the budget will be whole after one more event, and how long to
// wait for that event.
func (l *RateLimit) after(key string, now time.Time) (whole time.Time, wait time.Duration) {
	at, known := l.full[key]
	if !known || at.Before(now) {
		at = now
	}
	at = at.Add(l.interval)
	return at, max(at.Sub(now)-l.burst, 0)
}

// Return gives one event back.
func (l *RateLimit) Return(key string, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at, known := l.full[key]
	if !known {
		return
	}
	if at = at.Add(-l.interval); at.After(now) {
		l.full[key] = at
	} else {
		delete(l.full, key)
	}
}

// Forget makes the key's budget whole.
func (l *RateLimit) Forget(key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.full, key)
}

// Len counts the keys that are remembered.
func (l *RateLimit) Len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.full)
}

// forget makes room for one key. Of a few it drops the whole budgets; if there are
// none, the one that comes closest, so that a flood of new keys does not free those
// that are held back.
func (l *RateLimit) forget(now time.Time) {
	const sample = 64
	nearest, nearestAt, looked := "", time.Time{}, 0
	for key, at := range l.full {
		if !at.After(now) {
			delete(l.full, key)
		} else if nearestAt.IsZero() || at.Before(nearestAt) {
			nearest, nearestAt = key, at
		}
		if looked++; looked == sample {
			break
		}
	}
	if len(l.full) >= l.max {
		delete(l.full, nearest)
	}
}
