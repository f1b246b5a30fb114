package server_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hal9-ai/hal9/model"
	"github.com/hal9-ai/hal9/server"
)

// An answer that may hold a secret is not kept, and an attempt whose outcome nobody
// knows is not repeated.
func TestIdempotencyOfSecrets(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, s *harness) {
		const path, secret = "/api/v1/secrets", "canary-secret-91"
		var made atomic.Int32
		var fails error
		s.server.RegisterSecret(path, func() (string, error) {
			made.Add(1)
			return secret, fails
		})
		s.ask("POST", path, `{}`, keyHeader, "k").want(201, secret)
		for range 2 {
			r := s.ask("POST", path, `{}`, keyHeader, "k").problem(409, "was done", "not kept")
			if strings.Contains(r.body, secret) || r.header.Get("Location") != path+"/1" || r.header.Get("Idempotency-Replayed") != "true" {
				t.Errorf("%v %s", r.header, r.body)
			}
		}
		s.ask("POST", path, `{"x":"y"}`, keyHeader, "k").problem(422, "another request")
		s.ask("POST", path, `{}`, keyHeader, "k2").want(201, secret)

		// It failed, perhaps after its effect: nobody tries again under this key.
		fails = errors.New("broken in the middle")
		s.ask("POST", path, `{}`, keyHeader, "k3").problem(500)
		fails = nil
		for range 2 {
			s.ask("POST", path, `{}`, keyHeader, "k3").problem(409, "nobody knows")
		}
		// It was refused: the key is free.
		fails = &model.Error{Kind: model.ErrConflict, Entity: "user", Field: "username"}
		s.ask("POST", path, `{}`, keyHeader, "k4").problem(409, "username")
		fails = nil
		s.ask("POST", path, `{}`, keyHeader, "k4").want(201)
		if n := made.Load(); n != 5 {
			t.Errorf("made %d times", n)
		}
	})
}

// holding is a store in which a request can be held before its effect.
type holding struct {
	model.Store
	reached, release chan struct{}
	armed            atomic.Bool
}

func (h *holding) InTx(ctx context.Context, fn func(context.Context, model.Tx) error) error {
	if h.armed.CompareAndSwap(true, false) {
		close(h.reached)
		<-h.release
	}
	return h.Store.InTx(ctx, fn)
}

// A request that comes to its effect after another one took its key has none.
func TestIdempotencyKeyTakenOver(t *testing.T) {
	t.Parallel()
	for _, engine := range []string{sqliteEngine, postgresEngine} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			h := &holding{reached: make(chan struct{}), release: make(chan struct{})}
			s := newServer(t, engine, func(d *server.Deps) { h.Store, d.Store = d.Store, h })
			const path, body = "/api/v1/memories", `{"neuron_id":"n","content":"x"}`
			h.armed.Store(true)
			slow := make(chan response)
			go func() { slow <- s.ask("POST", path, body, keyHeader, "k") }()
			<-h.reached
			s.ask("POST", path, body, keyHeader, "k").problem(409, "under way")
			s.clock.Advance(patience + 6*time.Second)
			first := s.ask("POST", path, body, keyHeader, "k").want(201)
			close(h.release)
			(<-slow).problem(409)
			if again := s.ask("POST", path, body, keyHeader, "k").want(201); again.body != first.body {
				t.Errorf("first %s\nthen %s", first.body, again.body)
			}
			if n := count(s, path); n != 1 {
				t.Errorf("%d memories", n)
			}
		})
	}
}

// A key whose time ends while its request is under way stays that request's.
func TestIdempotencyKeyHeldAtItsExpiry(t *testing.T) {
	t.Parallel()
	for _, engine := range []string{sqliteEngine, postgresEngine} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			h := &holding{reached: make(chan struct{}), release: make(chan struct{})}
			s := newServer(t, engine, func(d *server.Deps) {
				h.Store, d.Store = d.Store, h
				d.Config.IdempotencyTTL = time.Second
			})
			const path, body = "/api/v1/memories", `{"neuron_id":"n","content":"x"}`
			h.armed.Store(true)
			release := sync.OnceFunc(func() { close(h.release) })
			t.Cleanup(release) // also where what follows fails
			slow := make(chan response, 1)
			go func() { slow <- s.ask("POST", path, body, keyHeader, "k") }()
			<-h.reached
			s.clock.Advance(2 * time.Second)
			s.ask("POST", path, body, keyHeader, "k").problem(409, "under way")
			release()
			(<-slow).want(201)
			// Done and expired, it is forgotten.
			s.ask("POST", path, body, keyHeader, "k").want(201)
			if n := count(s, path); n != 2 {
				t.Errorf("%d memories", n)
			}
		})
	}
}

// A handler that panics lets its key go.
func TestIdempotencyAfterAPanic(t *testing.T) {
	t.Parallel()
	s := newServer(t, sqliteEngine)
	panics := true
	s.server.RegisterSecret("/api/v1/panics", func() (string, error) {
		if panics {
			panic("no")
		}
		return "", nil
	})
	s.ask("POST", "/api/v1/panics", `{}`, keyHeader, "k").problem(500)
	panics = false
	s.ask("POST", "/api/v1/panics", `{}`, keyHeader, "k").problem(409, "nobody knows")
}

// An answer that is too long to be kept is not given again, and the effect is not
// repeated either.
func TestIdempotencyOfLongAnswers(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, s *harness) {
		body := `{"neuron_id":"n","content":"` + strings.Repeat("long ", 200_000) + `","metadata":{"k":"` + strings.Repeat("x", 60_000) + `"}}`
		location := s.ask("POST", "/api/v1/memories", body, keyHeader, "k").want(201).header.Get("Location")
		r := s.ask("POST", "/api/v1/memories", body, keyHeader, "k").problem(409, "was done")
		if got := r.header.Get("Location"); got != location {
			t.Errorf("Location %q, want %q", got, location)
		}
		// The longest answer about signals is kept.
		batch := "[" + strings.Repeat(`{"content":"x","layer_to":"L4"},`, 9_999) + `{"content":"x","layer_to":"L4"}]`
		first := s.ask("POST", "/api/v1/signals", batch, keyHeader, "k").want(201)
		if again := s.ask("POST", "/api/v1/signals", batch, keyHeader, "k").want(201); again.body != first.body {
			t.Error("another answer")
		}
	})
}

// Neither the client's key nor what it sent is in the table.
func TestIdempotencyKeepsDigests(t *testing.T) {
	t.Parallel()
	h := &spying{}
	s := newServer(t, sqliteEngine, func(d *server.Deps) { h.Store, d.Store = d.Store, h })
	const canary = "canary-of-the-key"
	s.ask("POST", "/api/v1/signal", `{"content":"`+canary+`","layer":"L4"}`, keyHeader, canary).want(200)
	if h.claims != 1 || strings.Contains(h.seen, canary) || strings.Contains(s.log.String(), canary) {
		t.Errorf("%d claims: %s", h.claims, h.seen)
	}
	s.ask("POST", "/api/v1/signal", `{"content":"x","layer":"L4"}`).want(200)
	if h.claims != 1 {
		t.Error("a request without a key asked for one")
	}
}

type spying struct {
	model.Store
	claims int
	seen   string
}

func (h *spying) IdempotencyKeyClaim(ctx context.Context, arg model.IdempotencyKeyClaimParams) (model.IdempotencyKey, error) {
	h.claims++
	h.seen += arg.ID + " " + arg.Fingerprint + "\n"
	return h.Store.IdempotencyKeyClaim(ctx, arg)
}
