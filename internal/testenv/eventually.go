package testenv

import (
	"testing"
	"time"
)

const (
	// patience is how long tests wait for what should take no time: a busy machine must
	// fail none.
	patience = time.Minute
	// lookEvery is how often they look.
	lookEvery = 2 * time.Millisecond
)

// Eventually waits until a condition holds that others bring about and that nothing tells
// of, so that it has to be looked at again and again. The test fails with what was waited
// for if it does not hold within a minute. The condition is called by the test's own
// goroutine, and may fail the test itself.
func Eventually(tb testing.TB, what string, holds func() bool) {
	tb.Helper()
	EventuallyOr(tb, func() string { return what }, holds)
}

// EventuallyOr is Eventually for who can tell more at the end than at the beginning.
func EventuallyOr(tb testing.TB, what func() string, holds func() bool) {
	tb.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline.C:
			tb.Fatalf("waited %s in vain for: %s", patience, what())
		}
	}
}
