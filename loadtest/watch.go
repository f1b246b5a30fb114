package loadtest

import (
	"context"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Point is what happened in a part of the run, for the plots. The server's figures are
// nil where it told none.
type Point struct {
	// Seconds since the start, at the end of the part.
	Seconds float64 `json:"seconds"`
	Users   int64   `json:"users"`
	// Requests are those that were answered with 2xx or 3xx.
	Requests float64 `json:"requests_per_second"`
	Failed   float64 `json:"failed_per_second"`
	P50      float64 `json:"p50_seconds"`
	P95      float64 `json:"p95_seconds"`
	P99      float64 `json:"p99_seconds"`
	Max      float64 `json:"max_seconds"`
	// GeneratorCPU and ServerCPU are cores.
	GeneratorCPU float64  `json:"generator_cores"`
	ServerCPU    *float64 `json:"server_cores"`
	ServerMemory *float64 `json:"server_memory_mb"`
	HitRate      *float64 `json:"server_hit_rate"`
	PoolUsed     *float64 `json:"server_db_pool_used"`
	PoolWaiting  *float64 `json:"server_db_pool_waiting"`
	BatchSize    *float64 `json:"server_ingest_batch_size"`
	Queue        *float64 `json:"server_ingest_queue"`
	Hashes       *float64 `json:"server_hashes_per_second"`
}

// maxPoints bounds what the plots hold.
const maxPoints = 600

// watch takes down the course of a run, and tells of it meanwhile.
type watch struct {
	run      *running
	total    time.Duration
	progress func(Progress)
	scraper  scraper
	members  sync.WaitGroup

	// every is the time between ticks, perPoint how many of them make a point.
	every    time.Duration
	perPoint int

	points   []Point
	ticked   time.Time
	requests int64
	failed   int64
	// first is the server's figures at the end of the warm-up, last the newest ones
	// that a point used.
	first, last scrape

	mu     sync.Mutex
	newest scrape
}

func newWatch(r *running, total time.Duration, progress func(Progress)) *watch {
	w := &watch{run: r, total: total, progress: progress, every: time.Second}
	if total < time.Minute {
		w.every = 500 * time.Millisecond
	}
	w.perPoint = 1 + int(total/w.every)/maxPoints
	w.scraper = scraper{client: client{target: r.target}, requests: r.requests.Load, bearer: func() string {
		if !r.plan.bearer || len(r.accounts) == 0 {
			return ""
		}
		a := r.accounts[0]
		a.mu.RLock()
		defer a.mu.RUnlock()
		return a.AccessToken
	}}
	return w
}

// begin takes down the server's figures before the load comes.
func (w *watch) begin(ctx context.Context) {
	w.newest = w.scraper.scrape(ctx)
	w.first, w.last = w.newest, w.newest
}

// start begins to watch; wait waits for the end, which the context brings.
func (w *watch) start(ctx context.Context) {
	w.ticked = time.Now()
	scraped := make(chan struct{})
	w.members.Go(func() {
		defer close(scraped)
		w.scrapes(ctx)
	})
	w.members.Go(func() {
		w.loop(ctx)
		<-scraped
		// The users are gone; what the server counted of them is not.
		w.newest = w.scraper.scrape(context.WithoutCancel(ctx))
		w.scraper.client.drop()
		if w.newest.ok {
			w.last = w.newest
		}
	})
}

func (w *watch) wait() { w.members.Wait() }

// scrapes asks the server once for each point, beside the ticks: under load its answer
// may take seconds.
func (w *watch) scrapes(ctx context.Context) {
	tick := time.NewTicker(w.every * time.Duration(w.perPoint))
	defer tick.Stop()
	for {
		told := w.scraper.scrape(ctx)
		if told.ok {
			w.mu.Lock()
			w.newest = told
			w.mu.Unlock()
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (w *watch) loop(ctx context.Context) {
	tick := time.NewTicker(w.every)
	defer tick.Stop()
	part := w.next()
	for n := 1; ; n++ {
		select {
		case <-ctx.Done():
			w.tick(part)
			// What is left, if it is enough for a point.
			const shortest = 200 * time.Millisecond
			if time.Since(part.began) >= shortest && part.count > 0 {
				w.point(part)
			}
			return
		case <-tick.C:
		}
		w.tick(part)
		if n%w.perPoint == 0 {
			w.point(part)
			part = w.next()
		}
	}
}

// span is what comes together to be a point.
type span struct {
	began   time.Time
	cpu     time.Duration
	server  scrape
	latency *hdrhistogram.Histogram
	count   int64
	failed  int64
}

func (w *watch) next() *span {
	return &span{began: w.ticked, cpu: processCPU(), server: w.last, latency: newHistogram(tickDigits)}
}

func (w *watch) tick(p *span) {
	now := time.Now()
	seconds := max(0.001, now.Sub(w.ticked).Seconds())
	w.ticked = now
	latency, count, failed := w.run.recorder.takeTick()
	p.latency.Merge(latency)
	p.count += count
	p.failed += failed
	w.requests += count
	w.failed += failed
	if w.progress == nil {
		return
	}
	w.progress(Progress{
		Phase: "running", Elapsed: min(now.Sub(w.run.begin), w.total), Total: w.total, Users: int(w.run.users.Load()),
		RequestsPerSecond: float64(count-failed) / seconds,
		P50:               time.Duration(quantile(latency, 50) * float64(time.Second)),
		P99:               time.Duration(quantile(latency, 99) * float64(time.Second)),
		Requests:          w.requests, Failed: w.failed,
	})
}

func (w *watch) point(p *span) {
	now := w.ticked
	seconds := now.Sub(p.began).Seconds()
	pt := Point{
		Seconds: round(now.Sub(w.run.begin).Seconds(), 2), Users: w.run.users.Load(),
		Requests: round(float64(p.count-p.failed)/seconds, 1), Failed: round(float64(p.failed)/seconds, 1),
		P50: quantile(p.latency, 50), P95: quantile(p.latency, 95), P99: quantile(p.latency, 99),
		Max: micros(p.latency.Max()), GeneratorCPU: round((processCPU()-p.cpu).Seconds()/seconds, 3),
	}
	w.mu.Lock()
	newest := w.newest
	w.mu.Unlock()
	if newest.ok && newest.at.After(p.server.at) {
		w.last = newest
		pt.server(&p.server, &w.last)
	}
	w.points = append(w.points, pt)
	// What comes before the end of the warm-up does not count for the server either.
	if now.Before(w.run.warmUntil) {
		w.first = w.last
	}
}

func (pt *Point) server(from, to *scrape) {
	gauge := func(name string, scale float64) *float64 {
		v, known := to.sums[name]
		if !known {
			return nil
		}
		v = round(v*scale, 2)
		return &v
	}
	pointer := func(v float64, known bool) *float64 {
		if !known {
			return nil
		}
		v = round(v, 4)
		return &v
	}
	pt.ServerCPU = pointer(growth(from, to, metricCPU))
	pt.ServerMemory = gauge(metricMemory, 1.0/(1<<20))
	pt.HitRate = pointer(ratio(from, to, metricHits, metricRequests))
	pt.PoolUsed, pt.PoolWaiting = gauge(metricPoolUsed, 1), gauge(metricPoolWait, 1)
	pt.BatchSize = pointer(ratio(from, to, metricBatchSum, metricBatchCount))
	pt.Queue = gauge(metricQueue, 1)
	pt.Hashes = pointer(growth(from, to, metricHashes))
}
