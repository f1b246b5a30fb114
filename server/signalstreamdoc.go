package server

import (
	"net/http"
	"reflect"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"github.com/hal9-ai/hal9/auth"
)

const streamExample = "retry: 2000\nid: g2qk0v1c7k.l5x2r7qv4d.0\n: listening\n\n" +
	"id: g2qk0v3h2a.l5x2r7qv4d.1\nevent: signal\n" +
	`data: {"id":"0199d2f4-7c00-7a31-8d52-0e6f4b1c9a70","from_neuron":"strategic-planner","to_neuron":"task-analyzer",` +
	`"layer_from":"L4","layer_to":"L3","propagation_type":"forward","content":"Plan the mission.","metadata":{},"timestamp":"2026-01-31T12:00:00Z"}` + "\n\n"

// registerSignalStream adds the stream's route, and describes it by hand: it has no answer
// that ends.
func (s *Server) registerSignalStream() {
	who := scoped(auth.ScopeViewSignals).in(laneFree)
	s.handle(http.MethodGet, streamPath, who, s.signalStream)

	schemas := s.api.OpenAPI().Components.Schemas
	op := &huma.Operation{
		OperationID: "SignalStream", Method: http.MethodGet, Path: streamPath, Tags: []string{tagSignals},
		Security: s.securityOf(&who),
		Summary:  "Listen to signals as they are committed",
		Description: "Server-sent events, for as long as the client listens: each signal once it is committed, by whichever server, in the order of the commits and not of the ids. " +
			"Events are `signal` (a Signal), `gap` (a StreamGap: signals between two times are left out) and `end` (a StreamEnd: why the server ends the stream). " +
			"The id of the last event, sent back as `Last-Event-ID`, resumes behind it. At the server that it is of, nothing is missing and nothing comes twice; " +
			"at another one, or after a long time, signals of the last 90 seconds before may come again: drop those whose id is known. " +
			"A client that reads too slowly is ended and resumes likewise. " + who.sentence(),
		Parameters: streamParameters(),
		Responses: map[string]*huma.Response{"200": {
			Description: "The stream.",
			Content:     map[string]*huma.MediaType{typeEventStream: {Schema: &huma.Schema{Type: huma.TypeString}, Example: streamExample}},
		}},
	}
	schemas.Schema(reflect.TypeFor[streamGap](), true, "StreamGap")
	schemas.Schema(reflect.TypeFor[streamEnd](), true, "StreamEnd")
	for _, status := range []int{
		http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusUnprocessableEntity,
		http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusServiceUnavailable,
	} {
		op.Responses[strconv.Itoa(status)] = &huma.Response{Ref: problemRef(status)}
	}
	s.api.OpenAPI().AddOperation(op)
}

// streamParameters are what a listener may ask for.
func streamParameters() []*huma.Param {
	text := func(name, doc string) *huma.Param {
		most := maxName
		return &huma.Param{Name: name, In: "query", Description: doc, Schema: &huma.Schema{Type: huma.TypeString, MaxLength: &most}}
	}
	return []*huma.Param{
		text("neuron", "Only what this neuron sent or was sent."),
		text("from_neuron", "Only what this neuron sent."),
		text("to_neuron", "Only what this neuron was sent."),
		text("layer", "Only signals from or to this layer: L1 to L4, their names, or API."),
		text("propagation_type", "Only signals of this type."),
		{
			Name: "since", In: "query", Description: "Stored signals of this time or later come first, the oldest first. Last-Event-ID comes before it.",
			Schema: &huma.Schema{Type: huma.TypeString, Format: "date-time"}, Example: "2026-01-31T00:00:00Z",
		},
		{
			Name: "Last-Event-ID", In: "header", Description: "The id of the last event that came.",
			Schema: &huma.Schema{Type: huma.TypeString}, Example: "g2qk0v3h2a.l5x2r7qv4d.1",
		},
	}
}
