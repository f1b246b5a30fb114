package server_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/hal9-ai/hal9/auth"
	"github.com/hal9-ai/hal9/server"
)

// Who listens to what is stored, and reads slowly, is ended as soon as who waits for what
// comes: by a revoked credential, and by a server that shuts down.
func TestStreamReplayEndsEarly(t *testing.T) {
	t.Parallel()
	s := newServer(t, sqliteEngine, streaming(), inMode(server.AuthRequired), func(d *server.Deps) { d.Config.StreamRenew = time.Millisecond })
	ann := s.user("ann", auth.RoleUser)
	key := s.key(ann)
	// More than the network's buffers hold.
	const signals = 5000
	row := `{"content":"` + strings.Repeat("x", 4000) + `","layer_to":"L1"}`
	for range 2 {
		s.ask("POST", "/api/v1/signals", "["+row+strings.Repeat(","+row, signals/2-1)+"]", "X-API-Key", key).want(201)
	}
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- s.server.Serve(ctx, ln) }()
	defer stop()
	begin := func(credential string) net.Conn {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		_, err = fmt.Fprintf(conn, "GET /api/v1/signals/stream?since=2020-01-01T00:00:00Z HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-API-Key: %s\r\n\r\n", credential)
		if err == nil {
			_, err = io.ReadFull(conn, make([]byte, 1<<20)) // it has begun
		}
		if err != nil {
			t.Fatal(err)
		}
		return conn
	}
	wantEnd := func(conn net.Conn, reason string) {
		t.Helper()
		rest, err := io.ReadAll(conn)
		if n := strings.Count(string(rest), "event: signal"); err != nil || !strings.Contains(string(rest), `"reason":"`+reason+`"`) || n > signals*3/4 {
			t.Errorf("%d more signals came after %s, and the end is %.200s; %v", n, reason, rest[max(0, len(rest)-200):], err)
		}
	}
	revoked, other := begin(s.key(ann)), begin(key)
	keys := data[[]struct{ ID string }](s.ask("GET", "/api/v1/auth/api-keys", "", "X-API-Key", key).want(200))
	s.ask("DELETE", "/api/v1/auth/api-keys/"+keys[0].ID, "", "X-API-Key", key).want(200)
	wantEnd(revoked, "revoked")
	stop()
	eventually(t, func() bool { // the listener goes just before streams are told
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", ln.Addr().String())
		if err == nil {
			_ = conn.Close()
		}
		return err != nil
	})
	wantEnd(other, "shutdown")
	if err := <-served; err != nil {
		t.Errorf("serve: %v", err)
	}
}
