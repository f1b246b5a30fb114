package cacheutil_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hal9-ai/hal9/cacheutil"
	"github.com/hal9-ai/hal9/internal/testenv"
)

// herd is what reading processes are told, and what they report.
type herd struct {
	URL, Prefix, Key string
	Readers          int
	Hangs            bool // the load does not end

	Loads, Wrong int64
	Slowest      time.Duration
}

// readTogether is a process of many readers.
func readTogether(c *conversation) error {
	var told herd
	if err := c.in.Decode(&told); err != nil {
		return fmt.Errorf("hear where to read: %w", err)
	}
	m, err := cacheutil.Open(context.Background(), cacheutil.Config{
		URL: told.URL, Prefix: told.Prefix, CallTimeout: 5 * time.Second, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	cache, err := cacheutil.New(m, cacheutil.Options[string]{Name: "word", TTL: time.Hour, LeaseTTL: time.Second})
	if err != nil {
		return fmt.Errorf("make a cache: %w", err)
	}
	// Ready, go.
	if err := c.out.Encode(told); err != nil {
		return fmt.Errorf("tell: %w", err)
	}
	for {
		if err := c.in.Decode(&told); err != nil {
			if errors.Is(err, io.EOF) {
				return m.Close()
			}
			return fmt.Errorf("hear what to read: %w", err)
		}
		if err := c.out.Encode(told.read(cache)); err != nil {
			return fmt.Errorf("report: %w", err)
		}
	}
}

func (h herd) read(cache *cacheutil.Cache[string]) herd {
	var loads, wrong, slowest atomic.Int64
	var all sync.WaitGroup
	began := time.Now()
	for range h.Readers {
		all.Go(func() {
			got, err := cache.Get(context.Background(), h.Key, func(ctx context.Context) (string, error) {
				loads.Add(1)
				if h.Hangs {
					<-ctx.Done()
				}
				select {
				case <-time.After(50 * time.Millisecond): // a slow database
				case <-ctx.Done():
				}
				return "value", nil
			})
			if err != nil || got != "value" {
				wrong.Add(1)
			}
			slowest.Store(max(slowest.Load(), int64(time.Since(began))))
		})
	}
	all.Wait()
	h.Loads, h.Wrong, h.Slowest = loads.Load(), wrong.Load(), time.Duration(slowest.Load())
	return h
}

// TestHerd has 1,000 readers in three processes ask for the same cold keys.
func TestHerd(t *testing.T) {
	names := prefix(t)
	told := herd{URL: testenv.CacheURL(t), Prefix: names, Readers: 333}
	processes := make([]*conversation, 3)
	for i := range processes {
		processes[i] = startProcess(t, "reader")
		processes[i].tell(t, told)
	}
	for _, process := range processes {
		process.hear(t, &told)
	}
	const keys = 10
	var loads, wrong int64
	var slowest time.Duration
	for i := range keys {
		told.Key = keyOf(i)
		for _, process := range processes {
			process.tell(t, told)
		}
		for _, process := range processes {
			var got herd
			process.hear(t, &got)
			loads += got.Loads
			wrong += got.Wrong
			slowest = max(slowest, got.Slowest)
		}
	}
	t.Logf("%d cold keys, 999 readers each in 3 processes: %d loads, %d wrong answers, slowest %v", keys, loads, wrong, slowest)
	if loads != keys || wrong != 0 {
		t.Errorf("%d loads and %d wrong answers, want %d and 0", loads, wrong, keys)
	}
}

// The process that loads is killed. Its lease ends, and another loads.
func TestHerdWhoseLeaderDies(t *testing.T) {
	server := testenv.StartCache(t)
	raw := connect(t, server.URL())
	told := herd{URL: server.URL(), Prefix: "herd:", Key: "k", Readers: 100, Hangs: true}
	leader, other := startProcess(t, "reader"), startProcess(t, "reader")
	for _, process := range []*conversation{leader, other} {
		process.tell(t, told)
		process.hear(t, &told)
	}
	leader.tell(t, told)
	testenv.Eventually(t, "the leader loads", func() bool {
		leases, err := raw.Do(t.Context(), raw.B().Keys().Pattern("herd:l:*").Build()).AsStrSlice()
		return err == nil && len(leases) == 1
	})
	leader.kill()
	told.Hangs = false
	other.tell(t, told)
	var got herd
	other.hear(t, &got)
	t.Logf("the leader of a load died with a lease of 1 s: %d loads, slowest reader %v", got.Loads, got.Slowest)
	if got.Loads != 1 || got.Wrong != 0 {
		t.Errorf("%d loads and %d wrong answers", got.Loads, got.Wrong)
	}
}
