//go:build observe

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hal9-ai/hal9/internal/testenv"
)

// TestObserve: promtool finds nothing to say about what servers tell and what is
// deployed, and under load a real Prometheus has an answer to every panel.
func TestObserve(t *testing.T) {
	rules := filepath.Join(deployDir, "prometheus")
	promtool(t, "", "check", "config", filepath.Join(rules, "prometheus.yml"))
	promtool(t, "", "test", "rules", filepath.Join(rules, "alerts_test.yml"))

	servers := []*served{startObserved(t, testenv.PostgresDatabase(t)), startObserved(t, "sqlite://"+t.TempDir()+"/hal9.db")}
	prometheus := startPrometheus(t, servers)
	load(t, servers, 20*time.Second)
	for _, s := range servers {
		promtool(t, s.get(t, "/metrics"), "check", "metrics")
	}
	asked := 0
	for _, d := range readDashboards(t) {
		for _, p := range d.Panels {
			for _, target := range p.Targets {
				if slices.ContainsFunc(metricsOf(target.Expr), notHere) {
					t.Logf("not here: %s, %s", d.Title, p.Title)
					continue
				}
				asked++
				if n := prometheus.ask(t, target.Expr); n == 0 {
					t.Errorf("%s, %s: nothing for %s", d.Title, p.Title, target.Expr)
				}
			}
		}
	}
	for _, a := range readAlerts(t) {
		prometheus.ask(t, a.Expr) // Prometheus takes it; most are empty as long as all is well
	}
	t.Logf("%d expressions have an answer", asked)
	for _, s := range servers {
		if code := s.end(); code != exitOK {
			t.Errorf("exit %d", code)
		}
	}
}

// notHere tells whether a metric needs what these servers do not have: replicas, and
// something that is stored later.
func notHere(name string) bool {
	return slices.Contains(awaited, name) || strings.HasPrefix(name, cacheMetricPrefix+"queue_")
}

func promtool(t *testing.T, stdin string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "promtool", args...)
	cmd.Stdin = strings.NewReader(stdin)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

type promServer struct{ url string }

// startPrometheus runs one that reads the servers each second.
func startPrometheus(t *testing.T, servers []*served) *promServer {
	t.Helper()
	dir := t.TempDir()
	var targets []string
	for _, s := range servers {
		targets = append(targets, strings.TrimPrefix(s.url, "http://"))
	}
	list, err := json.Marshal(targets)
	if err != nil {
		t.Fatal(err)
	}
	config := fmt.Sprintf("global: {scrape_interval: 1s}\nscrape_configs:\n- job_name: hal9\n  static_configs:\n  - targets: %s\n", list)
	if err := os.WriteFile(filepath.Join(dir, "prometheus.yml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	ln, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := ln.Addr().String()
	if err := ln.Close(); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	cmd := exec.CommandContext(ctx, "prometheus", "--config.file="+filepath.Join(dir, "prometheus.yml"),
		"--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+address, "--log.level=warn")
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stop()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("Prometheus:\n%s", &log)
		}
	})
	return &promServer{"http://" + address}
}

// ask returns how many series an expression has; it waits until there is one, within
// bounds.
func (p *promServer) ask(t *testing.T, expr string) int {
	t.Helper()
	alert := !strings.Contains(expr, "$job")
	expr = strings.NewReplacer("$job", "hal9", "$instance", ".+", "$__rate_interval", "30s").Replace(expr)
	deadline := time.Now().Add(20 * time.Second)
	for {
		n, fault := p.once(t, expr)
		switch {
		case fault != "":
			t.Errorf("%s: %s", expr, fault)
			return 0
		case n > 0 || alert || time.Now().After(deadline):
			return n
		}
		select { // the next scrape
		case <-time.After(time.Second):
		case <-t.Context().Done():
			return 0
		}
	}
}

func (p *promServer) once(t *testing.T, expr string) (n int, fault string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.url+"/api/v1/query?query="+url.QueryEscape(expr), http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "" // it is still starting
	}
	defer func() { _ = resp.Body.Close() }()
	var answer struct {
		Status, Error string
		Data          struct{ Result []json.RawMessage }
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return 0, ""
	}
	return len(answer.Data.Result), answer.Error
}

// load keeps the servers busy for a while, with what they answer and what they refuse.
func load(t *testing.T, servers []*served, while time.Duration) {
	t.Helper()
	for end := time.Now().Add(while); time.Now().Before(end); {
		for _, s := range servers {
			s.post(t, "/api/v1/signal", `{"content": "load", "layer": "L3"}`, http.StatusOK)
			s.get(t, "/api/v1/neurons/neuron-l1")
			s.get(t, "/api/v1/status")
			s.get(t, "/api/v1/memories/search?q=load")
		}
	}
}
