package apifuzz

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// Server is one of the two that are asked.
type Server struct {
	// Name tells them apart in reports.
	Name string
	// URL begins every request's address.
	URL string
	// Do sends a request as it is. An answer that never ends is given up after its
	// headers when stream is set.
	Do func(ctx context.Context, method, target string, header [][2]string, body string, stream bool) (*Answer, error)
	// Advance moves the server's clock.
	Advance func(time.Duration)
	// Credentials are the server's own values of the kinds that requests are drawn with:
	// root-key, root-token, user-token, scoped-key.
	Credentials map[string][]string
}

// Run asks two new servers the same things.
type Run struct {
	API     *API
	Servers [2]Server
	Seed    uint64
	// Began is the moment that both servers' clocks show.
	Began time.Time
}

// FailureError is what was found.
type FailureError struct {
	Seed    uint64
	Request *Request
	What    string
	Curl    string
	Answers [2]*Answer
}

// Error implements error.
func (f *FailureError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "seed %d, step %d, %s: %s\n%s\n", f.Seed, f.Request.Step, f.Request.Operation, f.What, f.Curl)
	for _, a := range f.Answers {
		if a != nil {
			fmt.Fprintf(&b, "%d %.2000s\n", a.Status, a.Body)
		}
	}
	return b.String()
}

// Kind is what the failure is about, without values: alike for what is likely the same.
func (f *FailureError) Kind() string {
	what, _, _ := strings.Cut(f.What, `"`)
	if place := placePattern.FindString(f.What); place != "" {
		what = place
	}
	return f.Request.Operation + " " + what
}

var placePattern = regexp.MustCompile(`differ: \.[a-z_.0-9]+`)

// Stats counts what was asked, by operation and status.
type Stats struct {
	Requests int
	Answers  map[string]map[int]int
}

// Add counts the others too.
func (s *Stats) Add(other *Stats) {
	s.Requests += other.Requests
	if s.Answers == nil {
		s.Answers = map[string]map[int]int{}
	}
	for op, statuses := range other.Answers {
		for status, n := range statuses {
			if s.Answers[op] == nil {
				s.Answers[op] = map[int]int{}
			}
			s.Answers[op][status] += n
		}
	}
}

// state is what a run knows after some steps.
type state struct {
	pool    *pool
	pairing *pairing
}

func (r *Run) begin() *state {
	s := &state{newPool(), newPairing(r.Began)}
	for kind, values := range sorted(r.Servers[0].Credentials) {
		for i, value := range values {
			s.pool.add(0, kind, value, r.Servers[1].Credentials[kind][i])
		}
	}
	return s
}

// Random draws and asks up to steps requests, until the context ends. It returns all
// requests in order, and the failure of the last one if it failed.
func (r *Run) Random(ctx context.Context, steps int) ([]*Request, *Stats, error) {
	s := r.begin()
	stats := &Stats{Answers: map[string]map[int]int{}}
	var asked []*Request
	moments := 0
	for step := 1; step <= steps && ctx.Err() == nil; step++ {
		r.tick()
		d := &drawer{
			Rand: rand.New(rand.NewPCG(r.Seed, uint64(step))), api: r.API, pool: s.pool, //nolint:gosec // must repeat; counts up
			now: r.Began.Add(time.Duration(step) * tickLength), moments: &moments,
		}
		request := d.request(step)
		asked = append(asked, request)
		answers, err := r.ask(ctx, s, request)
		if err != nil {
			if ctx.Err() != nil {
				return asked, stats, nil //nolint:nilerr // the time is over
			}
			return asked, stats, err
		}
		stats.Requests++
		if stats.Answers[request.Operation] == nil {
			stats.Answers[request.Operation] = map[int]int{}
		}
		stats.Answers[request.Operation][answers[0].Status]++
	}
	return asked, stats, nil
}

// tickLength is how far the clock goes on between two requests.
const tickLength = time.Second

func (r *Run) tick() {
	for _, s := range r.Servers {
		s.Advance(tickLength)
	}
}

// Replay asks the given requests again; the clock goes on as it did.
func (r *Run) Replay(ctx context.Context, requests []*Request) error {
	s := r.begin()
	last := 0
	for _, request := range requests {
		for ; last < request.Step; last++ {
			r.tick()
		}
		if _, err := r.ask(ctx, s, request); err != nil {
			return err
		}
	}
	return nil
}

// Shorten leaves out what the last request's failure does without. Each try needs two
// new servers; it ends with the context. What does not fail again is returned whole.
func Shorten(ctx context.Context, requests []*Request, fails func([]*Request) bool) []*Request {
	if !fails(requests) {
		return requests // it depends on time
	}
	for chunk := len(requests) / 2; chunk >= 1 && ctx.Err() == nil; {
		removed := false
		for end := len(requests) - 1; end > 0 && ctx.Err() == nil; {
			begin := max(0, end-chunk)
			fewer := slices.Concat(requests[:begin], requests[end:])
			if fails(fewer) {
				requests, removed = fewer, true
			}
			end = begin
		}
		if !removed || chunk > 1 {
			chunk /= 2
		}
	}
	return requests
}

// ask sends a request to both servers at the same time and compares what they say.
func (r *Run) ask(ctx context.Context, s *state, request *Request) ([2]*Answer, error) {
	var answers [2]*Answer
	var errs [2]error
	var both sync.WaitGroup
	for i, server := range r.Servers {
		header := make([][2]string, 0, len(request.Header))
		for _, h := range request.Header {
			header = append(header, [2]string{h[0], s.pool.fill(h[1], i)})
		}
		target, body := s.pool.fill(request.Target, i), s.pool.fill(request.Body, i)
		both.Go(func() {
			answers[i], errs[i] = server.Do(ctx, request.Method, target, header, body, request.Stream)
		})
	}
	both.Wait()
	fail := func(what string) error {
		return &FailureError{Seed: r.Seed, Request: request, What: what, Curl: request.curl(r.Servers[0].URL, s.pool, 0), Answers: answers}
	}
	for i, err := range errs {
		if err != nil {
			return answers, fail(r.Servers[i].Name + ": " + err.Error())
		}
		answers[i].value = decodeJSON(answers[i].Body)
	}
	for i, a := range answers {
		if what := r.judge(request, a); what != "" {
			return answers, fail(r.Servers[i].Name + ": " + what)
		}
	}
	if what := s.pairing.difference(request, answers[0], answers[1]); what != "" {
		return answers, fail(r.Servers[0].Name + " and " + r.Servers[1].Name + " differ: " + what)
	}
	s.pool.harvest(request.Step, request.op, answers[0], answers[1])
	return answers, nil
}

// judge tells what is wrong with one answer.
func (r *Run) judge(request *Request, a *Answer) string {
	if slices.Contains(own(), request.Operation) && a.Status == http.StatusServiceUnavailable {
		return "" // a check that did not end in the time that the request gave it
	}
	if a.Status >= http.StatusInternalServerError {
		return fmt.Sprintf("answered %d", a.Status)
	}
	if request.off() {
		return "" // another route, or none
	}
	return r.API.check(request.op, a)
}

// off tells whether the request went astray of its operation.
func (r *Request) off() bool {
	if r.Method != r.op.method {
		return true
	}
	path, _, _ := strings.Cut(r.Target, "?")
	if _, err := url.PathUnescape(path); err != nil {
		return true // net/http answers by itself
	}
	want, got := strings.Split(r.op.path, "/"), strings.Split(path, "/")
	if len(want) != len(got) {
		return true
	}
	for i := range want {
		if !strings.HasPrefix(want[i], "{") && want[i] != got[i] || got[i] == "" && i > 0 || strings.Contains(got[i], "%2") || strings.Contains(got[i], "%2F") || got[i] == ".." || got[i] == "." {
			return true
		}
	}
	return false
}
