package cacheutil

import (
	"context"
	"testing"
	"time"
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
	await := func(what string, want bool, read func()) {
		t.Helper()
		for begun := time.Now(); ticking() != want; read() {
			if time.Since(begun) > 10*time.Second {
				t.Fatalf("waited in vain for the clock to %s", what)
			}
		}
	}
	for range 2 {
		await("tick", true, func() { c.NowNano() })
		moves("read often")
		await("rest", false, func() { time.Sleep(time.Millisecond) })
	}
}
