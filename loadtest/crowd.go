package loadtest

import (
	"context"
	"sync"
	"time"
)

// crowd is all users of a run.
type crowd struct {
	run     *running
	ctx     context.Context //nolint:containedctx // lives as long as the run
	members sync.WaitGroup
	stops   []chan struct{}
}

// conduct lets users come and go as the stages say, until they end.
func (c *crowd) conduct(ctx context.Context) error {
	const step = 50 * time.Millisecond
	tick := time.NewTicker(step)
	defer tick.Stop()
	scenario := c.run.plan.scenario
	for {
		at := time.Since(c.run.begin)
		if at >= scenario.Duration() {
			return nil
		}
		c.setUsers(scenario.usersAt(at))
		select {
		case <-ctx.Done():
			return context.Cause(ctx) //nolint:wrapcheck // Run wraps it
		case <-c.run.fullSignal:
			return errFull
		case <-tick.C:
		}
	}
}

// dismiss tells all but the first n users to stop.
func (c *crowd) dismiss(n int) {
	for len(c.stops) > n {
		last := len(c.stops) - 1
		close(c.stops[last])
		c.stops = c.stops[:last]
	}
}

func (c *crowd) setUsers(n int) {
	c.dismiss(n)
	for len(c.stops) < n {
		stop := make(chan struct{})
		c.stops = append(c.stops, stop)
		u := newUser(c.run, len(c.stops), stop)
		c.members.Go(func() {
			defer c.run.spent(time.Now())
			u.play(c.ctx)
		})
	}
	c.run.users.Store(int64(n))
}

// leave waits for users to finish, and returns false if some did not in time.
func (c *crowd) leave(patience time.Duration) bool {
	gone := make(chan struct{})
	go func() {
		c.members.Wait()
		close(gone)
	}()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-gone:
		return true
	case <-timer.C:
		return false
	}
}
