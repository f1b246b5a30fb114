package cachetest

import (
	"context"
	"errors"
	"testing"

	"github.com/hal9-ai/hal9/cacheutil"
)

// gate is a load that stops until it is let through.
type gate struct {
	begun, pass chan struct{}
}

func newGate() gate { return gate{begun: make(chan struct{}), pass: make(chan struct{})} }

func (g gate) load(row Row) func(context.Context) (Row, error) {
	return func(context.Context) (Row, error) {
		close(g.begun)
		<-g.pass
		return row, nil
	}
}

// background reads in a goroutine.
func background(t *testing.T, read func() (Row, error)) <-chan Row {
	t.Helper()
	done := make(chan Row, 1)
	go func() {
		row, err := read()
		if err != nil {
			row.Text = err.Error()
		}
		done <- row
	}()
	return done
}

func testFence(t *testing.T, m *cacheutil.Manager) {
	c := newCache(t, m, nil)
	for name, write := range map[string]func(key string){
		"invalidate":  func(key string) { c.Invalidate(t.Context(), key, 2) },
		"unversioned": func(key string) { m.InvalidateKeys(t.Context(), key) },
		"put":         func(key string) { c.Put(t.Context(), key, Row{Text: "new", Version: 2}) },
	} {
		g := newGate()
		reader := background(t, func() (Row, error) { return c.Get(t.Context(), name, g.load(Row{Text: "old", Version: 1})) })
		await(t, g.begun)
		write(name)
		close(g.pass)
		if got := <-reader; got.Text != "old" {
			t.Fatalf("%s: the reader got %+v", name, got)
		}
		mustGet(t, c, name, loads(Row{Text: "new", Version: 2}, nil), "new")
	}
}

func testNoOldFlight(t *testing.T, m *cacheutil.Manager) {
	c := newCache(t, m, nil)
	g := newGate()
	first := background(t, func() (Row, error) { return c.Get(t.Context(), "k", g.load(Row{Text: "old"})) })
	await(t, g.begun)
	c.Invalidate(t.Context(), "k", 0)
	// The first load still runs; this one must not wait for it.
	mustGet(t, c, "k", loads(Row{Text: "new"}, nil), "new")
	close(g.pass)
	<-first
	mustBeCached(t, c, "k", "new")
}

func testWriteOrder(t *testing.T, m *cacheutil.Manager) {
	c := newCache(t, m, nil)
	c.Put(t.Context(), "k", Row{Text: "six", Version: 6})
	mustBeCached(t, c, "k", "six")
	c.Put(t.Context(), "k", Row{Text: "five", Version: 5})
	if got, err := c.Get(t.Context(), "k", loads(Row{Text: "six", Version: 6}, nil).Load); err != nil || got.Text != "six" {
		t.Fatalf("an older write has replaced a newer one: %+v, %v", got, err)
	}
	// A late write of a row that was deleted meanwhile.
	c.Invalidate(t.Context(), "k", 8)
	c.Put(t.Context(), "k", Row{Text: "seven", Version: 7})
	mustGet(t, c, "k", loads(Row{Text: "gone", Version: 0}, nil), "gone")
	c.Put(t.Context(), "k", Row{Text: "nine", Version: 9})
	mustBeCached(t, c, "k", "nine")
}

// A late write of a row that was deleted at the version that the write gave it, before and
// after a reader found it gone.
func testWriteOfDeleted(t *testing.T, m *cacheutil.Manager) {
	c := newCache(t, m, nil)
	gone := loads(Row{}, cacheutil.ErrNotFound)
	c.Put(t.Context(), "k", Row{Text: "six", Version: 6})
	for _, when := range []string{"before it was missed", "when it was missed"} {
		c.Invalidate(t.Context(), "k", 7)
		if when == "when it was missed" {
			if _, err := c.Get(t.Context(), "k", gone.Load); !errors.Is(err, cacheutil.ErrNotFound) {
				t.Fatal(err)
			}
		}
		c.Put(t.Context(), "k", Row{Text: "seven", Version: 7})
		if got, err := c.Get(t.Context(), "k", gone.Load); !errors.Is(err, cacheutil.ErrNotFound) {
			t.Errorf("%s: a deleted row is back: %+v, %v", when, got, err)
		}
	}
	c.Put(t.Context(), "k", Row{Text: "eight", Version: 8}) // made anew
	mustBeCached(t, c, "k", "eight")
}

func testPutWithoutVersion(t *testing.T, m *cacheutil.Manager) {
	c := newCache(t, m, func(o *cacheutil.Options[Row]) { o.Version = nil })
	mustGet(t, c, "k", loads(Row{Text: "a"}, nil), "a")
	c.Put(t.Context(), "k", Row{Text: "b"})
	mustGet(t, c, "k", loads(Row{Text: "loaded"}, nil), "loaded")

	aside := newCache(t, m, func(o *cacheutil.Options[Row]) { o.Strategy = cacheutil.CacheAside })
	aside.Put(t.Context(), "k", Row{Text: "c", Version: 9})
	mustGet(t, aside, "k", loads(Row{Text: "loaded again", Version: 9}, nil), "loaded again")
}

func testGroups(t *testing.T, m *cacheutil.Manager) {
	c := newCache(t, m, nil)
	get := func(group, key string, l *loader, want string) {
		t.Helper()
		got, err := c.GetInGroup(t.Context(), group, key, l.Load)
		if err != nil || got.Text != want {
			t.Fatalf("%s of %s: got %+v, %v, want %q", key, group, got, err, want)
		}
	}
	a, b := loads(Row{Text: "a"}, nil), loads(Row{Text: "b"}, nil)
	for range 3 {
		get("one", "a", a, "a")
		get("two", "b", b, "b")
	}
	if a.calls.Load() != 1 || b.calls.Load() != 1 {
		t.Fatalf("%d and %d loads", a.calls.Load(), b.calls.Load())
	}
	m.InvalidateGroup(t.Context(), "one")
	a.load = loads(Row{Text: "a2"}, nil).load
	for range 2 {
		get("one", "a", a, "a2")
		get("two", "b", b, "b")
	}
	if a.calls.Load() != 2 || b.calls.Load() != 1 {
		t.Errorf("%d and %d loads after one group was dropped", a.calls.Load(), b.calls.Load())
	}
	// A key of a group can be dropped alone, and means nothing outside it.
	m.InvalidateKeys(t.Context(), "b")
	get("two", "b", loads(Row{Text: "b2"}, nil), "b2")
	get("two", "b", b, "b2")
	mustGet(t, c, "b", loads(Row{Text: "another"}, nil), "another")
}

func testGroupFence(t *testing.T, m *cacheutil.Manager) {
	c := newCache(t, m, nil)
	g := newGate()
	reader := background(t, func() (Row, error) { return c.GetInGroup(t.Context(), "g", "k", g.load(Row{Text: "old"})) })
	await(t, g.begun)
	m.InvalidateGroup(t.Context(), "g")
	l := loads(Row{Text: "new"}, nil)
	for _, when := range []string{"while the old load runs", "when it has ended"} {
		got, err := c.GetInGroup(t.Context(), "g", "k", l.Load)
		if err != nil || got.Text != "new" {
			t.Fatalf("%s: got %+v, %v", when, got, err)
		}
		if when == "while the old load runs" {
			close(g.pass)
			<-reader
		}
	}
}
