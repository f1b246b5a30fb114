package server_test

import (
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hal9-ai/hal9/server"
)

var statusLine = regexp.MustCompile(`HTTP/1\.[01] (\d\d\d) `)

// exchange sends bytes, and a last request after which the server closes, and returns the
// answers to all of it with their statuses.
func (s *serving) exchange(bytes string) (statuses []string, answers string) {
	s.t.Helper()
	conn := s.dial()
	defer func() { _ = conn.Close() }()
	// Either may fail where the server has closed: what it said before counts.
	_, _ = conn.Write([]byte(bytes + "GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"))
	all, _ := io.ReadAll(conn)
	for _, m := range statusLine.FindAllSubmatch(all, -1) {
		statuses = append(statuses, string(m[1]))
	}
	return statuses, string(all)
}

// Requests that servers and proxies are known to read differently are read in one way or
// end their connection: none brings a second one in, passes a check by, or is left out of
// the log. The last answer is to the request that exchange adds.
func TestOddRequests(t *testing.T) {
	t.Parallel()
	s := serve(t)
	const host, kind, signal = "Host: localhost\r\n", "Content-Type: application/json\r\n", `{"content":"x","layer":"L4"}`
	length := fmt.Sprintf("Content-Length: %d\r\n", len(signal))
	get := func(target string) string { return "GET " + target + " HTTP/1.1\r\n" + host + "\r\n" }
	post := func(headers, body string) string {
		return "POST /api/v1/signal HTTP/1.1\r\n" + host + headers + "\r\n" + body
	}
	chunked := fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(signal), signal)
	for _, c := range []struct{ what, request, statuses string }{
		{"pipelined", get("/api/v1/status") + get("/livez"), "200 200 200"},
		{"OPTIONS *", "OPTIONS * HTTP/1.1\r\n" + host + "\r\n", "404 200"},
		{"OPTIONS * of another host", "OPTIONS * HTTP/1.1\r\nHost: evil.example\r\n\r\n", "403 200"},
		{"an absolute target of another host", "GET http://evil.example/api/v1/status HTTP/1.1\r\n" + host + "\r\n", "403 200"},
		{"an absolute target", "GET http://localhost/api/v1/status HTTP/1.1\r\n" + host + "\r\n", "200 200"},
		{"CONNECT", "CONNECT localhost:80 HTTP/1.1\r\n" + host + "\r\n", "404 200"},
		{"TRACE", "TRACE /api/v1/status HTTP/1.1\r\n" + host + "\r\n", "405 200"},
		{"a method in small letters", "get /api/v1/status HTTP/1.1\r\n" + host + "\r\n", "405 200"},
		{"two slashes", get("//api/v1/status"), "404 200"},
		{"two slashes within", get("/api//v1/status"), "404 200"},
		{"a slash at the end", get("/api/v1/status/"), "404 200"},
		{"a way up", get("/livez/../api/v1/status"), "404 200"},
		{"escaped slashes", get("/api%2Fv1%2Fstatus"), "404 200"},
		{"an escaped letter", get("/api/v1/%73tatus"), "404 200"},
		{"a fragment", get("/api/v1/status#x"), "404 200"},
		{"no host", "GET /api/v1/status HTTP/1.1\r\n\r\n", "400"},
		{"two hosts", "GET /api/v1/status HTTP/1.1\r\n" + host + "Host: evil.example\r\n\r\n", "400"},
		{"two credentials", "GET /api/v1/status HTTP/1.1\r\n" + host + "Authorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n", "400 200"},
		{"two lengths", post(kind+length+"Content-Length: 2\r\n", signal), "400"},
		{"the same length twice", post(kind+length+length, signal), "200 200"},
		{"a length and chunks", post(kind+"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", chunked), "200 200"},
		{"another encoding", post(kind+"Transfer-Encoding: gzip, chunked\r\n", chunked), "501"},
		{"a space before the colon", post(kind+"Transfer-Encoding : chunked\r\n", chunked), "400"},
		{"a broken chunk", post(kind+"Transfer-Encoding: chunked\r\n", "-1\r\n"), "400"},
		{"chunks in HTTP/1.0", strings.Replace(post(kind+"Connection: keep-alive\r\nTransfer-Encoding: chunked\r\n", get("/api/v1/status")), "HTTP/1.1", "HTTP/1.0", 1), "400"},
		{"chunks and a length in HTTP/1.0", strings.Replace(post(kind+length+"Connection: keep-alive\r\nTransfer-Encoding: chunked\r\n", signal+get("/api/v1/status")), "HTTP/1.1", "HTTP/1.0", 1), "200"},
		{"two types", post(kind+"Content-Type: text/plain\r\n"+length, signal), "400 200"},
		{"two encodings", post(kind+"Content-Encoding: identity\r\nContent-Encoding: gzip\r\n"+length, signal), "400 200"},
		{"100-continue", post(kind+length+"Expect: 100-continue\r\n", signal), "100 200 200"},
		{"another expectation", post(kind+length+"Expect: 200-ok\r\n", signal), "417"},
		{"a refused body", post("Content-Type: text/plain\r\n"+length, signal), "415 200"},
		{"a body of a GET", "GET /api/v1/status HTTP/1.1\r\n" + host + kind + length + "\r\n" + signal, "200 200"},
		{"HEAD", "HEAD /api/v1/status HTTP/1.1\r\n" + host + "\r\n", "200 200"},
		{"HEAD of a stream", "HEAD /api/v1/signals/stream HTTP/1.1\r\n" + host + "\r\n", "200 200"},
		{"a long header", "GET /api/v1/status HTTP/1.1\r\n" + host + "X: " + strings.Repeat("a", 80<<10) + "\r\n\r\n", "431"},
		{"an upgrade", "GET /api/v1/status HTTP/1.1\r\n" + host + "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n", "200 200"},
	} {
		statuses, answers := s.exchange(c.request)
		if got := strings.Join(statuses, " "); got != c.statuses {
			t.Errorf("%s: answered %s, want %s\n%.600s", c.what, got, c.statuses, answers)
		}
		if n := strings.Count(answers, "\nX-Request-Id: "); n != len(statuses)-strings.Count(c.statuses, "100") {
			t.Errorf("%s: %d of the answers have an id\n%.600s", c.what, n, answers)
		}
	}
	for _, line := range []string{`"method":"OPTIONS","route":"unmatched","status":404`, `"method":"HEAD","route":"/api/v1/status","status":200`} {
		if !strings.Contains(s.log.String(), line) {
			t.Errorf("the log has no %s", line)
		}
	}
}

// A request that is too broken to be for anybody is still one of its address.
func TestBrokenRequestsCount(t *testing.T) {
	t.Parallel()
	s := newServer(t, sqliteEngine, func(d *server.Deps) {
		d.Config.Limits = server.Limits{PerAddress: 3, Window: time.Minute}
	})
	var got []int
	for _, r := range []response{
		s.ask("GET", "/api/v1/neurons?limit=1;x", ""),
		s.ask("POST", "/api/v1/signal", "{}", "Content-Type", "text/plain"),
		s.ask("GET", "/api/v1/neurons?limit=1&limit=2", ""),
		s.ask("GET", "/api/v1/neurons?limit=1&limit=2", ""),
		s.ask("GET", "/api/v1/neurons", ""),
		s.ask("GET", "/livez?a=1&a=2", ""),
	} {
		got = append(got, r.status)
	}
	if want := []int{422, 415, 422, 429, 429, 422}; !slices.Equal(got, want) {
		t.Errorf("answered %v, want %v", got, want)
	}
}

// Who need not say who he is cannot make the server hold much.
func TestStrangersBodiesAreShort(t *testing.T) {
	t.Parallel()
	s := serve(t)
	const limit, body = 64 << 10, `{"username":"nobody","password":"x"}`
	for _, path := range []string{"/api/v1/auth/login", "/api/v1/auth/register", "/api/v1/auth/refresh"} {
		for n, want := range map[int]string{limit: "4", limit + 1: "413"} {
			text := body + strings.Repeat(" ", n-len(body))
			head := "POST " + path + " HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
			for _, request := range []string{
				head + fmt.Sprintf("Content-Length: %d\r\n\r\n", n) + text,
				head + fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", n, text),
			} {
				if got, answers := s.exchange(request); !strings.HasPrefix(got[0], want) || n == limit && got[0] == "413" {
					t.Errorf("%s with %d bytes: %s\n%.300s", path, n, got[0], answers)
				}
			}
		}
	}
}
