//go:build unix

package subprocess_test

import (
	"context"
	"errors"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hal9-ai/hal9/internal/subprocess"
)

// A child that is stopped and reads nothing holds up nobody beyond his time, whatever is
// sent; it answers again when it goes on.
func TestProcessStopped(t *testing.T) {
	t.Parallel()
	const callers = 16
	p := newProcess(t, func(c *subprocess.Config) { c.Concurrency, c.Stuck = callers, time.Hour })
	first := p.pid()
	if err := syscall.Kill(first, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	long := make([]byte, 60_000) // all of them are more than a pipe holds
	var all sync.WaitGroup
	for range callers {
		all.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			if _, err := p.Do(ctx, long); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%v", err)
			}
		})
	}
	all.Wait()
	if err := syscall.Kill(first, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	if p.pid() != first {
		t.Error("the child was replaced")
	}
}
