package hal9_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	hal9 "github.com/hal9-ai/hal9/clients/go"
	"github.com/hal9-ai/hal9/clients/go/api"
)

func signalsTo(neuron string, limit int64) *api.SignalListParams {
	return &api.SignalListParams{Neuron: &neuron, Limit: &limit}
}

func TestTypedCalls(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c, ctx := s.client(), t.Context()
	sent, err := c.SignalSendWithResponse(ctx, nil, api.ContractSignal{Content: "plan the day", Layer: "strategic"})
	if err != nil {
		t.Fatal(err)
	}
	id := sent.JSON200.Data.SignalID
	for signal, err := range c.Signals(ctx, signalsTo("neuron-l4", 10)) {
		if err != nil || signal.ID != id || signal.Content != "plan the day" || time.Since(signal.Timestamp) > time.Hour {
			t.Errorf("%+v, %v; want the signal %s", signal, err, id)
		}
	}

	made, err := c.NeuronCreateWithResponse(ctx, nil, api.NeuronCreateBody{ID: "planner", Layer: "L4"})
	if err != nil {
		t.Fatal(err)
	}
	etag := made.HTTPResponse.Header.Get("ETag")
	running := api.NeuronStateBody{State: "Running"}
	if _, err := c.NeuronSetStateWithResponse(ctx, "planner", &api.NeuronSetStateParams{IfMatch: &etag}, running); err != nil {
		t.Fatal(err)
	}
	_, err = c.NeuronSetStateWithResponse(ctx, "planner", &api.NeuronSetStateParams{IfMatch: &etag}, running)
	if hal9.StatusOf(err) != http.StatusPreconditionFailed {
		t.Errorf("a second change at the first version: %v", err)
	}
	kept, err := c.NeuronGetWithResponse(ctx, "planner", nil)
	if err != nil {
		t.Fatal(err)
	}
	etag = kept.HTTPResponse.Header.Get("ETag")
	same, err := c.NeuronGetWithResponse(ctx, "planner", &api.NeuronGetParams{IfNoneMatch: &etag})
	if err != nil || same.StatusCode() != http.StatusNotModified || same.JSON200 != nil {
		t.Errorf("what is held already: %v %v", same, err)
	}
}

func TestProblems(t *testing.T) {
	t.Parallel()
	c, ctx := serve(t).client(), t.Context()
	_, err := c.SignalSendWithResponse(ctx, nil, api.ContractSignal{Content: "x", Layer: "L9"})
	p, ok := errors.AsType[*hal9.Problem](err)
	if !ok || p.Status != http.StatusUnprocessableEntity || len(p.Fields) != 1 || p.Fields[0].Location != "body.layer" || p.RequestID == "" {
		t.Fatalf("%#v", err)
	}
	if text := err.Error(); !strings.Contains(text, "422") || !strings.Contains(text, "L1, L2, L3") || !strings.Contains(text, p.RequestID) {
		t.Errorf("the error tells: %s", text)
	}
	if _, err := c.NeuronGetWithResponse(ctx, "nobody", nil); hal9.StatusOf(err) != http.StatusNotFound {
		t.Errorf("nobody: %v", err)
	}
	if _, err := hal9.New("localhost:8080"); err == nil || !strings.Contains(err.Error(), "http://localhost:8080") {
		t.Errorf("an address without a scheme: %v", err)
	}
}

func TestPages(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c, ctx := s.client(), t.Context()
	var want []string
	for i := range 10 {
		if _, err := c.SignalSendWithResponse(ctx, nil, api.ContractSignal{Content: strconv.Itoa(i), Layer: "L1"}); err != nil {
			t.Fatal(err)
		}
		want = append([]string{strconv.Itoa(i)}, want...)
	}
	list := c.Signals(ctx, signalsTo("neuron-l1", 3))
	for range 2 { // a list may be gone through again
		var got []string
		for signal, err := range list {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, signal.Content)
		}
		if !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	}
	for _, err := range c.Signals(ctx, &api.SignalListParams{Cursor: new("nonsense")}) {
		if hal9.StatusOf(err) != http.StatusUnprocessableEntity {
			t.Errorf("a broken cursor: %v", err)
		}
	}
	for range list { //nolint:errcheck // what is fetched is not looked at
		break // no more is fetched, and nothing panics
	}
}

// An answer that is lost is asked for again, and what it answered happened once.
func TestLostAnswers(t *testing.T) {
	t.Parallel()
	s := serve(t)
	f := between(t, s, func(_ http.ResponseWriter, _ *http.Request, nth int) (bool, bool) { return false, nth <= 2 })
	c, ctx := clientOf(t, f.URL), t.Context()
	if _, err := c.SignalSendWithResponse(ctx, nil, api.ContractSignal{Content: "once", Layer: "L2"}); err != nil {
		t.Fatal(err)
	}
	if sent, stored := f.count("POST /api/v1/signal"), s.count("neuron-l2"); sent != 3 || stored != 1 {
		t.Errorf("sent %d times, stored %d times; want 3 and 1", sent, stored)
	}
	if _, err := c.StatusGetWithResponse(ctx); err != nil {
		t.Error(err)
	}
	// Whether somebody is logged out or a version taken is unknown then, and must be told.
	if _, err := c.AccountLoginWithResponse(ctx, api.LoginBody{Username: "ann", Password: "wrong"}); err == nil || hal9.StatusOf(err) != 0 {
		t.Errorf("a login whose answer was lost: %v", err)
	}
	match := `"1"`
	if _, err := c.NeuronSetStateWithResponse(ctx, "neuron-l1", &api.NeuronSetStateParams{IfMatch: &match}, api.NeuronStateBody{State: "Running"}); err == nil || hal9.StatusOf(err) != 0 {
		t.Errorf("a change at a version whose answer was lost: %v", err)
	}
	if n := f.count("POST /api/v1/auth/login") + f.count("PUT /api/v1/neurons/neuron-l1/state"); n != 2 {
		t.Errorf("what must not be repeated was sent %d times, want 2", n)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	s := serve(t)
	after := ""
	f := between(t, s, func(w http.ResponseWriter, r *http.Request, nth int) (bool, bool) {
		if nth > 2 && r.URL.Path != "/api/v1/metrics" {
			return false, false
		}
		if after != "" {
			w.Header().Set("Retry-After", after)
		}
		w.WriteHeader(map[bool]int{true: http.StatusTooManyRequests, false: http.StatusServiceUnavailable}[nth == 1])
		return true, false
	})
	c, ctx := clientOf(t, f.URL, hal9.WithRetries(hal9.Retries{Attempts: 8, Base: time.Millisecond})), t.Context()
	if _, err := c.SignalSendWithResponse(ctx, nil, api.ContractSignal{Content: "x", Layer: "L2"}); err != nil {
		t.Error(err)
	}
	if _, err := c.MetricsGetWithResponse(ctx); hal9.StatusOf(err) != http.StatusServiceUnavailable || f.count("GET /api/v1/metrics") != 8 {
		t.Errorf("after %d attempts: %v", f.count("GET /api/v1/metrics"), err)
	}
	after = "1"
	began := time.Now()
	if _, err := c.StatusGetWithResponse(ctx); err != nil || time.Since(began) < 2*time.Second {
		t.Errorf("two refusals with Retry-After 1 took %s: %v", time.Since(began), err)
	}
	after = "3600"
	if _, err := c.NeuronListWithResponse(ctx, nil); hal9.StatusOf(err) != http.StatusTooManyRequests || f.count("GET /api/v1/neurons") != 1 {
		t.Errorf("Retry-After of an hour: %v after %d attempts", err, f.count("GET /api/v1/neurons"))
	}
}

// The list of routes that take a key is that of the document.
func TestKeyedRoutes(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	var document struct {
		Paths map[string]map[string]struct {
			Parameters []struct{ Name string }
		}
	}
	if err := json.Unmarshal(text, &document); err != nil {
		t.Fatal(err)
	}
	var want []string
	for path, methods := range document.Paths {
		for method, operation := range methods {
			for _, p := range operation.Parameters {
				if p.Name == "Idempotency-Key" && method == "post" {
					want = append(want, path)
				}
			}
		}
	}
	slices.Sort(want)
	if !slices.Equal(hal9.Keyed, want) || len(want) < 5 {
		t.Errorf("the client knows %v, the document %v", hal9.Keyed, want)
	}
}

func TestCredentials(t *testing.T) {
	t.Parallel()
	s := serve(t, "--auth-mode", "required", "--auth-registration", "open")
	f := between(t, s, func(http.ResponseWriter, *http.Request, int) (bool, bool) { return false, false })
	ctx := t.Context()
	if _, err := s.client().StatusGetWithResponse(ctx); hal9.StatusOf(err) != http.StatusUnauthorized {
		t.Fatalf("without a credential: %v", err)
	}
	key := s.command("admin", "create-key")
	if _, err := s.client(hal9.WithAPIKey(key)).StatusGetWithResponse(ctx); err != nil {
		t.Errorf("with a key: %v", err)
	}
	if _, err := s.client(hal9.WithAPIKey(key + "x")).StatusGetWithResponse(ctx); hal9.StatusOf(err) != http.StatusUnauthorized {
		t.Errorf("with a wrong key: %v", err)
	}
	login := api.LoginBody{Username: "ann", Password: "correct horse battery"}
	if _, err := s.client().AccountRegisterWithResponse(ctx, nil, api.RegisterBody{Username: login.Username, Password: login.Password}); err != nil {
		t.Fatal(err)
	}
	grant, err := s.client().AccountLoginWithResponse(ctx, login)
	if err != nil {
		t.Fatal(err)
	}

	// Twenty find out at once that the access token is no good. A refresh token that came
	// twice would end the session.
	var stored []hal9.Tokens
	c := clientOf(t, f.URL, hal9.WithTokens(hal9.Tokens{Access: "hal9_at_stale", Refresh: grant.JSON200.Data.RefreshToken},
		func(_ context.Context, tokens hal9.Tokens) error { stored = append(stored, tokens); return nil }))
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if _, err := c.ProfileGetWithResponse(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := f.count("POST /api/v1/auth/refresh"); n != 1 || len(stored) != 1 || stored[0].Access == "" || time.Until(stored[0].Expires) < time.Minute {
		t.Errorf("%d refreshes; stored %+v", n, stored)
	}

	// A session that was ended is begun anew by who has the password, and by nobody else.
	again := clientOf(t, f.URL, hal9.WithLogin(login.Username, login.Password))
	if _, err := again.ProfileGetWithResponse(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := again.SessionRevokeAllWithResponse(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := again.ProfileGetWithResponse(ctx); err != nil {
		t.Errorf("after the session's end: %v", err)
	}
	if _, err := c.ProfileGetWithResponse(ctx); hal9.StatusOf(err) != http.StatusUnauthorized {
		t.Errorf("without the password: %v", err)
	}
}

// Ids that a path means something by are escaped in it.
func TestNeuronNamesInPaths(t *testing.T) {
	t.Parallel()
	c, ctx := serve(t).client(), t.Context()
	for _, name := range []string{"a/b", "a//b", "a/../b", "/", "a?b", "a#b", "50%", "%2F", "a+b", "a/b+c", "a b", "...", "..a", `a\b`, "a;b", "é/東京"} {
		if _, err := c.NeuronCreateWithResponse(ctx, nil, api.NeuronCreateBody{ID: name, Layer: "L4"}); err != nil {
			t.Fatalf("%q: %v", name, err)
		}
		got, err := c.NeuronGetWithResponse(ctx, name, nil)
		if err != nil || got.JSON200.Data.ID != name {
			t.Errorf("%q is got as %+v, %v", name, got, err)
		}
	}
	for _, name := range []string{".", "..", "a\n"} {
		_, err := c.NeuronCreateWithResponse(ctx, nil, api.NeuronCreateBody{ID: name, Layer: "L4"})
		if p, ok := errors.AsType[*hal9.Problem](err); !ok || p.Status != http.StatusUnprocessableEntity || p.Fields[0].Location != "body.id" {
			t.Errorf("%q: %v", name, err)
		}
	}
}
