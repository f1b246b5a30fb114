package server

import (
	"net/http"
	"strconv"

	"github.com/danielgtaylor/huma/v2"
)

// describeHeaders puts into the document what the types do not say of the headers by
// which requests are repeated and made conditional.
func describeHeaders(op *operation, doc *huma.Operation) {
	if op.takesKey() {
		describeIdempotency(op, doc)
	}
	describeConsistency(op, doc)
	if !op.etag {
		return
	}
	tag := &huma.Header{
		Description: "Names this version of the answer: for If-None-Match, and for If-Match of a write.",
		Schema:      &huma.Schema{Type: huma.TypeString}, Example: `"17-1"`,
	}
	for _, r := range successes(doc) {
		setHeader(r, "ETag", tag)
	}
	if op.method == http.MethodGet {
		doc.Responses[strconv.Itoa(http.StatusNotModified)] = &huma.Response{
			Description: "What the client holds is still right: there is no body.",
			Headers:     map[string]*huma.Header{"ETag": tag},
		}
	}
}

func describeIdempotency(op *operation, doc *huma.Operation) {
	least, most := 1, 255
	about := "Makes a repetition of the request harmless: within idempotency.ttl the same request with the same key gets the first one's answer, " +
		"with Idempotency-Replayed, and has no second effect; another request with it is answered 422, and one that comes while the first is under way 409."
	if op.keyMode() == idempotencyOnce {
		about = "Makes a repetition of the request harmless: within idempotency.ttl the same request with the same key is answered 409 and has no second effect; " +
			"its answer is not kept. Another request with the key is answered 422."
	}
	doc.Parameters = append(doc.Parameters, &huma.Param{
		Name: headerIdempotencyKey, In: "header", Description: about,
		Schema:  &huma.Schema{Type: huma.TypeString, MinLength: &least, MaxLength: &most},
		Example: "8e03978e-40d5-43dd-bc93-6894a57f9324",
	})
	if op.keyMode() == idempotencyOnce {
		return
	}
	replayed := &huma.Header{
		Description: "true if this is the answer to an earlier request with the same Idempotency-Key.",
		Schema:      &huma.Schema{Type: huma.TypeBoolean},
	}
	for _, r := range successes(doc) {
		setHeader(r, headerIdempotencyReplayed, replayed)
	}
}

// successes are the answers with 2xx.
func successes(doc *huma.Operation) []*huma.Response {
	var all []*huma.Response
	for status, r := range doc.Responses {
		if status[0] == '2' {
			all = append(all, r)
		}
	}
	return all
}

func setHeader(r *huma.Response, name string, h *huma.Header) {
	if r.Headers == nil {
		r.Headers = map[string]*huma.Header{}
	}
	r.Headers[name] = h
}
