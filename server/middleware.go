package server

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gin-gonic/gin"
)

const headerRequestID = "X-Request-Id"

// observe gives the request its id, finds out where it comes from, and counts, times and logs it. It stands around
// everything else, so that refusals are seen too.
func (s *Server) observe(c *gin.Context) {
	begin := time.Now()
	access := s.access[routeKey{c.Request.Method, c.FullPath()}]
	lane := s.laneOf(access)
	if lane != nil {
		if !lane.enter(c.Request.Context(), begin) {
			s.shed(c.Writer, c.Request, c.FullPath(), lane, begin)
			c.Abort()
			return
		}
		defer lane.leave()
	}
	id := requestIDOf(c.Request)
	ctx := &requestContext{
		Context: c.Request.Context(), header: [1]string{id},
		info: requestInfo{id: id, server: s, request: c.Request, userAgent: c.Request.UserAgent(), begun: begin, access: access, lane: lane},
	}
	c.Writer.Header()[headerRequestID] = ctx.header[:]
	c.Request = c.Request.WithContext(ctx)
	defer func() {
		took := time.Since(begin)
		status := c.Writer.Status()
		s.http.observe(c.Request.Method, c.FullPath(), status, took)
		s.logAccess(c, &ctx.info, status, took)
	}()
	c.Next()
}

// logAccess writes one line for a sample of the requests, and for each that failed
// by the server's fault. It names the route and not the path: what clients put into
// paths and queries is not for logs.
func (s *Server) logAccess(c *gin.Context, info *requestInfo, status int, took time.Duration) {
	level := slog.LevelInfo
	switch {
	case status == http.StatusInternalServerError:
		level = slog.LevelError
	case status > http.StatusInternalServerError:
		level = slog.LevelWarn // not now, or not in time
	case !s.sampled():
		return
	}
	ctx := c.Request.Context()
	if !s.log.Enabled(ctx, level) {
		return
	}
	method := methodLabel(c.Request.Method)
	if isHead(ctx) {
		method = http.MethodHead
	}
	s.log.LogAttrs(ctx, level, "request",
		slog.String("request_id", info.id),
		slog.String("method", method),
		slog.String("route", routeLabel(c.FullPath())),
		slog.Int("status", status),
		slog.Int("bytes", max(0, c.Writer.Size())),
		slog.Float64("took_ms", float64(took.Microseconds())/1000),
		slog.String("remote", c.Request.RemoteAddr),
		slog.String("client", clientOf(ctx).IP),
	)
}

// sampled tells whether a request is of the sample that is logged.
func (s *Server) sampled() bool {
	return s.cfg.AccessSample >= 1 || rand.Float64() < s.cfg.AccessSample //nolint:gosec // a sample, not a secret
}

// requestIDOf is the id that a client gave its request, or a new one.
func requestIDOf(r *http.Request) string {
	id := r.Header.Get(headerRequestID) //nolint:canonicalheader // so it is written in the contract, and so Go canonicalises it
	if !saneRequestID(id) {
		return newRequestID()
	}
	return id
}

// saneRequestID tells whether a client's id can stand in a header and a log line.
func saneRequestID(id string) bool {
	if id == "" || len(id) > 64 {
		return false
	}
	for i := range len(id) {
		switch b := id[i]; {
		case b >= '0' && b <= '9', b >= 'a' && b <= 'z', b >= 'A' && b <= 'Z', b == '-', b == '_', b == '.', b == ':':
		default:
			return false
		}
	}
	return true
}

// newRequestID is 16 hexadecimal digits: ids of requests are for finding lines in
// logs, not secrets.
func newRequestID() string {
	var raw [8]byte
	binary.BigEndian.PutUint64(raw[:], rand.Uint64()) //nolint:gosec // not a secret
	return hex.EncodeToString(raw[:])
}

// recover answers a panic with 500. The log gets the place and, of the panic's
// value, only what the runtime itself says: any other may hold what a client sent.
func (s *Server) recover(c *gin.Context) {
	defer func() {
		value := recover()
		if value == nil {
			return
		}
		if value == http.ErrAbortHandler { //nolint:errorlint // net/http compares it likewise
			panic(value)
		}
		what := fmt.Sprintf("value of type %T", value)
		if err, ok := value.(runtime.Error); ok {
			what = err.Error()
		}
		ctx := c.Request.Context()
		s.log.LogAttrs(ctx, slog.LevelError, "panic",
			slog.String("request_id", requestID(ctx)),
			slog.String("route", routeLabel(c.FullPath())),
			slog.String("panic", what),
			slog.String("stack", string(debug.Stack())))
		if c.Writer.Written() {
			panic(http.ErrAbortHandler) // half an answer: let the client see that it broke
		}
		internalProblem().abort(c)
	}()
	c.Next()
}

// secure sets the headers that keep browsers from misreading or showing answers
// elsewhere. Pages set a policy of their own.
func (s *Server) secure(c *gin.Context) {
	h := c.Writer.Header()
	for i := range s.secureHeaders {
		// Shared by all answers: Set replaces a value as a whole, and Add finds no room
		// to write into and copies.
		h[s.secureHeaders[i].name] = s.secureHeaders[i].value
	}
	if s.hsts != "" && c.Request.TLS != nil && !loopbackHost(c.Request.Host) {
		h["Strict-Transport-Security"] = []string{s.hsts}
	}
	c.Next()
}

// sharedHeader is a header that all answers have, with one value made beforehand: six
// of them would otherwise be a good part of what a request allocates.
type sharedHeader struct {
	name  string
	value []string
}

// sharedValues are values of headers that many answers have, for the same reason.
type sharedValues struct{ json, keepAsking []string }

func newSharedValues() sharedValues {
	return sharedValues{json: []string{typeJSON}, keepAsking: []string{keepAsking}}
}

func secureHeaders() []sharedHeader {
	return []sharedHeader{
		{"X-Content-Type-Options", []string{"nosniff"}},
		{"X-Frame-Options", []string{"DENY"}},
		{"Referrer-Policy", []string{"no-referrer"}},
		{"Cross-Origin-Resource-Policy", []string{"same-origin"}},
		{"Content-Security-Policy", []string{"default-src 'none'; frame-ancestors 'none'"}},
		{"Cache-Control", []string{"no-store"}},
	}
}

// limitTime gives the work on a request its deadline. It stands behind readBody: a
// client that sends slowly uses up its own time, not that of the work.
func (s *Server) limitTime(ctx huma.Context, next func(huma.Context)) {
	limited := withTimeout(ctx.Context(), s.timeLeft(ctx.Context()))
	defer limited.end()
	next(huma.WithContext(ctx, limited))
}

// timeLeft is what of server.request_timeout is left for the work on a request.
func (s *Server) timeLeft(ctx context.Context) time.Duration {
	if info := infoOf(ctx); info != nil {
		return s.cfg.RequestTimeout - info.spent
	}
	return s.cfg.RequestTimeout
}

func (s *Server) noRoute(c *gin.Context) {
	newProblem(http.StatusNotFound, "there is no such route; /docs lists them all, /console shows the service").abort(c)
}

// noMethod: gin has set Allow.
func (s *Server) noMethod(c *gin.Context) {
	allow := c.Writer.Header().Get("Allow")
	newProblem(http.StatusMethodNotAllowed, "this route does not know the method; it takes "+allow).abort(c)
}
