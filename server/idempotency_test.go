package server_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hal9-ai/hal9/model"
	"github.com/hal9-ai/hal9/server"
)

const keyHeader = "Idempotency-Key"

// creating are requests that create something, with the list that shows it.
func creating() []struct{ path, body, list string } {
	return []struct{ path, body, list string }{
		{"/api/v1/signal", `{"content":"once","layer":"L4"}`, "/api/v1/signals?limit=1000"},
		{"/api/v1/signals", `{"content":"once","layer_to":"L4"}`, "/api/v1/signals?limit=1000"},
		{"/api/v1/signals", `[{"content":"a","layer_to":"L4"},{"content":"b","layer_to":"L3"},{"content":"a","layer_to":"L4"}]`, "/api/v1/signals?limit=1000"},
		{"/api/v1/neurons", `{"id":"made-once","layer":"L4"}`, "/api/v1/neurons?limit=1000"},
		{"/api/v1/memories", `{"neuron_id":"n","content":"once"}`, "/api/v1/memories?limit=1000"},
	}
}

func count(s *harness, path string) int {
	s.t.Helper()
	return len(decode[list[struct{}]](s.ask("GET", path, "").want(200)).Data)
}

// A repeated request gets the first one's answer and has no second effect.
func TestIdempotencyReplays(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, s *harness) {
		for i, c := range creating() {
			key := fmt.Sprintf("key-%d", i)
			before := count(s, c.list)
			first := s.ask("POST", c.path, c.body, keyHeader, key)
			if first.status/100 != 2 || first.header.Get("Idempotency-Replayed") != "" {
				t.Fatalf("%s: %d %v\n%s", c.path, first.status, first.header, first.body)
			}
			after := count(s, c.list)
			s.clock.Advance(time.Minute)
			// The draft writes keys in quotes; it is the same key.
			for _, spelled := range []string{key, `"` + key + `"`} {
				again := s.ask("POST", c.path, c.body, keyHeader, spelled).want(first.status)
				if again.body != first.body || again.header.Get("Idempotency-Replayed") != "true" ||
					again.header.Get("Location") != first.header.Get("Location") || again.header.Get("ETag") != first.header.Get("ETag") ||
					again.header.Get("Content-Type") != first.header.Get("Content-Type") {
					t.Errorf("%s: replayed %v\n%s\nfirst %v\n%s", c.path, again.header, again.body, first.header, first.body)
				}
			}
			if n := count(s, c.list); n != after || n == before {
				t.Errorf("%s: %d, then %d, then %d", c.path, before, after, n)
			}
			// Another route may use the same key.
			s.ask("POST", c.path, strings.Replace(c.body, "once", "twice", 1)+" ", keyHeader, key).
				problem(422, "header.Idempotency-Key", "another request")
		}
		// Without a key, and after its time, each request has its own effect.
		c := creating()[0]
		n := count(s, c.list)
		s.ask("POST", c.path, c.body).want(200)
		s.clock.Advance(24 * time.Hour)
		s.ask("POST", c.path, c.body, keyHeader, "key-0").want(200)
		if got := count(s, c.list); got != n+2 {
			t.Errorf("%d signals, want %d", got, n+2)
		}
	})
}

func TestIdempotencyKeyForms(t *testing.T) {
	t.Parallel()
	s := newServer(t, sqliteEngine)
	c := creating()[0]
	for _, bad := range []string{"", `""`, "a b", "é", "a\tb", strings.Repeat("k", 256)} {
		s.ask("POST", c.path, c.body, keyHeader, bad).problem(400, "header.Idempotency-Key")
	}
	s.ask("POST", c.path, c.body, keyHeader, strings.Repeat("~", 255)).want(200)
	if n := count(s, c.list); n != 1 {
		t.Errorf("%d signals", n)
	}
}

// What was refused had no effect, and its key is free.
func TestIdempotencyRefusedFreesTheKey(t *testing.T) {
	t.Parallel()
	onEngines(t, func(_ *testing.T, s *harness) {
		s.ask("POST", "/api/v1/memories", `{"neuron_id":"n"}`, keyHeader, "k").problem(422)
		s.ask("POST", "/api/v1/memories", `{"neuron_id":"n","content":"x","layer":"L9"}`, keyHeader, "k").problem(422)
		s.ask("POST", "/api/v1/memories", `{`, keyHeader, "k").problem(400)
		s.ask("POST", "/api/v1/memories", `{"neuron_id":"n","content":"x"}`, keyHeader, "k").want(201)
		s.ask("POST", "/api/v1/neurons", `{"id":"neuron-l4","layer":"L4"}`, keyHeader, "k").problem(409, "neuron.id")
		s.ask("POST", "/api/v1/neurons", `{"id":"new","layer":"L4"}`, keyHeader, "k").want(201)
	})
}

// The same submission 100 times at once has one effect, and all answers that tell of
// it are the same. Another body with the same key, among them, is refused with 422 and has
// no effect.
func TestIdempotencyAtOnce(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, s *harness) {
		for i, c := range creating() {
			before := count(s, c.list)
			var mu sync.Mutex
			answers := map[string]int{}
			refused := 0
			submit := func(body string, heard func(r response)) {
				for {
					r := s.ask("POST", c.path, body, keyHeader, fmt.Sprintf("at-once-%d", i))
					if r.status == 409 && r.header.Get("Retry-After") == "1" {
						continue // under way
					}
					mu.Lock()
					defer mu.Unlock()
					heard(r)
					return
				}
			}
			first := make(chan struct{}) // one of the hundred has the key
			has := sync.OnceFunc(func() { close(first) })
			var group sync.WaitGroup
			for n := range 100 {
				group.Go(func() {
					submit(c.body, func(r response) { answers[fmt.Sprint(r.status, r.body)]++; has() })
				})
				if n%10 == 9 {
					group.Go(func() {
						<-first
						submit(c.body+" ", func(r response) {
							if r.status == 422 {
								refused++
							}
						})
					})
				}
			}
			group.Wait()
			if refused != 10 {
				t.Errorf("%s: %d of 10 with another body are refused", c.path, refused)
			}
			want := 1
			if strings.HasPrefix(c.body, "[") {
				want = 3
			}
			if n := count(s, c.list) - before; n != want || len(answers) != 1 {
				t.Errorf("%s: %d effects, answers %v", c.path, n, answers)
			} else {
				t.Logf("%s: 100 submissions of %d things with one key: %d stored, %d different answers", c.path, want, n, len(answers))
			}
		}
	})
}

// crashing is a store whose words about a key after the effect are lost, as if the
// server had died.
type crashing struct {
	model.Store
	dead bool
}

func (f *crashing) gone() error {
	return &model.Error{Kind: model.ErrUnavailable, Entity: "idempotency_key"}
}

func (f *crashing) IdempotencyKeyFinish(ctx context.Context, arg model.IdempotencyKeyFinishParams) (int64, error) {
	if f.dead {
		return 0, f.gone()
	}
	return f.Store.IdempotencyKeyFinish(ctx, arg)
}

func (f *crashing) IdempotencyKeyRelease(ctx context.Context, arg model.IdempotencyKeyReleaseParams) (int64, error) {
	if f.dead {
		return 0, f.gone()
	}
	return f.Store.IdempotencyKeyRelease(ctx, arg)
}

// InTx loses the transaction of a dead server after its effect.
func (f *crashing) InTx(ctx context.Context, fn func(context.Context, model.Tx) error) error {
	return f.Store.InTx(ctx, func(ctx context.Context, tx model.Tx) error {
		if err := fn(ctx, tx); err != nil {
			return err
		}
		if f.dead {
			return f.gone()
		}
		return nil
	})
}

// A server that dies between the effect and the keeping of the answer locks the key
// no longer than a request may take, and the repetition has no second effect.
func TestIdempotencyAfterACrash(t *testing.T) {
	t.Parallel()
	for _, engine := range []string{sqliteEngine, postgresEngine} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			f := &crashing{}
			s := newServer(t, engine, func(d *server.Deps) { f.Store, d.Store = d.Store, f })
			for i, c := range creating() {
				key := fmt.Sprintf("crash-%d", i)
				before := count(s, c.list)
				f.dead = true
				s.ask("POST", c.path, c.body, keyHeader, key)
				f.dead = false
				s.ask("POST", c.path, c.body, keyHeader, key).problem(409, "under way")
				s.clock.Advance(patience + 6*time.Second)
				first := s.ask("POST", c.path, c.body, keyHeader, key)
				if first.status/100 != 2 {
					t.Fatalf("%s: %d %s", c.path, first.status, first.body)
				}
				again := s.ask("POST", c.path, c.body, keyHeader, key)
				if again.body != first.body || again.header.Get("Idempotency-Replayed") != "true" {
					t.Errorf("%s: %s\nthen %s", c.path, first.body, again.body)
				}
				want := 1
				if strings.HasPrefix(c.body, "[") {
					want = 3
				}
				if n := count(s, c.list) - before; n != want {
					t.Errorf("%s: %d effects", c.path, n)
				}
			}
		})
	}
}
