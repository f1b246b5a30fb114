package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/hal9-ai/hal9/internal/testenv"
)

// receiver takes traces as a collector does.
type receiver struct {
	url string

	mu      sync.Mutex
	spans   []*tracepb.Span
	raw     []string
	headers []string
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		var in collector.ExportTraceServiceRequest
		if err != nil || req.URL.Path != "/v1/traces" || proto.Unmarshal(body, &in) != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.headers = append(r.headers, req.Header.Get("X-Token"))
		r.raw = append(r.raw, in.String())
		for _, of := range in.GetResourceSpans() {
			for _, scope := range of.GetScopeSpans() {
				r.spans = append(r.spans, scope.GetSpans()...)
			}
		}
	}))
	t.Cleanup(s.Close)
	r.url = s.URL
	return r
}

// named returns the spans of a name in the caller's trace.
func (r *receiver) named(name string) []*tracepb.Span {
	var found []*tracepb.Span
	for _, s := range r.spans {
		if s.GetName() == name && hexOf(s.GetTraceId()) == callersTrace {
			found = append(found, s)
		}
	}
	return found
}

func hexOf(id []byte) string {
	const digits = "0123456789abcdef"
	var b strings.Builder
	for _, c := range id {
		b.WriteByte(digits[c>>4])
		b.WriteByte(digits[c&15])
	}
	return b.String()
}

func attributesOf(s *tracepb.Span) string {
	var list []string
	for _, a := range s.GetAttributes() {
		list = append(list, a.GetKey()+"="+strings.TrimSpace(a.GetValue().String()))
	}
	return strings.Join(list, " ")
}

const (
	callersTrace = "4bf92f3577b34da6a3ce929d0e0e4736"
	canary       = "canary-7f3a"
)

// traced sends a request that belongs to a trace of its caller's.
func (s *served) traced(t *testing.T, method, path, body, id, flags string) (status int, answer string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Traceparent", "00-"+id+"-00f067aa0ba902b7-"+flags)
	req.Header.Set("Tracestate", "vendor="+canary)
	req.Header.Set("User-Agent", canary)
	if strings.HasPrefix(path, "/api/v1/memories") {
		req.Header.Set("X-Api-Key", "hal9_key_"+canary)
	}
	req.Header.Set("Cookie", canary)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	content, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(content)
}

// TestTraces: a caller's trace goes on through the request, the cache, the query and
// the commit; the log and the problem name it; nothing that a client wrote is in it.
func TestTraces(t *testing.T) {
	t.Parallel()
	for engine, url := range map[string]string{"sqlite": "sqlite://" + t.TempDir() + "/hal9.db", "postgres": testenv.PostgresDatabase(t)} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			to := newReceiver(t)
			s := startServe(t, url, "--migrate", "--tracing-endpoint", to.url, "--tracing-headers", "x-token=sesame", "--tracing-sample-ratio", "0")
			const unsampled = "11111111111111111111111111111111"
			for _, c := range []struct {
				method, path, body, id, flags string
				status                        int
			}{
				{"POST", "/api/v1/auth/login?x=" + canary, `{"username": "` + canary + `", "password": "` + canary + `"}`, callersTrace, "01", 422},
				{"GET", "/api/v1/neurons/neuron-l1", "", callersTrace, "01", 200},
				{"GET", "/api/v1/neurons/neuron-l1", "", callersTrace, "01", 200},
				{"GET", "/api/v1/neurons/" + canary, "", callersTrace, "01", 404},
				{"GET", "/" + canary, "", callersTrace, "01", 404},
				{"POST", "/api/v1/signal", `{"content": "` + canary + `", "layer": "L4", "neuron_id": "` + canary + `"}`, callersTrace, "01", 200},
				{"GET", "/api/v1/memories", "", callersTrace, "01", 401},
				{"GET", "/api/v1/neurons/neuron-l2", "", unsampled, "00", 200},
			} {
				status, answer := s.traced(t, c.method, c.path, c.body, c.id, c.flags)
				if status != c.status || status >= 400 && !strings.Contains(answer, `"trace_id":"`+c.id+`"`) {
					t.Errorf("%s %s: %d %s", c.method, c.path, status, answer)
				}
			}
			if code := s.end(); code != exitOK {
				t.Fatalf("exit %d:\n%s", code, s.stderr)
			}
			if log := s.stderr.String(); !strings.Contains(log, `"trace_id":"`+callersTrace+`"`) || strings.Contains(log, canary) || strings.Contains(log, "sesame") {
				t.Errorf("the log:\n%s", log)
			}
			checkTrace(t, to)
			if len(to.headers) == 0 || slices.ContainsFunc(to.headers, func(h string) bool { return h != "sesame" }) {
				t.Errorf("headers: %q", to.headers)
			}
			if raw := strings.Join(to.raw, ""); strings.Contains(raw, canary) || strings.Contains(raw, "sesame") || strings.Contains(raw, unsampled) {
				t.Errorf("what a client wrote, or a trace that its caller does not want, went to the collector:\n%s", raw)
			}
		})
	}
}

// checkTrace looks for one span of each kind, each within the one around it.
func checkTrace(t *testing.T, to *receiver) {
	t.Helper()
	reads := to.named("GET /api/v1/neurons/:id")
	caches := to.named("cache neuron")
	queries := to.named("query NeuronGet")
	if len(reads) != 3 || len(caches) != 3 || len(queries) != 2 {
		t.Fatalf("%d requests, %d reads of the cache, %d queries of\n%s", len(reads), len(caches), len(queries), strings.Join(to.raw, "\n"))
	}
	if len(to.named("GET unmatched")) != 1 {
		t.Error("no span of a request without a route")
	}
	if hexOf(reads[0].GetParentSpanId()) != "00f067aa0ba902b7" || !slices.Equal(caches[0].GetParentSpanId(), reads[0].GetSpanId()) ||
		!slices.Equal(queries[0].GetParentSpanId(), caches[0].GetSpanId()) {
		t.Errorf("the spans do not hang together:\n%s", strings.Join(to.raw, "\n"))
	}
	if a := attributesOf(caches[0]); !strings.Contains(a, `hal9.cache.tier=string_value:"load"`) || !strings.Contains(a, "hal9.cache.hit=bool_value:false") {
		t.Error(a)
	}
	if a := attributesOf(caches[1]); !strings.Contains(a, `hal9.cache.tier=string_value:"local"`) || !strings.Contains(a, "hal9.cache.hit=bool_value:true") {
		t.Error(a)
	}
	commits, signals := to.named("ingest commit"), to.named("POST /api/v1/signal")
	if len(commits) != 1 || len(signals) != 1 || len(commits[0].GetLinks()) != 1 || len(signals[0].GetLinks()) != 1 ||
		!slices.Equal(commits[0].GetLinks()[0].GetSpanId(), signals[0].GetSpanId()) || !slices.Equal(signals[0].GetLinks()[0].GetSpanId(), commits[0].GetSpanId()) {
		t.Errorf("the commit and its signal are not linked: %v %v", commits, signals)
	}
}

// TestTracesWithoutACollector: the service works as ever, and says once that it is so.
func TestTracesWithoutACollector(t *testing.T) {
	t.Parallel()
	s := startServe(t, "sqlite://"+t.TempDir()+"/hal9.db", "--tracing-endpoint", "http://127.0.0.1:1", "--tracing-sample-ratio", "1")
	s.get(t, "/api/v1/neurons/neuron-l1")
	if code := s.end(); code != exitOK {
		t.Errorf("exit %d:\n%s", code, s.stderr)
	}
}
