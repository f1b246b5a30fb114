package loadtest

import (
	"runtime"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// recorder takes down what happens. Users are spread over its shards, so that they
// seldom wait for each other.
type recorder struct {
	shards []*shard
	calls  []callPlan
}

// maxShards bounds memory: a histogram takes 150 kB, and each shard has one for each call.
const maxShards = 16

type shard struct {
	mu    sync.Mutex
	calls []callFigures

	// Since the last tick, for the plots; warm-up included.
	tick                  *hdrhistogram.Histogram
	tickCount, tickFailed int64
}

// callFigures are what is known of one call.
type callFigures struct {
	latency  *hdrhistogram.Histogram // of all that were answered, or waited for until the time-out
	count    int64
	failed   int64
	bytes    int64
	passed   []int64 // by check
	missed   []int64 // by check
	statuses map[int]int64
	errors   map[string]int64
}

// maxErrors bounds the different errors that are told of one call.
const maxErrors = 20

func newCallFigures(c *callPlan) callFigures {
	return callFigures{
		latency: newHistogram(digits), passed: make([]int64, len(c.checks)), missed: make([]int64, len(c.checks)),
		statuses: map[int]int64{}, errors: map[string]int64{},
	}
}

func newRecorder(calls []callPlan) *recorder {
	r := &recorder{calls: calls}
	for range min(maxShards, 2*runtime.GOMAXPROCS(0)) {
		s := &shard{tick: newHistogram(tickDigits)}
		for i := range calls {
			s.calls = append(s.calls, newCallFigures(&calls[i]))
		}
		r.shards = append(r.shards, s)
	}
	return r
}

func (r *recorder) shard(user int) *shard { return r.shards[user%len(r.shards)] }

// outcome is what became of one call.
type outcome struct {
	call   int
	took   time.Duration
	status int    // 0 without an answer
	err    error  // without an answer
	bytes  int    // of the body
	passed uint64 // bits by check
	made   uint64 // bits by check: which were made
	waited bool   // until the time-out
	counts bool   // not within the warm-up
}

// failed is what k6 calls so: no answer, or one outside 2xx and 3xx.
func (o *outcome) failed() bool { return o.status < 200 || o.status >= 400 }

// timed tells whether the time that it took says something about the server: a
// connection that is refused at once must not pass for a fast answer.
func (o *outcome) timed() bool { return o.err == nil || o.waited }

func (s *shard) record(o *outcome) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tickCount++
	if o.timed() {
		record(s.tick, o.took)
	}
	if o.failed() {
		s.tickFailed++
	}
	if !o.counts {
		return
	}
	f := &s.calls[o.call]
	if o.timed() {
		record(f.latency, o.took)
	}
	f.count++
	f.bytes += int64(o.bytes)
	f.statuses[o.status]++
	if o.failed() {
		f.failed++
	}
	if o.err != nil {
		text := o.err.Error()
		if _, known := f.errors[text]; !known && len(f.errors) >= maxErrors {
			text = "others"
		}
		f.errors[text]++
	}
	for i := range f.passed {
		switch bit := uint64(1) << i; {
		case o.made&bit == 0:
		case o.passed&bit != 0:
			f.passed[i]++
		default:
			f.missed[i]++
		}
	}
}

// takeTick returns what happened since the last tick.
func (r *recorder) takeTick() (latency *hdrhistogram.Histogram, count, failed int64) {
	latency = newHistogram(tickDigits)
	for _, s := range r.shards {
		s.mu.Lock()
		latency.Merge(s.tick)
		s.tick.Reset()
		count += s.tickCount
		failed += s.tickFailed
		s.tickCount, s.tickFailed = 0, 0
		s.mu.Unlock()
	}
	return latency, count, failed
}

// merged returns the figures of each call over all shards.
func (r *recorder) merged() []callFigures {
	all := make([]callFigures, len(r.calls))
	for i := range all {
		all[i] = newCallFigures(&r.calls[i])
		for _, s := range r.shards {
			s.mu.Lock()
			all[i].add(&s.calls[i])
			s.mu.Unlock()
		}
	}
	return all
}

func (f *callFigures) add(o *callFigures) {
	f.latency.Merge(o.latency)
	f.count += o.count
	f.failed += o.failed
	f.bytes += o.bytes
	for i := range f.passed {
		f.passed[i] += o.passed[i]
		f.missed[i] += o.missed[i]
	}
	for status, n := range o.statuses {
		f.statuses[status] += n
	}
	for text, n := range o.errors {
		f.errors[text] += n
	}
}
