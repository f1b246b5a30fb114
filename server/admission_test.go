package server_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hal9-ai/hal9/auth"
	"github.com/hal9-ai/hal9/model"
	"github.com/hal9-ai/hal9/server"
)

// heldStore lists neurons when it is let go.
type heldStore struct {
	model.Store

	come  chan struct{} // one for each call that waits
	letGo chan struct{}
}

func (h *heldStore) NeuronList(ctx context.Context, arg model.NeuronListParams) ([]model.Neuron, error) {
	h.come <- struct{}{}
	<-h.letGo
	return h.Store.NeuronList(ctx, arg)
}

// held is a server with as many requests under way as the count says.
func held(t *testing.T, engine string, count int, change func(*server.Deps)) (s *harness, letGo func()) {
	t.Helper()
	h := &heldStore{come: make(chan struct{}), letGo: make(chan struct{})}
	s = newServer(t, engine, change, withStore(func(st model.Store) model.Store { h.Store = st; return h }))
	open := sync.OnceFunc(func() { close(h.letGo) })
	t.Cleanup(open) // the server waits for its requests at the end
	answers := make(chan response, count)
	for range count {
		go func() { answers <- s.ask("GET", "/api/v1/neurons", "") }()
		<-h.come
	}
	return s, func() {
		open()
		for range count {
			(<-answers).want(200)
		}
	}
}

// What is more than the server can bear is refused before anything is done for it, and
// who looks after the server gets through.
func TestShed(t *testing.T) {
	t.Parallel()
	for _, engine := range []string{sqliteEngine, postgresEngine} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			s, letGo := held(t, engine, 2, func(d *server.Deps) {
				d.Config.Limits = server.Limits{Requests: 2, RequestsDelay: time.Nanosecond}
				d.Config.CORSOrigins = []string{"https://app.example.org"}
			})
			admin := []string{"X-API-Key", s.key(s.user("root", auth.RoleAdmin))}
			const sent = `{"content":"plan the day","layer":"L4"}`
			for _, r := range []response{
				s.ask("POST", "/api/v1/signal", sent, "X-Request-Id", "mine", "Origin", "https://app.example.org").problem(503, "nothing was done"),
				s.ask("GET", neuronPath, "").problem(503),
				s.ask("GET", "/nowhere", "").problem(503),
				s.ask("GET", "/api/v1/status", "").problem(503, "nothing was done"), // before the router
			} {
				wait, err := strconv.Atoi(r.header.Get("Retry-After"))
				if err != nil || wait < 1 || wait > 3 || len(r.header["X-Request-Id"]) != 1 || r.header.Get("X-Content-Type-Options") != "nosniff" {
					t.Errorf("headers %v", r.header)
				}
			}
			for _, path := range []string{neuronPath, "/api/v1/status"} {
				if r := s.ask("GET", path, "", "X-Request-Id", "mine", "Origin", "https://app.example.org"); r.header["X-Request-Id"][0] != "mine" ||
					r.header.Get("Access-Control-Allow-Origin") != "https://app.example.org" {
					t.Errorf("headers %v", r.header)
				}
			}
			for _, path := range []string{"/health", "/livez", "/readyz", "/version", "/metrics"} {
				s.ask("GET", path, "").want(200)
			}
			s.ask("GET", "/health/detailed", "", admin...).want(200)
			s.ask("GET", "/api/v1/users", "", admin...).want(200)
			s.bulk(strings.NewReader(bulkLines(s, 1))).want(200) // has a limit of its own
			s.ask("GET", "/metrics", "").want(200, `hal9_http_shed_total{lane="general"} 6`, `hal9_http_requests_in_flight{lane="general"} 2`,
				`hal9_http_requests_limit{lane="general"} 2`, `hal9_http_requests_total{method="POST",route="/api/v1/signal",status="503"} 1`,
				`hal9_http_requests_total{method="GET",route="/api/v1/status",status="503"} 2`)
			if lines := strings.Count(s.log.String(), "requests are refused"); lines < 1 || lines > 3 {
				t.Errorf("%d lines in the log", lines)
			}
			letGo()
			if n := s.storedSignals(); n != 1 {
				t.Errorf("%d signals stored, want that of the stream alone", n)
			}
			s.ask("POST", "/api/v1/signal", sent).want(200)
		})
	}
}

// A burst is let in, for a while and up to a bound, which is higher for a server that
// answers fast.
func TestShedFollowsTheRate(t *testing.T) {
	t.Parallel()
	const burst = 4 // all those that may be under way where one may be for long
	slow := func(d *server.Deps) { d.Config.Limits = server.Limits{Requests: 1, RequestsDelay: time.Hour} }
	s, letGo := held(t, sqliteEngine, burst, slow)
	s.ask("GET", neuronPath, "").problem(503) // nothing was answered yet
	letGo()

	h := &heldStore{come: make(chan struct{}), letGo: make(chan struct{})}
	s = newServer(t, sqliteEngine, slow, withStore(func(st model.Store) model.Store { h.Store = st; return h }))
	for range 20 {
		s.ask("GET", neuronPath, "").want(200)
	}
	open := sync.OnceFunc(func() { close(h.letGo) })
	t.Cleanup(open)
	answers := make(chan response, burst)
	for range burst {
		go func() { answers <- s.ask("GET", "/api/v1/neurons", "") }()
		<-h.come
	}
	// At a rate of some a second, an hour has room for many.
	eventually(t, func() bool { return s.ask("GET", neuronPath, "").status == 200 })
	open()
	for range burst {
		(<-answers).want(200)
	}
}

// Clients that drip the bytes of their bodies take no place from others.
func TestDrippingBodiesTakeNoPlace(t *testing.T) {
	t.Parallel()
	s := newServer(t, sqliteEngine, func(d *server.Deps) {
		d.Config.Limits = server.Limits{Requests: 2, RequestsDelay: time.Nanosecond}
	})
	address := strings.TrimPrefix(s.url, "http://")
	conns := make([]net.Conn, 10)
	for i := range conns {
		conns[i] = dial(t, address)
		_, err := fmt.Fprintf(conns[i], "POST /api/v1/signal HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: 39\r\n\r\n{\"content\":")
		if err != nil {
			t.Fatal(err)
		}
		// Behind it the server works on the body of this one.
		eventually(t, func() bool { return s.ask("GET", "/api/v1/status", "").status == 200 })
	}
	s.ask("POST", "/api/v1/signal", `{"content":"plan","layer":"L4"}`).want(200)
	for _, c := range conns {
		if _, err := io.WriteString(c, `"plan the day","layer":"L4"}`); err != nil {
			t.Fatal(err)
		}
		answer, err := io.ReadAll(c)
		if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 200 ") {
			t.Errorf("%v: %s", err, answer)
		}
	}
	s.ask("GET", "/metrics", "").want(200, `hal9_http_requests_in_flight{lane="general"} 0`)
}

func dial(t *testing.T, address string) net.Conn {
	t.Helper()
	c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return c
}
