package server_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hal9-ai/hal9/auth"
	"github.com/hal9-ai/hal9/server"
)

// say sends bytes on a connection and reads the one answer until the connection closes.
func say(t *testing.T, c net.Conn, bytes string) response {
	t.Helper()
	defer func() { _ = c.Close() }()
	_, _ = c.Write([]byte(bytes)) // the server may have closed: what it said before counts
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatalf("%.60q: %v", bytes, err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%.60q: %v", bytes, err)
	}
	if !resp.Close {
		t.Errorf("%.60q: the connection stays open", bytes)
	}
	return response{t, resp.StatusCode, resp.Header, string(body)}
}

// readWhole reads an answer that went well, and returns its headers.
func readWhole(t *testing.T, answers *bufio.Reader) http.Header {
	t.Helper()
	resp, err := http.ReadResponse(answers, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("status %d, %v", resp.StatusCode, err)
	}
	return resp.Header
}

// dialTLS connects for HTTP/1.1 over TLS.
func (s *serving) dialTLS() net.Conn {
	s.t.Helper()
	dialer := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}} //nolint:gosec // the answers are looked at
	c, err := dialer.DialContext(s.t.Context(), "tcp", s.listener.Addr().String())
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

// What net/http refuses before any handler is answered, counted and logged as all else.
func TestUnreadableRequests(t *testing.T) {
	t.Parallel()
	const host = "Host: localhost\r\n"
	post := "POST /api/v1/signal HTTP/1.1\r\n" + host
	refused := []struct {
		request, detail string
		status          int
	}{
		{"hello\r\n\r\n", "no request as HTTP/1.1 writes it", 400},
		{"GET /livez HTTP/1.1\r\n\r\n", "missing required Host header", 400},
		{"GET /livez HTTP/1.1\r\n" + host + "A b: c\r\n\r\n", "no request as HTTP/1.1 writes it", 400},
		{post + "Expect: tea\r\nContent-Length: 2\r\n\r\n{}", "header.Expect: must be 100-continue", 417},
		{"GET /livez HTTP/1.1\r\n" + host + "X: " + strings.Repeat("a", 80<<10) + "\r\n\r\n", "more than 64 KiB", 431},
		{post + "Transfer-Encoding: gzip\r\n\r\n", "header.Transfer-Encoding: must be chunked", 501},
		{"GET /livez HTTP/3.7\r\n" + host + "\r\n", "speaks HTTP/1.1", 505},
	}
	for _, secured := range []bool{false, true} {
		t.Run(fmt.Sprintf("TLS %v", secured), func(t *testing.T) {
			t.Parallel()
			var s *serving
			dial := func() net.Conn { return s.dial() }
			if secured {
				s, _ = serveTLS(t)
				dial = s.dialTLS
			} else {
				s = serve(t)
			}
			count := func(status int) string {
				return fmt.Sprintf(`hal9_http_unreadable_total{status="%d"}`, status)
			}
			s.ask("GET", "/metrics", "").want(200, count(400)+" 0", "hal9_http_incomplete_total 0")
			want := map[int]int{}
			for _, c := range refused {
				// Alone, and behind a request that is answered on the same connection.
				r := say(t, dial(), c.request).problem(c.status, c.detail)
				id := r.header.Get("X-Request-ID")
				if id == "" || r.header.Get("X-Content-Type-Options") != "nosniff" || r.header.Get("Date") == "" {
					t.Errorf("headers of %d: %v", c.status, r.header)
				}
				line := fmt.Sprintf(`"msg":"request","request_id":%q,"method":"OTHER","route":"unmatched","status":%d,"bytes":%d,`, id, c.status, len(r.body))
				if log := s.log.String(); !strings.Contains(log, line) || !strings.Contains(log, `"client":"127.0.0.1"`) {
					t.Errorf("the log has no %s", line)
				}
				conn := dial()
				_, err := conn.Write([]byte("GET /livez HTTP/1.1\r\n" + host + "\r\n"))
				first := bufio.NewReader(conn)
				if err != nil {
					t.Fatal(err)
				}
				readWhole(t, first)
				say(t, conn, c.request).problem(c.status, c.detail)
				want[c.status] += 2
			}
			if secured {
				say(t, s.dial(), "GET /livez HTTP/1.1\r\n"+host+"\r\n").problem(400, "this server speaks HTTPS here")
				want[400]++
			}
			body := s.ask("GET", "/metrics", "").want(200).body
			for status, n := range want {
				for _, line := range []string{
					fmt.Sprintf("%s %d\n", count(status), n),
					fmt.Sprintf(`hal9_http_requests_total{method="OTHER",route="unmatched",status="%d"} %d`+"\n", status, n),
				} {
					if !strings.Contains(body, line) {
						t.Errorf("no %s", line)
					}
				}
			}
			if strings.Contains(body, `hal9_http_request_duration_seconds_count{method="OTHER",route="unmatched"`) {
				t.Error("what was never read has a duration")
			}
			if secured != strings.Contains(body, "hal9_tls_handshake_failures_total 1\n") {
				t.Error("the handshakes that failed are not counted")
			}
		})
	}
}

// A request that does not get on within its headers is counted, and one that ends there is
// told so; a connection that only came and went is not counted.
func TestIncompleteRequests(t *testing.T) {
	t.Parallel()
	s := serve(t, func(d *server.Deps) { d.Config.ReadHeaderTimeout = 100 * time.Millisecond })
	const half = "GET /livez HTTP/1.1\r\nHost: "
	for _, c := range []struct {
		said                   string
		ends                   bool
		incomplete, unreadable int
	}{
		{"", true, 0, 0},
		{half, true, 0, 1},
		{half, false, 1, 1},
		{"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", false, 1, 1},
	} {
		conn, ok := s.dial().(*net.TCPConn)
		if !ok {
			t.Fatal("no TCP connection")
		}
		if _, err := conn.Write([]byte(c.said)); err != nil {
			t.Fatal(err)
		}
		if c.ends {
			if err := conn.CloseWrite(); err != nil {
				t.Fatal(err)
			}
		}
		_, _ = io.Copy(io.Discard, conn) // until the server closes
		_ = conn.Close()
		eventually(t, func() bool {
			body := s.ask("GET", "/metrics", "").body
			return strings.Contains(body, fmt.Sprintf("hal9_http_incomplete_total %d\n", c.incomplete)) &&
				strings.Contains(body, fmt.Sprintf("hal9_http_unreadable_total{status=\"400\"} %d\n", c.unreadable))
		})
	}
}

// Over TLS a connection of HTTP/1.1 carries request after request, and knows that it is secured.
func TestHTTP1OverTLS(t *testing.T) {
	t.Parallel()
	s, _ := serveTLS(t, inMode(server.AuthRequired))
	key := s.key(s.user("ann", auth.RoleUser))
	conn := s.dialTLS()
	defer func() { _ = conn.Close() }()
	answers := bufio.NewReader(conn)
	for range 3 {
		const body = `{"content":"over TLS","layer":"L4"}`
		if _, err := fmt.Fprintf(conn, "POST /api/v1/signal HTTP/1.1\r\nHost: hal9.example\r\nX-API-Key: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", key, len(body), body); err != nil {
			t.Fatal(err)
		}
		if h := readWhole(t, answers); h.Get("Strict-Transport-Security") == "" {
			t.Errorf("headers %v", h)
		}
	}
}

// A server that stops lets a handshake end that is under way, and waits for none that is not
// getting on.
func TestStopDuringHandshake(t *testing.T) {
	t.Parallel()
	s, _ := serveTLS(t)
	s.server.WaitForNewcomers(50 * time.Millisecond)
	idle := s.dial()
	defer func() { _ = idle.Close() }()
	s.ask("GET", "/livez", "").want(200) // so that the connection before was accepted
	s.stop()
	if err := <-s.ended; err != nil {
		t.Error(err)
	}
	if _, err := io.ReadAll(idle); err != nil && !strings.Contains(err.Error(), "reset") {
		t.Errorf("the connection without a handshake: %v", err)
	}
}

// A connection that was accepted, and makes its handshake when the server has stopped to
// listen, is answered as others are that came while it drained.
func TestHandshakeWhileStopping(t *testing.T) {
	t.Parallel()
	s, _ := serveTLS(t)
	s.server.WaitForNewcomers(patience)
	late := s.dial()
	defer func() { _ = late.Close() }()
	s.ask("GET", "/livez", "").want(200) // so that the connection before was accepted
	s.client.CloseIdleConnections()
	s.stop()
	eventually(t, func() bool { // it listens no more
		c, err := net.DialTimeout("tcp", s.listener.Addr().String(), time.Second)
		if err == nil {
			_ = c.Close()
		}
		return err != nil
	})
	c := tls.Client(late, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}) //nolint:gosec // the answer is looked at
	say(t, c, "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n").want(200)
	if err := <-s.ended; err != nil {
		t.Error(err)
	}
}
