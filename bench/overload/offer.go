package main

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// load is requests that are sent for a time.
type load struct {
	deck    [][]byte
	clients int
	// rate is how many requests a second arrive, whoever still waits for an answer; 0
	// has each client send the next one when it has the answer to the last.
	rate float64
	took time.Duration
	// target is how long a good answer takes at the most.
	target time.Duration
	// patient clients wait after a refusal as long as Retry-After says, and send nothing
	// meanwhile.
	patient bool
	// beside is run while the load is on, and for lead before: what is measured is not that
	// a thousand connections are opened.
	beside func(ctx context.Context)
	lead   time.Duration
}

// figures are what became of the requests of a load.
type figures struct {
	Seconds float64 `json:"seconds"`
	// Asked are those that were to be sent, Unsent those for which no client was free.
	Asked  int64 `json:"asked"`
	Unsent int64 `json:"unsent"`
	// Good were answered 2xx within the target, Late 2xx after it. Refused are 503 and
	// 429 with Retry-After. Early are the late and the refused that were sent before the
	// Retry-After of their connection's last refusal was over. Other is every other answer, Broken
	// none at all. UnderWay were not answered when the load ended.
	Good     int64 `json:"good"`
	Late     int64 `json:"late"`
	Refused  int64 `json:"refused"`
	Early    int64 `json:"early"`
	Other    int64 `json:"other"`
	Broken   int64 `json:"broken"`
	UnderWay int64 `json:"under_way"`
	// Latencies of 2xx, of refusals, and of those who were early, from sending to the whole
	// answer, in milliseconds.
	OK   quantiles `json:"ok_ms"`
	Shed quantiles `json:"refused_ms"`
	Soon quantiles `json:"early_ms"`
	// Processor time as cores.
	ServerCores    float64 `json:"server_cores"`
	GeneratorCores float64 `json:"generator_cores"`
	// firstOther says what an answer of Other or Broken was.
	FirstOther string `json:"first_other,omitempty"`
}

type quantiles struct {
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

// perSecond is a rate over the time of the load.
func (f *figures) perSecond(n int64) float64 { return float64(n) / f.Seconds }

// counts are shared by a few clients.
type counts struct {
	mu                                        sync.Mutex
	good, late, refused, early, other, broken int64
	underWay                                  int64
	ok, shed, soon                            *hdrhistogram.Histogram
	first                                     string
}

func newCounts() *counts {
	return &counts{ok: newHistogram(), shed: newHistogram(), soon: newHistogram()}
}

func newHistogram() *hdrhistogram.Histogram {
	return hdrhistogram.New(1, int64(time.Minute/time.Microsecond), 3)
}

// run puts the load on a service.
func (l load) run(ctx context.Context, s *service) figures {
	beside, stop := context.WithCancel(ctx)
	var besides sync.WaitGroup
	if l.beside != nil {
		besides.Go(func() { l.beside(beside) })
	}
	defer besides.Wait()
	defer stop()

	conns := l.connect(ctx, s)
	rest(ctx, time.Now().Add(l.lead))
	f := figures{}
	serverCPU, own, begin := s.cpu(), ownCPU(), time.Now()
	end := begin.Add(l.took)
	var arrivals chan struct{}
	if l.rate > 0 {
		arrivals = make(chan struct{}, max(16, int(l.rate/200))) // 5 ms of them
	}
	var next atomic.Int64
	shards := make([]*counts, 4)
	for i := range shards {
		shards[i] = newCounts()
	}
	var clients sync.WaitGroup
	for i, c := range conns {
		clients.Go(func() { l.client(ctx, c, arrivals, &next, end, shards[i%len(shards)]) })
	}
	if arrivals != nil {
		f.Asked, f.Unsent = l.arrive(ctx, arrivals, begin, end)
		close(arrivals)
	} else {
		rest(ctx, end)
	}
	took := time.Since(begin)
	f.ServerCores = float64(s.cpu()-serverCPU) / float64(took)
	f.GeneratorCores = float64(ownCPU()-own) / float64(took)
	clients.Wait()
	f.Seconds = l.took.Seconds()
	total := newCounts()
	for _, shard := range shards {
		total.add(shard)
	}
	f.Good, f.Late, f.Refused, f.Early, f.Other, f.Broken, f.UnderWay = total.good, total.late, total.refused, total.early, total.other, total.broken, total.underWay
	if arrivals == nil {
		f.Asked = f.Good + f.Late + f.Refused + f.Early + f.Other + f.Broken + f.UnderWay
	}
	f.OK, f.Shed, f.Soon, f.FirstOther = quantilesOf(total.ok), quantilesOf(total.shed), quantilesOf(total.soon), total.first
	return f
}

// rest waits for a time.
func rest(ctx context.Context, until time.Time) {
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// connect opens the connections before the clock starts.
func (l load) connect(ctx context.Context, s *service) []*conn {
	conns := make([]*conn, l.clients)
	var opening sync.WaitGroup
	turns := make(chan struct{}, 32)
	for i := range conns {
		conns[i] = &conn{address: s.address}
		opening.Go(func() {
			turns <- struct{}{}
			_ = conns[i].open(ctx) // tried again with the first request, and counted there
			<-turns
		})
	}
	opening.Wait()
	return conns
}

// arrive lets requests arrive at the rate, and counts those that found no free client.
func (l load) arrive(ctx context.Context, arrivals chan<- struct{}, begin, end time.Time) (asked, unsent int64) {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return asked, unsent
		}
		now := time.Now()
		if now.After(end) {
			now = end
		}
		for due := int64(now.Sub(begin).Seconds() * l.rate); asked < due; asked++ {
			select {
			case arrivals <- struct{}{}:
			default:
				unsent++
			}
		}
		if !now.Before(end) {
			return asked, unsent
		}
	}
}

// client sends requests until the end.
func (l load) client(ctx context.Context, c *conn, arrivals <-chan struct{}, next *atomic.Int64, end time.Time, n *counts) {
	defer c.close()
	var told time.Time // when it may come again
	for {
		if arrivals != nil {
			if _, more := <-arrivals; !more {
				return
			}
		} else if time.Now().After(end) {
			return
		}
		if ctx.Err() != nil {
			return
		}
		wait := l.one(ctx, c, l.deck[int(next.Add(1))%len(l.deck)], told, end, n)
		if wait > 0 {
			told = time.Now().Add(wait)
		}
		if l.patient && wait > 0 {
			rest(ctx, time.Now().Add(min(wait, time.Until(end))))
		}
	}
}

// one sends one request on a connection that was told when to come again, and tells how
// long to wait if it was refused.
func (l load) one(ctx context.Context, c *conn, request []byte, told, end time.Time, n *counts) (wait time.Duration) {
	if err := c.open(ctx); err != nil {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.note(&n.broken, err.Error())
		return 0
	}
	sent := time.Now()
	a, err := c.exchange(request, sent)
	took := time.Since(sent)
	n.mu.Lock()
	defer n.mu.Unlock()
	refused := (a.status == 503 || a.status == 429) && a.retryAfter > 0
	switch {
	case err == nil && sent.Add(took).After(end) && (refused || a.status/100 == 2):
		n.underWay++
	case err != nil:
		n.note(&n.broken, err.Error())
	case sent.Before(told) && (refused || a.status/100 == 2 && took > l.target):
		wait = a.retryAfter
		n.early++
		_ = n.soon.RecordValue(took.Microseconds()) // within the bounds
	case a.status/100 == 2 && took <= l.target:
		n.good++
		_ = n.ok.RecordValue(took.Microseconds()) // within the bounds
	case a.status/100 == 2:
		n.late++
		_ = n.ok.RecordValue(took.Microseconds()) // as above
	case refused:
		wait = a.retryAfter
		n.refused++
		_ = n.shed.RecordValue(took.Microseconds()) // as above
	default:
		n.note(&n.other, string(a.body[:min(len(a.body), 200)]))
	}
	return wait
}

func (n *counts) note(count *int64, what string) {
	*count++
	if n.first == "" {
		n.first = what
	}
}

func (n *counts) add(o *counts) {
	n.good += o.good
	n.late += o.late
	n.refused += o.refused
	n.early += o.early
	n.underWay += o.underWay
	n.other += o.other
	n.broken += o.broken
	n.ok.Merge(o.ok)
	n.shed.Merge(o.shed)
	n.soon.Merge(o.soon)
	if n.first == "" {
		n.first = o.first
	}
}

func quantilesOf(h *hdrhistogram.Histogram) quantiles {
	ms := func(us int64) float64 { return float64(us) / 1000 }
	return quantiles{ms(h.ValueAtQuantile(50)), ms(h.ValueAtQuantile(99)), ms(h.Max())}
}
