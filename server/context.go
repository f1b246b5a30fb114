package server

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// requestContext is a request's context with what is known of the request: one
// allocation for what context.WithValue takes three for.
type requestContext struct {
	context.Context //nolint:containedctx // it is a context, one step further down

	info requestInfo
	// header is what the answer's X-Request-Id has: the id, in the shape of a header.
	header [1]string
}

// Value implements context.Context.
func (c *requestContext) Value(key any) any {
	if _, ok := key.(requestInfoKey); ok {
		return &c.info
	}
	return c.Context.Value(key)
}

// deadlineContext is context.WithDeadline whose timer starts when somebody waits for it.
// Most requests are answered out of memory, where nobody does; the timer, and entering it
// with the connection's context and removing it again, is a good part of such a request.
// It is safe for concurrent use, and its maker calls end when the work is done.
type deadlineContext struct {
	context.Context //nolint:containedctx // it is a context, one step further down

	deadline time.Time
	// timed is the context with a timer, once there is one.
	timed atomic.Pointer[timedContext]

	mu    sync.Mutex // held by who makes timed, and by end
	ended bool
}

type timedContext struct {
	context.Context //nolint:containedctx // what deadlineContext stands for

	cancel context.CancelFunc
}

func withTimeout(parent context.Context, timeout time.Duration) *deadlineContext {
	return &deadlineContext{Context: parent, deadline: time.Now().Add(timeout)}
}

// timer starts the timer, if that was not done yet.
func (c *deadlineContext) timer() *timedContext {
	if t := c.timed.Load(); t != nil {
		return t
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if t := c.timed.Load(); t != nil {
		return t
	}
	ctx, cancel := context.WithDeadline(c.Context, c.deadline)
	if c.ended {
		cancel()
	}
	t := &timedContext{ctx, cancel}
	c.timed.Store(t)
	return t
}

// end cancels the context, as the function that context.WithDeadline returns does.
func (c *deadlineContext) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = true
	if t := c.timed.Load(); t != nil {
		t.cancel()
	}
}

// Untimed implements ingest.Untimed.
func (c *deadlineContext) Untimed() context.Context { return c.Context }

// Deadline implements context.Context.
func (c *deadlineContext) Deadline() (time.Time, bool) {
	if earlier, ok := c.Context.Deadline(); ok && earlier.Before(c.deadline) {
		return earlier, true
	}
	return c.deadline, true
}

// Done implements context.Context.
func (c *deadlineContext) Done() <-chan struct{} { return c.timer().Done() }

// Err implements context.Context.
func (c *deadlineContext) Err() error {
	t := c.timed.Load()
	if t == nil {
		c.mu.Lock()
		ended := c.ended
		c.mu.Unlock()
		if !ended && c.Context.Err() == nil && time.Now().Before(c.deadline) {
			return nil
		}
		t = c.timer()
	}
	return t.Err()
}

// Value implements context.Context. Once there is a timer its context is asked, since
// contexts below find the one to be canceled with by asking for it.
func (c *deadlineContext) Value(key any) any {
	if t := c.timed.Load(); t != nil {
		return t.Value(key)
	}
	return c.Context.Value(key)
}
