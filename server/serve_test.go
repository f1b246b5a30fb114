package server_test

import (
	"bufio"
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hal9-ai/hal9/auth"
	"github.com/hal9-ai/hal9/model"
	"github.com/hal9-ai/hal9/server"
)

// withStore puts a store in front of the one that the harness opened.
func withStore(wrap func(model.Store) model.Store) func(*server.Deps) {
	return func(d *server.Deps) { d.Store = wrap(d.Store) }
}

// serving is a server that Serve runs.
type serving struct {
	*harness
	listener net.Listener
	stop     context.CancelFunc
	ended    chan error
}

func serve(t *testing.T, change ...func(*server.Deps)) *serving {
	t.Helper()
	s := &serving{harness: newServer(t, sqliteEngine, change...), ended: make(chan error, 1)}
	var lc net.ListenConfig
	ln, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.listener = ln
	ctx, stop := context.WithCancel(t.Context())
	s.stop = stop
	t.Cleanup(stop)
	go func() { s.ended <- s.server.Serve(ctx, ln) }()
	s.url, s.client = "http://"+ln.Addr().String(), &http.Client{Transport: &http.Transport{}}
	t.Cleanup(s.client.CloseIdleConnections)
	return s
}

// start sends a request and returns at once; the status of the answer follows.
func (s *serving) start(path string) <-chan string {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.url+path, http.NoBody)
	if err != nil {
		s.t.Fatal(err)
	}
	status := make(chan string, 1)
	go func() {
		resp, err := s.client.Do(req)
		if err != nil {
			status <- "no answer"
			return
		}
		_ = resp.Body.Close()
		status <- resp.Status
	}()
	return status
}

// At the end readiness goes off first, and requests are still answered for the drain
// delay, so that a balancer has time to notice.
func TestDrain(t *testing.T) {
	t.Parallel()
	s := serve(t, func(d *server.Deps) { d.Config.DrainDelay, d.Config.ShutdownTimeout = time.Hour, 2*time.Hour })
	eventually(t, func() bool { return s.ask("GET", "/readyz", "").status == 200 })
	s.stop()
	eventually(t, func() bool { return s.ask("GET", "/readyz", "").body == "not ready: shutting down\n" })
	s.ask("GET", "/livez", "").want(200)
	s.ask("GET", "/api/v1/status", "").want(200, `"running":false`)
	s.ask("GET", "/health/detailed", "", "X-API-Key", s.key(s.user("root", auth.RoleAdmin))).want(200, "shutting down", `"status":"degraded"`)
	s.ask("PUT", neuronPath+"/state", `{"state":"Running"}`).want(200)
	// A listener that fails ends the wait.
	if err := s.listener.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-s.ended; !errors.Is(err, net.ErrClosed) {
		t.Errorf("Serve: %v", err)
	}
}

// Who connected while the server drained is answered, although it has stopped to listen
// by then, and is told to connect elsewhere.
func TestDrainNewcomers(t *testing.T) {
	t.Parallel()
	s := serve(t, func(d *server.Deps) { d.Config.DrainDelay, d.Config.ShutdownTimeout = 2*time.Second, time.Hour })
	s.server.WaitForNewcomers(time.Hour)
	s.stop()
	eventually(t, func() bool { return s.ask("GET", "/readyz", "").status == 503 })
	conn, err := net.Dial("tcp", s.listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	eventually(t, func() bool { // the listener is closed
		conn, err := net.DialTimeout("tcp", s.listener.Addr().String(), time.Second)
		if err == nil {
			_ = conn.Close()
		}
		return err != nil
	})
	if _, err := conn.Write([]byte("GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("the request was dropped: %v", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK || !resp.Close {
		t.Errorf("%s, and the connection closes: %v", resp.Status, resp.Close)
	}
	if err := <-s.ended; err != nil {
		t.Errorf("Serve: %v", err)
	}
}

// Requests under way are finished, and new connections refused.
func TestShutdown(t *testing.T) {
	t.Parallel()
	entered, release := make(chan struct{}), make(chan struct{})
	f := &faulty{neuronGet: func(ctx context.Context) error {
		close(entered)
		select {
		case <-release:
		case <-ctx.Done():
		}
		return ctx.Err()
	}}
	s := serve(t, withFaulty(f))
	slow := s.start(neuronPath)
	<-entered
	s.stop()
	eventually(t, func() bool { // the listener is closed
		conn, err := net.DialTimeout("tcp", s.listener.Addr().String(), time.Second)
		if err == nil {
			_ = conn.Close()
		}
		return err != nil
	})
	select {
	case err := <-s.ended:
		t.Fatalf("ended before the request under way did: %v", err)
	default:
	}
	close(release)
	if got := <-slow; got != "200 OK" {
		t.Errorf("the request under way: %s", got)
	}
	if err := <-s.ended; err != nil {
		t.Errorf("Serve: %v", err)
	}
}

// A request that does not end cannot hold the shutdown up.
func TestShutdownTimeout(t *testing.T) {
	t.Parallel()
	entered := make(chan struct{})
	f := &faulty{neuronGet: func(ctx context.Context) error {
		close(entered)
		<-ctx.Done()
		return ctx.Err()
	}}
	s := serve(t, withFaulty(f), func(d *server.Deps) {
		d.Config.ShutdownTimeout, d.Config.RequestTimeout = 50*time.Millisecond, time.Minute
	})
	broken := s.start(neuronPath)
	<-entered
	s.stop()
	if err := <-s.ended; err == nil || !strings.Contains(err.Error(), "server.shutdown_timeout") {
		t.Errorf("Serve: %v", err)
	}
	if got := <-broken; got != "no answer" {
		t.Errorf("the request under way: %s", got)
	}
}

// A body that breaks off, or comes too slowly, is the client's fault.
func TestBrokenTransfers(t *testing.T) {
	t.Parallel()
	const post = "POST /api/v1/neurons HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
	slow := serve(t, func(d *server.Deps) {
		d.Config.ReadTimeout, d.Config.RequestTimeout = 200*time.Millisecond, 100*time.Millisecond
	})
	if got := slow.raw(post + "Content-Length: 50\r\n\r\n{"); !strings.HasPrefix(got, "HTTP/1.1 408 ") {
		t.Errorf("too slow: %q", got)
	}
	broken := serve(t)
	if got := broken.raw(post + "Transfer-Encoding: chunked\r\n\r\nzz\r\n{"); !strings.HasPrefix(got, "HTTP/1.1 400 ") {
		t.Errorf("broken chunk: %q", got)
	}
}

// dial opens a connection that lasts for as long as tests wait.
func (s *serving) dial() net.Conn {
	s.t.Helper()
	var dialer net.Dialer
	conn, err := dialer.DialContext(s.t.Context(), "tcp", s.listener.Addr().String())
	if err != nil {
		s.t.Fatal(err)
	}
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		s.t.Fatal(err)
	}
	return conn
}

// raw sends bytes and returns the beginning of the answer.
func (s *serving) raw(request string) string {
	s.t.Helper()
	conn := s.dial()
	defer func() { _ = conn.Close() }()
	if _, err := conn.Write([]byte(request)); err != nil {
		s.t.Fatal(err)
	}
	answer := make([]byte, 4096)
	n, err := conn.Read(answer)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(answer[:n])
}
