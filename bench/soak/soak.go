package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"time"
)

// Sample is what the server holds at one moment, and how it answered in the run of the
// load before it.
type Sample struct {
	Minutes float64 `json:"minutes"`
	// RSS, Live and Heap are in MiB. Live is the least that was allocated since the sample
	// before, which is what is held: the rest the collector had not looked at yet. Heap is
	// the least of the pages that this lay in.
	RSS  float64 `json:"rss_mib"`
	Live float64 `json:"live_heap_mib"`
	Heap float64 `json:"heap_in_use_mib"`
	// These are at rest: the clients have left.
	Goroutines      float64 `json:"goroutines"`
	Descriptors     float64 `json:"open_descriptors"`
	PoolConnections float64 `json:"pool_connections"`
	// P50 and P99 are in milliseconds, Rate in requests a second.
	P50         float64 `json:"p50_ms"`
	P99         float64 `json:"p99_ms"`
	Rate        float64 `json:"rate"`
	FailedShare float64 `json:"failed_share"`
}

// longest is the time of one run of the load: its users leave at its end, and come back
// with the next one.
const longest = 25 * time.Second

// soak loads the server and samples it four times.
func (s *site) soak(ctx context.Context) ([]Sample, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var beside sync.WaitGroup
	heap, live := &lowest{}, &lowest{}
	for range 4 {
		beside.Go(func() { s.comeAndGo(ctx) })
	}
	beside.Go(func() { s.watchHeap(ctx, heap, live) })
	defer beside.Wait()
	defer cancel()

	begin := time.Now()
	var samples []Sample
	for _, share := range []float64{1. / 15, 1. / 3, 2. / 3, 1} {
		if s.o.duration < 5*time.Minute { // quarters
			share = float64(len(samples)+1) / 4
		}
		until := begin.Add(time.Duration(share * float64(s.o.duration)))
		var answered report
		for {
			// No run ends too early to tell anything.
			left := time.Until(until)
			stretch := min(left, longest)
			if left < 2*longest && left > longest {
				stretch = left / 2
			}
			var err error
			if answered, err = s.load(ctx, max(stretch, 5*time.Second)); err != nil {
				return nil, err
			}
			if time.Until(until) < 5*time.Second {
				break
			}
		}
		sample, err := s.atRest(ctx)
		if err != nil {
			return nil, err
		}
		sample.Minutes = time.Since(begin).Minutes()
		sample.Heap, sample.Live = heap.take(), live.take()
		sample.P50, sample.P99 = answered.Total.Latency.P50*1000, answered.Total.Latency.P99*1000
		sample.Rate, sample.FailedShare = answered.Total.PerSecond, answered.Total.FailedShare
		samples = append(samples, sample)
		fmt.Fprintf(s.o.told, "%4.1f min: RSS %.0f MiB, live heap %.1f of %.1f MiB, %.0f goroutines, %.0f descriptors, %.0f connections, p50 %.1f ms, p99 %.1f ms, %.0f/s\n",
			sample.Minutes, sample.RSS, sample.Live, sample.Heap, sample.Goroutines, sample.Descriptors, sample.PoolConnections, sample.P50, sample.P99, sample.Rate)
	}
	return samples, nil
}

// report is what is read of the load's report; times in seconds.
type report struct {
	Total struct {
		PerSecond   float64 `json:"per_second"`
		FailedShare float64 `json:"failed_share"`
		Latency     struct {
			P50 float64 `json:"p50"`
			P99 float64 `json:"p99"`
		} `json:"latency"`
	} `json:"total"`
}

// load runs the load once.
func (s *site) load(ctx context.Context, d time.Duration) (report, error) {
	var out, said bytes.Buffer
	cmd := exec.CommandContext(ctx, s.o.hal9, "loadtest", "run", "mix", "--url", s.url(), "--users", strconv.Itoa(s.o.users), //nolint:gosec // our own program
		"--think", "200ms", "--duration", d.Round(time.Second).String(), "--warm-up", "1s", "--json")
	cmd.Stdout, cmd.Stderr = &out, &said
	err := cmd.Run()
	// 1 with a report says that a threshold was broken: here others count.
	if exit, ok := errors.AsType[*exec.ExitError](err); err != nil && (!ok || exit.ExitCode() != 1) {
		return report{}, fmt.Errorf("the load: %w\n%s", err, said.String())
	}
	var r report
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		return r, fmt.Errorf("read the load's report: %w\n%s", err, said.String())
	}
	return r, nil
}

// atRest samples when the number of goroutines has not fallen for two seconds.
func (s *site) atRest(ctx context.Context) (Sample, error) {
	var m map[string]float64
	fewest, since := 0., time.Now()
	for begin := time.Now(); time.Since(begin) < 15*time.Second; {
		var err error
		if m, err = s.metrics(ctx); err != nil {
			return Sample{}, err
		}
		if n := m["go_goroutines"]; fewest == 0 || n < fewest {
			fewest, since = n, time.Now()
		}
		if time.Since(since) > 2*time.Second {
			break
		}
		if err := pause(ctx, 200*time.Millisecond); err != nil {
			return Sample{}, err
		}
	}
	descriptors, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", s.server.PID()))
	if err != nil {
		return Sample{}, fmt.Errorf("count the open descriptors: %w", err)
	}
	const mib = 1 << 20
	return Sample{
		RSS: m["process_resident_memory_bytes"] / mib, Goroutines: fewest, Descriptors: float64(len(descriptors)),
		PoolConnections: m["hal9_db_pool_active_connections"] + m["hal9_db_pool_idle_connections"],
	}, nil
}

// lowest keeps the least value since it was taken.
type lowest struct {
	mu    sync.Mutex
	value float64
}

func (l *lowest) put(v float64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.value == 0 || v < l.value {
		l.value = v
	}
}

func (l *lowest) take() float64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	v := l.value
	l.value = 0
	return v
}

func (s *site) watchHeap(ctx context.Context, heap, live *lowest) {
	for pause(ctx, 250*time.Millisecond) == nil {
		if m, err := s.metrics(ctx); err == nil {
			heap.put(m["go_memstats_heap_inuse_bytes"] / (1 << 20))
			live.put(m["go_memstats_heap_alloc_bytes"] / (1 << 20))
		}
	}
}

// comeAndGo connects anew for each request: it asks, leaves before the answer, or listens
// to the stream of signals for a moment.
func (s *site) comeAndGo(ctx context.Context) {
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for pause(ctx, 50*time.Millisecond) == nil {
		path, most := "/api/v1/neurons/neuron-l4", 10*time.Second
		switch rand.IntN(3) { //nolint:gosec // no secret
		case 0:
			path, most = "/api/v1/signals?limit=50", time.Duration(rand.IntN(5000))*time.Microsecond //nolint:gosec // no secret
		case 1:
			path, most = "/api/v1/signals/stream", time.Duration(rand.IntN(500))*time.Millisecond //nolint:gosec // no secret
		}
		once, leave := context.WithTimeout(ctx, most)
		if req, err := http.NewRequestWithContext(once, http.MethodGet, s.url()+path, http.NoBody); err == nil {
			if resp, err := client.Do(req); err == nil {
				_, _ = io.Copy(io.Discard, resp.Body) // until it leaves
				_ = resp.Body.Close()
			}
		}
		leave()
	}
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
