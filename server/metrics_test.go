package server_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/hal9-ai/hal9/model"
)

var series = regexp.MustCompile(`^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{([a-zA-Z_]+="(\\.|[^"\\\n])*",? ?)*\})? (NaN|[+-]Inf|[-+0-9.e]+)$`)

// Every family is in one piece, with one HELP and one TYPE before it.
func TestPrometheusText(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, s *harness) {
		s.ask("PUT", neuronPath+"/state", `{"state":"a \"quoted\" \\ state\nof two lines"}`).want(200)
		s.ask("GET", "/nowhere", "").want(404)
		r := s.ask("GET", "/metrics", "").want(200)
		if ct := r.header.Get("Content-Type"); ct != "text/plain; version=0.0.4; charset=utf-8" {
			t.Errorf("Content-Type %q", ct)
		}
		kinds := map[string]string{}
		current := ""
		for line := range strings.Lines(r.body) {
			line = strings.TrimSuffix(line, "\n")
			if rest, ok := strings.CutPrefix(line, "# TYPE "); ok {
				name, kind, _ := strings.Cut(rest, " ")
				if _, twice := kinds[name]; twice {
					t.Errorf("family %s comes twice", name)
				}
				kinds[name], current = kind, name
				continue
			}
			if strings.HasPrefix(line, "# HELP ") {
				continue
			}
			m := series.FindStringSubmatch(line)
			if m == nil {
				t.Errorf("malformed: %s", line)
				continue
			}
			if base := strings.TrimPrefix(m[1], current); base != "" && (kinds[current] != "histogram" && kinds[current] != "summary" || base != "_bucket" && base != "_sum" && base != "_count") {
				t.Errorf("%s stands in family %s (%s)", m[1], current, kinds[current])
			}
		}
		for name, kind := range map[string]string{
			"hal9_server_uptime_seconds": "gauge", "hal9_server_memory_bytes": "gauge",
			"hal9_http_requests_total": "counter", "hal9_http_request_duration_seconds": "histogram",
			"hal9_neurons_active": "gauge", "hal9_neurons_by_state": "gauge",
			"hal9_db_pool_active_connections": "gauge", "hal9_db_pool_idle_connections": "gauge", "hal9_db_pool_max_connections": "gauge",
			"go_goroutines": "gauge", "process_open_fds": "gauge", "process_resident_memory_bytes": "gauge", "process_cpu_seconds_total": "counter",
		} {
			if kinds[name] != kind {
				t.Errorf("%s is %q, want %s", name, kinds[name], kind)
			}
		}
		r.want(200,
			`hal9_neurons_by_state{state="a \"quoted\" \\ state\nof two lines",condition="running"} 1`,
			`hal9_http_requests_total{method="PUT",route="/api/v1/neurons/:id/state",status="200"} 1`,
			`hal9_http_requests_total{method="OTHER",route="unmatched",status="404"} 1`,
			`hal9_http_request_duration_seconds_bucket{method="PUT",route="/api/v1/neurons/:id/state",status="200",le="+Inf"} 1`,
			`hal9_db_pool_max_connections 8`,
		)
		if got := s.ask("GET", "/api/v1/metrics/export?format=prometheus", "").want(200, "# TYPE hal9_neurons_active gauge"); got.header.Get("Content-Type") != r.header.Get("Content-Type") {
			t.Errorf("exported as %q", got.header.Get("Content-Type"))
		}
	})
}

// The figures are what a recount says.
func TestStatusAndMetrics(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, s *harness) {
		ids := model.NewIDGenerator(s.clock.Now)
		for range 6 {
			id := ids.New()
			at, _ := model.IDTime(id)
			if _, err := s.ingest.Submit(t.Context(), model.SignalInsertParams{
				ID: id, Timestamp: at, FromNeuron: "api-client", ToNeuron: "neuron-l4", LayerFrom: "API", LayerTo: "L4",
				PropagationType: "forward", Content: "hello", Metadata: model.EmptyObject(),
			}); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := s.ingest.Submit(t.Context(), model.SignalInsertParams{Content: "\x00"}); err == nil {
			t.Fatal("a bad signal was taken")
		}
		s.ask("PUT", neuronPath+"/state", `{"state":"Failed"}`).want(200)
		s.clock.Advance(30 * time.Second)

		type figures struct {
			Running          bool
			UptimeSeconds    float64  `json:"uptime_seconds"`
			SignalsSent      int64    `json:"signals_sent"`
			SignalsProcessed int64    `json:"signals_processed"`
			SignalsFailed    int64    `json:"signals_failed"`
			SignalsPerSecond float64  `json:"signals_per_second"`
			NeuronsActive    int64    `json:"neurons_active"`
			NeuronsTotal     int64    `json:"neurons_total"`
			CacheHitRate     *float64 `json:"cache_hit_rate"`
			MemoryUsageMB    float64  `json:"memory_usage_mb"`
			Neurons          []struct{ ID, Layer, State, Health string }
			Metrics          *struct {
				SignalsSent int64 `json:"signals_sent"`
			}
		}
		m := data[figures](s.ask("GET", "/api/v1/metrics", "").want(200))
		if m.SignalsSent != 7 || m.SignalsProcessed != 6 || m.SignalsFailed != 1 || m.SignalsPerSecond != 0.1 ||
			m.NeuronsActive != 3 || m.NeuronsTotal != 4 || m.CacheHitRate == nil || m.MemoryUsageMB < 1 || m.UptimeSeconds < 29 {
			t.Errorf("metrics: %+v", m)
		}
		if e := data[figures](s.ask("GET", "/api/v1/metrics/export", "").want(200)); e.SignalsProcessed != 6 {
			t.Errorf("exported: %+v", e)
		}
		s.ask("GET", "/api/v1/metrics/export?format=xml", "").problem(422, "query.format", "json, prometheus")
		st := data[figures](s.ask("GET", "/api/v1/status", "").want(200))
		if !st.Running || len(st.Neurons) != 4 || st.Neurons[3].ID != "neuron-l4" || st.Neurons[3].Health != "unhealthy" ||
			st.Neurons[0].Health != "healthy" || st.Metrics == nil || st.Metrics.SignalsSent != 7 {
			t.Errorf("status: %+v", st)
		}
	})
}
