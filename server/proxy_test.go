package server_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hal9-ai/hal9/auth"
	"github.com/hal9-ai/hal9/server"
)

// behindProxies is required mode behind the proxies; the tests' client is one of them
// where 127.0.0.1 is named.
func behindProxies(prefixes ...string) func(*server.Deps) {
	return func(d *server.Deps) {
		d.Config.AuthMode = server.AuthRequired
		for _, p := range prefixes {
			d.Config.TrustedProxies = append(d.Config.TrustedProxies, netip.MustParsePrefix(p))
		}
	}
}

// The address of the client is asked of what a login notes of it.
func TestClientAddress(t *testing.T) {
	t.Parallel()
	trusting := newServer(t, sqliteEngine, behindProxies("127.0.0.0/8", "10.0.0.0/8", "2001:db8:1::/48"))
	distrusting := newServer(t, sqliteEngine, behindProxies("10.0.0.0/8"))
	for _, c := range []struct {
		want    string
		headers []string
	}{
		{"127.0.0.1", nil},
		{"192.0.2.7", []string{"X-Forwarded-For", "192.0.2.7"}},
		{"192.0.2.7", []string{"X-Forwarded-For", "192.0.2.7, 10.1.2.3"}},
		// Left of the first hop that nobody vouches for stands what the client likes.
		{"192.0.2.7", []string{"X-Forwarded-For", "198.51.100.1, 192.0.2.7,10.1.2.3"}},
		{"192.0.2.7", []string{"X-Forwarded-For", "127.0.0.1, 192.0.2.7"}},
		{"192.0.2.7", []string{"X-Forwarded-For", "192.0.2.7:4711"}},
		{"2001:db8::7", []string{"X-Forwarded-For", "[2001:db8::7]:4711, 2001:db8:1::5"}},
		{"192.0.2.7", []string{"X-Forwarded-For", "::ffff:192.0.2.7"}},
		// Proxies alone: the farthest of them.
		{"10.9.9.9", []string{"X-Forwarded-For", "10.9.9.9, 10.1.2.3"}},
		{"10.1.2.3", []string{"X-Forwarded-For", "192.0.2.7, unknown, 10.1.2.3"}},
		{"127.0.0.1", []string{"X-Forwarded-For", ""}},
		{"127.0.0.1", []string{"X-Forwarded-For", "192.0.2.7, "}},
		{"127.0.0.1", []string{"X-Forwarded-For", "evil\"; drop"}},
		{"192.0.2.7", []string{"Forwarded", "for=192.0.2.7;proto=https;by=10.1.2.3"}},
		{"192.0.2.7", []string{"Forwarded", `for=198.51.100.1, For="192.0.2.7:4711"`}},
		{"2001:db8::7", []string{"Forwarded", `by=x;for="[2001:db8::7]:4711"`}},
		{"127.0.0.1", []string{"Forwarded", `for=192.0.2.7, for=_hidden`}},
		{"127.0.0.1", []string{"Forwarded", `for="192.0.2.7, for=1.2.3.4`}},
		{"192.0.2.7", []string{"Forwarded", "for=192.0.2.7", "X-Forwarded-For", "192.0.2.7"}},
		// One is forged.
		{"127.0.0.1", []string{"Forwarded", "for=192.0.2.7", "X-Forwarded-For", "192.0.2.8"}},
		{"127.0.0.1", []string{"X-Real-Ip", "192.0.2.7"}},
	} {
		if got := trusting.loginAddress(c.headers...); got != c.want {
			t.Errorf("%q: %s, want %s", c.headers, got, c.want)
		}
		if got := distrusting.loginAddress(c.headers...); got != "127.0.0.1" {
			t.Errorf("%q from somebody: %s", c.headers, got)
		}
	}
	if log := trusting.log.String(); !strings.Contains(log, `"client":"192.0.2.7"`) {
		t.Errorf("the log does not tell the client's address:\n%s", log)
	}
}

// loginAddress logs a fresh user in and tells which address was noted.
func (s *harness) loginAddress(headers ...string) string {
	s.t.Helper()
	u := s.user("user-"+s.unique(), auth.RoleUser)
	g := data[grant](s.ask("POST", "/api/v1/auth/login", `{"username":"`+u.name+`","password":"`+testPassword+`"}`, headers...).want(200))
	sessions := data[[]struct {
		IP string `json:"ip_address"`
	}](s.ask("GET", "/api/v1/auth/sessions", "", bearer(g.AccessToken)...).want(200))
	if len(sessions) != 1 {
		s.t.Fatalf("%d sessions", len(sessions))
	}
	return sessions[0].IP
}

// headersOf are the headers that the document says a request may have.
func headersOf(s *harness) (names []string) {
	s.t.Helper()
	type operation struct {
		Parameters []struct{ Name, In string }
	}
	for _, operations := range decode[struct {
		Paths map[string]map[string]operation
	}](s.ask("GET", "/openapi.json", "").want(200)).Paths {
		for _, op := range operations {
			for _, p := range op.Parameters {
				if p.In == "header" && !slices.Contains(names, p.Name) {
					names = append(names, p.Name)
				}
			}
		}
	}
	if len(names) < 3 {
		s.t.Errorf("the document has the headers %v alone", names)
	}
	return names
}

const appOrigin = "https://app.example"

func TestCORS(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{server.AuthOpen, server.AuthRequired} {
		s := newServer(t, sqliteEngine, inMode(mode), func(d *server.Deps) { d.Config.CORSOrigins = []string{appOrigin, "http://localhost:3000"} })
		key := s.key(s.user("ann", auth.RoleUser))

		pre := s.ask("OPTIONS", "/api/v1/signal", "", "Origin", appOrigin, "Access-Control-Request-Method", "POST",
			"Access-Control-Request-Headers", "authorization,content-type").want(204)
		for name, want := range map[string]string{
			"Access-Control-Allow-Origin": appOrigin, "Access-Control-Allow-Methods": "GET, HEAD, POST, PUT, PATCH, DELETE", "Access-Control-Max-Age": "600",
			"Access-Control-Allow-Credentials": "",
		} {
			if got := pre.header.Get(name); got != want {
				t.Errorf("%s: %s is %q", mode, name, got)
			}
		}
		for _, name := range append(headersOf(s), "Authorization", "X-API-Key", "Content-Type", "Content-Encoding") {
			if got := pre.header.Get("Access-Control-Allow-Headers"); !strings.Contains(got, name) {
				t.Errorf("%s: %s may not be sent: %q", mode, name, got)
			}
		}
		got := s.ask("GET", neuronPath, "", "Origin", appOrigin, "X-API-Key", key).want(200)
		exposed := got.header.Get("Access-Control-Expose-Headers")
		for _, name := range []string{"ETag", "Location", "X-Request-Id", "Idempotency-Replayed", "Retry-After"} {
			if !strings.Contains(exposed, name) {
				t.Errorf("%s: %s may not be read: %q", mode, name, exposed)
			}
		}
		if got.header.Get("Access-Control-Allow-Origin") != appOrigin || !strings.Contains(strings.Join(got.header.Values("Vary"), ","), "Origin") {
			t.Errorf("%s: headers %v", mode, got.header)
		}
		// Pages may read refusals too.
		if r := s.ask("GET", "/api/v1/users", "", "Origin", appOrigin).problem(401); r.header.Get("Access-Control-Allow-Origin") != appOrigin {
			t.Errorf("%s: headers of a refusal %v", mode, r.header)
		}
		for _, origin := range []string{"https://app.example.evil.example", "https://APP.example", "http://app.example", "https://app.example:8443", "null", "http://localhost:3001"} {
			for _, method := range []string{"GET", "OPTIONS"} {
				r := s.ask(method, neuronPath, "", "Origin", origin, "Access-Control-Request-Method", "GET", "X-API-Key", key)
				if r.header.Get("Access-Control-Allow-Origin") != "" || method == "OPTIONS" && r.status < 400 {
					t.Errorf("%s: %s %s is let in: %d %v", mode, method, origin, r.status, r.header)
				}
			}
		}
	}
	off := newServer(t, sqliteEngine, inMode(server.AuthRequired))
	if r := off.ask("OPTIONS", "/api/v1/signal", "", "Origin", appOrigin, "Access-Control-Request-Method", "POST"); r.status != 405 || r.header.Get("Access-Control-Allow-Origin") != "" || r.header.Get("Vary") != "" {
		t.Errorf("off by default: %d %v", r.status, r.header)
	}
}

// What browsers ask beforehand has no credential: it counts for its address, as all other
// requests of strangers do, and pages can read the refusal.
func TestPreflightsCount(t *testing.T) {
	t.Parallel()
	s := newServer(t, sqliteEngine, inMode(server.AuthRequired), func(d *server.Deps) {
		d.Config.CORSOrigins = []string{appOrigin}
		d.Config.Limits = server.Limits{PerAddress: 2, Window: time.Minute}
	})
	preflight := func() response {
		return s.ask("OPTIONS", "/api/v1/signal", "", "Origin", appOrigin, "Access-Control-Request-Method", "POST")
	}
	preflight().want(204)
	if left := preflight().want(204).header.Get("Ratelimit"); !strings.Contains(left, "r=0") {
		t.Errorf("RateLimit %q", left)
	}
	if r := preflight().problem(429, "too many requests"); r.header.Get("Retry-After") == "" || r.header.Get("Access-Control-Allow-Origin") != appOrigin {
		t.Errorf("headers of the refusal %v", r.header)
	}
	s.ask("GET", "/api/v1/neurons", "").problem(429)
	s.clock.Advance(time.Minute)
	preflight().want(204)
}
