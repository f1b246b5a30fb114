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
