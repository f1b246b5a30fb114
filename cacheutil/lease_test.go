package cacheutil_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/hal9-ai/hal9/cacheutil"
	"github.com/hal9-ai/hal9/internal/testenv"
)

// leases are the leases that anyone holds.
func (p *pair) leases() int {
	p.t.Helper()
	keys, err := p.raw.Do(p.t.Context(), p.raw.B().Keys().Pattern("pair:l:*").Build()).AsStrSlice()
	if err != nil {
		p.t.Fatal(err)
	}
	return len(keys)
}

// A lease whose grant was not heard of is given back, and nothing is stored under
// it: the load may have begun before an invalidation that came first.
func TestUnheardLease(t *testing.T) {
	p := newPair(t, cacheutil.Config{CallTimeout: 300 * time.Millisecond})
	through := wordCache(t, p.ma, func(o *cacheutil.Options[string]) { o.Name, o.LeaseTTL = "patient", time.Minute })
	p.get(through, "first") // Valkey knows the scripts
	thaw := p.freeze()
	got, err := through.Get(t.Context(), "k", func(context.Context) (string, error) {
		thaw()
		testenv.Eventually(t, "the lease is granted", func() bool { return p.leases() == 1 })
		return "old", nil
	})
	if got != "old" || err != nil {
		t.Fatal(got, err)
	}
	testenv.Eventually(t, "the lease is given back", func() bool { return p.leases() == 0 })
	if _, err := p.mb.Peek(t.Context(), "k"); err == nil {
		t.Error("the value was stored")
	}
}

// A process that has nothing in memory serves a stale value from Valkey: when the
// load fails, and when it is slow.
func TestStaleFromValkey(t *testing.T) {
	p := newPair(t, cacheutil.Config{})
	stale := func(o *cacheutil.Options[string]) {
		o.TTL, o.MaxStale, o.SoftTimeout = 20*time.Millisecond, time.Hour, time.Millisecond
	}
	writer := wordCache(t, p.ma, stale)
	p.get(writer, "k")
	testenv.Eventually(t, "the value is past its time", func() bool {
		entry, err := p.ma.Peek(t.Context(), "k")
		return err == nil && entry.TTL < 0
	})
	broken := errors.New("the database is away")
	hang := make(chan struct{})
	defer close(hang)
	for name, load := range map[string]func(context.Context) (string, error){
		"broken": func(context.Context) (string, error) { return "", broken },
		"slow": func(context.Context) (string, error) {
			<-hang
			return "new", nil
		},
	} {
		fresh := wordCache(t, openLive(t, p.cfg), stale)
		ctx, trace := cacheutil.WithTrace(t.Context())
		got, err := fresh.Get(ctx, "k", load)
		if got != "old" || err != nil || !trace.Stale() {
			t.Errorf("%s: got %q, %v, stale %v", name, got, err, trace.Stale())
		}
		if name == "slow" {
			continue
		}
		if _, err := fresh.Get(ctx, "another", load); !errors.Is(err, broken) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
