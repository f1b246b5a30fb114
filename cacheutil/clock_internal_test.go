package cacheutil

import (
	"context"
	"testing"
	"time"

	"github.com/hal9-ai/hal9/internal/testenv"
)

// Read seldom the clock does not tick; read often it does for a while, and neither way
// does it stand still.
func TestClockTicksWhenReadOften(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	c := newClock(nil)
	go func() { defer close(ended); c.run(ctx) }()
	defer func() { cancel(); <-ended }()

	ticking := func() bool { return c.coarse.Load() != 0 }
	moves := func(state string) {
		t.Helper()
		for begun, before := time.Now(), c.NowNano(); c.NowNano() <= before; {
			if time.Since(begun) > 10*time.Second {
				t.Fatalf("the clock stands still while it is %s", state)
			}
		}
	}
	moves("read seldom")
	if ticking() {
		t.Fatal("the clock ticks for few readings")
	}
	for range 2 {
		testenv.Eventually(t, "the clock to tick", func() bool {
			for range clockBusy {
				c.NowNano()
			}
			return ticking()
		})
		moves("read often")
		testenv.Eventually(t, "the clock to rest", func() bool { return !ticking() })
	}
}
