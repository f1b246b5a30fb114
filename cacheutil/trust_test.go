package cacheutil_test

import (
	"testing"
	"time"

	"github.com/hal9-ai/hal9/cacheutil"
	"github.com/hal9-ai/hal9/internal/testenv"
)

// newGatedPair is a pair whose first half has a gate before Valkey.
func newGatedPair(t *testing.T, cfg cacheutil.Config) (*pair, *gate) {
	t.Helper()
	p := newPair(t, cfg)
	g := newGate(t, hostOf(t, p.cfg.URL))
	cfg = p.cfg
	cfg.URL = g.url()
	cfg.CallTimeout = 20 * time.Millisecond
	p.ma = openLive(t, cfg)
	p.a = wordCache(t, p.ma, nil)
	p.warm("k")
	p.warm("other")
	return p, g
}

// open reads keys that nobody has until the breaker opens, and returns them.
func (p *pair) open() (keys []string) {
	p.t.Helper()
	testenv.Eventually(p.t, "the breaker opens", func() bool {
		keys = append(keys, "cold"+keyOf(len(keys)))
		p.get(p.a, keys[len(keys)-1])
		return p.ma.State().BreakerOpen
	})
	return keys
}

// inMemory fails if the key is not in the first half's memory with this value.
func (p *pair) inMemory(key, want string) {
	p.t.Helper()
	hits := p.ma.Stats()[0].HitsLocal
	if got := p.get(p.a, key); got != want {
		p.t.Errorf("%s is %q, want %q", key, got, want)
	}
	if p.ma.Stats()[0].HitsLocal == hits {
		p.t.Errorf("%s was not in memory", key)
	}
}

// Answers do not come and invalidations do: what is in memory is right and stays in
// use, what is loaded is kept there, and the writes of others are heard of.
func TestMemoryOutlivesTheBreaker(t *testing.T) {
	p, g := newGatedPair(t, cacheutil.Config{LocalMaxTTL: time.Minute})
	g.hold()
	cold := p.open()
	if s := p.ma.State(); !s.Tracking || s.Valkey != "down" {
		t.Errorf("got %+v", s)
	}
	p.inMemory("k", "old")
	for _, key := range cold {
		p.inMemory(key, "old")
	}
	p.write("new")
	for _, key := range []string{"k", cold[0]} {
		p.b.Invalidate(t.Context(), key, 0)
		testenv.Eventually(t, "the other's write is heard of", func() bool { return p.get(p.a, key) == "new" })
	}
	p.inMemory("other", "old")
	g.pass()
	testenv.Eventually(t, "the breaker closes", func() bool { return !p.ma.State().BreakerOpen })
	p.inMemory("other", "old")
	p.inMemory("k", "new")
}

// A Valkey whose answers are too late for callers still hears of writes, and is
// still known to be the same, for longer than a proof of it holds.
func TestSlowValkeyIsTold(t *testing.T) {
	p, g := newGatedPair(t, cacheutil.Config{LocalMaxTTL: 2 * time.Second})
	g.delay(60 * time.Millisecond)
	p.open()
	for _, row := range []string{"new", "newer"} {
		p.write(row)
		p.a.Invalidate(t.Context(), "k", 0)
		if got := p.get(p.a, "k"); got != row {
			t.Errorf("the writer reads %q", got)
		}
		testenv.Eventually(t, "the other hears of it", func() bool { return p.get(p.b, "k") == row })
	}
	if s := p.ma.State(); !s.BreakerOpen {
		t.Errorf("the breaker has closed: %+v", s)
	}
	p.inMemory("other", "old")
}

// Nothing is heard at all: after LocalMaxTTL memory is not used, since others cannot
// tell of their writes. It is not forgotten: as the connection holds, it is right
// again with the first heartbeat.
func TestSilentValkey(t *testing.T) {
	p := newPair(t, cacheutil.Config{LocalMaxTTL: 500 * time.Millisecond, CallTimeout: 20 * time.Millisecond})
	p.warm("k")
	p.warm("other")
	thaw := p.freeze()
	p.write("new")
	p.b.Invalidate(t.Context(), "k", 0)
	testenv.Eventually(t, "the memory is not used", func() bool { return p.get(p.a, "k") == "new" })
	if s := p.ma.State(); s.Tracking {
		t.Errorf("got %+v", s)
	}
	thaw()
	testenv.Eventually(t, "the memory is used", func() bool { return p.ma.State().Tracking })
	p.inMemory("other", "old")
	testenv.Eventually(t, "the write is heard of", func() bool { return p.mb.State().Pending == 0 && p.get(p.a, "k") == "new" })
}

// Calls are not answered for long: another server may be the one that others tell
// their writes. So memory is suspended although the heartbeats are answered.
func TestUnansweredEra(t *testing.T) {
	p, g := newGatedPair(t, cacheutil.Config{LocalMaxTTL: 500 * time.Millisecond})
	g.hold()
	testenv.Eventually(t, "the memory is not used", func() bool { return !p.ma.State().Tracking })
	p.write("new")
	p.b.Invalidate(t.Context(), "k", 0)
	testenv.Eventually(t, "the write is read", func() bool { return p.get(p.a, "k") == "new" })
	g.pass()
	testenv.Eventually(t, "the memory is used", func() bool { return p.ma.State().Tracking })
	p.inMemory("other", "old")
	testenv.Eventually(t, "the write is heard of", func() bool { return p.get(p.a, "k") == "new" })
}

func TestBreakerJudges(t *testing.T) {
	const budget = 50 * time.Millisecond
	type calls struct {
		answered, failed int           // a tenth of a second apart, failures after answers
		late             time.Duration // of the failures
	}
	for name, one := range map[string]struct {
		calls  []calls
		silent bool // heartbeats are not answered
		opens  bool
	}{
		"a burst of failures":          {calls: []calls{{answered: 50, failed: 20}}},
		"silence":                      {calls: []calls{{answered: 50}, {}, {failed: 5}}, opens: true},
		"silence, few calls":           {calls: []calls{{answered: 50}, {}, {failed: 4}}},
		"a third fails":                {calls: []calls{{20, 10, 0}, {20, 10, 0}, {20, 10, 0}, {20, 10, 0}}},
		"most fail":                    {calls: []calls{{10, 15, 0}, {10, 15, 0}, {10, 15, 0}}, opens: true},
		"most failed a while ago":      {calls: []calls{{1, 9, 0}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {5, 4, 0}}},
		"late failures":                {calls: []calls{{answered: 1}, {}, {failed: 50, late: budget}}},
		"late failures, no heartbeats": {calls: []calls{{answered: 1}, {}, {failed: 50, late: budget}}, silent: true, opens: true},
	} {
		now := time.Now()
		b := cacheutil.NewBreaker(now, budget, func() bool { return !one.silent })
		for _, tenth := range one.calls {
			for range tenth.answered {
				b.Succeeded(now)
			}
			for range tenth.failed {
				b.Failed(now, budget, tenth.late)
			}
			now = now.Add(100 * time.Millisecond)
		}
		if b.Open() != one.opens {
			t.Errorf("%s: open is %v", name, b.Open())
		}
	}
}
