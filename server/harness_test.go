package server_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/VictoriaMetrics/metrics"
	"github.com/go-json-experiment/json"

	"github.com/hal9-ai/hal9/auth"
	"github.com/hal9-ai/hal9/cacheutil"
	"github.com/hal9-ai/hal9/ingest"
	"github.com/hal9-ai/hal9/internal/testenv"
	"github.com/hal9-ai/hal9/internal/testenv/migrated"
	"github.com/hal9-ai/hal9/model"
	"github.com/hal9-ai/hal9/server"
	"github.com/hal9-ai/hal9/store"
)

const (
	postgresEngine = "postgres"
	sqliteEngine   = "sqlite"
)

// patience is how long tests wait for what should take no time.
const patience = time.Minute

// onEngines runs a test on each engine, on a fresh database.
func onEngines(t *testing.T, test func(t *testing.T, s *harness)) {
	t.Helper()
	for _, engine := range []string{sqliteEngine, postgresEngine} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			test(t, newServer(t, engine))
		})
	}
}

// harness is a server on a real database, asked over HTTP.
type harness struct {
	t      *testing.T
	store  model.Store
	ingest *ingest.Ingest
	auth   *auth.Service
	server *server.Server
	url    string
	clock  *testenv.Clock
	log    *testenv.Log
	client *http.Client
}

// newServer starts a server on a fresh database of the engine.
func newServer(t *testing.T, engine string, change ...func(*server.Deps)) *harness {
	t.Helper()
	return newServerOn(t, openStore(t, engine), change...)
}

// newServerOn starts a server on a store.
func newServerOn(t *testing.T, st model.Store, change ...func(*server.Deps)) *harness {
	t.Helper()
	h := &harness{t: t, clock: testenv.NewClock(time.Now()), log: &testenv.Log{}}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the end of the server's log:\n%s", lastLines(h.log.String(), 50))
		}
	})
	h.store = st
	set := metrics.NewSet()
	h.ingest = ingest.New(ingest.Config{Store: h.store, Clock: h.clock.Now, Metrics: set, ActivityInterval: 10 * time.Millisecond})
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- h.ingest.Run(ctx) }()
	t.Cleanup(func() {
		defer stop()
		if err := h.ingest.Close(ctx); err != nil {
			t.Errorf("close the ingest: %v", err)
		}
		if err := <-ended; err != nil {
			t.Errorf("run the ingest: %v", err)
		}
	})
	h.auth = newAuth(t, h, h.log)
	deps := server.Deps{
		Store: h.store, Ingest: h.ingest, Auth: h.auth, Clock: h.clock.Now, Metrics: set,
		// Patient, so that a busy machine fails no test.
		Config: server.Config{AccessSample: 1, RequestTimeout: patience, ShutdownTimeout: patience},
		Logger: slog.New(slog.NewJSONHandler(h.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Build:  server.Build{Version: "1.2.3"},
		Cache:  store.CacheOf(h.store),
	}
	for _, f := range change {
		f(&deps)
	}
	var err error
	if h.server, err = server.New(deps); err != nil {
		t.Fatalf("make the server: %v", err)
	}
	s := httptest.NewServer(h.server.Handler())
	t.Cleanup(s.Close)
	h.url, h.client = s.URL, s.Client()
	return h
}

// lastLines keeps what failed from drowning in the log of all requests before.
func lastLines(text string, most int) string {
	lines := strings.SplitAfter(text, "\n")
	return strings.Join(lines[max(0, len(lines)-most-1):], "")
}

// newAuth makes the accounts with hashes that cost next to nothing.
func newAuth(t *testing.T, h *harness, log io.Writer) *auth.Service {
	t.Helper()
	a, err := auth.New(auth.Config{
		Store: h.store, Clock: h.clock.Now, Argon2: auth.Argon2{MemoryKiB: 8, Time: 1}, HashQueueTimeout: patience,
		Logger: slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	if err != nil {
		t.Fatalf("make the accounts: %v", err)
	}
	return a
}

func openStore(t *testing.T, engine string) model.Store {
	t.Helper()
	url := migrated.SQLiteDatabase
	if engine == postgresEngine {
		url = migrated.PostgresDatabase
	}
	return openStoreAt(t, url(t))
}

func openStoreAt(t *testing.T, url string, change ...func(*store.Config)) model.Store {
	t.Helper()
	cfg := store.Config{
		URL: url, MaxConnections: 8, AcquireTimeout: patience, StatementTimeout: patience,
		// As it is served, but nothing is forgotten by itself: what is not invalidated shows.
		Cache: &store.Cache{Config: cacheutil.Config{MetricPrefix: "hal9_cache_"}},
	}
	for _, f := range change {
		f(&cfg)
	}
	st, err := store.Open(t.Context(), cfg)
	if err != nil {
		t.Fatalf("open the store: %v", err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Errorf("close the store: %v", err)
		}
	})
	return st
}

// response is an answer that was read to its end.
type response struct {
	t      *testing.T
	status int
	header http.Header
	body   string
}

// ask sends a request; headers come in pairs.
func (h *harness) ask(method, path, body string, headers ...string) response {
	h.t.Helper()
	var r io.Reader = http.NoBody
	if body != "" {
		r = strings.NewReader(body)
	}
	req, err := http.NewRequestWithContext(h.t.Context(), method, h.url+path, r)
	if err != nil {
		h.t.Fatalf("%s %s: %v", method, path, err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i] == "Host" {
			req.Host = headers[i+1]
			continue
		}
		req.Header.Set(headers[i], headers[i+1])
	}
	return h.do(req)
}

func (h *harness) do(req *http.Request) response {
	h.t.Helper()
	resp, err := h.client.Do(req)
	if err != nil {
		h.t.Fatalf("%s %s: %v", req.Method, req.URL.Path, err)
	}
	defer func() { _ = resp.Body.Close() }()
	content, err := io.ReadAll(resp.Body)
	if err != nil {
		h.t.Fatalf("%s %s: read the answer: %v", req.Method, req.URL.Path, err)
	}
	return response{h.t, resp.StatusCode, resp.Header, string(content)}
}

// want fails the test unless the answer has the status and holds the texts.
func (r response) want(status int, texts ...string) response {
	r.t.Helper()
	if r.status != status {
		r.t.Fatalf("status %d, want %d\n%s", r.status, status, r.body)
	}
	for _, text := range texts {
		if !strings.Contains(r.body, text) {
			r.t.Fatalf("no %s in\n%s", text, r.body)
		}
	}
	return r
}

// problem checks that the answer is a problem document of the status whose detail
// holds the texts.
func (r response) problem(status int, texts ...string) response {
	r.t.Helper()
	if ct := r.header.Get("Content-Type"); ct != "application/problem+json" {
		r.t.Fatalf("Content-Type %q, status %d\n%s", ct, r.status, r.body)
	}
	p := decode[struct {
		Type, Title, Detail, Error string
		Status                     int
		Success                    *bool
	}](r)
	if r.status != status || p.Status != status || p.Success == nil || *p.Success || p.Error != p.Detail || p.Title == "" || p.Type == "" {
		r.t.Fatalf("no problem of status %d: status %d\n%s", status, r.status, r.body)
	}
	for _, text := range texts {
		if !strings.Contains(p.Detail, text) {
			r.t.Fatalf("no %q in the detail: %s", text, p.Detail)
		}
	}
	return r
}

// decode reads the answer's body as T.
func decode[T any](r response) T {
	r.t.Helper()
	var v T
	if err := json.Unmarshal([]byte(r.body), &v, json.MatchCaseInsensitiveNames(true)); err != nil {
		r.t.Fatalf("decode: %v\n%s", err, r.body)
	}
	return v
}

// list is an answer with a page.
type list[T any] struct {
	Success    bool
	Data       []T
	NextCursor *string `json:"next_cursor"`
	Error      *string
}

// data reads the data of a successful envelope as T.
func data[T any](r response) T {
	r.t.Helper()
	e := decode[struct {
		Success bool
		Data    T
		Error   *string
	}](r)
	if !e.Success || e.Error != nil {
		r.t.Fatalf("no success:\n%s", r.body)
	}
	return e.Data
}
