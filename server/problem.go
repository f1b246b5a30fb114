package server

import (
	"bytes"
	"cmp"
	"maps"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gin-gonic/gin"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

const (
	typeJSON    = "application/json"
	typeProblem = "application/problem+json"
	typeText    = "text/plain; charset=utf-8"
)

// problem is every failure that a client gets: problem details as RFC 9457 has
// them, with the two members by which clients of the envelope tell a failure.
type problem struct {
	Type    string         `json:"type" doc:"Always about:blank: the status says what kind of problem it is." example:"about:blank"`
	Title   string         `json:"title" doc:"The status in words." example:"Unprocessable Entity"`
	Status  int            `json:"status" doc:"The HTTP status." example:"422"`
	Detail  string         `json:"detail" doc:"What is wrong with this request, and what to do." example:"body.layer: unknown layer; give L1, L2, L3 or L4"`
	Errors  []problemField `json:"errors,omitempty" doc:"Each fault by its place in the request, the first 100."`
	Outcome string         `json:"outcome,omitempty" enum:"unknown" doc:"Whether a write took effect is unknown: the same request with the same id or Idempotency-Key takes effect once."`
	Success bool           `json:"success" doc:"Always false." example:"false"`
	TraceID string         `json:"trace_id,omitempty" doc:"Names the request among traces and in the log, where traces are made." example:"4bf92f3577b34da6a3ce929d0e0e4736"`
	Message string         `json:"error" doc:"The same text as detail." example:"body.layer: unknown layer; give L1, L2, L3 or L4"`

	header http.Header
}

// problemField is one fault of a request.
type problemField struct {
	Location string `json:"location" doc:"Where, such as body.layer, query.limit or path.id." example:"body.layer"`
	Message  string `json:"message" doc:"What is wrong there." example:"unknown layer; give L1, L2, L3 or L4"`
}

// The bounds of what an answer says about faults. Their words repeat names and values
// that the client sent, of which a body can hold megabytes and hundreds of thousands.
const (
	maxFaults   = 100
	maxLocation = 300
	maxMessage  = 1000
)

// clip cuts a text to about most bytes.
func clip(text string, most int) string {
	if len(text) <= most {
		return text
	}
	for most > 0 && !utf8.RuneStart(text[most]) {
		most--
	}
	return text[:most] + "…"
}

// clipped is the fault within its bounds; the text that it was made of can be freed.
func (f problemField) clipped() problemField {
	return problemField{strings.Clone(clip(f.Location, maxLocation)), strings.Clone(clip(f.Message, maxMessage))}
}

// newProblem makes a problem. Without a detail it takes the faults for one.
func newProblem(status int, detail string, fields ...problemField) *problem {
	fields = fields[:min(len(fields), maxFaults)]
	for i := range fields {
		fields[i] = fields[i].clipped()
	}
	detail = clip(detail, maxMessage)
	if detail == "" {
		detail = describe(fields)
	}
	title := http.StatusText(status)
	if status == statusClientClosed {
		title = "Client Closed Request"
	}
	return &problem{Type: "about:blank", Title: title, Status: status, Detail: detail, Errors: fields, Message: detail}
}

// invalidField is the 422 about one place of the request, such as "body.layer".
func invalidField(location, message string) *problem {
	return newProblem(http.StatusUnprocessableEntity, "", problemField{location, message})
}

// maxDescribed bounds how many faults a detail tells; errors lists up to maxFaults.
const maxDescribed = 3

func describe(fields []problemField) string {
	var b strings.Builder
	for i, f := range fields {
		if i == maxDescribed {
			b.WriteString("; and more")
			break
		}
		if i > 0 {
			b.WriteString("; ")
		}
		if f.Location != "" {
			b.WriteString(f.Location)
			b.WriteString(": ")
		}
		b.WriteString(f.Message)
	}
	return b.String()
}

// with adds a header to the answer.
func (p *problem) with(name, value string) *problem {
	if p.header == nil {
		p.header = http.Header{}
	}
	p.header.Set(name, value)
	return p
}

// Error implements error.
func (p *problem) Error() string { return p.Detail }

// GetStatus implements huma.StatusError.
func (p *problem) GetStatus() int { return p.Status }

// GetHeaders implements huma.HeadersError.
func (p *problem) GetHeaders() http.Header { return p.header }

// ContentType implements huma.ContentTypeFilter.
func (*problem) ContentType(string) string { return typeProblem }

// abort answers with the problem and ends the request; for what runs before huma.
func (p *problem) abort(c *gin.Context) {
	p.TraceID = traceID(c.Request.Context())
	body, err := json.Marshal(p, answerOptions())
	if err != nil { // nothing in a problem can fail to be written
		body = nil
	}
	maps.Copy(c.Writer.Header(), p.header)
	c.Abort()
	c.Data(p.Status, typeProblem, body)
}

// transformProblem turns huma's own errors into ours. The values at fault are left
// out: a password must not come back, nor reach what logs answers.
func transformProblem(ctx huma.Context, _ string, v any) (any, error) {
	p, ok := v.(*problem)
	if m, foreign := v.(*huma.ErrorModel); foreign {
		p, ok = problemOf(m, queryNames(ctx.Operation().Parameters)), true
	}
	if !ok {
		return v, nil
	}
	p.TraceID = traceID(ctx.Context())
	return p, nil
}

// queryNames are those of an operation's parameters that stand in the query.
func queryNames(parameters []*huma.Param) []string {
	var names []string
	for _, p := range parameters {
		if p.In == "query" {
			names = append(names, p.Name)
		}
	}
	return names
}

// unknownQuery is the fault of a parameter that a route does not know: those it knows are
// what the caller looks for.
func unknownQuery(known []string) string {
	switch last := len(known) - 1; last {
	case -1:
		return "unknown query parameter; this route takes none"
	case 0:
		return "unknown query parameter; this route takes " + known[0]
	default:
		return "unknown query parameter; this route takes " + strings.Join(known[:last], ", ") + " and " + known[last]
	}
}

func problemOf(m *huma.ErrorModel, query []string) *problem {
	fields := make([]problemField, 0, len(m.Errors))
	for _, e := range m.Errors {
		if e == nil {
			continue
		}
		message := e.Message
		if f, ok := e.Value.(fault); ok {
			message = string(f)
		}
		if message == "unknown query parameter" && strings.HasPrefix(e.Location, "query.") {
			message = unknownQuery(query)
		}
		if strings.HasPrefix(message, "invalid date/time for format") {
			message = "must be a time as RFC 3339 writes it, such as 2026-01-31T12:00:00Z"
		}
		fields = append(fields, problemField{e.Location, message})
	}
	if len(fields) == 0 {
		return newProblem(m.Status, m.Detail)
	}
	sortFields(fields)
	return newProblem(m.Status, "", fields...)
}

// sortFields has the same request get the same answer each time: huma goes through maps.
func sortFields(fields []problemField) {
	slices.SortStableFunc(fields, func(a, b problemField) int {
		return cmp.Or(strings.Compare(a.Location, b.Location), strings.Compare(a.Message, b.Message))
	})
}

// answerOptions are how answers are written. Text that came in with broken UTF-8
// may come back in an error; it must not break that as well.
func answerOptions() json.Options {
	return json.JoinOptions(jsontext.AllowInvalidUTF8(true), json.Deterministic(true))
}

func marshalAnswer(v any) ([]byte, error) {
	if e, ok := v.(interface{ encodedJSON() []byte }); ok {
		if body := e.encodedJSON(); body != nil {
			return body, nil
		}
	}
	var b bytes.Buffer
	if err := json.MarshalWrite(&b, v, answerOptions()); err != nil {
		return nil, err //nolint:wrapcheck // the caller says what it was writing
	}
	return b.Bytes(), nil
}
