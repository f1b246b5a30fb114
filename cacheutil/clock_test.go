package cacheutil_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hal9-ai/hal9/cacheutil"
)

// lifetime returns how long a value is served without a load.
func lifetime(t *testing.T, c *cacheutil.Cache[string], key string, step time.Duration) time.Duration {
	t.Helper()
	began := time.Now()
	loads := 0
	for {
		_, err := c.Get(t.Context(), key, func(context.Context) (string, error) {
			loads++
			return "value", nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if loads > 1 {
			return time.Since(began)
		}
		time.Sleep(step) // of the bubble's time
	}
}

func TestJitter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := openBubble(t, cacheutil.Config{})
		c := wordCache(t, m, func(o *cacheutil.Options[string]) { o.TTL = 100 * time.Second })
		shortest, longest := time.Hour, time.Duration(0)
		for i := range 50 {
			life := lifetime(t, c, keyOf(i), time.Second)
			shortest, longest = min(shortest, life), max(longest, life)
		}
		if shortest < 90*time.Second || shortest > 96*time.Second || longest < 105*time.Second || longest > 111*time.Second {
			t.Errorf("50 values lived between %v and %v, want 100 s ± 10 %%", shortest, longest)
		}
	})
}

// Without a common Valkey nothing lives longer than LocalMaxTTL.
func TestLocalMaxTTL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := openBubble(t, cacheutil.Config{LocalMaxTTL: 2 * time.Second})
		c := wordCache(t, m, nil)
		if life := lifetime(t, c, "k", 100*time.Millisecond); life < 1900*time.Millisecond || life > 2100*time.Millisecond {
			t.Errorf("a value lived %v", life)
		}
	})
}

// A stale value is served within MaxStale and not after; the broken database is
// asked once a second.
func TestMaxStale(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := openBubble(t, cacheutil.Config{})
		c := wordCache(t, m, func(o *cacheutil.Options[string]) { o.TTL, o.MaxStale = 10*time.Second, time.Minute })
		broken := errors.New("the database is away")
		calls := 0
		load := func(context.Context) (string, error) {
			if calls++; calls > 1 {
				return "", broken
			}
			return "value", nil
		}
		began := time.Now()
		for {
			got, err := c.Get(t.Context(), "k", load)
			if err != nil {
				if !errors.Is(err, broken) {
					t.Fatal(err)
				}
				break
			}
			if got != "value" {
				t.Fatalf("got %q", got)
			}
			time.Sleep(100 * time.Millisecond) // of the bubble's time
		}
		if served := time.Since(began); served < 69*time.Second || served > 72*time.Second {
			t.Errorf("the value was served for %v, want 10 s ± 1 s and a minute more", served)
		}
		if calls < 50 || calls > 65 {
			t.Errorf("the broken database was asked %d times in a minute", calls)
		}
	})
}

// The injected clock alone decides about the first tier's times.
func TestInjectedClock(t *testing.T) {
	var now atomic.Pointer[time.Time]
	set := func(to time.Time) { now.Store(&to) }
	set(time.Now())
	m := open(t, cacheutil.Config{Now: func() time.Time { return *now.Load() }})
	c := wordCache(t, m, func(o *cacheutil.Options[string]) { o.TTL = time.Minute })
	loads := 0
	get := func() {
		t.Helper()
		if _, err := c.Get(t.Context(), "k", func(context.Context) (string, error) {
			loads++
			return "value", nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	for _, step := range []struct {
		by   time.Duration
		want int
	}{{0, 1}, {53 * time.Second, 1}, {14 * time.Second, 2}, {-time.Hour, 2}, {time.Hour + 53*time.Second, 2}, {14 * time.Second, 3}} {
		set(now.Load().Add(step.by))
		if get(); loads != step.want {
			t.Fatalf("after %v: %d loads, want %d", step.by, loads, step.want)
		}
	}
	// The clock jumps at random: a value younger than its TTL less the jitter of a tenth is
	// a hit, one older than that and more is a miss, by the clock alone.
	const seed, jumps = 9000, 2000
	random := rand.New(rand.NewPCG(seed, 0))
	loaded, known, wrong := time.Time{}, false, 0
	for range jumps {
		set(now.Load().Add(time.Duration(random.Int64N(int64(10*time.Minute))) - 4*time.Minute))
		before, age := loads, now.Load().Sub(loaded)
		get()
		missed := loads > before
		if known && (missed && age < 54*time.Second || !missed && age > 66*time.Second) {
			wrong++
			t.Errorf("a value of age %v: missed is %t (seed %d)", age, missed, seed)
		}
		if missed {
			loaded, known = *now.Load(), true
		}
	}
	t.Logf("%d jumps, %d loads: %d wrong expiries", jumps, loads, wrong)
}

// openBubble opens a manager that is closed within the bubble.
func openBubble(t *testing.T, cfg cacheutil.Config) *cacheutil.Manager {
	t.Helper()
	m, err := cacheutil.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m
}
