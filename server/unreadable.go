package server

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/VictoriaMetrics/metrics"
)

// What cannot be read as a request of HTTP/1 net/http answers itself, straight into the
// connection: a line of text that no handler sees, without an id, uncounted. But the
// connection is ours, and on it nothing is said while no request is with the handler, other
// than that. There it becomes an answer like all others. Decision 40 has the rest.

// unreadable counts what could not be read as a request.
type unreadable struct {
	set        *metrics.Set
	incomplete *metrics.Counter
	handshakes *metrics.Counter // nil without TLS
}

func newUnreadable(set *metrics.Set, secured bool) *unreadable {
	u := &unreadable{set: set, incomplete: set.NewCounter("hal9_http_incomplete_total")}
	if secured {
		u.handshakes = set.NewCounter("hal9_tls_handshake_failures_total")
	}
	u.answered(http.StatusBadRequest)
	return u
}

// answered is the count of those that were answered with a status.
func (u *unreadable) answered(status int) *metrics.Counter {
	return u.set.GetOrCreateCounter(fmt.Sprintf(`hal9_http_unreadable_total{status="%d"}`, status))
}

// refusal is the answer in place of what net/http would say on a connection; nil if that is
// none of its refusals. It counts and logs it.
func (s *Server) refusal(conn net.Conn, said []byte) []byte {
	p := problemOfRefusal(said)
	if p == nil {
		return nil
	}
	return s.refuseUnreadable(conn, p)
}

// problemOfRefusal reads what net/http says: a status line, to whose text it adds what was
// wrong in some cases, its own words for all of them.
func problemOfRefusal(said []byte) *problem {
	if !bytes.HasPrefix(said, []byte("HTTP/1.1 ")) {
		return nil // of TLS, or nothing that begins an answer
	}
	line, _, _ := bytes.Cut(said[len("HTTP/1.1 "):], []byte("\r\n"))
	code, text, _ := strings.Cut(string(line), " ")
	status, err := strconv.Atoi(code)
	if err != nil {
		status = 0
	}
	if status < http.StatusBadRequest {
		return nil
	}
	switch status {
	case http.StatusBadRequest:
		detail := "this is no request as HTTP/1.1 writes it"
		if _, why, found := strings.Cut(text, ": "); found {
			detail += ": " + why
		}
		return newProblem(status, detail+"; mend what sends it")
	case http.StatusExpectationFailed:
		return newProblem(status, "", problemField{"header.Expect", "must be 100-continue, or be left out"})
	case http.StatusRequestHeaderFieldsTooLarge:
		return newProblem(status, fmt.Sprintf("the request's line and headers take more than %d KiB; send less of them", maxHeaderBytes>>10))
	case http.StatusNotImplemented:
		return newProblem(status, "", problemField{"header.Transfer-Encoding", "must be chunked, or be left out"})
	case http.StatusHTTPVersionNotSupported:
		return newProblem(status, "this server speaks HTTP/1.1, and HTTP/2 over TLS")
	default:
		return newProblem(status, http.StatusText(status))
	}
}

// refuseUnreadable makes an answer after which the connection closes, and counts and logs it.
func (s *Server) refuseUnreadable(conn net.Conn, p *problem) []byte {
	id := newRequestID()
	body, err := marshalAnswer(p)
	if err != nil { // nothing in a problem can fail to be written
		body = nil
	}
	var b bytes.Buffer
	_, _ = fmt.Fprintf(&b, "HTTP/1.1 %d %s\r\n", p.Status, http.StatusText(p.Status))
	h := http.Header{
		"Connection": {"close"}, "Content-Length": {strconv.Itoa(len(body))}, "Content-Type": {typeProblem},
		"Date": {time.Now().UTC().Format(http.TimeFormat)}, headerRequestID: {id},
	}
	for i := range s.secureHeaders {
		h[s.secureHeaders[i].name] = s.secureHeaders[i].value
	}
	_ = h.Write(&b) // into memory
	b.WriteString("\r\n")
	b.Write(body)
	s.unreadable.answered(p.Status).Inc()
	s.http.count(p.Status)
	s.logUnreadable(conn, id, p.Status, len(body))
	return b.Bytes()
}

// logUnreadable writes the line that other requests have from logAccess.
func (s *Server) logUnreadable(conn net.Conn, id string, status, size int) {
	if !s.sampled() {
		return
	}
	remote, client := conn.RemoteAddr().String(), ""
	if at, err := netip.ParseAddrPort(remote); err == nil {
		client = at.Addr().Unmap().WithZone("").String()
	}
	s.log.LogAttrs(context.Background(), slog.LevelInfo, "request",
		slog.String("request_id", id),
		slog.String("method", otherMethod),
		slog.String("route", unmatched),
		slog.Int("status", status),
		slog.Int("bytes", size),
		slog.Float64("took_ms", 0),
		slog.String("remote", remote),
		slog.String("client", client),
	)
}

// taken says that a request was read: what is said on the connection from now on is the
// handler's, until it is answered.
func taken(ctx context.Context) {
	if c := watchedConn(connOf(ctx)); c != nil {
		c.taken.Store(true)
	}
}

// noteState is a http.Server's ConnState. Connections of HTTP/2 carry several requests at
// once: of them it knows nothing.
func (s *Server) noteState(conn net.Conn, state http.ConnState) {
	var c *deadlineConn
	switch conn := conn.(type) {
	case *deadlineConn:
		c = conn
	case *securedConn:
		c = conn.watched
	default:
		return
	}
	switch state {
	case http.StateActive:
		c.begun.Store(true)
	case http.StateIdle:
		c.begun.Store(false)
		c.taken.Store(false)
	case http.StateClosed:
		if c.begun.Load() && !c.taken.Load() && !c.refused.Load() && s.ready.Load() {
			s.unreadable.incomplete.Inc()
		}
	default:
	}
}

// Write implements net.Conn.
func (c *deadlineConn) Write(p []byte) (int, error) {
	if !c.taken.Load() && c.watch.refuse != nil {
		if answer := c.refusal(c, p); answer != nil {
			return writeInstead(c.Conn, answer, len(p))
		}
	}
	return c.Conn.Write(p) //nolint:wrapcheck // it stands for the connection
}

// refusal is the answer in place of what is said on a connection while no request is with
// the handler, nil to let it pass.
func (c *deadlineConn) refusal(on net.Conn, said []byte) []byte {
	answer := c.watch.refuse(on, said)
	if answer != nil {
		c.refused.Store(true)
	}
	return answer
}

// writeInstead writes an answer in place of one that is n bytes long.
func writeInstead(c net.Conn, answer []byte, n int) (int, error) {
	if _, err := c.Write(answer); err != nil {
		return 0, err //nolint:wrapcheck // it stands for the connection
	}
	return n, nil
}
