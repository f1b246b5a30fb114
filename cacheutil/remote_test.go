package cacheutil_test

import (
	"context"
	"testing"
	"time"

	"github.com/hal9-ai/hal9/cacheutil"
	"github.com/hal9-ai/hal9/internal/testenv"
)

func TestSmoke(t *testing.T) {
	server := testenv.StartCache(t)
	a := open(t, cacheutil.Config{URL: server.URL(), Prefix: "x:"})
	b := open(t, cacheutil.Config{URL: server.URL(), Prefix: "x:"})
	t.Log(a.State(), b.State())
	ca, _ := cacheutil.New(a, cacheutil.Options[string]{Name: "word", TTL: time.Minute})
	cb, _ := cacheutil.New(b, cacheutil.Options[string]{Name: "word", TTL: time.Minute})
	value := "one"
	load := func(context.Context) (string, error) { return value, nil }
	for range 3 {
		t.Log(ca.Get(t.Context(), "k", load))
		t.Log(cb.Get(t.Context(), "k", load))
	}
	t.Log(a.Peek(t.Context(), "k"))
	value = "two"
	ca.Invalidate(t.Context(), "k", 3)
	t.Log(a.Peek(t.Context(), "k"))
	time.Sleep(20 * time.Millisecond)
	for range 3 {
		t.Log(ca.Get(t.Context(), "k", load))
		t.Log(cb.Get(t.Context(), "k", load))
	}
	t.Logf("%+v\n%+v", a.Stats(), b.Stats())
	t.Log(cb.GetMany(t.Context(), []string{"k", "l", "m"}, func(_ context.Context, missing []string) (map[string]string, error) {
		t.Log(missing)
		return map[string]string{"l": "L"}, nil
	}))
	t.Log(ca.GetInGroup(t.Context(), "g", "gk", load))
	t.Log(cb.GetInGroup(t.Context(), "g", "gk", load))
	value = "three"
	a.InvalidateGroup(t.Context(), "g")
	time.Sleep(20 * time.Millisecond)
	t.Log(ca.GetInGroup(t.Context(), "g", "gk", load))
	t.Log(cb.GetInGroup(t.Context(), "g", "gk", load))
	t.Logf("%+v\n%+v", a.Stats(), b.Stats())
	t.Log(a.State(), b.State())
}
