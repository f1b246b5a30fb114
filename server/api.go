package server

import (
	"context"
	"net/http"
	"reflect"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gin-gonic/gin"
)

// Tags group the operations in the document.
const (
	tagNeurons  = "Neurons"
	tagSignals  = "Signals"
	tagMemories = "Memories"
	tagStatus   = "Status"
	tagProbes   = "Health"
	tagAccounts = "Accounts"
	tagAdmin    = "Administration"
)

// envelope is what every successful answer of the API looks like.
type envelope[T any] struct {
	Success bool    `json:"success" doc:"Always true; a failure is a problem document." example:"true"`
	Data    T       `json:"data"`
	Error   nothing `json:"error"`

	// encoded is the JSON of it all, if that is known already.
	encoded []byte
}

func (e envelope[T]) encodedJSON() []byte { return e.encoded }

// pageEnvelope is an envelope around one page of a list.
type pageEnvelope[T any] struct {
	Success    bool    `json:"success" doc:"Always true; a failure is a problem document." example:"true"`
	Data       []T     `json:"data" nullable:"false"`
	NextCursor *string `json:"next_cursor" doc:"Where the next page begins: give it as cursor. Null at the end of the list." nullable:"true"`
	Error      nothing `json:"error"`

	encoded []byte // as in envelope
}

func (e pageEnvelope[T]) encodedJSON() []byte { return e.encoded }

// nothing is null.
type nothing struct{}

// Schema implements huma.SchemaProvider.
func (nothing) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: "null", Description: "Always null."}
}

// MarshalJSON writes null.
func (nothing) MarshalJSON() ([]byte, error) { return []byte("null"), nil }

// answer is the output of an operation with one thing.
type answer[T any] struct {
	Status   int
	Location string `header:"Location" hidden:"true"`
	// ETag and CacheControl are for things that clients may keep: see etag.go.
	ETag         string `header:"ETag" hidden:"true"`
	CacheControl string `header:"Cache-Control" hidden:"true"`
	Body         envelope[T]
}

// pageAnswer is the output of an operation with a list.
type pageAnswer[T any] struct {
	Body pageEnvelope[T]
}

// ok answers 200 with data.
func ok[T any](data T) *answer[T] {
	return &answer[T]{Status: http.StatusOK, Body: envelope[T]{Success: true, Data: data}}
}

// created answers 201 with the new thing and its address.
func created[T any](data T, location string) *answer[T] {
	return &answer[T]{Status: http.StatusCreated, Location: location, Body: envelope[T]{Success: true, Data: data}}
}

// page answers with the rows of a list, of which one more than limit was read to
// learn whether there are more; cursor makes the cursor behind a row.
func page[R, T any](rows []R, limit int, convert func(R) T, cursor func(R) string) *pageAnswer[T] {
	var next *string
	if len(rows) > limit {
		rows = rows[:limit]
		c := cursor(rows[limit-1])
		next = &c
	}
	data := make([]T, len(rows))
	for i := range rows {
		data[i] = convert(rows[i])
	}
	return &pageAnswer[T]{Body: pageEnvelope[T]{Success: true, Data: data, NextCursor: next}}
}

// defaultLimit is PageQuery's; a tag takes no constant.
const defaultLimit = 50

// PageQuery is embedded by the inputs of lists; embedded types are exported, since
// huma sees no others.
type PageQuery struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"50" doc:"The most rows in the answer; a page of long texts ends sooner, after 8 MiB of them. Whether there are more next_cursor alone tells."`
	Cursor string `query:"cursor" maxLength:"2048" doc:"The next_cursor of the page before; absent for the first page."`
}

// operation describes one route; register completes it.
type operation struct {
	id      string // entity first, as in NeuronGet
	method  string
	path    string // as OpenAPI writes it: /api/v1/neurons/{id}
	tag     string
	summary string
	// description tells what the summary cannot.
	description string
	// status is the success, 200 if zero.
	status int
	// created says that 201 with Location is another success, or the only one if
	// status says so too.
	created bool
	// accepted says that 202 is another success: it is stored later.
	accepted bool
	// problems are the statuses of failures beyond those of every route.
	problems []int
	// access is who may call. It must be said.
	access access
	// idempotency says what Idempotency-Key does here.
	idempotency idempotency
	// closed, if it is not nil, tells that the handler refuses everybody: then no key is
	// claimed, which would be two writes for whoever asks.
	closed func() bool
	// etag says that the answer bears an ETag, and that a GET may be conditional.
	etag bool
	// replica says that a replica of the database may answer part of it.
	replica bool
	// places tells where in a request a field is that the store calls otherwise, as in
	// layer_to: body.layer.
	places map[string]string
	// noBody says that a POST or PUT takes none.
	noBody bool
	// example of the body of the request.
	example any
	// anyQuery lets parameters pass that the operation does not know: probes
	// are called by machines that add their own.
	anyQuery bool
	// responses are answers that the types do not describe.
	responses map[string]*huma.Response
}

// register adds an operation to the router and to the document. The handler gets
// what the schema of its input accepts; its error is answered by the one table.
func register[I, O any](s *Server, op operation, handler func(context.Context, *I) (*O, error)) {
	registerDirect(s, op, nil, handler)
}

// registerDirect is register for an operation that is asked often: a request whose input
// fill can read is answered without huma.
func registerDirect[I, O any](s *Server, op operation, fill func(*gin.Context, *I) bool, handler func(context.Context, *I) (*O, error)) {
	at := placesOf(reflect.TypeFor[I](), op.places)
	if fill != nil {
		s.direct[op.id] = newDirect(s, &op, at, fill, handler)
	}
	h := huma.Operation{
		OperationID: op.id, Method: op.method, Path: op.path, Tags: []string{op.tag},
		Summary: op.summary, Description: strings.TrimSpace(op.description + " " + op.access.sentence()),
		Security:                     s.securityOf(&op.access),
		DefaultStatus:                op.status,
		RejectUnknownQueryParameters: !op.anyQuery,
		// The body comes from memory: readBody has bounded it and the time it took.
		MaxBodyBytes: s.cfg.MaxBodyBytes + 1, BodyReadTimeout: -1,
		Responses: op.responses,
	}
	if h.Responses == nil {
		h.Responses = map[string]*huma.Response{}
	}
	for _, status := range op.failures() {
		if key := strconv.Itoa(status); h.Responses[key] == nil {
			h.Responses[key] = &huma.Response{Ref: problemRef(status)}
		}
	}
	if op.hasBody() {
		h.Middlewares = append(h.Middlewares, s.readBody)
	}
	h.Middlewares = append(h.Middlewares, s.limitTime)
	if op.takesKey() {
		h.Middlewares = append(h.Middlewares, s.idempotent(&op))
		handler = once(s, &op, handler)
	}
	huma.Register(s.api, h, func(ctx context.Context, in *I) (*O, error) {
		out, err := handler(ctx, in)
		s.noteWrites(ctx, err == nil && isWrite(op.method))
		if err != nil {
			return nil, s.failAt(ctx, err, at)
		}
		return out, nil
	})
	s.finishOperation(&op)
	s.declare(op.method, ginPath(op.path), op.access)
}

func (op *operation) hasBody() bool {
	return !op.noBody && (op.method == http.MethodPost || op.method == http.MethodPut || op.method == http.MethodPatch)
}

// failures are the statuses of the problems that an operation may answer.
func (op *operation) failures() []int {
	statuses := append([]int{http.StatusBadRequest, http.StatusForbidden, http.StatusUnprocessableEntity, http.StatusInternalServerError}, op.problems...)
	if op.hasBody() {
		statuses = append(statuses, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType)
	}
	if op.access.kind != accessPublic {
		statuses = append(statuses, http.StatusUnauthorized)
	}
	if !op.access.probe {
		statuses = append(statuses, http.StatusTooManyRequests)
	}
	if !op.anyQuery {
		statuses = append(statuses, http.StatusServiceUnavailable, http.StatusGatewayTimeout)
	}
	if op.takesKey() {
		statuses = append(statuses, http.StatusConflict)
	}
	return statuses
}
