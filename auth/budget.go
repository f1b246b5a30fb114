package auth

import "time"

// Left tells how many events the key's budget holds, and how long it takes until it
// is whole again.
func (l *RateLimit) Left(key string, now time.Time) (events int, whole time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	whole = max(0, l.full[key].Sub(now))
	return int((l.burst - whole) / l.interval), whole
}
