package loadtest

import (
	"cmp"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strconv"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Report is what a run showed. Times are in seconds, shares from 0 to 1.
type Report struct {
	Scenario    string    `json:"scenario"`
	Description string    `json:"description"`
	Target      string    `json:"target"`
	Machine     string    `json:"machine"`
	Began       time.Time `json:"began"`
	// Seconds is how long the run took, warm-up included; Measured how long what counts
	// took.
	Seconds  float64 `json:"seconds"`
	Measured float64 `json:"measured_seconds"`
	WarmUp   float64 `json:"warm_up_seconds"`
	MaxUsers int     `json:"max_users"`
	Think    string  `json:"think_time"`
	Pick     string  `json:"pick"`
	// Accounts tells how the users came by their tokens.
	Accounts string `json:"accounts"`
	Keys     string `json:"keys"`
	// Correction tells how latencies were corrected for coordinated omission.
	Correction string `json:"correction"`

	Total      Figures    `json:"total"`
	Calls      []Figures  `json:"calls"`
	Thresholds []Judgment `json:"thresholds"`
	// Passed is whether all thresholds were kept.
	Passed bool `json:"passed"`

	Limit     *HashLimit `json:"hash_limit"`
	Server    Server     `json:"server"`
	Generator Generator  `json:"generator"`
	Points    []Point    `json:"points"`
	// RenewErrors counts tokens that could not be renewed, by reason.
	RenewErrors map[string]int `json:"renew_errors,omitempty"`
}

// Figures are those of one call, or of all.
type Figures struct {
	Call     string `json:"call"`
	Requests int64  `json:"requests"`
	// PerSecond counts the requests that did not fail.
	PerSecond   float64 `json:"per_second"`
	Failed      int64   `json:"failed"`
	FailedShare float64 `json:"failed_share"`
	Bytes       int64   `json:"bytes"`
	// Latency is what the users saw, Corrected what users would have who do not wait.
	Latency   Latency `json:"latency"`
	Corrected Latency `json:"corrected_latency"`
	// Interval is what lay between two such requests of one user on average.
	Interval float64          `json:"interval_seconds"`
	Statuses map[string]int64 `json:"statuses"`
	Errors   map[string]int64 `json:"errors,omitempty"`
	Checks   []CheckFigures   `json:"checks,omitempty"`

	corrected *hdrhistogram.Histogram
}

// Latency is a distribution of times, in seconds.
type Latency struct {
	Mean float64 `json:"mean"`
	P50  float64 `json:"p50"`
	P90  float64 `json:"p90"`
	P95  float64 `json:"p95"`
	P99  float64 `json:"p99"`
	P999 float64 `json:"p999"`
	Max  float64 `json:"max"`
}

// CheckFigures tell how often a check held.
type CheckFigures struct {
	Check  string `json:"check"`
	Passed int64  `json:"passed"`
	Failed int64  `json:"failed"`
}

// Judgment is a threshold with what was measured.
type Judgment struct {
	Threshold string  `json:"threshold"`
	Value     float64 `json:"value"`
	Shown     string  `json:"shown"`
	Kept      bool    `json:"kept"`
}

// Server is what the server told of itself; nil where it told nothing.
type Server struct {
	Required  bool     `json:"auth_required"`
	HitRate   *float64 `json:"hit_rate"`
	LastRate  *float64 `json:"cache_hit_rate"`
	BatchSize *float64 `json:"ingest_batch_size"`
	PoolMax   *float64 `json:"db_pool_max"`
	PoolUsed  *float64 `json:"db_pool_used_most"`
	// CPU is the processor time of a request, in microseconds.
	CPU *float64 `json:"cpu_us_per_request"`
}

// Generator is what the load generator cost.
type Generator struct {
	CPU   float64 `json:"cpu_us_per_request"`
	Cores float64 `json:"cores"`
}

func (r *running) report(prep *preparation, w *watch, opts Options, took time.Duration) *Report {
	s := r.plan.scenario
	measured := max(0, took-time.Duration(s.WarmUp))
	rep := &Report{
		Scenario: s.Name, Description: s.Description, Target: r.target.url, Machine: opts.Machine, Began: r.begin.UTC(),
		Seconds: round(took.Seconds(), 2), Measured: round(measured.Seconds(), 2), WarmUp: min(time.Duration(s.WarmUp), took).Seconds(),
		MaxUsers: s.MaxUsers(), Think: s.ThinkTime.String(), Pick: s.Pick, Accounts: prep.story, Keys: keys(s),
		Points: w.points, RenewErrors: r.renewErrors,
		Correction: "corrected: for each latency longer than the mean interval between two such requests of one user, the requests that the user could not send meanwhile are added (HdrHistogram's method, with the interval of the run itself). Thresholds judge the corrected figures.",
	}
	userTime := time.Duration(r.userTime.Load())
	total := callFigures{latency: newHistogram(digits), statuses: map[int]int64{}, errors: map[string]int64{}}
	for i, f := range r.recorder.merged() {
		total.add(&callFigures{latency: f.latency, count: f.count, failed: f.failed, bytes: f.bytes, statuses: f.statuses, errors: f.errors})
		figures := f.figures(r.plan.calls[i].name, measured, userTime)
		for c, name := range r.plan.calls[i].checks {
			figures.Checks = append(figures.Checks, CheckFigures{name, f.passed[c], f.missed[c]})
		}
		rep.Calls = append(rep.Calls, figures)
	}
	rep.Total = total.figures("all", measured, userTime)
	rep.Server = w.server(prep)
	return rep
}

func keys(s *Scenario) string {
	if s.Neurons.Count == 0 {
		return ""
	}
	if s.Neurons.Zipf == 0 {
		return fmt.Sprintf("%d neurons, drawn evenly", s.Neurons.Count)
	}
	return fmt.Sprintf("%d neurons, drawn by Zipf's law, exponent %g", s.Neurons.Count, s.Neurons.Zipf)
}

func (f *callFigures) figures(name string, measured, userTime time.Duration) Figures {
	out := Figures{
		Call: name, Requests: f.count, Failed: f.failed, Bytes: f.bytes,
		Statuses: map[string]int64{}, Errors: f.errors, Latency: latencyOf(f.latency),
	}
	for status, n := range f.statuses {
		key := strconv.Itoa(status)
		if status == 0 {
			key = "none"
		}
		out.Statuses[key] = n
	}
	out.corrected = f.latency
	if f.count > 0 {
		out.FailedShare = float64(f.failed) / float64(f.count)
		interval := userTime / time.Duration(f.count)
		out.Interval = round(interval.Seconds(), 6)
		out.corrected = corrected(f.latency, interval)
	}
	if measured > 0 {
		out.PerSecond = round(float64(f.count-f.failed)/measured.Seconds(), 1)
	}
	out.Corrected = latencyOf(out.corrected)
	return out
}

func latencyOf(h *hdrhistogram.Histogram) Latency {
	if h.TotalCount() == 0 {
		return Latency{}
	}
	return Latency{
		Mean: round(h.Mean()/1e6, 6), P50: quantile(h, 50), P90: quantile(h, 90), P95: quantile(h, 95),
		P99: quantile(h, 99), P999: quantile(h, 99.9), Max: micros(h.Max()),
	}
}

func (w *watch) server(prep *preparation) Server {
	s := Server{Required: prep.required}
	if !w.last.ok {
		return s
	}
	set := func(to **float64, v float64, known bool) {
		if known {
			v = round(v, 4)
			*to = &v
		}
	}
	v, known := ratio(&w.first, &w.last, metricHits, metricRequests)
	set(&s.HitRate, v, known)
	set(&s.LastRate, w.last.hitRate, true)
	v, known = ratio(&w.first, &w.last, metricBatchSum, metricBatchCount)
	set(&s.BatchSize, v, known)
	v, known = w.last.sums[metricPoolMax]
	set(&s.PoolMax, v, known)
	most, seen := 0.0, false
	for i := range w.points {
		if used := w.points[i].PoolUsed; used != nil {
			most, seen = max(most, *used), true
		}
	}
	set(&s.PoolUsed, most, seen)
	v, known = ratio(&w.first, &w.last, metricCPU, metricSent)
	set(&s.CPU, v*1e6, known)
	return s
}

// generator tells what the load cost on this side, warm-up included.
func (r *running) generator(cpu time.Duration, ended time.Time) Generator {
	g := Generator{Cores: round(cpu.Seconds()/max(0.001, ended.Sub(r.begin).Seconds()), 3)}
	if n := r.requests.Load(); n > 0 {
		g.CPU = round(float64(cpu.Microseconds())/float64(n), 1)
	}
	return g
}

func round(v float64, places int) float64 {
	scale := math.Pow10(places)
	return math.Round(v*scale) / scale
}

// Machine describes this machine for a report.
func Machine() string {
	return fmt.Sprintf("%s/%s, %d cores, %s", runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.Version())
}

// byCount returns the keys of a map of counts, the most frequent first.
func byCount(counts map[string]int64) []string {
	var names []string
	for name := range counts {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b))
	})
	return names
}
