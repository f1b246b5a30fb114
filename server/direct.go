package server

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"
	"github.com/gin-gonic/gin"
	"github.com/go-json-experiment/json"
	"github.com/google/uuid"
)

// Most requests to the routes that are asked the most are plain: no query, no condition,
// a body with nothing wrong in it. For them huma's way around a handler, by reflection over
// the types of input and output, costs several times what the handler does. Such a
// request is taken here: the same middleware before it, the same handler, the same answer.
// Everything else, and so every fault, is left to huma. TestDirect holds both to each other.

// direct answers a plain request; false says that it did nothing, and huma is to answer.
type direct func(c *gin.Context) bool

// adapter puts huma's operations into the router, behind their direct handlers.
type adapter struct {
	http.Handler

	server *Server
}

// Handle implements huma.Adapter.
func (a adapter) Handle(op *huma.Operation, handler func(huma.Context)) {
	answer := a.server.direct[op.OperationID]
	a.server.router.Handle(op.Method, ginPath(op.Path), func(c *gin.Context) {
		if answer == nil || !answer(c) {
			handler(humagin.NewContext(op, c))
		}
	})
}

// ginPath writes a path of OpenAPI as gin does.
func ginPath(path string) string {
	return strings.ReplaceAll(strings.ReplaceAll(path, "{", ":"), "}", "")
}

// directAnswer is an output that can be written without huma.
type directAnswer interface {
	writeDirect(c *gin.Context, s *Server) error
}

// newDirect makes the direct handler of an operation. fill reads the input; false says
// that it is not plain.
func newDirect[I, O any](s *Server, op *operation, at places, fill func(*gin.Context, *I) bool, handler func(context.Context, *I) (*O, error)) direct {
	hasBody, writes := op.hasBody(), isWrite(op.method)
	return func(c *gin.Context) bool {
		if !plainRequest(c.Request) {
			return false
		}
		if hasBody && !s.plainBody(c) {
			return c.IsAborted()
		}
		var in I
		if !fill(c, &in) {
			return false
		}
		ctx := withTimeout(c.Request.Context(), s.timeLeft(c.Request.Context()))
		defer ctx.end()
		out, err := handler(ctx, &in)
		s.noteWrites(ctx, err == nil && writes)
		if err != nil {
			s.failAt(ctx, err, at).abort(c)
			return true
		}
		// What is left to fail is the client's connection, as in huma.
		_ = any(out).(directAnswer).writeDirect(c, s) //nolint:forcetypeassert // the operation would not have it otherwise
		return true
	}
}

// plainRequest tells whether a request has nothing that an operation may have to look at
// besides its path and body.
func plainRequest(r *http.Request) bool {
	if r.URL.RawQuery != "" {
		return false
	}
	if accept := r.Header["Accept"]; len(accept) > 1 || len(accept) == 1 && accept[0] != "*/*" && accept[0] != typeJSON {
		return false
	}
	for _, name := range [...]string{headerIdempotencyKey, headerIfNoneMatch, headerIfMatch} {
		if _, ok := r.Header[name]; ok {
			return false
		}
	}
	return true
}

// plainBody reads a body of plain JSON into memory; it answers by itself where it cannot
// be read.
func (s *Server) plainBody(c *gin.Context) bool {
	r := c.Request
	if kind := r.Header["Content-Type"]; r.ContentLength <= 0 || len(kind) != 1 || kind[0] != typeJSON {
		return false
	}
	if !s.bodyInMemory(c) {
		return false
	}
	// huma takes the connection's read deadline away, which would cancel the work: it is
	// not needed as long as the work ends before.
	info, ok := r.Context().Value(requestInfoKey{}).(*requestInfo)
	return ok && time.Since(info.begun) < s.cfg.ReadTimeout-s.cfg.ReadHeaderTimeout-s.cfg.RequestTimeout
}

func (a *answer[T]) writeDirect(c *gin.Context, s *Server) error {
	h := c.Writer.Header()
	if a.Location != "" {
		h["Location"] = []string{a.Location}
	}
	if a.ETag != "" {
		h["Etag"] = []string{a.ETag}
	}
	switch a.CacheControl {
	case "":
	case keepAsking:
		h["Cache-Control"] = s.shared.keepAsking
	default:
		h["Cache-Control"] = []string{a.CacheControl}
	}
	body := a.Body.encoded
	if body == nil {
		var err error
		if body, err = marshalAnswer(a.Body); err != nil {
			return err
		}
	}
	return s.writeJSON(c, a.Status, body)
}

func (a *pageAnswer[T]) writeDirect(c *gin.Context, s *Server) error {
	body := a.Body.encoded
	if body == nil {
		var err error
		if body, err = marshalAnswer(a.Body); err != nil {
			return err
		}
	}
	return s.writeJSON(c, http.StatusOK, body)
}

func (s *Server) writeJSON(c *gin.Context, status int, body []byte) error {
	c.Writer.Header()["Content-Type"] = s.shared.json
	c.Status(status)
	sayLength(c.Writer, len(body))
	_, err := c.Writer.Write(body)
	return err //nolint:wrapcheck // the client's connection
}

// sayLength keeps net/http from sending a long answer in chunks. Of a short one it finds
// out the length by itself.
func sayLength(w http.ResponseWriter, length int) {
	const short = 2048
	if length >= short {
		w.Header()["Content-Length"] = []string{strconv.Itoa(length)}
	}
}

// fillNothing is for operations without input.
func fillNothing(*gin.Context, *struct{}) bool { return true }

func (p *NeuronPath) fill(c *gin.Context) bool {
	p.ID = c.Param("id")
	return p.ID != "" && len(p.ID) <= maxName
}

func (p *UUIDPath) fill(c *gin.Context) bool {
	p.ID = c.Param("id")
	return len(p.ID) == len(uuid.Nil.String()) && uuid.Validate(p.ID) == nil
}

// decodePlain fills v from the body, if that is JSON without any fault that the decoder
// tells; what the schema says of values is the caller's to check. Whatever it
// does not take decodeValue looks at, and says what is wrong.
func decodePlain(r *http.Request, v any) bool {
	body, ok := r.Body.(*memoryBody)
	return ok && json.Unmarshal(body.Bytes(), v, json.RejectUnknownMembers(true)) == nil
}

// plainText tells whether a text may be stored, and has 1 to most bytes.
func plainText(s string, most int) bool {
	return s != "" && len(s) <= most && strings.IndexByte(s, 0) < 0
}
