package cacheutil

import (
	"context"
	"sync/atomic"
	"time"
)

// clockResolution is how far the clock lags behind: to read the machine's time on
// every hit would cost a third of the hit.
const clockResolution = 10 * time.Millisecond

// clock tells nanoseconds since some moment. It is the first tier's clock too.
// Without an injected one it is monotonic: the machine's time may jump, entries do
// not notice.
type clock struct {
	start    time.Time
	injected func() time.Time
	coarse   atomic.Int64
}

func newClock(injected func() time.Time) *clock {
	c := &clock{start: time.Now(), injected: injected}
	c.tick()
	return c
}

// run moves the clock until the context ends.
func (c *clock) run(ctx context.Context) {
	ticker := time.NewTicker(clockResolution)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			c.tick()
		}
	}
}

func (c *clock) tick() {
	// Otter takes 0 for no time at all.
	c.coarse.Store(int64(time.Since(c.start)) + int64(time.Hour))
}

// NowNano implements otter.Clock.
func (c *clock) NowNano() int64 {
	if c.injected != nil {
		return c.injected().UnixNano()
	}
	return c.coarse.Load()
}

// Tick implements otter.Clock.
func (*clock) Tick(every time.Duration) <-chan time.Time { return time.Tick(every) }
