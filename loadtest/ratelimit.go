package loadtest

import (
	"sync/atomic"
	"time"
)

// rateLimit lets a number of events per second pass, evenly spread. It is safe for
// concurrent use.
type rateLimit struct {
	every int64 // nanoseconds
	next  atomic.Int64
}

func newRateLimit(perSecond float64) *rateLimit {
	return &rateLimit{every: int64(float64(time.Second) / perSecond)}
}

// take tells whether one may pass now.
func (l *rateLimit) take(now time.Time) bool {
	at := now.UnixNano()
	next := l.next.Load()
	return at >= next && l.next.CompareAndSwap(next, at+l.every)
}
