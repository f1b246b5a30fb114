package cacheutil

import (
	"context"
	"sync/atomic"
	"time"
)

const (
	// clockResolution is how far the clock lags behind while it is read often: to read
	// the machine's time on every hit would cost a third of the hit.
	clockResolution = 10 * time.Millisecond
	// clockBusy is how many exact readings pay for clockSpan of ticking. A tick wakes a
	// process that has nothing else to do, which takes as long as a thousand readings.
	clockBusy = 1 << 15
	clockSpan = time.Second
)

// clock tells nanoseconds since some moment. It is the first tier's clock too.
// Without an injected one it is monotonic: the machine's time may jump, entries do
// not notice.
//
// Who reads it seldom reads the machine's time. Each clockBusy readings it ticks for
// clockSpan, and those who read it then have the last tick's time.
type clock struct {
	start    time.Time
	injected func() time.Time
	coarse   atomic.Int64 // the last tick, 0: read the machine's time
	readings atomic.Int64 // exact ones since it last ticked
	often    chan struct{}
}

func newClock(injected func() time.Time) *clock {
	return &clock{start: time.Now(), injected: injected, often: make(chan struct{}, 1)}
}

// run ticks when it pays, until the context ends.
func (c *clock) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.often:
			c.tickFor(ctx, clockSpan)
		}
	}
}

func (c *clock) tickFor(ctx context.Context, span time.Duration) {
	c.coarse.Store(c.exact())
	defer c.readings.Store(0)
	defer c.coarse.Store(0)
	ticker := time.NewTicker(clockResolution)
	defer ticker.Stop()
	for begun := time.Now(); time.Since(begun) < span; {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			c.coarse.Store(c.exact())
		}
	}
}

// exact reads the machine's time.
func (c *clock) exact() int64 {
	// Otter takes 0 for no time at all.
	return int64(time.Since(c.start)) + int64(time.Hour)
}

// NowNano implements otter.Clock.
func (c *clock) NowNano() int64 {
	if c.injected != nil {
		return c.injected().UnixNano()
	}
	if now := c.coarse.Load(); now != 0 {
		return now
	}
	if c.readings.Add(1) == clockBusy {
		select {
		case c.often <- struct{}{}:
		default: // it is awake
		}
	}
	return c.exact()
}

// Tick implements otter.Clock.
func (*clock) Tick(every time.Duration) <-chan time.Time { return time.Tick(every) }
