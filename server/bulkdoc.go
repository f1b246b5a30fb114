package server

import (
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"github.com/hal9-ai/hal9/auth"
)

const bulkExample = `{"content":"Plan the mission.","layer_to":"L4"}` + "\n" +
	`{"id":"0199d2f4-7c00-7a31-8d52-0e6f4b1c9a70","from_neuron":"strategic-planner","layer_from":"L4","to_neuron":"task-analyzer","layer_to":"L3","content":"Split it into tasks."}` + "\n"

// registerSignalBulk adds the stream's route, and describes it by hand: huma knows
// only handlers that take a body from memory.
func (s *Server) registerSignalBulk() {
	who := scoped(auth.ScopeSendSignal).in(laneFree)
	s.handle(http.MethodPost, bulkPath, who, s.signalBulk)

	schemas := s.api.OpenAPI().Components.Schemas
	result := schemas.Schema(reflect.TypeFor[envelope[BulkResult]](), true, "EnvelopeSignalBulk")
	stopped := s.stoppedStreamSchema()
	op := &huma.Operation{
		OperationID: "SignalCreateBulk", Method: http.MethodPost, Path: bulkPath, Tags: []string{tagSignals},
		Security: s.securityOf(&who),
		Summary:  "Store a stream of signals of any length",
		Description: "One signal a line, as SignalFields, in a body of any length; Content-Encoding may be gzip or zstd. " +
			"It is committed in chunks while it comes, and answered at its end. A line that is malformed or cannot be stored takes no other along. " +
			"A stream that stops early, by whatever fault, is answered by a problem whose data tells what was decided and the offset from which to send the rest; " +
			"signals with an id may be sent again without harm. No more than ingest.bulk_streams streams run at a time.",
		RequestBody: &huma.RequestBody{
			Required: true,
			Content: map[string]*huma.MediaType{typeNDJSON: {
				Schema:  &huma.Schema{Type: huma.TypeString, Description: "Lines of JSON, each a SignalFields."},
				Example: bulkExample,
			}},
		},
		Responses: map[string]*huma.Response{
			"200": {Description: "All lines are stored.", Content: map[string]*huma.MediaType{typeJSON: {Schema: result}}},
			"207": {Description: "Some lines were refused: see data.errors. The others are stored.", Content: map[string]*huma.MediaType{typeJSON: {Schema: result}}},
		},
	}
	for _, status := range []int{http.StatusUnauthorized, http.StatusForbidden, http.StatusTooManyRequests, http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity} {
		op.Responses[strconv.Itoa(status)] = &huma.Response{Ref: problemRef(status)}
	}
	for _, status := range []int{
		http.StatusBadRequest, http.StatusRequestTimeout, http.StatusRequestEntityTooLarge,
		http.StatusInternalServerError, http.StatusServiceUnavailable, http.StatusGatewayTimeout,
	} {
		op.Responses[strconv.Itoa(status)] = &huma.Response{
			Description: http.StatusText(status) + ": the stream stopped. What was decided is in data.",
			Content:     map[string]*huma.MediaType{typeProblem: {Schema: stopped}},
		}
	}
	s.api.OpenAPI().AddOperation(op)
}

// stoppedStreamSchema describes stoppedStreamError: huma leaves out what an embedded
// type that is not exported brings.
func (s *Server) stoppedStreamSchema() *huma.Schema {
	const name = "StoppedStreamError"
	schemas := s.api.OpenAPI().Components.Schemas
	base := schemas.SchemaFromRef(s.problemSchema().Ref)
	data := *schemas.Schema(reflect.TypeFor[BulkResult](), true, "BulkResult")
	data.Description = "What was decided, if the stream had begun."
	whole := &huma.Schema{
		Type: huma.TypeObject, AdditionalProperties: false, Required: slices.Clone(base.Required),
		Properties: maps.Clone(base.Properties),
	}
	whole.Properties["data"] = &data
	whole.PrecomputeMessages()
	schemas.Map()[name] = whole
	return &huma.Schema{Ref: "#/components/schemas/" + name}
}
