package cacheutil_test

import (
	"context"
	"testing"
	"time"

	"github.com/hal9-ai/hal9/cacheutil"
)

func open(tb testing.TB, cfg cacheutil.Config) *cacheutil.Manager {
	tb.Helper()
	m, err := cacheutil.Open(tb.Context(), cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := m.Close(); err != nil {
			tb.Error(err)
		}
	})
	return m
}

func TestHit(t *testing.T) {
	m := open(t, cacheutil.Config{})
	c, err := cacheutil.New(m, cacheutil.Options[string]{Name: "word", TTL: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		got, err := c.Get(t.Context(), "a", func(context.Context) (string, error) { return "b", nil })
		if got != "b" || err != nil {
			t.Fatal(got, err)
		}
	}
	if got := m.Stats()[0]; got.Loads != 1 || got.HitsLocal != 2 || got.Requests != 3 {
		t.Errorf("got %+v", got)
	}
	got, bytes, err := c.GetEncoded(t.Context(), "a", nil, func(string) ([]byte, error) { return make([]byte, 1000), nil })
	if got != "b" || err != nil || len(bytes) != 1000 {
		t.Fatal(got, err)
	}
	t.Logf("%+v", m.Stats()[0])
}

func BenchmarkHit(b *testing.B) {
	m := open(b, cacheutil.Config{})
	c, err := cacheutil.New(m, cacheutil.Options[string]{Name: "word", TTL: time.Minute})
	if err != nil {
		b.Fatal(err)
	}
	load := func(context.Context) (string, error) { return "b", nil }
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Get(b.Context(), "a", load); err != nil {
			b.Fatal(err)
		}
	}
}
