package loadtest

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Threshold is a bound that a run has to keep, such as
//
//	p95 < 500ms
//	p99[signal] < 200ms
//	failed < 1%
//	checks_failed < 5%
//	rate > 10000
//	users >= 1000
//	hit_rate >= 90%
//
// Latencies are p50, p99.9 and so on, mean and max; they are the corrected ones. failed
// is the share of requests without an answer of 2xx or 3xx, checks_failed that of checks,
// rate the requests per second that did not fail, users the most
// at a time, hit_rate the share of the server's cache requests that
// were hits, as its metrics tell. A call in brackets asks about that call alone.
type Threshold struct {
	measure, call, op string
	quantile          float64 // of pNN
	bound             float64 // seconds, shares or requests per second
	text              string
}

var thresholdForm = regexp.MustCompile(`^\s*(p\d{1,2}(?:\.\d+)?|p100|mean|max|failed|checks_failed|rate|users|hit_rate)\s*(?:\[([^\]]+)\])?\s*(<=|>=|<|>)\s*([0-9.]+\S*)\s*$`)

// ParseThreshold reads a threshold.
func ParseThreshold(text string) (Threshold, error) {
	const forms = "write p95 < 500ms, p99[signal] < 200ms, failed < 1%, checks_failed < 5%, rate > 10000 or hit_rate >= 90%"
	m := thresholdForm.FindStringSubmatch(text)
	if m == nil {
		return Threshold{}, fmt.Errorf("threshold %q is not understood: %s", text, forms)
	}
	t := Threshold{measure: m[1], call: m[2], op: m[3], text: strings.Join(strings.Fields(text), " ")}
	var err error
	switch t.measure {
	case "failed", "checks_failed", "hit_rate":
		t.bound, err = parseShare(m[4])
	case "rate", "users":
		t.bound, err = strconv.ParseFloat(m[4], 64)
	default:
		var d time.Duration
		d, err = parseDuration(m[4])
		t.bound = d.Seconds()
		if percent, cut := strings.CutPrefix(t.measure, "p"); cut && err == nil {
			t.quantile, err = strconv.ParseFloat(percent, 64)
		}
	}
	if err != nil {
		return Threshold{}, fmt.Errorf("threshold %q: its bound is not understood: %s", text, forms)
	}
	if t.call != "" && (t.measure == "hit_rate" || t.measure == "users") {
		return Threshold{}, fmt.Errorf("threshold %q: %s is no figure of a call: leave [%s] out", text, t.measure, t.call)
	}
	return t, nil
}

// UnmarshalYAML reads a threshold.
func (t *Threshold) UnmarshalYAML(n *yaml.Node) error {
	parsed, err := ParseThreshold(n.Value)
	if err != nil {
		return fmt.Errorf("line %d: %w", n.Line, err)
	}
	*t = parsed
	return nil
}

// String writes it as it is read.
func (t Threshold) String() string { return t.text }

// holds compares a value with the bound.
func (t Threshold) holds(value float64) bool {
	switch t.op {
	case "<":
		return value < t.bound
	case "<=":
		return value <= t.bound
	case ">":
		return value > t.bound
	default:
		return value >= t.bound
	}
}

// show writes a value in the unit of the bound.
func (t Threshold) show(value float64) string {
	switch t.measure {
	case "failed", "checks_failed", "hit_rate":
		return showShare(value)
	case "rate":
		return fmt.Sprintf("%.0f/s", value)
	case "users":
		return fmt.Sprintf("%.0f", value)
	default:
		return showSeconds(value)
	}
}
