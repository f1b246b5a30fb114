package baseline

import (
	"encoding/json"
	"time"

	"github.com/google/uuid"
)

// SignalIn is what a client sends to store a signal.
type SignalIn struct {
	Content  string `json:"content" binding:"required"`
	Layer    string `json:"layer"   binding:"required"`
	NeuronID string `json:"neuron_id"`
}

// Signal is a stored signal.
type Signal struct {
	ID              uuid.UUID       `json:"id"`
	FromNeuron      string          `json:"from_neuron"`
	ToNeuron        string          `json:"to_neuron"`
	LayerFrom       string          `json:"layer_from"`
	LayerTo         string          `json:"layer_to"`
	PropagationType string          `json:"propagation_type"`
	Content         string          `json:"content"`
	Metadata        json.RawMessage `json:"metadata"`
	Timestamp       time.Time       `json:"timestamp"`
}

// NewSignal makes the row of what was sent, with an id whose time is its timestamp.
func NewSignal(in SignalIn) (Signal, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return Signal{}, err //nolint:wrapcheck // the system has no random numbers: there is nothing to add
	}
	return Signal{
		ID: id, FromNeuron: "api-client", ToNeuron: in.NeuronID, LayerFrom: "API", LayerTo: in.Layer,
		PropagationType: "forward", Content: in.Content, Metadata: json.RawMessage(`{}`), Timestamp: TimeOf(id),
	}, nil
}

// TimeOf is the time in a UUIDv7, which leads a look-up by id to one partition.
func TimeOf(id uuid.UUID) time.Time {
	seconds, nanoseconds := id.Time().UnixTime()
	return time.Unix(seconds, nanoseconds).Truncate(time.Millisecond).UTC()
}

// Stored is the answer to a signal that was committed.
func Stored(id uuid.UUID) any {
	type data struct {
		SignalID uuid.UUID `json:"signal_id"`
		Message  string    `json:"message"`
	}
	return Envelope{Success: true, Data: data{id, "signal stored"}}
}

// Envelope is what all answers of the API come in.
type Envelope struct {
	Success bool    `json:"success"`
	Data    any     `json:"data"`
	Error   *string `json:"error"`
}
