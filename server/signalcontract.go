package server

import (
	"context"
	"net/http"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"github.com/hal9-ai/hal9/auth"
	"github.com/hal9-ai/hal9/model"
)

// The routes /api/v1/signal are those of the first HAL9 server, and answer as it did.

// contractSignal is what they take.
type contractSignal struct {
	Content  longText    `json:"content" minLength:"1" example:"Plan the mission."`
	Layer    string      `json:"layer" minLength:"1" maxLength:"255" doc:"L1 to L4, or execution, implementation, design, strategic, in any case." example:"L4"`
	NeuronID *neuronName `json:"neuron_id,omitempty" nullable:"true" doc:"Who is to get it. The layer's own neuron, such as neuron-l4, if absent." example:"strategic-planner"`
}

type contractAnswer struct {
	SignalID uuid.UUID `json:"signal_id" format:"uuid" example:"0199d2f4-7c00-7a31-8d52-0e6f4b1c9a70"`
	Message  string    `json:"message" example:"signal stored for strategic-planner"`
}

type contractTrace struct {
	SignalID uuid.UUID `json:"signal_id" format:"uuid" example:"0199d2f4-7c00-7a31-8d52-0e6f4b1c9a70"`
	Trace
}

func (s *Server) registerContractSignals() {
	const path = "/api/v1/signal"
	registerDirect(s, operation{
		id: "SignalSend", method: http.MethodPost, path: path, tag: tagSignals, access: scoped(auth.ScopeSendSignal),
		summary: "Send a signal to a layer", description: "Comes from api-client in the layer API. Answered after the signal is stored.",
		idempotency: idempotencyDerived, places: map[string]string{"layer_to": "body.layer", "to_neuron": "body.neuron_id"},
		example: map[string]any{"content": "Plan the mission.", "layer": "L4", "neuron_id": "strategic-planner"},
	}, fillSignalSend, s.signalSend)
	register(s, operation{
		id: "SignalTrace", method: http.MethodGet, path: path + "/{id}", tag: tagSignals, access: scoped(auth.ScopeViewSignals), replica: true,
		summary: "Get the trace of a signal", description: traceDescription,
		problems: []int{http.StatusNotFound},
	}, s.signalTrace)
}

type signalSendInput struct{ Body contractSignal }

// fillSignalSend holds the body to what its schema says, as to bytes instead of
// characters: of the few that are between the two huma judges.
func fillSignalSend(c *gin.Context, in *signalSendInput) bool {
	if body, ok := c.Request.Body.(*memoryBody); ok && scanSignal(body.Bytes(), &in.Body) {
		return true
	}
	in.Body = contractSignal{}
	return decodePlain(c.Request, &in.Body) && in.Body.plain()
}

func (b *contractSignal) plain() bool {
	return plainText(string(b.Content), maxText) && plainText(b.Layer, maxName) && (b.NeuronID == nil || plainName(string(*b.NeuronID)))
}

func (s *Server) signalSend(ctx context.Context, in *signalSendInput) (*answer[contractAnswer], error) {
	layer, err := layerName("body.layer", in.Body.Layer)
	if err != nil {
		return nil, err
	}
	var to string
	if in.Body.NeuronID != nil {
		to = string(*in.Body.NeuronID)
	} else {
		to = model.DefaultTarget(layer)
	}
	id, at, err := s.identitiesOf(ctx).Identify(nil, nil)
	if err != nil {
		return nil, err
	}
	_, err = s.ingest.Submit(ctx, model.SignalInsertParams{
		ID: id, Timestamp: at, FromNeuron: apiClient, ToNeuron: to, LayerFrom: apiLayer, LayerTo: layer,
		PropagationType: propagationForward, Content: string(in.Body.Content), Metadata: model.EmptyObject(),
	})
	if err != nil {
		return nil, err
	}
	a := ok(contractAnswer{SignalID: id, Message: "signal stored for " + to})
	a.Body.encoded = encodeContractAnswer(&a.Body.Data)
	return a, nil
}

func (s *Server) signalTrace(ctx context.Context, in *UUIDPath) (*answer[contractTrace], error) {
	row, t, err := s.traceOf(ctx, in)
	if err != nil {
		return nil, err
	}
	return ok(contractTrace{SignalID: row.ID, Trace: t}), nil
}
