package cacheutil_test

import (
	"context"
	"runtime"
	"strings"
	"testing"

	"github.com/hal9-ai/hal9/cacheutil"
	"github.com/hal9-ai/hal9/internal/testenv"
)

const mib = 1 << 20

// heap returns the bytes in use after a collection.
func heap() int64 {
	runtime.GC()
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

// Keys that are read once and never again take no memory beyond the bound,
// whatever their number.
func TestMemoryBound(t *testing.T) {
	const (
		bound = 4 * mib
		keys  = 20_000
	)
	for name, url := range map[string]string{"local": "", "two tiers": testenv.CacheURL(t)} {
		t.Run(name, func(t *testing.T) {
			before := heap()
			m := open(t, cacheutil.Config{URL: url, Prefix: prefix(t), LocalMaxBytes: bound})
			c := wordCache(t, m, nil)
			count := keys
			if url != "" {
				count /= 5 // each is a round trip or two
			}
			text := strings.Repeat("x", 2000)
			for i := range count {
				key := keyOf(i)
				load := func(context.Context) (string, error) { return strings.Clone(text), nil }
				if i%2 == 0 {
					load = func(context.Context) (string, error) { return "", cacheutil.ErrNotFound }
				}
				if i%100 == 0 {
					_, _ = c.GetInGroup(t.Context(), "group "+key, key, load)
				}
				_, _ = c.Get(t.Context(), key, load)
			}
			cacheutil.CleanUp(m)
			s := m.Stats()[0]
			if s.Bytes > bound || s.Evictions == 0 || s.Entries == 0 {
				t.Errorf("the tier is not bounded: %+v", s)
			}
			// A group whose generation Valkey did not tell in time is not remembered.
			got, most := cacheutil.SizesOf(c), cacheutil.Sizes{Groups: count / 100}
			if got.Groups == 0 || got.Groups > most.Groups || got.Flights != 0 || got.Waiters != 0 || got.Journal != 0 {
				t.Errorf("tables keep %+v, want %+v at the most", got, most)
			}
			// Estimates are not exact, and there are the tables of the tier itself
			// and the buffers of connections.
			grown := heap() - before
			t.Logf("%d keys read once, bound %d MiB: %d entries, %d bytes as estimated, heap grown by %d", count, bound/mib, s.Entries, s.Bytes, grown)
			if grown > bound+6*mib {
				t.Errorf("the heap has grown by %d bytes", grown)
			}
			runtime.KeepAlive(m)
		})
	}
}

// What a cache counts as its bytes is right again when its entries are gone.
func TestBytesAreCounted(t *testing.T) {
	m := open(t, cacheutil.Config{})
	c := wordCache(t, m, nil)
	load := func(context.Context) (string, error) { return "value", nil }
	for i := range 100 {
		key := keyOf(i)
		for range 2 {
			if _, _, err := c.GetEncoded(t.Context(), key, load, func(string) ([]byte, error) { return make([]byte, 1000), nil }); err != nil {
				t.Fatal(err)
			}
		}
	}
	if s := m.Stats()[0]; s.Entries != 100 || s.Bytes < 100*1000 || s.Bytes > 100*2000 {
		t.Errorf("got %+v", s)
	}
	for i := range 100 {
		c.Invalidate(t.Context(), keyOf(i), 0)
	}
	if s := m.Stats()[0]; s.Entries != 0 || s.Bytes != 0 {
		t.Errorf("got %+v", s)
	}
}
