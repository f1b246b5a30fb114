package server_test

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/hal9-ai/hal9/auth"
	"github.com/hal9-ai/hal9/ingest"
	"github.com/hal9-ai/hal9/model"
)

// The contract of the first HAL9 server, route by route and figure by figure. Each
// figure is compared with a recount of what is stored.

// recount is what the database says, asked by queries that no handler under test uses
// for its figures.
type recount struct {
	signals  int64
	to, from map[string]int64
	newest   map[string]time.Time // of the signals from a neuron
}

func recountSignals(t *testing.T, st model.Store) recount {
	t.Helper()
	rows, err := st.SignalList(t.Context(), model.SignalListParams{
		Until: model.MaxTime(), CursorTimestamp: model.MaxTime(), CursorID: model.MaxID(), PageLimit: 100_000,
	})
	if err != nil {
		t.Fatal(err)
	}
	r := recount{signals: int64(len(rows)), to: map[string]int64{}, from: map[string]int64{}, newest: map[string]time.Time{}}
	for _, row := range rows {
		r.to[row.ToNeuron]++
		r.from[row.FromNeuron]++
		if row.Timestamp.After(r.newest[row.FromNeuron]) {
			r.newest[row.FromNeuron] = row.Timestamp
		}
	}
	return r
}

// Every field that clients of the contract read is there, and has its type.
func TestContractShapes(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, s *harness) {
		admin := []string{"X-API-Key", s.key(s.user("root", auth.RoleAdmin))}
		sentSignal := data[sent](s.ask("POST", "/api/v1/signal", `{"content":"x","layer":"L4"}`).want(200))
		for _, test := range []struct {
			route string
			bare  bool
			want  map[string]string // the place of a field, and its JSON type
		}{
			{"/health", true, map[string]string{"status": "string", "service": "string", "version": "string", "timestamp": "time"}},
			{"/health/detailed?detailed=true&timeout_ms=5000", true, map[string]string{
				"status": "string", "uptime_seconds": "number", "checks_passed": "number", "checks_total": "number",
				"components.0.name": "string", "components.0.status": "string", "components.0.message": "string",
				"components.0.latency_ms": "number", "components.0.metadata": "object",
			}},
			{"/api/v1/status", false, map[string]string{
				"running": "boolean", "uptime_seconds": "number",
				"neurons.0.id": "string", "neurons.0.layer": "string", "neurons.0.state": "string", "neurons.0.health": "string",
				"metrics.signals_sent": "number", "metrics.signals_processed": "number", "metrics.signals_failed": "number", "metrics.average_latency_ms": "number",
			}},
			{"/api/v1/neurons", false, map[string]string{"0.id": "string", "0.layer": "string", "0.state": "string", "0.is_healthy": "boolean"}},
			{"/api/v1/neurons/neuron-l4", false, map[string]string{
				"id": "string", "layer": "string", "state": "string", "is_healthy": "boolean", "system_prompt": "string",
				"settings": "object", "version": "number", "created_at": "time", "updated_at": "time",
			}},
			{"/api/v1/neurons/neuron-l4/health", false, map[string]string{
				"state": "string", "last_signal": "null", "signals_processed": "number", "errors_count": "number", "uptime_seconds": "number",
			}},
			{"/api/v1/signal/" + sentSignal.SignalID, false, map[string]string{
				"signal_id": "string", "trace.0.timestamp": "time", "trace.0.neuron_id": "string", "trace.0.layer": "string", "trace.0.action": "string",
			}},
			{"/api/v1/metrics", false, map[string]string{
				"uptime_seconds": "number", "signals_sent": "number", "signals_processed": "number", "signals_failed": "number",
				"signals_per_second": "number", "neurons_active": "number", "memory_usage_mb": "number", "cache_hit_rate": "number",
			}},
			{"/api/v1/metrics/export?format=json", false, map[string]string{"signals_sent": "number", "cache_hit_rate": "number"}},
		} {
			r := s.ask("GET", test.route, "", admin...).want(200)
			var body any
			if err := json.Unmarshal([]byte(r.body), &body); err != nil {
				t.Fatalf("%s: %v", test.route, err)
			}
			if !test.bare {
				if at(body, "success") != true || at(body, "error") != nil {
					t.Errorf("%s: no envelope: %s", test.route, r.body)
				}
				body = at(body, "data")
			}
			for place, kind := range test.want {
				if got := jsonKind(at(body, place)); got != kind && (kind != "string" || got != "time") {
					t.Errorf("%s: %s is %s, want %s\n%s", test.route, place, got, kind, r.body)
				}
			}
		}
		if r := s.ask("GET", "/livez", "").want(200); r.body != "OK" {
			t.Errorf("/livez says %q", r.body)
		}
		s.ask("GET", "/readyz", "").want(200)
		if r := s.ask("GET", "/api/v1/metrics/export?format=prometheus", "").want(200); !strings.HasPrefix(r.header.Get("Content-Type"), "text/plain") {
			t.Errorf("exported as %s", r.header.Get("Content-Type"))
		}
	})
}

// at finds a value by names and indexes with points between them; missing{} if none.
type missing struct{}

func at(v any, place string) any {
	for name := range strings.SplitSeq(place, ".") {
		switch x := v.(type) {
		case map[string]any:
			member, ok := x[name]
			if !ok {
				return missing{}
			}
			v = member
		case []any:
			var i int
			if _, err := fmt.Sscan(name, &i); err != nil || i >= len(x) {
				return missing{}
			}
			v = x[i]
		default:
			return missing{}
		}
	}
	return v
}

func jsonKind(v any) string {
	switch x := v.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case float64:
		return "number"
	case string:
		if _, err := time.Parse(time.RFC3339, x); err == nil {
			return "time"
		}
		return "string"
	case map[string]any:
		return "object"
	case []any:
		return "array"
	default:
		return "missing"
	}
}

// The counters agree with the table, however signals came in.
func TestContractFigures(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, s *harness) {
		before := recountSignals(t, s.store).signals
		ids := model.NewIDGenerator(s.clock.Now)
		id := ids.New()
		one := fmt.Sprintf(`{"id":%q,"content":"one","layer_to":"L3","from_neuron":"neuron-l4"}`, id)
		s.ask("POST", "/api/v1/signal", `{"content":"a","layer":"L4"}`).want(200)
		s.ask("POST", "/api/v1/signals", one).want(201)
		s.ask("POST", "/api/v1/signals", one).want(201)                                      // a duplicate: sent, and nothing more
		s.ask("POST", "/api/v1/signals", strings.Replace(one, "one", "two", 1)).problem(409) // failed
		s.ask("POST", "/api/v1/signals", `[{"content":"b","layer_to":"L3"},{"content":"c","layer_to":"L2"}]`).want(201)
		s.bulk(strings.NewReader(`{"content":"d","layer_to":"L3"}` + "\n" + `{"content":"e","layer_to":"L1","from_neuron":"neuron-l4"}` + "\n")).want(200)
		// What never came to be a signal is counted as a request, not as a signal.
		s.ask("POST", "/api/v1/signal", `{"content":"x","layer":"L9"}`).problem(422)
		stored := recountSignals(t, s.store)
		committed := stored.signals - before

		type figures struct {
			Sent      int64   `json:"signals_sent"`
			Processed int64   `json:"signals_processed"`
			Failed    int64   `json:"signals_failed"`
			Latency   float64 `json:"average_latency_ms"`
			PerSecond float64 `json:"signals_per_second"`
			Uptime    float64 `json:"uptime_seconds"`
			Active    int64   `json:"neurons_active"`
			HitRate   float64 `json:"cache_hit_rate"`
			Memory    float64 `json:"memory_usage_mb"`
		}
		m := data[figures](s.ask("GET", "/api/v1/metrics", "").want(200))
		if committed != 6 || m.Sent != 8 || m.Processed != committed || m.Failed != 1 {
			t.Errorf("stored %d, figures %+v", committed, m)
		}
		if want := float64(committed) / 60; math.Abs(m.PerSecond-want) > 1e-9 {
			t.Errorf("signals_per_second %v, want %v", m.PerSecond, want)
		}
		status := data[struct {
			Uptime  float64 `json:"uptime_seconds"`
			Metrics figures
		}](s.ask("GET", "/api/v1/status", "").want(200))
		if x := status.Metrics; x.Sent != m.Sent || x.Processed != m.Processed || x.Failed != m.Failed || x.Latency != m.Latency {
			t.Errorf("status %+v, metrics %+v", x, m)
		}
		if m.HitRate < 0 || m.HitRate > 1 || m.Memory < 1 || m.Memory > 1<<20 {
			t.Errorf("cache_hit_rate %v, memory_usage_mb %v", m.HitRate, m.Memory)
		}
		// A minute later nothing was committed lately, and the counters stand.
		s.clock.Advance(time.Minute)
		later := data[figures](s.ask("GET", "/api/v1/metrics", "").want(200))
		if later.PerSecond != 0 || later.Latency != 0 || later.Processed != m.Processed || math.Abs(later.Uptime-m.Uptime-60) > 1 {
			t.Errorf("a minute later %+v, before %+v", later, m)
		}

		// One neuron: what was addressed to it, and when it was heard from.
		eventually(t, func() bool {
			return s.neuronHealth("neuron-l4").LastSignal != nil
		})
		for _, neuron := range []string{"neuron-l1", "neuron-l2", "neuron-l3", "neuron-l4"} {
			eventually(t, func() bool { return s.neuronHealth(neuron).Processed == stored.to[neuron] })
			h := s.neuronHealth(neuron)
			newest, heard := stored.newest[neuron]
			if heard != (h.LastSignal != nil) || heard && !h.LastSignal.Equal(newest) {
				t.Errorf("%s: last_signal %v, want %v", neuron, h.LastSignal, newest)
			}
		}
	})
}

type neuronHealth struct {
	State      string
	LastSignal *time.Time `json:"last_signal"`
	Processed  int64      `json:"signals_processed"`
	Errors     int64      `json:"errors_count"`
}

func (h *harness) neuronHealth(id string) neuronHealth {
	h.t.Helper()
	return data[neuronHealth](h.ask("GET", "/api/v1/neurons/"+id+"/health", "").want(200))
}

// is_healthy, errors_count and neurons_active follow the states, and silence.
func TestContractHealth(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, s *harness) {
		isHealthy := func() bool {
			return data[struct {
				IsHealthy bool `json:"is_healthy"`
			}](s.ask("GET", neuronPath, "").want(200)).IsHealthy
		}
		// Two more routes tell, and keep what they have encoded.
		listed := func() (inList, inStatus bool) {
			for _, n := range data[[]struct {
				ID        string `json:"id"`
				IsHealthy bool   `json:"is_healthy"`
			}](s.ask("GET", "/api/v1/neurons", "").want(200)) {
				inList = inList || strings.HasSuffix(neuronPath, "/"+n.ID) && n.IsHealthy
			}
			for _, n := range data[struct {
				Neurons []struct {
					ID     string `json:"id"`
					Health string `json:"health"`
				} `json:"neurons"`
			}](s.ask("GET", "/api/v1/status", "").want(200)).Neurons {
				inStatus = inStatus || strings.HasSuffix(neuronPath, "/"+n.ID) && n.Health == "healthy"
			}
			return inList, inStatus
		}
		active := func() int64 {
			return data[struct {
				NeuronsActive int64 `json:"neurons_active"`
			}](s.ask("GET", "/api/v1/metrics", "").want(200)).NeuronsActive
		}
		id := strings.TrimPrefix(neuronPath, "/api/v1/neurons/")
		if h := s.neuronHealth(id); h.State != "idle" || h.LastSignal != nil || !isHealthy() || active() != 4 {
			t.Errorf("never heard from: %+v, healthy %v", h, isHealthy())
		}
		for i, step := range []struct {
			state   string
			healthy bool
			errors  int64
			active  int64
		}{{"Failed", false, 1, 3}, {"Failed", false, 1, 3}, {"Running", true, 1, 4}, {"failed", false, 2, 3}, {"Stopped", false, 2, 3}, {"idle", true, 2, 4}} {
			s.ask("PUT", neuronPath+"/state", fmt.Sprintf(`{"state":%q}`, step.state)).want(200)
			if h := s.neuronHealth(id); isHealthy() != step.healthy || h.Errors != step.errors || active() != step.active || !strings.EqualFold(h.State, step.state) {
				t.Errorf("step %d, %s: healthy %v, %d active, %+v; want %+v", i, step.state, isHealthy(), active(), h, step)
			}
			if inList, inStatus := listed(); inList != step.healthy || inStatus != step.healthy {
				t.Errorf("step %d, %s: healthy in the list %v, in the status %v", i, step.state, inList, inStatus)
			}
		}
		s.clock.Advance(5*time.Minute + time.Second)
		if inList, inStatus := listed(); isHealthy() || inList || inStatus {
			t.Errorf("healthy after five silent minutes: %v, in the list %v, in the status %v", isHealthy(), inList, inStatus)
		}
		s.ask("POST", "/api/v1/signals", fmt.Sprintf(`{"content":"I live","layer_to":"L3","from_neuron":%q}`, id)).want(201)
		eventually(t, func() bool {
			inList, inStatus := listed()
			return isHealthy() && inList && inStatus
		})
	})
}

// The names on the contract's dashboards are all there. Those of the cache, of sign-in
// and of rate limits come with what they count.
func TestContractMetricNames(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, s *harness) {
		s.ask("POST", "/api/v1/signal", `{"content":"a","layer":"L4"}`).want(200)
		s.ask("GET", neuronPath+"x", "").want(404)
		s.ask("GET", "/metrics", "").want(200,
			"\nhal9_server_uptime_seconds ", "\nhal9_server_memory_bytes{type=", "\nhal9_signals_sent_total 1\n",
			"\n"+`hal9_signals_processed_total{status="success"} 1`+"\n", "\n"+`hal9_signal_processing_duration_seconds_bucket{layer="L4",le=`,
			"\nhal9_neurons_active 4\n", "\nhal9_neurons_by_state{", "\nhal9_http_requests_total{", "\nhal9_http_request_duration_seconds_bucket{",
			"\nhal9_db_pool_active_connections ", "\nhal9_db_pool_idle_connections ", "\nhal9_db_pool_max_connections ",
			"\n"+`hal9_errors_total{error_type="not_found"} 1`+"\n",
			"\nhal9_ingest_queue_length 0\n", "\nhal9_ingest_batch_size_count 1\n", "\nhal9_ingest_commit_duration_seconds_count 1\n",
		)
		if st := s.ingest.Stats(); st != (ingest.Stats{Accepted: 1, Committed: 1, MeanLatency: st.MeanLatency, CommittedPerSecond: st.CommittedPerSecond}) {
			t.Errorf("stats %+v", st)
		}
	})
}
