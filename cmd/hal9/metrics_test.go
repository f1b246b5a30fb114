package main

import (
	"maps"
	"math"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"

	"github.com/hal9-ai/hal9/internal/testenv"
	"github.com/hal9-ai/hal9/server"
)

// scrape reads /metrics as Prometheus would.
func (s *served) scrape(t *testing.T) map[string]*dto.MetricFamily {
	t.Helper()
	var parser expfmt.TextParser
	families, err := parser.TextToMetricFamilies(strings.NewReader(s.get(t, "/metrics")))
	if err != nil {
		t.Fatalf("Prometheus cannot read /metrics: %v", err)
	}
	return families
}

// post sends JSON by POST.
func (s *served) post(t *testing.T, path, body string, want int) {
	t.Helper()
	s.send(t, http.MethodPost, path, body, want)
}

// send sends JSON; its answer must have the status.
func (s *served) send(t *testing.T, method, path, body string, want int) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != want {
		t.Fatalf("%s: %s, want %d", path, resp.Status, want)
	}
}

// startObserved serves with all that has metrics, after some of everything was done.
func startObserved(t *testing.T, database string) *served {
	t.Helper()
	s := startServe(t, database, "--migrate", "--cache-url", testenv.CacheURL(t), "--cache-key-prefix", t.Name()+":")
	s.post(t, "/api/v1/signal", `{"content": "hello", "layer": "L4"}`, http.StatusOK)
	s.post(t, "/api/v1/auth/register", `{"username": "ann", "password": "correct horse battery"}`, http.StatusOK)
	s.post(t, "/api/v1/auth/login", `{"username": "ann", "password": "wrong horse battery"}`, http.StatusUnauthorized)
	s.get(t, "/api/v1/neurons/neuron-l4")
	return s
}

// TestMetricsAreDescribed: what a server tells is what the reference says, and the
// reference says everything.
func TestMetricsAreDescribed(t *testing.T) {
	t.Parallel()
	for engine, url := range map[string]string{"sqlite": "sqlite://" + t.TempDir() + "/hal9.db", "postgres": testenv.PostgresDatabase(t)} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			s := startObserved(t, url)
			told := s.scrape(t)
			described := map[string]server.MetricFamily{}
			for _, f := range server.MetricFamilies() {
				if _, twice := described[f.Name]; twice {
					t.Errorf("%s is described twice", f.Name)
				}
				described[f.Name] = f
				if _, there := told[f.Name]; !there && f.When == "" {
					t.Errorf("%s is described and not told", f.Name)
				}
			}
			for name, family := range told {
				checkFamily(t, described[name], family)
			}
			if code := s.end(); code != exitOK {
				t.Errorf("exit %d", code)
			}
		})
	}
}

// checkFamily holds a family to its description and to the rules of the format that the
// parser does not check.
func checkFamily(t *testing.T, want server.MetricFamily, got *dto.MetricFamily) {
	t.Helper()
	name := got.GetName()
	if got.GetHelp() == "" || got.GetHelp() != want.Help || strings.ToLower(got.GetType().String()) != want.Kind {
		t.Errorf("%s: %s %q, described as %s %q", name, got.GetType(), got.GetHelp(), want.Kind, want.Help)
	}
	seen := map[string]bool{}
	for _, m := range got.GetMetric() {
		labels := make([]string, 0, len(m.GetLabel()))
		for _, l := range m.GetLabel() {
			labels = append(labels, l.GetName()+"="+l.GetValue())
			if !slices.Contains(strings.Split(want.Labels, ", "), l.GetName()) {
				t.Errorf("%s: its label %s is not described", name, l.GetName())
			}
		}
		slices.Sort(labels)
		if key := strings.Join(labels, ","); seen[key] {
			t.Errorf("%s{%s} comes twice", name, key)
		} else {
			seen[key] = true
		}
		if h := m.GetHistogram(); h != nil {
			checkHistogram(t, name, h)
		}
	}
}

func checkHistogram(t *testing.T, name string, h *dto.Histogram) {
	t.Helper()
	buckets := h.GetBucket()
	if len(buckets) < 2 {
		t.Errorf("%s has %d buckets", name, len(buckets))
		return
	}
	var count uint64
	bound := math.Inf(-1)
	for _, b := range buckets {
		if b.GetUpperBound() <= bound || b.GetCumulativeCount() < count {
			t.Errorf("%s: %d up to %g come after %d up to %g", name, b.GetCumulativeCount(), b.GetUpperBound(), count, bound)
		}
		bound, count = b.GetUpperBound(), b.GetCumulativeCount()
	}
	// The library tells no sum and no count of the runtime's own histograms.
	if !math.IsInf(bound, 1) || count != h.GetSampleCount() && !strings.HasPrefix(name, "go_") {
		t.Errorf("%s: %d up to %g, %d in all", name, count, bound, h.GetSampleCount())
	}
}

func TestMetricsReference(t *testing.T) {
	t.Parallel()
	hal9(t, nil, "metrics", "reference", "--json").want(t, exitOK, `"name": "hal9_http_requests_total"`, "")
	page, err := os.ReadFile("../../docs/operations/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	if hal9(t, nil, "metrics", "reference").out != string(page) {
		t.Error("docs/operations/metrics.md is stale: run 'go run ./cmd/hal9 metrics reference > docs/operations/metrics.md'")
	}
}

// TestStrangersMakeNoSeries: paths, methods and names that clients invent are folded.
func TestStrangersMakeNoSeries(t *testing.T) {
	t.Parallel()
	s := startServe(t, "sqlite://"+t.TempDir()+"/hal9.db")
	invent := func(n string) {
		for _, line := range []string{
			"GET /nowhere/" + n, "PURGE" + n + " /api/v1/neurons", "GET /api/v1/neurons/" + n, "GET /api/v1/signals?neuron=" + n,
			"POST /api/v1/signal", "GET /api/v1/memories/search?q=" + n, "OPTIONS /" + n, "DELETE /api/v1/signals/" + n,
		} {
			method, path, _ := strings.Cut(line, " ")
			req, err := http.NewRequestWithContext(t.Context(), method, s.url+path, strings.NewReader(`{"content": "x", "layer": "L4", "neuron_id": "`+n+`"}`))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", "application/json")
			req.Header.Set("Authorization", "Bearer "+n)
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
		}
	}
	series := func() map[string]int {
		counts := map[string]int{}
		for name, family := range s.scrape(t) {
			counts[name] = len(family.GetMetric())
		}
		return counts
	}
	invent("first")
	s.get(t, "/metrics") // the scrape is a route too
	before := series()
	for _, n := range []string{"a", "b", "c", "d", "e"} {
		invent(n)
	}
	after := series()
	for name, n := range after {
		if n != before[name] {
			t.Errorf("%s had %d series and has %d", name, before[name], n)
		}
	}
	if len(before) < 100 || len(slices.Collect(maps.Keys(after))) < 100 {
		t.Errorf("only %d families", len(before))
	}
}
