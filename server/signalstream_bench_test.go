package server_test

import (
	"bufio"
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// BenchmarkStream posts a signal and waits until each of so many listeners has it, over
// TCP, with clients and server in one process: signals/s is what one sender gets done
// so, events/s what the listeners are told, and p99_ms the time from the answer to the
// POST to the event, over all listeners.
func BenchmarkStream(b *testing.B) {
	for _, listeners := range []int{1, 100, 1000} {
		b.Run(strconv.Itoa(listeners), func(b *testing.B) { benchmarkStream(b, listeners) })
	}
}

func benchmarkStream(b *testing.B, listeners int) {
	b.Helper()
	handler, _, _ := newBenchServer(b, "sqlite://"+filepath.Join(b.TempDir(), "hal9.db"))
	web := httptest.NewServer(handler)
	defer web.Close()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1}}
	ctx, stop := context.WithCancel(b.Context())
	var clients sync.WaitGroup
	defer clients.Wait()
	defer stop()
	var ready sync.WaitGroup
	ready.Add(listeners)
	var answered atomic.Int64 // of the POST, in ns since began
	began := time.Now()
	heard := make(chan time.Duration, listeners)
	for range listeners {
		clients.Go(func() {
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, web.URL+"/api/v1/signals/stream", http.NoBody)
			if err != nil {
				b.Error(err)
				return
			}
			resp, err := client.Do(req)
			if err != nil {
				b.Error(err)
				return
			}
			defer func() { _ = resp.Body.Close() }()
			lines := bufio.NewScanner(resp.Body)
			for lines.Scan() {
				switch {
				case bytes.Equal(lines.Bytes(), []byte(": listening")):
					ready.Done()
				case bytes.HasPrefix(lines.Bytes(), []byte("data: ")):
					heard <- time.Since(began)
				}
			}
		})
	}
	ready.Wait()
	var all []time.Duration
	var pushed []time.Duration
	b.ResetTimer()
	for b.Loop() {
		pushed = pushed[:0]
		if got := benchRequest(handler, "POST", "/api/v1/signals", `{"content":"hello","layer_to":"L3"}`, ""); got.Code != http.StatusCreated {
			b.Fatalf("%d: %.200s", got.Code, got.Body)
		}
		answered.Store(int64(time.Since(began)))
		for range listeners {
			pushed = append(pushed, <-heard)
		}
		for _, at := range pushed { // before the answer came back: no time at all
			all = append(all, max(0, at-time.Duration(answered.Load())))
		}
	}
	b.StopTimer()
	slices.Sort(all)
	b.ReportMetric(float64(all[len(all)*99/100].Microseconds())/1000, "p99_ms")
	b.ReportMetric(float64(len(all))/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "signals/s")
}
