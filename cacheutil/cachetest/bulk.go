package cachetest

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/hal9-ai/hal9/cacheutil"
)

func testMany(t *testing.T, m *cacheutil.Manager) {
	c := newCache(t, m, nil)
	var calls atomic.Int64
	var asked []string
	rows := map[string]Row{}
	for i := range 1200 {
		rows[keyOf(i)] = Row{Text: keyOf(i), Version: int64(i + 1)}
	}
	load := func(_ context.Context, missing []string) (map[string]Row, error) {
		calls.Add(1)
		asked = slices.Sorted(slices.Values(missing))
		got := map[string]Row{}
		for _, key := range missing {
			if row, ok := rows[key]; ok {
				got[key] = row
			}
		}
		return got, nil
	}
	keys := slices.Collect(maps.Keys(rows))
	mustGet(t, c, keys[0], loads(rows[keys[0]], nil), keys[0])
	for round := range 2 {
		got, err := c.GetMany(t.Context(), append(slices.Clone(keys), keys[1], "none"), load)
		if err != nil || !maps.Equal(got, rows) {
			t.Fatalf("round %d: got %d rows, %v", round, len(got), err)
		}
		if calls.Load() != 1 {
			t.Fatalf("round %d: %d loads", round, calls.Load())
		}
	}
	want := slices.Sorted(slices.Values(append(slices.Clone(keys[1:]), "none")))
	if !slices.Equal(asked, want) {
		t.Errorf("asked for %d keys, want %d", len(asked), len(want))
	}
	mustBeCached(t, c, keys[1], keys[1])
	c.Invalidate(t.Context(), keys[1], 0)
	if _, err := c.GetMany(t.Context(), keys, load); err != nil || !slices.Equal(asked, keys[1:2]) {
		t.Errorf("after an invalidation asked for %v, %v", asked, err)
	}

	// An error comes beside what is cached.
	broken := func(context.Context, []string) (map[string]Row, error) { return nil, errBroken }
	got, err := c.GetMany(t.Context(), []string{keys[0], "unknown"}, broken)
	if !errors.Is(err, errBroken) || len(got) != 1 {
		t.Errorf("got %v, %v", got, err)
	}

	// Those that ask at once share the load.
	g := newGate()
	calls.Store(0)
	//nolint:unparam // it is a load
	slow := func(context.Context, []string) (map[string]Row, error) {
		calls.Add(1)
		close(g.begun)
		<-g.pass
		return map[string]Row{"x": {Text: "x"}, "y": {Text: "y"}}, nil
	}
	var all sync.WaitGroup
	before := m.Stats()[0].Requests
	for range 100 {
		all.Go(func() {
			got, err := c.GetMany(t.Context(), []string{"x", "y"}, slow)
			if err != nil || len(got) != 2 {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
	await(t, g.begun)
	eventually(t, "all readers have come", func() bool { return m.Stats()[0].Requests == before+200 })
	close(g.pass)
	all.Wait()
	if calls.Load() != 1 {
		t.Errorf("%d loads for 100 readers", calls.Load())
	}
}

func testEncoded(t *testing.T, m *cacheutil.Manager) {
	c := newCache(t, m, nil)
	var encodings atomic.Int64
	//nolint:unparam // it is an encode
	encode := func(r Row) ([]byte, error) {
		encodings.Add(1)
		return []byte("<" + r.Text + ">"), nil
	}
	get := func(want string) {
		t.Helper()
		row, bytes, err := c.GetEncoded(t.Context(), "k", loads(Row{Text: want}, nil).Load, encode)
		if err != nil || row.Text != want || string(bytes) != "<"+want+">" {
			t.Fatalf("got %+v, %q, %v", row, bytes, err)
		}
	}
	if err := warm(t, c); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		get("a")
	}
	// Without process memory there is nothing to keep bytes beside.
	if s := m.Stats()[0]; s.Entries > 0 && encodings.Load() != 1 {
		t.Errorf("encoded %d times", encodings.Load())
	}
	c.Invalidate(t.Context(), "k", 0)
	get("b")
	if _, _, err := c.GetEncoded(t.Context(), "l", loads(Row{}, cacheutil.ErrNotFound).Load, encode); !errors.Is(err, cacheutil.ErrNotFound) {
		t.Errorf("got %v", err)
	}
	broken := func(Row) ([]byte, error) { return nil, errBroken }
	if _, _, err := c.GetEncoded(t.Context(), "m", loads(Row{}, nil).Load, broken); !errors.Is(err, errBroken) {
		t.Errorf("got %v", err)
	}
}

// warm reads once, so that the value is where it will be found.
func warm(t *testing.T, c *cacheutil.Cache[Row]) error {
	t.Helper()
	_, err := c.Get(t.Context(), "k", loads(Row{Text: "a"}, nil).Load)
	return err
}
