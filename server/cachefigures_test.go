package server_test

import (
	"net"
	"strings"
	"testing"
	"time"

	"github.com/hal9-ai/hal9/auth"
	"github.com/hal9-ai/hal9/cacheutil"
	"github.com/hal9-ai/hal9/server"
)

type cacheFigures struct {
	HitRate  *float64           `json:"cache_hit_rate"`
	HitRates map[string]float64 `json:"cache_hit_rates"`
}

// TestCacheFigures: hits per request, of all caches and of each, and the contract's
// names for Prometheus.
func TestCacheFigures(t *testing.T) {
	t.Parallel()
	s := newServer(t, sqliteEngine)
	for range 20 {
		s.ask("GET", "/api/v1/neurons/neuron-l1", "").want(200)
	}
	f := data[cacheFigures](s.ask("GET", "/api/v1/metrics", "").want(200))
	if f.HitRate == nil || *f.HitRate < 0.9 || *f.HitRate >= 1 || f.HitRates["neuron"] != 19.0/20 {
		t.Errorf("%v %v", f.HitRate, f.HitRates)
	}
	if _, asked := f.HitRates["session"]; asked {
		t.Errorf("a cache that nobody asked has a rate: %v", f.HitRates)
	}
	body := s.ask("GET", "/metrics", "").want(200).body
	for _, want := range []string{
		`hal9_cache_requests_total{entity="neuron"} 20`, `hal9_cache_hits_total{entity="neuron",tier="local"} 19`,
		"# TYPE hal9_cache_hits_total counter",
	} {
		if !strings.Contains(body, want+"\n") {
			t.Errorf("%s is missing", want)
		}
	}
	admin := []string{"X-API-Key", s.key(s.user("root", auth.RoleAdmin))}
	h := decode[healthAnswer](s.ask("GET", "/health/detailed", "", admin...).want(200))
	if c := h.Components[3]; c.Name != "cache" || c.Status != "healthy" || c.Metadata["cache_server"] != "off" {
		t.Errorf("%+v", c)
	}
}

// TestCacheHitRateIsThatOfTheLastMinute: what was asked before does not count.
func TestCacheHitRateIsThatOfTheLastMinute(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for range 20 {
		s.ask("GET", "/api/v1/neurons/neuron-l1", "").want(200)
	}
	eventually(t, func() bool { // once that was sampled and a minute has passed, nobody has asked
		s.clock.Advance(2 * time.Minute)
		_, asked := data[cacheFigures](s.ask("GET", "/api/v1/metrics", "").want(200)).HitRates["neuron"]
		return !asked
	})
}

// TestCacheServerAway: the service works on, and says that it is slower.
func TestCacheServerAway(t *testing.T) {
	t.Parallel()
	ln, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := ln.Addr().String()
	if err := ln.Close(); err != nil {
		t.Fatal(err)
	}
	s := newServer(t, sqliteEngine, func(d *server.Deps) {
		m, err := cacheutil.Open(t.Context(), cacheutil.Config{URL: "redis://" + nobody, MetricPrefix: "hal9_cache_"})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := m.Close(); err != nil {
				t.Error(err)
			}
		})
		d.Cache = m
	})
	admin := []string{"X-API-Key", s.key(s.user("root", auth.RoleAdmin))}
	h := decode[healthAnswer](s.ask("GET", "/health/detailed", "", admin...).want(200))
	if c := h.Components[3]; h.Status != "degraded" || c.Status != "degraded" || c.Metadata["cache_server"] != "down" {
		t.Errorf("%+v", h)
	}
	if body := s.ask("GET", "/metrics", "").want(200).body; !strings.Contains(body, "\nhal9_cache_remote_up 0\n") {
		t.Error("/metrics does not say that the cache server is away")
	}
}
