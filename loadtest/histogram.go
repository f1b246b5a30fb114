package loadtest

import (
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Latencies are kept in microseconds, to three significant digits, up to a minute and a
// half; longer ones count as that.
const (
	longest    = int64(90 * time.Second / time.Microsecond)
	digits     = 3
	tickDigits = 2
)

func newHistogram(significant int) *hdrhistogram.Histogram {
	return hdrhistogram.New(1, longest, significant)
}

func record(h *hdrhistogram.Histogram, took time.Duration) {
	_ = h.RecordValue(min(max(1, took.Microseconds()), longest)) // within its bounds it never fails
}

// corrected adds what users would have seen who had not waited: coordinated omission.
//
// A user who waits for an answer sends nothing meanwhile, so a stall of ten seconds
// shows as one slow request where a stream of users, each coming when it likes, would
// have met hundreds. interval is what lay between two such requests of one user on
// average, over the whole run. For each latency longer than that, the requests that
// would have been sent meanwhile are added: the latency less one interval, less two, and
// so on. It is the method of HdrHistogram's RecordCorrectedValue, applied afterwards with
// the interval that the run had, as wrk does it; think time is part of the interval.
func corrected(h *hdrhistogram.Histogram, interval time.Duration) *hdrhistogram.Histogram {
	c := h.Clone()
	step := interval.Microseconds()
	if step < 1 {
		return c
	}
	for _, bar := range h.Distribution() {
		if bar.Count == 0 {
			continue
		}
		// So many that each stands for several, where a stall was very long.
		each := 1 + bar.To/step/maxHidden
		for hidden := bar.To - step*each; hidden >= step; hidden -= step * each {
			_ = c.RecordValues(hidden, bar.Count*each) // smaller than one that is in it
		}
	}
	return c
}

// maxHidden bounds the work on one latency.
const maxHidden = 10_000

// quantile returns a latency in seconds; 0 where nothing was recorded.
func quantile(h *hdrhistogram.Histogram, percent float64) float64 {
	if h.TotalCount() == 0 {
		return 0
	}
	return micros(h.ValueAtQuantile(percent))
}

func micros(v int64) float64 { return float64(v) / 1e6 }
