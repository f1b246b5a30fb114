package cacheutil

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
)

// metric is one family of metrics with a line for each cache.
type metric struct {
	name, kind, help string
	lines            []line
}

// line is one value of a cache, labelled by tier where tiers differ.
type line struct {
	tier  string
	value func(Stats) float64
}

func families() []metric {
	count := func(value func(Stats) int64) []line {
		return []line{{value: func(s Stats) float64 { return float64(value(s)) }}}
	}
	return []metric{
		{"requests_total", "counter", "Reads.", count(func(s Stats) int64 { return s.Requests })},
		{"hits_total", "counter", "Reads that a tier served: local is process memory, remote is Valkey.", []line{
			{"local", func(s Stats) float64 { return float64(s.HitsLocal) }},
			{"remote", func(s Stats) float64 { return float64(s.HitsRemote) }},
		}},
		{"misses_total", "counter", "Reads that waited for a load.", count(func(s Stats) int64 { return s.Misses })},
		{"loads_total", "counter", "Loads.", count(func(s Stats) int64 { return s.Loads })},
		{"load_errors_total", "counter", "Loads that failed.", count(func(s Stats) int64 { return s.LoadErrors })},
		{"load_seconds_total", "counter", "Time spent in loads.", []line{{value: func(s Stats) float64 { return s.LoadTime.Seconds() }}}},
		{"refreshes_total", "counter", "Loads ahead of time.", count(func(s Stats) int64 { return s.Refreshes })},
		{"stale_served_total", "counter", "Values served past their time to live.", count(func(s Stats) int64 { return s.Stale })},
		{"discarded_total", "counter", "Loaded values that were not kept because of an invalidation meanwhile.", count(func(s Stats) int64 { return s.Discarded })},
		{"errors_total", "counter", "Calls to Valkey that failed or took too long.", []line{{"remote", func(s Stats) float64 { return float64(s.Errors) }}}},
		{"corrupt_total", "counter", "Values in Valkey that could not be read.", []line{{"remote", func(s Stats) float64 { return float64(s.Corrupt) }}}},
		{"evictions_total", "counter", "Entries that made room for others.", []line{{"local", func(s Stats) float64 { return float64(s.Evictions) }}}},
		{"entries", "gauge", "Entries.", []line{{"local", func(s Stats) float64 { return float64(s.Entries) }}}},
		{"bytes", "gauge", "Bytes that the entries take, as estimated.", []line{{"local", func(s Stats) float64 { return float64(s.Bytes) }}}},
	}
}

// MetricFamily describes the metrics of one name that WritePrometheus writes.
type MetricFamily struct {
	Name, Kind string
	Labels     string // parted by ", "
	When       string // "" for always
	Help       string
}

// MetricFamilies lists what WritePrometheus may write under a Config.MetricPrefix.
func MetricFamilies(prefix string) []MetricFamily {
	var list []MetricFamily
	for _, f := range families() {
		labels := "entity"
		if f.lines[0].tier != "" {
			labels += ", tier"
		}
		list = append(list, MetricFamily{Name: prefix + f.name, Kind: f.kind, Labels: labels, Help: f.help})
	}
	for _, f := range stateFamilies() {
		list = append(list, MetricFamily{Name: prefix + f.name, Kind: "gauge", When: "with a cache server", Help: f.help})
	}
	for _, f := range queueFamilies() {
		labels := "entity"
		if f.reasons {
			labels += ", reason"
		}
		list = append(list, MetricFamily{Name: prefix + "queue_" + f.name, Kind: f.kind, Labels: labels, When: "with something stored later", Help: f.help})
	}
	return list
}

// stateMetric is one gauge about the second tier.
type stateMetric struct {
	name, help string
	value      func(State) float64
}

func stateFamilies() []stateMetric {
	return []stateMetric{
		{"remote_up", "Whether Valkey answers.", func(s State) float64 { return number(s.Valkey == stateUp) }},
		{"tracking_up", "Whether invalidations of other processes arrive; while they do not, process memory is not used.", func(s State) float64 { return number(s.Tracking) }},
		{"breaker_open", "Whether Valkey is not asked because it did not answer.", func(s State) float64 { return number(s.BreakerOpen) }},
		{"pending_invalidations", "Invalidations that Valkey has yet to take.", func(s State) float64 { return float64(s.Pending) }},
	}
}

// WritePrometheus writes the figures of every cache and the state of the second
// tier in Prometheus' text format. Errors of w are ignored, as with a closed
// connection.
func (m *Manager) WritePrometheus(w io.Writer) {
	out := bufio.NewWriter(w)
	defer func() { _ = out.Flush() }()
	stats := m.Stats()
	for _, family := range families() {
		m.head(out, family.name, family.kind, family.help)
		for _, s := range stats {
			for _, l := range family.lines {
				tier := ""
				if l.tier != "" {
					tier = ",tier=" + strconv.Quote(l.tier)
				}
				fmt.Fprintf(out, "%s%s{entity=%q%s} %v\n", m.cfg.MetricPrefix, family.name, s.Name, tier, l.value(s))
			}
		}
	}
	m.writeQueues(out)
	state := m.State()
	if state.Valkey == stateOff {
		return
	}
	for _, gauge := range stateFamilies() {
		m.head(out, gauge.name, "gauge", gauge.help)
		fmt.Fprintf(out, "%s%s %v\n", m.cfg.MetricPrefix, gauge.name, gauge.value(state))
	}
}

func (m *Manager) head(out io.Writer, name, kind, help string) {
	fmt.Fprintf(out, "# HELP %s%s %s\n# TYPE %[1]s%[2]s %[4]s\n", m.cfg.MetricPrefix, name, help, kind)
}

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
