package server_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hal9-ai/hal9/auth"
	"github.com/hal9-ai/hal9/model"
	"github.com/hal9-ai/hal9/server"
)

// occupied is a server that lets one request in, which is there, and leaves the connections
// of those that it refuses unread.
type occupied struct {
	*serving

	key   string // of an account
	letGo func()
}

func newOccupied(t *testing.T, change ...func(*server.Deps)) *occupied {
	t.Helper()
	h := &heldStore{come: make(chan struct{}), letGo: make(chan struct{})}
	s := &occupied{serving: serve(t, append(change, withStore(func(st model.Store) model.Store { h.Store = st; return h }), func(d *server.Deps) {
		d.Config.AuthMode = server.AuthRequired // open mode serves no proxies
		d.Config.Limits = server.Limits{Requests: 1, RequestsDelay: time.Nanosecond, RefusalPause: time.Minute}
	})...)}
	s.key = s.harness.key(s.user("root", auth.RoleAdmin))
	open := sync.OnceFunc(func() { close(h.letGo) })
	t.Cleanup(open)
	first := make(chan response, 1)
	go func() { first <- s.ask("GET", "/api/v1/neurons", "", "X-API-Key", s.key) }()
	<-h.come
	s.letGo = func() {
		open()
		(<-first).want(200)
	}
	// The burst that is let in is over with this one, whose connection is read on.
	s.ask("POST", "/api/v1/signal", `{"content":"plan","layer":"L4"}`, "Via", "1.1 proxy", "X-API-Key", s.key).problem(503)
	return s
}

// exchange asks for a neuron on a connection and returns the answer's status and its
// Retry-After.
func (s *occupied) exchange(c net.Conn, headers string) (status int, retry string) {
	s.t.Helper()
	s.send(c, headers)
	answer, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		s.t.Fatal(err)
	}
	_ = answer.Body.Close()
	return answer.StatusCode, answer.Header.Get("Retry-After")
}

func (s *occupied) send(c net.Conn, headers string) {
	s.t.Helper()
	if _, err := fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: localhost\r\nX-API-Key: %s\r\n%s\r\n", neuronPath, s.key, headers); err != nil {
		s.t.Fatal(err)
	}
}

var shedTotal = regexp.MustCompile(`hal9_http_shed_total{lane="general"} \d+`)

// shed is how many were refused, as the metrics say it.
func (s *occupied) shed() string {
	return shedTotal.FindString(s.ask("GET", "/metrics", "", "X-API-Key", s.key).body)
}

// unread waits until so many connections are left unread.
func (s *occupied) unread(count int) {
	s.t.Helper()
	want := fmt.Sprintf("\nhal9_http_connections_unread %d\n", count)
	eventually(s.t, func() bool { return strings.Contains(s.ask("GET", "/metrics", "", "X-API-Key", s.key).body, want) })
}

// Who was refused and comes again too early is not looked at before the time that it was
// told, however free the server is.
func TestRefusedConnectionIsLeftUnread(t *testing.T) {
	t.Parallel()
	s := newOccupied(t)
	c := dial(t, s.listener.Addr().String())
	begin := time.Now()
	status, after := s.exchange(c, "")
	if retry, err := strconv.Atoi(after); status != http.StatusServiceUnavailable || err != nil || retry < 1 {
		t.Fatalf("status %d, Retry-After %q", status, after)
	}
	s.unread(1)
	s.letGo()
	s.ask("GET", neuronPath, "", "X-API-Key", s.key).want(200) // others are served
	status, _ = s.exchange(c, "")
	if took := time.Since(begin); status != http.StatusOK || took < time.Second {
		t.Errorf("status %d after %v, Retry-After %s", status, took, after)
	}
	s.unread(0)
	if status, _ := s.exchange(c, ""); status != http.StatusOK {
		t.Errorf("the third: %d", status)
	}
}

// A connection that closes while it is left unread is counted no longer.
func TestUnreadConnectionCloses(t *testing.T) {
	t.Parallel()
	s := newOccupied(t)
	defer s.letGo()
	c := dial(t, s.listener.Addr().String())
	if status, _ := s.exchange(c, "Connection: close\r\n"); status != http.StatusServiceUnavailable {
		t.Fatalf("status %d", status)
	}
	s.unread(0)
}

// Connections that clients share are read on: those of proxies, told by what they write or
// by their address.
func TestProxysConnectionIsReadOn(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		header  string
		proxies []netip.Prefix
	}{
		"X-Forwarded-For": {header: "X-Forwarded-For: 192.0.2.7\r\n"},
		"Forwarded":       {header: "Forwarded: for=192.0.2.7\r\n"},
		"Via":             {header: "Via: 1.1 proxy\r\n"},
		"trusted":         {proxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newOccupied(t, func(d *server.Deps) { d.Config.TrustedProxies = c.proxies })
			defer s.letGo()
			conn := dial(t, s.listener.Addr().String())
			if status, _ := s.exchange(conn, c.header); status != http.StatusServiceUnavailable {
				t.Fatalf("status %d", status)
			}
			before := s.shed()
			s.send(conn, c.header)
			eventually(t, func() bool {
				metrics := s.ask("GET", "/metrics", "", "X-API-Key", s.key).body
				if !strings.Contains(metrics, "\nhal9_http_connections_unread 0\n") {
					t.Fatal("it is left unread")
				}
				return s.shed() != before
			})
		})
	}
}
