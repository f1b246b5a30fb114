package server_test

import (
	"testing"
	"time"

	"github.com/hal9-ai/hal9/auth"
	"github.com/hal9-ai/hal9/server"
)

func TestRateLimits(t *testing.T) {
	t.Parallel()
	s := newServer(t, sqliteEngine, behindProxies("127.0.0.1/32"), func(d *server.Deps) {
		d.Config.Limits = server.Limits{PerKey: 3, PerAddress: 2, Window: time.Minute}
		d.Config.MetricsPublic = true
	})
	ann, bob := s.user("ann", auth.RoleUser), s.user("bob", auth.RoleUser)
	key, other, bobs := s.key(ann), s.key(ann), s.key(bob)
	ask := func(headers ...string) response { return s.ask("GET", neuronPath, "", headers...) }

	for _, left := range []string{`"key";r=2;t=20`, `"key";r=1;t=40`, `"key";r=0;t=60`} {
		r := ask("X-API-Key", key).want(200)
		if got := r.header.Get("Ratelimit"); got != left || r.header.Get("Ratelimit-Policy") != `"key";q=3;w=60` {
			t.Errorf("RateLimit %q, want %q; policy %q", got, left, r.header.Get("Ratelimit-Policy"))
		}
	}
	if r := ask("X-API-Key", key).problem(429, "too many requests"); r.header.Get("Retry-After") != "20" {
		t.Errorf("Retry-After %q", r.header.Get("Retry-After"))
	}
	ask("X-API-Key", other).want(200) // a key has its own budget
	ask("X-API-Key", bobs).want(200)
	s.clock.advance(20 * time.Second)
	ask("X-API-Key", key).want(200)
	ask("X-API-Key", key).problem(429)

	// Nobody, and who shows something worthless, count by address; IPv6 by network.
	from := func(address string, headers ...string) response {
		return ask(append(headers, "X-Forwarded-For", address)...)
	}
	from("192.0.2.7").problem(401)
	from("192.0.2.7", "X-API-Key", "worthless").problem(401)
	from("192.0.2.7", "X-API-Key", "worthless").problem(429)
	from("192.0.2.7", "X-API-Key", bobs).want(200)
	from("192.0.2.8").problem(401)
	from("2001:db8::1").problem(401)
	from("2001:db8::2").problem(401)
	from("2001:db8::3").problem(429)
	s.ask("POST", "/api/v1/auth/login", `{}`, "X-Forwarded-For", "2001:db8::4").problem(429)
	// Probes are never refused.
	for range 5 {
		s.ask("GET", "/livez", "", "X-Forwarded-For", "192.0.2.7").want(200)
	}
	s.ask("GET", "/metrics", "").want(200,
		`hal9_rate_limit_hits_total{limit="requests_per_key"} 2`, `hal9_rate_limit_hits_total{limit="requests_per_address"} 3`)

	off := newServer(t, sqliteEngine)
	for range 50 {
		if r := off.ask("GET", "/api/v1/neurons", "").want(200); r.header.Get("Ratelimit") != "" {
			t.Fatal("limited by default")
		}
	}
}
