package cacheutil_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hal9-ai/hal9/internal/testenv"
)

// strike is something that happens to the Valkey of a fleet under load, and passes.
type strike struct {
	name string
	// inject makes it happen, heal ends it or returns when it has ended of itself.
	inject, heal func()
	// silent tells that the breaker must open meanwhile.
	silent bool
	// forgetful tells that acknowledged writes may be lost, so that a server may for a
	// moment read older values than it has written.
	forgetful bool
	// atLeast is how long it lasts, without the time that the figures need.
	atLeast time.Duration
}

// run lets it happen and holds the fleet to its promises. It returns a line of what
// callers saw.
func (one strike) run(t *testing.T, f *fleet) string {
	t.Helper()
	f.awaitGets(t, 500)
	<-time.After(one.atLeast / 2) // for figures of the time before

	var opened atomic.Int64
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	from := time.Now()
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		f.every(ctx, time.Millisecond, func() {
			for _, s := range f.servers {
				if s.manager.State().BreakerOpen {
					opened.CompareAndSwap(0, int64(time.Since(from)))
				}
			}
		})
	}()
	one.inject()
	over := time.After(one.atLeast)
	f.awaitGets(t, 500)
	if one.silent {
		testenv.Eventually(t, "the breaker opens", func() bool { return opened.Load() != 0 })
		// And reads go on with an open breaker.
		f.awaitGets(t, 200)
	}
	<-over
	one.heal()
	to := time.Now()
	f.awaitWhole(t)
	recovered := time.Since(to)
	f.awaitGets(t, 200)
	cancel()
	<-watched

	behind := f.awaitCoherence(t)
	f.awaitInvalidations(t)
	breaker := "breaker did not open"
	if ns := opened.Load(); ns != 0 {
		breaker = "breaker opened after " + time.Duration(ns).Round(time.Millisecond).String()
	}
	line := f.report(one.name, from, to, breaker,
		"whole again after "+recovered.Round(time.Millisecond).String(),
		fmt.Sprintf("%d of %d keys out of date at the end", behind, len(f.servers)*len(f.keys)))
	if one.forgetful {
		f.regressed.Store(0)
	}
	f.requireFaultless(t)
	return line
}

// percentile is that of the calls that began within the times.
func percentile(samples []sample, from, to time.Time, share float64) time.Duration {
	var within []time.Duration
	for _, s := range samples {
		if !s.at.Before(from) && s.at.Before(to) {
			within = append(within, s.took)
		}
	}
	if len(within) == 0 {
		return 0
	}
	slices.Sort(within)
	return within[int(float64(len(within)-1)*share)]
}

// report tells, for the time of a fault, what callers saw.
func (f *fleet) report(name string, from, to time.Time, further ...string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	before := percentile(f.reads, f.began, from, 0.99)
	during := percentile(f.reads, from, to, 0.99)
	round := func(d time.Duration) string { return d.Round(10 * time.Microsecond).String() }
	return fmt.Sprintf("%-16s %6d gets, %d failed, %d regressed; p99 %s before, %s during (%+.2f ms), worst %s; write p99 %s; oldest value read %s; %s",
		name, f.gets.Load(), f.failed.Load(), f.regressed.Load(), round(before), round(during),
		float64((during-before).Microseconds())/1000, round(percentile(f.reads, from, to, 1)),
		round(percentile(f.puts, from, to, 0.99)), round(f.oldest), strings.Join(further, "; "))
}
