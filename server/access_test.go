package server_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hal9-ai/hal9/auth"
	"github.com/hal9-ai/hal9/server"
)

// yes stands in the table of rights for everything that is no refusal.
const yes = 0

// rights is a row of the table of who may do what: the status with which each kind of
// caller is refused, or yes.
type rights struct {
	nobodyOpen, nobodyRequired, guest, user, admin int
	// keys are the scopes of which one alone lets an API key of an admin in.
	keys []auth.Scope
	// public routes look at no credential: a bad one does no harm.
	public bool
}

// accessTable is the table of who may do what, row by row.
func accessTable() map[string]rights {
	everybody := rights{public: true, keys: auth.AllScopes()}
	view := func(scope auth.Scope) rights { return rights{nobodyRequired: 401, keys: []auth.Scope{scope}} }
	write := func(scopes ...auth.Scope) rights { return rights{nobodyRequired: 401, guest: 403, keys: scopes} }
	admins := func(scope auth.Scope) rights { return rights{401, 401, 403, 403, yes, []auth.Scope{scope}, false} }
	own := func(scopes ...auth.Scope) rights { return rights{401, 401, yes, yes, yes, scopes, false} }

	table := map[string]rights{}
	for _, row := range []struct {
		rights
		routes string
	}{
		{everybody, "GET /health, GET /livez, GET /readyz, GET /version"},
		{view(auth.ScopeViewMetrics), "GET /metrics, GET /api/v1/status, GET /api/v1/metrics, GET /api/v1/metrics/export"},
		{view(auth.ScopeViewNeuron), "GET /api/v1/neurons, GET /api/v1/neurons/:id, GET /api/v1/neurons/:id/health"},
		{view(auth.ScopeViewSignals), "GET /api/v1/signal/:id, GET /api/v1/signals, GET /api/v1/signals/:id, GET /api/v1/signals/stream"},
		{view(auth.ScopeViewMemory), "GET /api/v1/memories, GET /api/v1/memories/:id, GET /api/v1/memories/search"},
		{write(auth.ScopeSendSignal), "POST /api/v1/signal, POST /api/v1/signals, POST /api/v1/signals/bulk"},
		{write(auth.ScopeCreateNeuron), "POST /api/v1/neurons"},
		{write(), "PUT /api/v1/neurons/:id"}, // it may create or modify: a key needs both scopes
		{write(auth.ScopeModifyNeuron), "PUT /api/v1/neurons/:id/state"},
		{write(auth.ScopeModifyMemory), "POST /api/v1/memories, PUT /api/v1/memories/:id, DELETE /api/v1/memories/:id"},
		{admins(auth.ScopeDeleteNeuron), "DELETE /api/v1/neurons/:id"},
		{everybody, "POST /api/v1/auth/register, POST /api/v1/auth/login, POST /api/v1/auth/refresh"},
		{own(auth.AllScopes()...), "GET /api/v1/auth/profile"},
		{own(), "PUT /api/v1/auth/profile, POST /api/v1/auth/profile/delete, PUT /api/v1/auth/password, POST /api/v1/auth/logout"},
		{own(), "GET /api/v1/auth/sessions, DELETE /api/v1/auth/sessions, DELETE /api/v1/auth/sessions/:id"},
		{own(auth.ScopeManageAPIKeys), "GET /api/v1/auth/api-keys, POST /api/v1/auth/api-keys, PUT /api/v1/auth/api-keys/:id, DELETE /api/v1/auth/api-keys/:id"},
		{admins(auth.ScopeManageUsers), "GET /api/v1/users, POST /api/v1/users, GET /api/v1/users/:id, PATCH /api/v1/users/:id, DELETE /api/v1/users/:id, PUT /api/v1/users/:id/password, GET /api/v1/roles"},
		{admins(auth.ScopeManageUsers), "GET /api/v1/users/:id/sessions, DELETE /api/v1/users/:id/sessions/:owned_id"},
		{admins(auth.ScopeManageUsers), "GET /api/v1/users/:id/api-keys, PUT /api/v1/users/:id/api-keys/:owned_id, DELETE /api/v1/users/:id/api-keys/:owned_id"},
		{admins(auth.ScopeSystemAdmin), "GET /api/v1/audit, GET /health/detailed"},
		{view(auth.ScopeViewMetrics), "GET /api/v1/partitions"},
	} {
		for name := range strings.SplitSeq(row.routes, ", ") {
			table[name] = row.rights
		}
	}
	for _, route := range server.UndocumentedRoutes() {
		table[route] = everybody
	}
	return table
}

// Every route of the router is called by every kind of caller, in both modes.
func TestAccess(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{server.AuthOpen, server.AuthRequired} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			for _, engine := range []string{sqliteEngine, postgresEngine} {
				t.Run(engine, func(t *testing.T) {
					t.Parallel()
					testAccess(t, newServer(t, engine, inMode(mode)), mode)
				})
			}
		})
	}
}

func inMode(mode string) func(*server.Deps) {
	return func(d *server.Deps) { d.Config.AuthMode = mode }
}

func testAccess(t *testing.T, s *harness, mode string) {
	t.Helper()
	table := accessTable()
	// What is void comes first: the clock moves past the life of an access token.
	gone := s.user("gone", auth.RoleAdmin)
	bad := map[string]string{
		"an unknown key": "hal9_key_0000", "a foreign token": "eyJhbGciOi.J9.x",
		"a key of an inactive user": s.key(gone), "an expired session": s.login(s.user("late", auth.RoleAdmin)).AccessToken,
	}
	inactive := false
	if _, err := s.auth.UserUpdate(t.Context(), auth.Principal{}, gone.id, auth.UserUpdateParams{IsActive: &inactive}); err != nil {
		t.Fatal(err)
	}
	s.clock.Advance(16 * time.Minute)
	admin, user, guest := s.user("root", auth.RoleAdmin), s.user("ann", auth.RoleUser), s.user("eve", auth.RoleGuest)
	keys := map[auth.Scope]string{}
	for _, scope := range auth.AllScopes() {
		keys[scope] = s.key(admin, scope)
	}

	routes := s.server.Routes()
	for name := range table {
		if !slices.Contains(routes, name) {
			t.Errorf("%s is in the table, but there is no such route", name)
		}
	}
	for _, name := range routes {
		row, ok := table[name]
		if !ok {
			t.Errorf("%s is not in the table", name)
			continue
		}
		nobody := row.nobodyRequired
		if mode == server.AuthOpen {
			nobody = row.nobodyOpen
		}
		check := func(who string, want int, headers ...string) {
			t.Helper()
			r := s.call(name, headers...)
			switch {
			case want != yes:
				r.problem(want)
				if want == http.StatusUnauthorized && !strings.HasPrefix(r.header.Get("WWW-Authenticate"), "Bearer ") {
					t.Errorf("%s by %s: no challenge", name, who)
				}
			case r.status == 401 || r.status == 403 || r.status >= 500 && !strings.HasPrefix(name, "GET /health/detailed"):
				t.Errorf("%s by %s: %d %s", name, who, r.status, r.body)
			}
		}
		check("nobody", nobody)
		// Sessions anew for each route: some routes end them.
		check("guest", row.guest, bearer(s.login(guest).AccessToken)...)
		check("user", row.user, bearer(s.login(user).AccessToken)...)
		check("admin", row.admin, bearer(s.login(admin).AccessToken)...)
		for scope, key := range keys {
			want := http.StatusForbidden
			if slices.Contains(row.keys, scope) {
				want = yes
			}
			check("a key with "+string(scope), want, "X-API-Key", key)
		}
		for who, credential := range bad {
			want := http.StatusUnauthorized
			if row.public {
				want = yes
			}
			check(who, want, bearer(credential)...)
		}
	}
}

// call sends a request to a route that the router lists, about things that do not
// exist, with a body that is incomplete: it changes nothing once it is let in, but for
// the routes that end sessions.
func (s *harness) call(route string, headers ...string) response {
	s.t.Helper()
	method, path, _ := strings.Cut(route, " ")
	const id = "0199d2f4-7c00-7a31-8d52-0e6f4b1c9a70"
	path = strings.NewReplacer("/neurons/:id", "/neurons/no-such-neuron", ":owned_id", id, ":id", id).Replace(path)
	if path == "/api/v1/signals/stream" {
		return s.beginning(path, headers...)
	}
	body := ""
	if method == http.MethodPost || method == http.MethodPut || method == http.MethodPatch {
		body = "{}"
	}
	return s.ask(method, path, body, headers...)
}

func TestRefusalsSayWhatIsMissing(t *testing.T) {
	t.Parallel()
	s := newServer(t, sqliteEngine, inMode(server.AuthRequired))
	ann := s.user("ann", auth.RoleUser)
	key := s.key(ann, auth.ScopeViewNeuron)

	r := s.ask("GET", "/api/v1/neurons", "").problem(401, "Authorization: Bearer", "X-API-Key")
	if got := r.header.Get("WWW-Authenticate"); got != `Bearer realm="hal9"` {
		t.Errorf("challenge %q", got)
	}
	r = s.ask("GET", "/api/v1/neurons", "", bearer("hal9_at_00")...).problem(401, "unknown, expired or revoked")
	if got := r.header.Get("WWW-Authenticate"); !strings.Contains(got, `error="invalid_token"`) {
		t.Errorf("challenge %q", got)
	}
	r = s.ask("POST", "/api/v1/signal", `{"content":"x","layer":"L4"}`, "X-API-Key", key).problem(403, "SendSignal")
	if got := r.header.Get("WWW-Authenticate"); !strings.Contains(got, `error="insufficient_scope", scope="SendSignal"`) {
		t.Errorf("challenge %q", got)
	}
	s.ask("PUT", neuronPath, `{"layer":"L4"}`, "X-API-Key", key).problem(403, "CreateNeuron and ModifyNeuron")
	s.ask("GET", "/api/v1/auth/sessions", "", "X-API-Key", key).problem(403, "log in")
}

func TestCredentialHeaders(t *testing.T) {
	t.Parallel()
	s := newServer(t, sqliteEngine, inMode(server.AuthRequired))
	ann := s.user("ann", auth.RoleUser)
	key, token := s.key(ann), s.login(ann).AccessToken
	for _, good := range [][]string{
		{"Authorization", "Bearer " + token},
		{"Authorization", "bearer  " + token + " "},
		{"Authorization", "Bearer " + key},
		{"X-API-Key", key},
		{"X-API-Key", " " + key},
		{"Authorization", "Bearer " + key, "X-API-Key", key},
	} {
		s.ask("GET", neuronPath, "", good...).want(200)
	}
	for _, bad := range []struct {
		status  int
		headers []string
	}{
		{400, []string{"Authorization", "Bearer " + token, "X-API-Key", key}},
		{401, []string{"Authorization", ""}},
		{401, []string{"Authorization", "Bearer"}},
		{401, []string{"Authorization", "Bearer "}},
		{401, []string{"Authorization", token}},
		{401, []string{"Authorization", "Basic YTpi"}},
		{401, []string{"Authorization", "Bearer " + token + " x"}},
		{401, []string{"Authorization", "Bearer " + token[:len(token)-1] + "x"}},
		{401, []string{"X-API-Key", ""}},
		{401, []string{"X-API-Key", strings.Repeat("k", 5000)}},
		{401, []string{"X-API-Key", "\xff"}},
	} {
		s.ask("GET", neuronPath, "", bad.headers...).problem(bad.status)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+neuronPath, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header["Authorization"] = []string{"Bearer " + token, "Bearer " + token}
	s.do(req).problem(400, "twice")
}

// Open mode's guards against strangers' pages are for open mode alone.
func TestRequiredModeHasNoGuards(t *testing.T) {
	t.Parallel()
	s := newServer(t, sqliteEngine, inMode(server.AuthRequired))
	key := s.key(s.user("ann", auth.RoleUser))
	for _, header := range [][]string{
		{"Host", "hal9.example"}, {"Origin", "https://app.example"}, {"X-Forwarded-For", "10.0.0.1"}, {"Via", "1.1 proxy"},
	} {
		s.ask("GET", neuronPath, "", append(header, "X-API-Key", key)...).want(200)
	}
}

func TestPublicMetrics(t *testing.T) {
	t.Parallel()
	closed := newServer(t, sqliteEngine, inMode(server.AuthRequired))
	closed.ask("GET", "/metrics", "").problem(401)
	closed.ask("GET", "/metrics", "", "X-API-Key", closed.key(closed.user("prometheus", auth.RoleGuest), auth.ScopeViewMetrics)).want(200)
	opened := newServer(t, sqliteEngine, inMode(server.AuthRequired), func(d *server.Deps) { d.Config.MetricsPublic = true })
	opened.ask("GET", "/metrics", "").want(200, "hal9_server_ready 1")
	opened.ask("GET", "/api/v1/metrics", "").problem(401)
}
