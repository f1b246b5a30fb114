package cacheutil

import "time"

// clock tells nanoseconds since some moment. It is the first tier's clock too.
type clock struct {
	start    time.Time
	injected func() time.Time
}

func newClock(injected func() time.Time) *clock {
	return &clock{start: time.Now(), injected: injected}
}

// NowNano implements otter.Clock. Without an injected clock it is monotonic: the
// machine's time may jump, entries do not notice.
func (c *clock) NowNano() int64 {
	if c.injected != nil {
		return c.injected().UnixNano()
	}
	// Otter takes 0 for no time at all.
	return int64(time.Since(c.start)) + int64(time.Hour)
}

// Tick implements otter.Clock.
func (*clock) Tick(every time.Duration) <-chan time.Time { return time.Tick(every) }
