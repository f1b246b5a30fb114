package cachetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/hal9-ai/hal9/cacheutil"
)

// A time to live that a test waits for.
const short = 30 * time.Millisecond

var errBroken = errors.New("the database is away")

func testFailSafe(t *testing.T, m *cacheutil.Manager) {
	c := newCache(t, m, func(o *cacheutil.Options[Row]) { o.TTL, o.MaxStale = short, time.Hour })
	mustGet(t, c, "k", loads(Row{Text: "a"}, nil), "a")
	broken := loads(Row{}, errBroken)
	eventually(t, "the value is stale", func() bool {
		ctx, trace := cacheutil.WithTrace(t.Context())
		got, err := c.Get(ctx, "k", broken.Load)
		if err != nil || got.Text != "a" {
			t.Fatalf("got %+v, %v", got, err)
		}
		return trace.Stale()
	})
	calls := broken.calls.Load()
	for range 10 {
		mustGet(t, c, "k", broken, "a")
	}
	if got := broken.calls.Load() - calls; got > 1 {
		t.Errorf("the broken database was asked %d times more within a moment", got)
	}
	if s := m.Stats()[0]; s.Stale == 0 {
		t.Errorf("stale values are not counted: %+v", s)
	}
	// What was invalidated is never served in need.
	c.Invalidate(t.Context(), "k", 0)
	if got, err := c.Get(t.Context(), "k", broken.Load); !errors.Is(err, errBroken) {
		t.Errorf("after an invalidation: got %+v, %v", got, err)
	}
	// A row that is not there is no failure.
	mustGet(t, c, "l", loads(Row{Text: "a"}, nil), "a")
	eventually(t, "the row is missed", func() bool {
		_, err := c.Get(t.Context(), "l", loads(Row{}, cacheutil.ErrNotFound).Load)
		return errors.Is(err, cacheutil.ErrNotFound)
	})
}

func testSoftTimeout(t *testing.T, m *cacheutil.Manager) {
	c := newCache(t, m, func(o *cacheutil.Options[Row]) {
		o.TTL, o.MaxStale, o.SoftTimeout = short, time.Hour, time.Millisecond
	})
	mustGet(t, c, "k", loads(Row{Text: "old"}, nil), "old")
	g := newGate()
	slow := g.load(Row{Text: "new"})
	eventually(t, "a stale value stands in for a slow load", func() bool {
		ctx, trace := cacheutil.WithTrace(t.Context())
		got, err := c.Get(ctx, "k", slow)
		if err != nil || got.Text != "old" {
			t.Fatalf("got %+v, %v", got, err)
		}
		// Without a load it was a slow Valkey, where the value may be fresh still.
		select {
		case <-g.begun:
			return trace.Stale()
		default:
			return false
		}
	})
	close(g.pass)
	// The slow load has gone on, and its value is kept.
	eventually(t, "the slow load's value arrives", func() bool {
		got, err := c.Get(t.Context(), "k", func(context.Context) (Row, error) { return Row{Text: "new"}, nil })
		return err == nil && got.Text == "new"
	})
}

func testHardTimeout(t *testing.T, m *cacheutil.Manager) {
	hard := func(o *cacheutil.Options[Row]) { o.HardTimeout = short }
	c := newCache(t, m, hard)
	deaf := make(chan struct{})
	defer close(deaf)
	for name, load := range map[string]func(context.Context) (Row, error){
		"obedient": func(ctx context.Context) (Row, error) {
			<-ctx.Done()
			return Row{}, ctx.Err()
		},
		"deaf": func(context.Context) (Row, error) {
			<-deaf
			return Row{}, nil
		},
	} {
		_, err := c.Get(t.Context(), name, load)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s load: got %v", name, err)
		}
	}

	stale := newCache(t, m, func(o *cacheutil.Options[Row]) {
		hard(o)
		o.TTL, o.MaxStale = short, time.Hour
	})
	mustGet(t, stale, "k", loads(Row{Text: "old"}, nil), "old")
	eventually(t, "a stale value stands in for a load past its limit", func() bool {
		ctx, trace := cacheutil.WithTrace(t.Context())
		got, err := stale.Get(ctx, "k", func(ctx context.Context) (Row, error) {
			<-ctx.Done()
			return Row{}, ctx.Err()
		})
		if err != nil || got.Text != "old" {
			t.Fatalf("got %+v, %v", got, err)
		}
		return trace.Stale()
	})
}

func testRefreshAhead(t *testing.T, m *cacheutil.Manager) {
	c := newCache(t, m, func(o *cacheutil.Options[Row]) { o.TTL, o.RefreshAhead = time.Hour, 1e-6 })
	mustGet(t, c, "k", loads(Row{Text: "old"}, nil), "old")
	l := loads(Row{Text: "new"}, nil)
	eventually(t, "the value is refreshed before its end", func() bool {
		got, err := c.Get(t.Context(), "k", l.Load)
		if err != nil {
			t.Fatal(err)
		}
		return got.Text == "new"
	})
	if s := m.Stats()[0]; s.Misses != 1 || s.Refreshes == 0 {
		t.Errorf("a reader has waited for the refresh: %+v", s)
	}
}
