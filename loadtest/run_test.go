package loadtest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hal9-ai/hal9/loadtest"
)

// api answers as the service does, as far as the runs here ask. What the service itself
// answers is tested where it can be started, with the command.
type api struct {
	required bool
	fail     func(r *http.Request) int // a status to fail with, 0 for none

	mu    sync.Mutex
	calls map[string]int // by method and path
	order []string       // the paths of the journeys' first calls
}

func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	a.calls[r.Method+" "+r.URL.Path]++
	if path := r.URL.Path; r.UserAgent() == "hal9-loadtest" && strings.HasPrefix(path, "/api/v1/") && !strings.Contains(path, "/neurons/") {
		a.order = append(a.order, path)
	}
	a.mu.Unlock()
	if a.fail != nil {
		if status := a.fail(r); status != 0 {
			w.WriteHeader(status)
			return
		}
	}
	public := strings.HasPrefix(r.URL.Path, "/api/v1/auth/") && r.Method == http.MethodPost
	if a.required && !public && r.Header.Get("Authorization") != "Bearer token-of-all" {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	switch r.URL.Path {
	case "/metrics":
		_, _ = fmt.Fprint(w, "hal9_cache_requests_total{entity=\"neuron\"} 100\nhal9_ingest_batch_size_count 4\n")
	case "/api/v1/neurons":
		_, _ = fmt.Fprint(w, `{"success":true,"data":[{"id":"a b/c"}],"error":null}`)
	default:
		_, _ = fmt.Fprint(w, `{"success":true,"data":{"running":true,"signal_id":"x","username":"u","signals_sent":3,"access_token":"token-of-all","expires_in":900},"error":null}`)
	}
}

// seen is how often a call came, "GET /path".
func (a *api) seen(call string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.calls[call]
}

func (a *api) paths() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.order)
}

func (a *api) forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	clear(a.calls)
}

func serve(t *testing.T, a *api) string {
	t.Helper()
	a.calls = map[string]int{}
	server := httptest.NewServer(a)
	t.Cleanup(server.Close)
	return server.URL
}

func builtin(t *testing.T, name string, change func(s *loadtest.Scenario)) *loadtest.Scenario {
	t.Helper()
	text, err := loadtest.Builtin(name)
	if err != nil {
		t.Fatal(err)
	}
	s, err := loadtest.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	// A minute is never reached: the most requests end these runs.
	s.Stages = []loadtest.Stage{{For: 0, Users: 1}, {For: loadtest.Duration(time.Minute), Users: 1}}
	s.WarmUp, s.ThinkTime, s.HashShare = 0, loadtest.Think{}, 0
	if change != nil {
		change(s)
	}
	return s
}

// One user is dealt the journeys in the shares of their weights, to the request.
func TestRunKeepsTheShares(t *testing.T) {
	t.Parallel()
	a := &api{}
	url := serve(t, a)
	s := builtin(t, "peak", func(s *loadtest.Scenario) {
		s.MaxRequests = 24 * 10 // twenty journeys, of which four have two calls
		s.Journeys[3].Steps = s.Journeys[3].Steps[1:]
		s.Thresholds = nil
	})
	report, err := loadtest.Run(t.Context(), s, loadtest.Options{Target: url})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]int64{}
	for _, c := range report.Calls {
		got[c.Call] = c.Requests
	}
	want := map[string]int64{"POST signal": 80, "GET status": 40, "GET neurons": 40, "GET neuron": 40, "GET profile": 30, "GET metrics": 10}
	if !maps.Equal(got, want) || report.Total.Requests != 240 || report.Total.Failed != 0 || !report.Passed {
		t.Errorf("%v, want %v; %+v", got, want, report.Total)
	}
	// The kept id is one segment of the path; the accounts were made beforehand.
	if n := a.seen("GET /api/v1/neurons/a b/c"); n != 40 || a.seen("POST /api/v1/auth/register") != 20 {
		t.Errorf("the server saw %d of them", n)
	}
	// Shuffled, or the 80 signals would come in 10 rows.
	if n := rows(a.paths(), "/api/v1/signal"); n < 20 {
		t.Errorf("the signals come in %d rows", n)
	}
	for _, c := range report.Calls {
		for _, check := range c.Checks {
			if check.Passed+check.Failed != c.Requests || !strings.Contains(check.Check, "within") && check.Failed > 0 {
				t.Errorf("%s: %+v of %d", c.Call, check, c.Requests)
			}
		}
	}
}

// rows is how often a word begins a row of itself.
func rows(words []string, word string) int {
	n := 0
	for i, w := range words {
		if w == word && (i == 0 || words[i-1] != word) {
			n++
		}
	}
	return n
}

func TestRunCountsNothingOfTheWarmUp(t *testing.T) {
	t.Parallel()
	a := &api{}
	url := serve(t, a)
	s := builtin(t, "peak", func(s *loadtest.Scenario) {
		s.MaxRequests, s.WarmUp = 50, loadtest.Duration(30*time.Second)
	})
	report, err := loadtest.Run(t.Context(), s, loadtest.Options{Target: url})
	if err != nil {
		t.Fatal(err)
	}
	if report.Total.Requests != 0 || report.Passed || a.seen("POST /api/v1/signal") == 0 {
		t.Errorf("%d requests count, passed: %v", report.Total.Requests, report.Passed)
	}
	if shown := report.Thresholds[0].Shown; shown != "not measured" {
		t.Errorf("a threshold over nothing: %q", shown)
	}
}

func TestRunJudges(t *testing.T) {
	t.Parallel()
	a := &api{fail: func(r *http.Request) int {
		if r.URL.Path == "/api/v1/signal" {
			return http.StatusServiceUnavailable
		}
		return 0
	}}
	url := serve(t, a)
	s := builtin(t, "peak", func(s *loadtest.Scenario) {
		s.MaxRequests = 240
		s.Thresholds = nil
		for _, text := range []string{"failed < 1%", "failed[GET status] < 1%", "checks_failed < 5%", "checks_failed[GET neuron] <= 0", "p99 < 1m", "hit_rate > 50%"} {
			parsed, err := loadtest.ParseThreshold(text)
			if err != nil {
				t.Fatal(err)
			}
			s.Thresholds = append(s.Thresholds, parsed)
		}
	})
	report, err := loadtest.Run(t.Context(), s, loadtest.Options{Target: url})
	if err != nil {
		t.Fatal(err)
	}
	kept := map[string]bool{}
	for _, j := range report.Thresholds {
		kept[j.Threshold] = j.Kept
	}
	want := map[string]bool{
		"failed < 1%": false, "failed[GET status] < 1%": true, "checks_failed < 5%": false,
		"checks_failed[GET neuron] <= 0": true, "p99 < 1m": true, "hit_rate > 50%": false,
	}
	if !maps.Equal(kept, want) || report.Passed {
		t.Errorf("%v, want %v", kept, want)
	}
	if got := report.Calls[0]; got.Call != "POST signal" || got.Failed != got.Requests || got.Statuses["503"] != got.Requests {
		t.Errorf("%+v", got)
	}
	var text, page bytes.Buffer
	if err := errors.Join(report.Text(&text), report.HTML(&page)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"BROKEN  failed < 1%", "kept    p99 < 1m", "fail  POST signal: status 503", "miss  POST signal: status is 200"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("%q is missing in\n%s", want, &text)
		}
	}
	if left := regexp.MustCompile(`@[A-Z_]+@`).FindString(page.String()); left != "" {
		t.Errorf("the page's %s was filled with nothing", left)
	}
	for _, want := range []string{"Leon Sorokin", "hit_rate &gt; 50%", "✗ broken", "Thresholds were broken.", "<td>POST signal</td><td>status is 200</td>"} {
		if !strings.Contains(page.String(), want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}

// Where the server asks everybody for an account, every call shows a token.
func TestRunShowsTokensWhereRequired(t *testing.T) {
	t.Parallel()
	a := &api{required: true}
	url := serve(t, a)
	s := builtin(t, "mix", func(s *loadtest.Scenario) { s.MaxRequests, s.Thresholds = 240, nil })
	report, err := loadtest.Run(t.Context(), s, loadtest.Options{Target: url})
	if err != nil || report.Total.Failed > 0 || !report.Server.Required {
		t.Errorf("%v %+v", err, report)
	}
	accounts := []loadtest.Account{{Username: "given", AccessToken: "token-of-all"}}
	a.forget()
	report, err = loadtest.Run(t.Context(), s, loadtest.Options{Target: url, Accounts: accounts})
	if err != nil || a.seen("POST /api/v1/auth/register") > 0 || !strings.Contains(report.Accounts, "given") {
		t.Errorf("%v %+v", err, report)
	}
}

// The users are held to the passwords that the server can hash.
func TestRunHoldsUsersToTheHashRate(t *testing.T) {
	t.Parallel()
	url := serve(t, &api{})
	s := builtin(t, "original", func(s *loadtest.Scenario) {
		s.MaxRequests, s.HashShare = 1, 0.5
		s.ThinkTime = loadtest.Think{Min: time.Hour, Max: time.Hour}
		s.Stages = []loadtest.Stage{{For: loadtest.Duration(20 * time.Millisecond), Users: 100_000_000}}
	})
	s.Stages[0].Users = 90_000
	report, err := loadtest.Run(t.Context(), s, loadtest.Options{Target: url, MeasureHashes: 20 * time.Millisecond})
	if errors.Is(err, loadtest.ErrTooManyUsers) {
		return // the limit on open files of this process comes first
	}
	if err != nil {
		t.Fatal(err)
	}
	l := report.Limit
	if l == nil || l.HashesPerSecond <= 0 || l.HashesPerJourney != 0.3 {
		t.Fatalf("%+v", l)
	}
	// A user makes 0.3 hashes an hour; half of the rate may be used.
	want := l.HashesPerSecond * 0.5 / (0.3 / 3600)
	if got := float64(l.AllowedUsers); got < want*0.99 || got > want*1.01 {
		t.Errorf("%g users are allowed, want %g", got, want)
	}
}

// A server that hangs shortly before the end has answered none of the requests that it was
// sent then: they failed, and are not left out.
func TestRunCountsWhatHangsAtTheEnd(t *testing.T) {
	t.Parallel()
	const users = 20
	released := make(chan struct{})
	var asked atomic.Int64
	a := &api{fail: func(r *http.Request) int {
		if r.URL.Path == "/api/v1/auth/register" || r.URL.Path == "/api/v1/auth/login" || strings.HasSuffix(r.URL.Path, "/metrics") {
			return 0
		}
		if n := asked.Add(1); n > 1 && n <= users { // the first asks what the server requires
			<-released
		}
		return 0
	}}
	url := serve(t, a)
	t.Cleanup(func() { close(released) })
	s := builtin(t, "peak", func(s *loadtest.Scenario) {
		// The one user who is answered ends the run at once.
		s.Stages = []loadtest.Stage{{For: 0, Users: users}, {For: loadtest.Duration(time.Minute), Users: users}}
		s.MaxRequests, s.Timeout, s.Thresholds = 30, loadtest.Duration(time.Second), nil
	})
	report, err := loadtest.Run(t.Context(), s, loadtest.Options{Target: url})
	if err != nil {
		t.Fatal(err)
	}
	if report.Total.Failed != users-1 || report.Total.Errors["no answer within 1s"] != users-1 {
		t.Errorf("%d of %d requests failed, not those of %d users: %v", report.Total.Failed, report.Total.Requests, users-1, report.Total.Errors)
	}
}

func TestRunEndsWithTheContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	var once sync.Once
	a := &api{fail: func(r *http.Request) int {
		if r.URL.Path == "/api/v1/neurons" {
			once.Do(cancel)
		}
		return 0
	}}
	url := serve(t, a)
	s := builtin(t, "peak", nil)
	report, err := loadtest.Run(ctx, s, loadtest.Options{Target: url})
	if !errors.Is(err, context.Canceled) || report == nil {
		t.Fatalf("%v %+v", err, report)
	}
	raw, err := json.Marshal(report)
	if err != nil || !strings.Contains(string(raw), `"passed":false`) {
		t.Errorf("%v %s", err, raw)
	}
}

func TestRunRefuses(t *testing.T) {
	t.Parallel()
	s := builtin(t, "peak", nil)
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	if _, err := loadtest.Run(t.Context(), s, loadtest.Options{Target: closed.URL}); !errors.Is(err, loadtest.ErrUnreachable) {
		t.Errorf("nobody answers: %v", err)
	}
	if _, err := loadtest.Run(t.Context(), s, loadtest.Options{Target: "http://192.0.2.1"}); !errors.Is(err, loadtest.ErrRemote) {
		t.Errorf("another machine: %v", err)
	}
	refusing := &api{fail: func(r *http.Request) int {
		if r.URL.Path == "/api/v1/auth/register" {
			return http.StatusForbidden
		}
		return 0
	}}
	if _, err := loadtest.Run(t.Context(), s, loadtest.Options{Target: serve(t, refusing)}); !errors.Is(err, loadtest.ErrNoAccounts) || !strings.Contains(err.Error(), "--admin-key-file") {
		t.Errorf("strangers may not register: %v", err)
	}
	wide := builtin(t, "wide", nil)
	if _, err := loadtest.Run(t.Context(), wide, loadtest.Options{Target: serve(t, &api{})}); !errors.Is(err, loadtest.ErrNoAccounts) {
		t.Errorf("no accounts: %v", err)
	}
}

func TestReadAccounts(t *testing.T) {
	t.Parallel()
	accounts, err := loadtest.ReadAccounts(strings.NewReader("{\"username\":\"a\",\"access_token\":\"x\"}\n\n{\"access_token\":\"y\",\"expires_at\":\"2030-01-01T00:00:00Z\"}\n"))
	if err != nil || len(accounts) != 2 || accounts[1].AccessToken != "y" || accounts[1].ExpiresAt.Year() != 2030 {
		t.Errorf("%+v %v", accounts, err)
	}
	for text, want := range map[string]string{"": "no account", "{}": "line 1: access_token", "{\"access_token\":\"x\"}\nwhat": "line 2"} {
		if _, err := loadtest.ReadAccounts(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
