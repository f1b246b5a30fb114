package server_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hal9-ai/hal9/auth"
	"github.com/hal9-ai/hal9/model"
	"github.com/hal9-ai/hal9/server"
)

func TestUnknownRoutesAndMethods(t *testing.T) {
	t.Parallel()
	s := newServer(t, sqliteEngine)
	for _, path := range []string{"/nowhere", "/api/v1/neurons/", "/docs/", "/docs/../etc/passwd", "/api/v1/neurons/a/b"} {
		s.ask("GET", path, "").problem(404, "/docs")
	}
	r := s.ask("PATCH", "/api/v1/neurons", `{}`).problem(405, "GET", "POST")
	if allow := r.header.Get("Allow"); !strings.Contains(allow, "GET") || !strings.Contains(allow, "POST") || strings.Contains(allow, "PUT") {
		t.Errorf("Allow %q", allow)
	}
	s.ask("DELETE", "/health", "").problem(405)
	s.ask("OPTIONS", "/api/v1/neurons", "").problem(405)
	if r := s.ask("HEAD", "/api/v1/neurons", "").want(200); r.body != "" || r.header.Get("Content-Length") == "0" {
		t.Errorf("HEAD: %q %v", r.body, r.header)
	}
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	s := newServer(t, sqliteEngine)
	for _, path := range []string{"/api/v1/neurons", "/nowhere", "/docs", "/metrics"} {
		h := s.ask("GET", path, "").header
		for name, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer",
			"Cross-Origin-Resource-Policy": "same-origin",
		} {
			if got := h.Get(name); got != want {
				t.Errorf("%s: %s is %q", path, name, got)
			}
		}
		if csp := h.Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'none'; ") {
			t.Errorf("%s: policy %q", path, csp)
		}
	}
	page := s.ask("GET", "/docs", "").want(200, "/docs/docs.js")
	s.ask("GET", "/docs", "", "If-None-Match", page.header.Get("ETag")).want(304)
	if strings.Contains(page.body, "://") {
		t.Errorf("the page refers elsewhere:\n%s", page.body)
	}
}

func TestRequestID(t *testing.T) {
	t.Parallel()
	s := newServer(t, sqliteEngine)
	if got := s.ask("GET", "/livez", "", "X-Request-Id", "trace-1.2:3_A").header.Get("X-Request-ID"); got != "trace-1.2:3_A" {
		t.Errorf("got %q", got)
	}
	seen := map[string]bool{}
	for _, bad := range []string{"", "a b", "a\tb", `a"b`, "é", strings.Repeat("a", 65)} {
		got := s.ask("GET", "/livez", "", "X-Request-Id", bad).header.Get("X-Request-ID")
		if got == bad || len(got) != 16 || seen[got] {
			t.Errorf("for %q got %q", bad, got)
		}
		seen[got] = true
	}
}

// faulty is a store that answers as the test wants.
type faulty struct {
	model.Store
	neuronGet func(ctx context.Context) error
}

func (f *faulty) NeuronGet(ctx context.Context, arg model.NeuronGetParams) (model.Neuron, error) {
	if err := f.neuronGet(ctx); err != nil {
		return model.Neuron{}, err
	}
	return f.Store.NeuronGet(ctx, arg)
}

func withFaulty(f *faulty) func(*server.Deps) {
	return func(d *server.Deps) { f.Store, d.Store = d.Store, f }
}

const neuronPath = "/api/v1/neurons/neuron-l4"

func TestErrorTable(t *testing.T) {
	t.Parallel()
	secret := errors.New(`ERROR: relation "secret_table" does not exist (SQLSTATE 42P01)`)
	stored := func(kind error) error {
		return fmt.Errorf("get neuron: %w", &model.Error{Kind: kind, Entity: "neuron", Field: "id", Cause: secret})
	}
	f := &faulty{}
	s := newServer(t, sqliteEngine, withFaulty(f))
	for _, c := range []struct {
		err        error
		status     int
		detail     string
		retryAfter string
	}{
		{stored(model.ErrNotFound), 404, "neuron.id: not found", ""},
		{stored(model.ErrConflict), 409, "neuron.id: already exists", ""},
		{stored(model.ErrInvalid), 422, "path.id: invalid", ""},
		{stored(model.ErrUnavailable), 503, "try again", "1"},
		{stored(model.ErrInterrupted), 503, "same id or Idempotency-Key", "1"},
		{stored(model.ErrReadOnly), 503, "writes are held off", "5"},
		{stored(model.ErrTimeout), 504, "unknown", ""},
		{stored(model.ErrInternal), 500, "unexpected", ""},
		{stored(model.ErrInTx), 500, "unexpected", ""},
		{context.DeadlineExceeded, 504, "too long", ""},
		{&auth.BusyError{RetryAfter: 1500 * time.Millisecond}, 503, "wait to be checked", "2"},
		{&auth.LimitedError{RetryAfter: time.Minute}, 429, "attempts failed", "60"},
		{fmt.Errorf("log in: %w", auth.ErrBadCredentials), 401, "the user name or the password is wrong", ""},
		{secret, 500, "unexpected", ""},
	} {
		f.neuronGet = func(context.Context) error { return c.err }
		r := s.ask("GET", neuronPath, "").problem(c.status, c.detail)
		if got, want := strings.Contains(r.body, `"outcome":"unknown"`), strings.Contains(r.body, "effect is unknown"); got != want {
			t.Errorf("%v: the outcome is told as unknown: %v\n%s", c.err, got, r.body)
		}
		if got := r.header.Get("Retry-After"); got != c.retryAfter {
			t.Errorf("%v: Retry-After %q", c.err, got)
		}
		if strings.Contains(r.body, "secret_table") {
			t.Errorf("%v: the database's text is in the answer: %s", c.err, r.body)
		}
	}
	if log := s.log.String(); strings.Contains(log, "secret_table") {
		t.Errorf("the database's text is in the log:\n%s", log)
	}
	s.ask("GET", "/metrics", "").want(200, `hal9_errors_total{error_type="unavailable"} 1`, `hal9_errors_total{error_type="internal"} 3`)
}

// stuck is a store in which one more read takes for ever.
type stuck struct{ model.Store }

func (stuck) NeuronGetState(ctx context.Context, _ model.NeuronGetStateParams) (model.NeuronState, error) {
	<-ctx.Done()
	return model.NeuronState{}, &model.Error{Kind: model.ErrTimeout, Entity: "neuron", Cause: ctx.Err()}
}

func TestRequestTimeout(t *testing.T) {
	t.Parallel()
	f := &faulty{neuronGet: func(ctx context.Context) error {
		<-ctx.Done()
		return &model.Error{Kind: model.ErrTimeout, Entity: "neuron", Cause: ctx.Err()}
	}}
	s := newServer(t, sqliteEngine, withFaulty(f), func(d *server.Deps) {
		d.Config.RequestTimeout, d.Store = 20*time.Millisecond, stuck{d.Store}
	})
	s.ask("GET", neuronPath, "").problem(504)           // by the short way of frequent reads
	s.ask("GET", neuronPath+"/health", "").problem(504) // by the way of all others
}

// A client that leaves is no failure of the server's.
func TestClientLeaves(t *testing.T) {
	t.Parallel()
	ctx, leave := context.WithCancel(t.Context())
	f := &faulty{neuronGet: func(ctx context.Context) error {
		leave()
		<-ctx.Done()
		return &model.Error{Kind: model.ErrUnavailable, Entity: "neuron", Cause: ctx.Err()}
	}}
	s := newServer(t, sqliteEngine, withFaulty(f))
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+neuronPath, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if resp, err := s.client.Do(req); err == nil { //nolint:bodyclose // there is none
		t.Fatalf("answered %d", resp.StatusCode)
	}
	eventually(t, func() bool { return strings.Contains(s.log.String(), `"status":499`) })
	if log := s.log.String(); strings.Contains(log, `"level":"ERROR"`) || strings.Contains(log, "request failed") {
		t.Errorf("logged as a failure:\n%s", log)
	}
}

func TestPanic(t *testing.T) {
	t.Parallel()
	const canary = "canary-of-the-panic"
	f := &faulty{}
	s := newServer(t, sqliteEngine, withFaulty(f))
	for _, value := range []any{canary, errors.New(canary), struct{ secret string }{canary}} {
		f.neuronGet = func(context.Context) error { panic(value) }
		r := s.ask("GET", neuronPath, "", "X-Request-Id", "panicked").problem(500, "X-Request-Id")
		if strings.Contains(r.body, canary) || strings.Contains(r.body, ".go") {
			t.Errorf("the answer tells too much: %s", r.body)
		}
	}
	f.neuronGet = func(context.Context) error {
		var m map[string]int
		m["x"] = 1 //nolint:govet,staticcheck // panics on purpose
		return nil
	}
	s.ask("GET", neuronPath, "").problem(500)
	log := s.log.String()
	if strings.Contains(log, canary) {
		t.Errorf("the panic's value is in the log:\n%s", log)
	}
	for _, text := range []string{`"request_id":"panicked"`, "answers_test.go", "assignment to entry in nil map", `"route":"/api/v1/neurons/:id"`} {
		if !strings.Contains(log, text) {
			t.Errorf("no %s in the log:\n%s", text, log)
		}
	}
	f.neuronGet = func(context.Context) error { return nil }
	s.ask("GET", neuronPath, "").want(200) // the server lives on
}

// What clients send in paths, queries, headers and bodies is in no log and no metric.
func TestSecretsStayOut(t *testing.T) {
	t.Parallel()
	const canary = "canary7f3a"
	f := &faulty{neuronGet: func(context.Context) error { return nil }}
	s := newServer(t, sqliteEngine, withFaulty(f))
	s.ask("GET", "/api/v1/neurons/"+canary, "").want(404)
	s.ask("GET", "/"+canary, "").want(404)
	s.ask("GET", "/api/v1/neurons?"+canary+"=1", "").want(422)
	s.ask("GET", "/api/v1/neurons?cursor="+canary, "").want(422)
	s.ask("GET", "/livez", "", "Authorization", "Bearer "+canary, "User-Agent", canary, "Referer", canary, "X-Request-Id", canary+" x").want(200)
	s.ask("POST", "/api/v1/neurons", `{"id":"`+canary+`","layer":"L4","system_prompt":"`+canary+`"}`).want(201)
	r := s.ask("POST", "/api/v1/neurons", `{"id":"x","layer":"L4","settings":"`+canary+`"}`).want(422)
	if strings.Contains(r.body, canary) {
		t.Errorf("the value at fault came back: %s", r.body)
	}
	s.ask("POST", "/api/v1/neurons", `{"id":"x","layer":"`+canary).want(400)
	req, err := http.NewRequestWithContext(t.Context(), strings.ToUpper(canary), s.url+"/livez", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	s.do(req).problem(405)

	// Passwords, tokens and keys, where they belong and where they do not.
	s.ask("POST", "/api/v1/auth/register", `{"username":"ann","password":"`+canary+`"}`).want(200)
	s.ask("POST", "/api/v1/auth/login", `{"username":"`+canary+`","password":"`+canary+`"}`).want(401)
	g := data[grant](s.ask("POST", "/api/v1/auth/login", `{"username":"ann","password":"`+canary+`"}`).want(200))
	token := bearer(g.AccessToken)
	key := data[struct{ Key string }](s.ask("POST", "/api/v1/auth/api-keys", `{"name":"k"}`, token...).want(201)).Key
	s.ask("GET", "/api/v1/neurons?key="+key, "", token...).want(422)
	s.ask("GET", "/api/v1/neurons/"+key, "", "X-API-Key", key).want(404)
	s.ask("GET", "/api/v1/neurons", "", "X-API-Key", canary).want(401)
	s.ask("GET", "/api/v1/neurons", "", "X-API-Key", key, "Authorization", "Bearer "+canary).want(400)
	s.ask("PUT", "/api/v1/auth/password", `{"old_password":"`+canary+`","new_password":"`+canary+`"}{`, token...).want(400)
	s.ask("PUT", "/api/v1/auth/password", `{"old_password":"`+canary+`","new_password":"`+canary+`2"}`, token...).want(200)
	s.ask("POST", "/api/v1/auth/refresh", `{"refresh_token":"`+g.RefreshToken+`"}`).want(401)
	f.neuronGet = func(ctx context.Context) error { p, _ := auth.PrincipalFrom(ctx); panic(fmt.Sprint(p, key)) }
	s.ask("GET", neuronPath, "", "X-API-Key", key).problem(500)
	for _, secret := range []string{g.AccessToken, g.RefreshToken, key} {
		if strings.Contains(s.log.String()+s.ask("GET", "/metrics", "").body, secret[len(secret)-16:]) {
			t.Errorf("a token is in the log or the metrics:\n%s", s.log)
		}
	}
	if log := s.log.String(); strings.Contains(strings.ToLower(log), canary) {
		t.Errorf("in the log:\n%s", log)
	}
	if metrics := s.ask("GET", "/metrics", "").body; strings.Contains(strings.ToLower(metrics), canary) {
		t.Errorf("in the metrics:\n%s", metrics)
	}
}

func TestAccessLog(t *testing.T) {
	t.Parallel()
	f := &faulty{neuronGet: func(context.Context) error { return &model.Error{Kind: model.ErrUnavailable, Entity: "neuron"} }}
	s := newServer(t, sqliteEngine, withFaulty(f), func(d *server.Deps) { d.Config.AccessSample = 0 })
	s.ask("GET", "/livez", "").want(200)
	s.ask("GET", neuronPath, "", "X-Request-Id", "sampled").want(503)
	log := s.log.String()
	if strings.Contains(log, "/livez") {
		t.Errorf("logged although the sample is 0:\n%s", log)
	}
	for _, text := range []string{`"msg":"request"`, `"status":503`, `"route":"/api/v1/neurons/:id"`, `"request_id":"sampled"`, `"error":"neuron: database unavailable"`} {
		if !strings.Contains(log, text) {
			t.Errorf("no %s in\n%s", text, log)
		}
	}
}
