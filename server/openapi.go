package server

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strconv"

	"github.com/danielgtaylor/huma/v2"
)

// problemStatuses are all failures that some route may answer.
func problemStatuses() []int {
	return []int{
		http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound,
		http.StatusConflict, http.StatusPreconditionFailed, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType,
		http.StatusUnprocessableEntity, http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusServiceUnavailable,
		http.StatusGatewayTimeout,
	}
}

func problemRef(status int) string {
	return "#/components/responses/Problem" + strconv.Itoa(status)
}

// apiConfig is the document without its operations, and the codec.
func (s *Server) apiConfig() huma.Config {
	format := jsonFormat(s.cfg.MaxJSONDepth)
	return huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{
				Title:   "HAL9 data service",
				Version: s.build.Version,
				Description: "Signals, neurons and memories of HAL9, kept in PostgreSQL or SQLite.\n\n" +
					"Successful answers under /api/v1 carry `success`, `data` and `error` (null); lists carry `next_cursor` as well. " +
					"Failures are problem documents (RFC 9457) that carry `success` (false) and `error` too. " +
					"Every answer has an `X-Request-Id`, the client's own if it sent a sane one.\n\n" +
					"What cannot be read as a request of HTTP/1.1 is answered likewise, with an id of the server's, and the connection closes: " +
					"400 malformed, 417 an `Expect` other than 100-continue, 431 a line and headers above 64 KiB, 501 a `Transfer-Encoding` other than chunked, 505 another version. " +
					"Over HTTP/2 such a stream is reset.\n\n" +
					"Credentials are sent as `Authorization: Bearer` or `X-API-Key`; one that is shown to a route that looks at it must be good.",
				License: &huma.License{Name: "Apache-2.0", Identifier: "Apache-2.0"},
			},
			Servers: []*huma.Server{{URL: "/", Description: "This server"}},
			Tags: []*huma.Tag{
				{Name: tagSignals, Description: "What neurons send to each other."},
				{Name: tagNeurons, Description: "Who sends and is sent signals."},
				{Name: tagMemories, Description: "What neurons keep, found by full text."},
				{Name: tagAccounts, Description: "Registering, logging in, and what belongs to one's own account: sessions and API keys."},
				{Name: tagAdmin, Description: "Users, their sessions and keys, and the log of privileged acts."},
				{Name: tagStatus, Description: "What the service does at the moment."},
				{Name: tagProbes, Description: "For balancers, orchestrators and monitoring."},
			},
			Components: &huma.Components{
				Schemas:         huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer),
				Responses:       map[string]*huma.Response{},
				SecuritySchemes: securitySchemes(),
			},
		},
		Formats:       map[string]huma.Format{typeJSON: format, "json": format},
		DefaultFormat: typeJSON,
		Transformers:  []huma.Transformer{transformProblem},
	}
}

// finishOperation sets in the document what depends on the configuration or on
// what huma derived from the types.
func (s *Server) finishOperation(op *operation) {
	item := s.api.OpenAPI().Paths[op.path]
	doc := map[string]*huma.Operation{
		http.MethodGet: item.Get, http.MethodPost: item.Post, http.MethodPut: item.Put, http.MethodPatch: item.Patch, http.MethodDelete: item.Delete,
	}[op.method]
	for _, p := range doc.Parameters {
		if p.Name == "limit" && p.In == "query" {
			most := float64(s.cfg.MaxPage)
			p.Schema.Maximum = &most
			p.Schema.PrecomputeMessages()
		}
	}
	if op.created {
		answer := doc.Responses["200"]
		if op.status == http.StatusCreated {
			answer = doc.Responses["201"]
		}
		doc.Responses["201"] = &huma.Response{
			Description: "Created",
			Headers: map[string]*huma.Header{"Location": {
				Description: "The address of the new thing.", Schema: &huma.Schema{Type: huma.TypeString, Format: "uri-reference"},
			}},
			Content: answer.Content,
		}
	}
	describeHeaders(op, doc)
	if op.accepted {
		doc.Responses["202"] = &huma.Response{Description: "Accepted, and stored a moment later", Content: doc.Responses["200"].Content}
	}
	if op.example != nil && doc.RequestBody != nil {
		doc.RequestBody.Content[typeJSON].Example = op.example
	}
}

// finishDocument completes the document, which is written when the first asks for it.
func (s *Server) finishDocument() {
	doc := s.api.OpenAPI()
	for _, status := range problemStatuses() {
		doc.Components.Responses["Problem"+strconv.Itoa(status)] = s.problemResponse(status)
	}
	// huma registers its own error type; ours replaces it everywhere.
	schemas := doc.Components.Schemas.Map()
	delete(schemas, "ErrorModel")
	delete(schemas, "ErrorDetail")
	used := s.usedTags()
	doc.Tags = slices.DeleteFunc(doc.Tags, func(t *huma.Tag) bool { return !used[t.Name] })

	s.document = contentOf(func() ([]byte, error) {
		body, err := json.Marshal(doc)
		if err != nil {
			return nil, fmt.Errorf("write the OpenAPI document: %w", err)
		}
		return body, nil
	})
}

func (s *Server) problemResponse(status int) *huma.Response {
	r := &huma.Response{
		Description: http.StatusText(status),
		Content: map[string]*huma.MediaType{typeProblem: {
			Schema:  s.problemSchema(),
			Example: exampleProblem(status),
		}},
	}
	if status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests {
		r.Headers = map[string]*huma.Header{"Retry-After": {
			Description: "Seconds after which to try again.", Schema: &huma.Schema{Type: huma.TypeInteger},
		}}
	}
	if status == http.StatusUnauthorized {
		r.Headers = map[string]*huma.Header{"WWW-Authenticate": {
			Description: "The challenge (RFC 6750).", Schema: &huma.Schema{Type: huma.TypeString},
		}}
	}
	return r
}

// usedTags are the tags that some operation bears.
func (s *Server) usedTags() map[string]bool {
	used := map[string]bool{}
	for _, item := range s.api.OpenAPI().Paths {
		for _, op := range []*huma.Operation{item.Get, item.Post, item.Put, item.Patch, item.Delete} {
			if op == nil {
				continue
			}
			for _, tag := range op.Tags {
				used[tag] = true
			}
		}
	}
	return used
}

func (s *Server) problemSchema() *huma.Schema {
	return s.api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[problem](), true, "Problem")
}

// exampleProblem is what a client may read with this status.
func exampleProblem(status int) any {
	details := map[int]string{
		http.StatusBadRequest:            "body: invalid JSON: the text ends too early",
		http.StatusUnauthorized:          "the credential is unknown, expired or revoked; log in again, or send another API key",
		http.StatusForbidden:             "this needs the scope SendSignal",
		http.StatusTooManyRequests:       "too many requests; send fewer, and this one again after the time that Retry-After tells",
		http.StatusNotFound:              "neuron: not found",
		http.StatusConflict:              "neuron.id: already exists",
		http.StatusPreconditionFailed:    "header.If-Match: the neuron has changed since: read it again, and send the new ETag",
		http.StatusRequestEntityTooLarge: "the body is larger than 16777216 bytes; send less at once, or raise server.max_body_bytes",
		http.StatusUnsupportedMediaType:  "the body's Content-Type must be application/json, or application/x-ndjson for streams",
		http.StatusUnprocessableEntity:   "body.layer: unknown layer; give L1, L2, L3 or L4",
		http.StatusServiceUnavailable:    "the database cannot be asked at the moment; try again later",
		http.StatusGatewayTimeout:        "the request took too long; whether a write took effect is unknown",
	}
	detail, ok := details[status]
	if !ok {
		detail = "an unexpected error occurred; the log tells more under the answer's X-Request-Id"
	}
	p := map[string]any{
		"type": "about:blank", "title": http.StatusText(status), "status": status,
		"detail": detail, "success": false, "error": detail,
	}
	if status == http.StatusUnprocessableEntity {
		p["errors"] = []any{map[string]any{"location": "body.layer", "message": "unknown layer; give L1, L2, L3 or L4"}}
	}
	return p
}
