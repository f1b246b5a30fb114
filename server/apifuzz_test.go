package server_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/hal9-ai/hal9/auth"
	"github.com/hal9-ai/hal9/internal/apifuzz"
	"github.com/hal9-ai/hal9/model"
	"github.com/hal9-ai/hal9/server"
)

var (
	fuzzSeed = flag.Uint64("fuzzseed", 0, "ask what this seed asks, and nothing else (0: seeds 1, 2, …, or at random with -fuzzfor)")
	fuzzFor  = flag.Duration("fuzzfor", 0, "how long to ask at random (0: a few seconds)")
)

const (
	// fuzzSteps is how many requests one pair of new databases is asked.
	fuzzSteps = 400
	// fuzzShort and fuzzRounds bound the test where -fuzzfor does not.
	fuzzShort  = 12 * time.Second
	fuzzRounds = 4
	// fuzzMemory is the most that both servers and the test may hold after a round.
	fuzzMemory = 256 << 20
	// fuzzShorten bounds the search for fewer requests.
	fuzzShorten = 20 * time.Second
	// fuzzFailures is how many kinds of failures one test looks for.
	fuzzFailures = 10
)

// Both engines give the same answers to the same requests, and answers that the OpenAPI
// document describes. What fails is shortened and told as curl commands.
func TestAPIDifferential(t *testing.T) {
	if *fuzzFor == 0 {
		t.Parallel()
	}
	api := fuzzedAPI(t)
	limit, rounds, seed := fuzzShort, uint64(fuzzRounds), uint64(1)
	if *fuzzFor > 0 {
		limit, rounds, seed = *fuzzFor, 1<<32, uint64(time.Now().UnixNano())
	}
	if *fuzzSeed > 0 {
		limit, rounds, seed = time.Hour, 1, *fuzzSeed
	}
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	stats, seen := &apifuzz.Stats{}, map[string]bool{}
	for round := range rounds {
		if ctx.Err() != nil || len(seen) == fuzzFailures {
			break
		}
		t.Run(fmt.Sprintf("seed=%d", seed+round), func(t *testing.T) {
			asked, roundStats, err := newFuzzRun(t, api, seed+round).Random(ctx, fuzzSteps)
			stats.Add(roundStats)
			if err == nil {
				return
			}
			kind := err.Error()
			if f, ok := errors.AsType[*apifuzz.FailureError](err); ok {
				kind = f.Kind()
			}
			if seen[kind] {
				return // once is enough to know
			}
			seen[kind] = true
			t.Error(err)
			shortenFuzz(t, api, seed+round, asked, err)
		})
	}
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	if m.HeapInuse > fuzzMemory {
		t.Errorf("%d MiB are held", m.HeapInuse>>20)
	}
	t.Logf("%d requests, %d MiB held; answers by operation: %v", stats.Requests, m.HeapInuse>>20, stats.Answers)
	if *fuzzFor == 0 && *fuzzSeed == 0 && stats.Requests >= fuzzSteps && !t.Failed() {
		good := 0
		for _, statuses := range stats.Answers {
			good += statuses[200] + statuses[201]
		}
		if good < stats.Requests/10 {
			t.Errorf("only %d of %d requests succeeded: the generator is of no use", good, stats.Requests)
		}
	}
}

func fuzzedAPI(t *testing.T) *apifuzz.API {
	t.Helper()
	document, err := server.Document(server.Build{Version: "1.2.3"}, server.OpenAPI31)
	if err != nil {
		t.Fatal(err)
	}
	api, err := apifuzz.Parse(document)
	if err != nil {
		t.Fatal(err)
	}
	return api
}

// shortenFuzz tells the shortest series of requests that still fails.
func shortenFuzz(t *testing.T, api *apifuzz.API, seed uint64, asked []*apifuzz.Request, found error) {
	t.Helper()
	first, ok := errors.AsType[*apifuzz.FailureError](found)
	if !ok {
		return
	}
	ctx, cancel := context.WithTimeout(t.Context(), fuzzShorten)
	defer cancel()
	var last *apifuzz.FailureError
	tries := 0
	short := apifuzz.Shorten(ctx, asked, func(requests []*apifuzz.Request) bool {
		failed := false
		tries++
		t.Run(fmt.Sprintf("shorter-%d", tries), func(t *testing.T) {
			f, ok := errors.AsType[*apifuzz.FailureError](newFuzzRun(t, api, seed).Replay(ctx, requests))
			if ok && f.Request == first.Request && f.Kind() == first.Kind() {
				failed, last = true, f
			}
		})
		return failed
	})
	if last == nil {
		t.Logf("asked %d times again with less, it did not fail", tries)
		return
	}
	var b strings.Builder
	for _, r := range short {
		fmt.Fprintf(&b, "step %d: %s %s %v %.300q\n", r.Step, r.Method, r.Target, r.Header, r.Body)
	}
	t.Errorf("the shortest series of %d tries:\n%s%v", tries, b.String(), last)
}

// newFuzzRun starts a server on each engine, on new databases.
func newFuzzRun(t *testing.T, api *apifuzz.API, seed uint64) *apifuzz.Run {
	t.Helper()
	return newFuzzRunOn(t, api, seed, [2]fuzzed{{sqliteEngine, openStore(t, sqliteEngine)}, {postgresEngine, openStore(t, postgresEngine)}})
}

// fuzzed is a store to be served, and what reports call it.
type fuzzed struct {
	name  string
	store model.Store
}

func newFuzzRunOn(t *testing.T, api *apifuzz.API, seed uint64, stores [2]fuzzed) *apifuzz.Run {
	t.Helper()
	// What the migrations made is older on both.
	began := time.Now().UTC().Truncate(time.Second).Add(time.Minute)
	run := &apifuzz.Run{API: api, Seed: seed, Began: began}
	for i, f := range stores {
		s := newServerOn(t, f.store, inMode(server.AuthRequired), func(d *server.Deps) {
			d.Config.MaxBodyBytes = 4 << 20
			// What a neuron was heard of is written behind the requests: it must not matter,
			// nor how long ago a signal says to be, which is not before 1970.
			d.Config.StaleAfter = 100 * 365 * 24 * time.Hour
			d.Logger = slog.New(slog.DiscardHandler) // thousands of lines that tell nothing new
		})
		s.clock.Advance(began.Sub(s.clock.Now()))
		root, ann := s.user("root", auth.RoleAdmin), s.user("ann", auth.RoleUser)
		credentials := map[string][]string{
			"root-key": {s.key(root)}, "root-token": {s.login(root).AccessToken}, "user-token": {s.login(ann).AccessToken},
		}
		for _, scope := range auth.AllScopes() {
			credentials["scoped-key"] = append(credentials["scoped-key"], s.key(root, scope))
		}
		run.Servers[i] = apifuzz.Server{Name: f.name, URL: s.url, Do: s.doRaw, Advance: s.clock.Advance, Credentials: credentials}
	}
	return run
}

// doRaw sends a request as it is, without net/http's corrections of its target.
func (h *harness) doRaw(ctx context.Context, method, target string, header [][2]string, body string, stream bool) (*apifuzz.Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	var content io.Reader = http.NoBody
	if body != "" {
		content = strings.NewReader(body)
	}
	req, err := http.NewRequestWithContext(ctx, method, h.url, content)
	if err != nil {
		return nil, err
	}
	req.URL = &url.URL{Scheme: "http", Host: strings.TrimPrefix(h.url, "http://"), Opaque: "//" + strings.TrimPrefix(h.url, "http://") + target}
	for _, pair := range header {
		req.Header.Add(pair[0], pair[1])
	}
	resp, err := h.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	answer := &apifuzz.Answer{Status: resp.StatusCode, Header: resp.Header}
	if stream && resp.StatusCode == http.StatusOK && strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") {
		return answer, nil
	}
	answer.Body, err = io.ReadAll(resp.Body)
	return answer, err
}
