package server_test

import (
	"context"
	"fmt"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hal9-ai/hal9/auth"
	"github.com/hal9-ai/hal9/model"
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
	s.clock.Advance(20 * time.Second)
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

// lookups counts how often a credential is looked for in the database.
type lookups struct {
	model.Store

	n atomic.Int64
}

// APIKeyGetByHash implements model.Store.
func (l *lookups) APIKeyGetByHash(ctx context.Context, arg model.APIKeyGetByHashParams) (model.APIKey, error) {
	l.n.Add(1)
	return l.Store.APIKeyGetByHash(ctx, arg)
}

// SessionGetByTokenHash implements model.Store.
func (l *lookups) SessionGetByTokenHash(ctx context.Context, arg model.SessionGetByTokenHashParams) (model.Session, error) {
	l.n.Add(1)
	return l.Store.SessionGetByTokenHash(ctx, arg)
}

// A flood of worthless credentials costs no more look-ups than its address may send
// requests, and shuts nobody out whose credential was good before.
func TestWorthlessCredentialsCostFewLookups(t *testing.T) {
	t.Parallel()
	const most, flood = 20, 300
	for name, change := range map[string]func(*server.Deps){
		"behind a proxy": behindProxies("127.0.0.1/32"),
		"by itself":      func(d *server.Deps) { d.Config.AuthMode = server.AuthRequired },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			st := &lookups{Store: openStore(t, sqliteEngine)}
			s := newServerOn(t, st, change, func(d *server.Deps) {
				d.Config.Limits = server.Limits{PerAddress: most, Window: time.Minute}
			})
			user := s.user("ann", auth.RoleUser)
			old, later := s.key(user), s.key(user)
			ask := func(address, key string) int {
				return s.ask("GET", neuronPath, "", "X-API-Key", key, "X-Forwarded-For", address).status
			}
			const here, elsewhere = "192.0.2.7", "192.0.2.8"
			for range 3 * most { // good ones are not charged to the address
				if status := ask(here, old); status != 200 {
					t.Fatalf("a good key: %d", status)
				}
			}
			st.n.Store(0)
			told := map[int]int{}
			for i := range flood {
				address := here
				if name == "by itself" { // nobody is believed
					address = fmt.Sprintf("198.51.100.%d", i%250)
				}
				told[ask(address, "worthless "+strconv.Itoa(i))]++
			}
			if n := st.n.Load(); n > most || told[401] != most || told[429] != flood-most {
				t.Errorf("%d look-ups, answers %v; the address may send %d of %d", n, told, most, flood)
			}
			if status := ask(here, old); status != 200 {
				t.Errorf("a key that was good before: %d", status)
			}
			before := st.n.Load()
			if status := ask(here, later); status != 429 || st.n.Load() != before {
				t.Errorf("a new key from an address without budget: %d", status)
			}
			if status := ask(elsewhere, later); (status == 200) != (name == "behind a proxy") {
				t.Errorf("a new key from elsewhere: %d", status)
			}
			s.clock.Advance(time.Minute)
			if status := ask(here, later); status != 200 {
				t.Errorf("a new key later: %d", status)
			}
			if _, err := s.auth.UserUpdate(t.Context(), auth.Principal{}, user.id, auth.UserUpdateParams{IsActive: new(false)}); err != nil {
				t.Fatal(err)
			}
			st.n.Store(0)
			for range 2 * most { // it was good, once
				ask(here, old)
			}
			if n := st.n.Load(); n > most+1 {
				t.Errorf("%d look-ups of a key that is void", n)
			}
		})
	}
}
