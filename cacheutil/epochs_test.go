package cacheutil_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hal9-ai/hal9/cacheutil"
	"github.com/hal9-ai/hal9/internal/testenv"
)

// Processes learn of a new epoch one after the other. What one that has not yet heard of it
// writes is dropped for those that have.
func TestEpochHeardOfLate(t *testing.T) {
	var first, second atomic.Int64
	cfg := cacheutil.Config{URL: testenv.CacheURL(t), Prefix: prefix(t), EpochInterval: time.Millisecond}
	from := func(epoch *atomic.Int64) cacheutil.Config {
		epoch.Store(1)
		c := cfg
		c.EpochSource = func(context.Context) (int64, error) { return epoch.Load(), nil }
		return c
	}
	ma, mb := openLive(t, from(&first)), openLive(t, from(&second))
	a, b := wordCache(t, ma, nil), wordCache(t, mb, nil)
	var row atomic.Value
	load := func(context.Context) (string, error) { //nolint:unparam // what a load is
		text, _ := row.Load().(string)
		return text, nil
	}
	read := func(c *cacheutil.Cache[string], group string) string {
		t.Helper()
		var got string
		var err error
		if group == "" {
			got, err = c.Get(t.Context(), "k", load)
		} else {
			got, err = c.GetInGroup(t.Context(), group, "member", load)
		}
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	row.Store("before")
	read(a, "")
	read(a, "g")
	row.Store("old")
	first.Store(2)
	testenv.Eventually(t, "the epoch has changed", func() bool { return read(a, "") == "old" && read(a, "g") == "old" })
	row.Store("new")
	b.Invalidate(t.Context(), "k", 7)
	mb.InvalidateGroup(t.Context(), "g")
	testenv.Eventually(t, "the write shows", func() bool { return read(a, "") == "new" && read(a, "g") == "new" })
	if got := read(b, ""); got != "new" {
		t.Errorf("the writer reads %q", got)
	}
}
