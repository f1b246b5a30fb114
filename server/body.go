package server

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"
	"github.com/gin-gonic/gin"
)

func unwrap(ctx huma.Context) *gin.Context { return humagin.Unwrap(ctx) }

// memoryBody is a body that is in memory whole.
type memoryBody struct{ bytes.Buffer }

func newMemoryBody(b []byte) *memoryBody { return &memoryBody{*bytes.NewBuffer(b)} }

// Close implements io.Closer.
func (*memoryBody) Close() error { return nil }

// readBody reads the body into memory before huma does, which would answer a
// client's broken transfer with 500.
func (s *Server) readBody(ctx huma.Context, next func(huma.Context)) {
	if s.bodyInMemory(unwrap(ctx)) {
		next(ctx)
	}
}

// bodyInMemory reads the body into memory, or answers why it cannot be read.
func (s *Server) bodyInMemory(c *gin.Context) bool {
	if c.Request.Body == nil || c.Request.ContentLength == 0 {
		return true
	}
	if _, ok := c.Request.Body.(*memoryBody); ok {
		return true
	}
	if encoding := c.Request.Header.Get("Content-Encoding"); encoding != "" && !strings.EqualFold(encoding, "identity") {
		newProblem(http.StatusUnsupportedMediaType, "this route takes no compressed bodies: send it without Content-Encoding, or signals to "+bulkPath).
			with("Accept-Encoding", "identity").abort(c)
		return false
	}
	limit := s.bodyLimit(c.Request)
	if c.Request.ContentLength > limit {
		s.tooLarge(limit).abort(c)
		return false
	}
	body := &memoryBody{}
	if n := c.Request.ContentLength; n > 0 {
		body.Grow(int(min(n, 64<<10)) + bytes.MinRead)
	}
	// A client that sends slowly takes no place from others meanwhile.
	lane := infoOf(c.Request.Context()).lane
	if lane != nil {
		lane.pause()
	}
	n, err := body.ReadFrom(io.LimitReader(c.Request.Body, limit+1))
	room := lane == nil || lane.resume()
	switch {
	case n > limit:
		s.tooLarge(limit).abort(c)
		return false
	case err != nil:
		brokenBody(err).abort(c)
		return false
	case !room:
		lane.refused.Inc()
		tooManyUnderWay().with("Retry-After", s.retryAfter(c.Request, lane)).abort(c)
		return false
	}
	c.Request.Body = body
	return true
}

// maxStrangersBody bounds the body of who need not say who he is: a name, an address and a
// password, with every character escaped. Nobody knows how many such there are.
const maxStrangersBody = 64 << 10

func (s *Server) bodyLimit(r *http.Request) int64 {
	if infoOf(r.Context()).access.kind == accessPublic {
		return min(s.cfg.MaxBodyBytes, maxStrangersBody)
	}
	return s.cfg.MaxBodyBytes
}

func (s *Server) tooLarge(limit int64) *problem {
	mend := ""
	if limit == s.cfg.MaxBodyBytes {
		mend = ", or raise server.max_body_bytes"
	}
	return newProblem(http.StatusRequestEntityTooLarge, fmt.Sprintf("the body is larger than %d bytes; send less at once%s", limit, mend)).
		// What is left of the body is not read, so that the connection is of no use.
		with("Connection", "close")
}

func brokenBody(err error) *problem {
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return newProblem(http.StatusRequestTimeout, "the body did not come in time").with("Connection", "close")
	}
	return newProblem(http.StatusBadRequest, "the body could not be read to its end; send it whole").with("Connection", "close")
}
