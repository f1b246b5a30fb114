package transfer

import (
	"context"
	"time"

	"github.com/hal9-ai/hal9/model"
)

// variantD is an early database of neurons and the signals between them.
type variantD struct{}

func (variantD) name() string { return "D" }

func (variantD) describe() string { return "neurons and signals" }

func (variantD) matches(s *schema) bool {
	signals := s.tables["signals"]
	return s.tables["neurons"].has("id", "state") &&
		signals.has("id", "from_neuron", "to_neuron", "layer_from", "layer_to", "content", "timestamp") &&
		!signals.has("propagation_type") && !signals.has("metadata")
}

func (variantD) plan(*schema) []step { return []step{&neurons{}, &signals{}} }

// signals imports the signals, of variant A too: the months first, and at the end what is known
// of each neuron's traffic.
type signals struct{}

func (signals) table() string { return "signals" }

func (signals) run(ctx context.Context, j *job) error {
	if !j.options.DryRun {
		if err := makeMonths(ctx, j, "signals", signalMoment); err != nil {
			return err
		}
	}
	traffic, err := newTraffic(ctx, j)
	if err != nil {
		return err
	}
	p := pipe[model.SignalInsertParams]{
		name:    "signals",
		columns: []string{"id", "from_neuron", "to_neuron", "layer_from", "layer_to", "propagation_type", "content", "metadata", "timestamp"},
		convert: func(ctx context.Context, r *row) (model.SignalInsertParams, error) {
			s, err := signalOf(ctx, r)
			if err == nil {
				traffic.touch(s.FromNeuron, s.ToNeuron)
			}
			return s, err
		},
		judge: presence(signalsStored),
		write: signalsWrite,
	}
	if err := p.run(ctx, j); err != nil {
		return err
	}
	return traffic.recount(ctx, j)
}

// signalOf converts a row. Variant D lacks propagation_type and metadata.
func signalOf(ctx context.Context, r *row) (s model.SignalInsertParams, err error) {
	id, legacy, err := r.id(entitySignal)
	if err != nil {
		return s, err
	}
	s.ID = id
	metadata := r.object("metadata")
	if err := r.remap(ctx, "metadata", &metadata); err != nil {
		return s, err
	}
	if legacy != "" {
		metadata.addText("legacy_id", legacy)
	}
	if s.FromNeuron, err = r.required("from_neuron"); err != nil {
		return s, err
	}
	if s.ToNeuron, err = r.required("to_neuron"); err != nil {
		return s, err
	}
	if s.LayerFrom, err = r.requiredLayer("layer_from"); err != nil {
		return s, err
	}
	if s.LayerTo, err = r.requiredLayer("layer_to"); err != nil {
		return s, err
	}
	if s.PropagationType, err = r.word("propagation_type"); err != nil {
		return s, err
	}
	if s.PropagationType == "" {
		s.PropagationType = "forward" // the default of later versions
	}
	content, original, err := r.content()
	if err != nil {
		return s, err
	}
	s.Content = content
	metadata.addAll(original)
	if s.Timestamp, err = signalMoment(r); err != nil {
		return s, err
	}
	if own, err := parseTime(r.value("timestamp")); err == nil && !own.Equal(s.Timestamp) {
		r.keptAside("timestamp", "timestamp was not the time in the id, which holds: kept as legacy_timestamp")
		metadata.addText("legacy_timestamp", own.Format(time.RFC3339Nano))
	}
	metadata.addAll(r.legacy())
	s.Metadata, err = metadata.stored("metadata")
	return s, err
}

// signalMoment is the time of a signal: that inside its id, if that is a UUIDv7,
// by which the service finds it; otherwise its timestamp.
func signalMoment(r *row) (time.Time, error) {
	own, err := r.moment("timestamp")
	if err != nil {
		return own, err
	}
	text, _ := textOf(r.value("id"))
	if id, ok := parseUUID(text); ok {
		if t, ok := model.IDTime(id); ok && model.CheckTime("", "", t) == nil {
			return t, nil
		}
	}
	return own, nil
}

// requiredLayer is layer for a column that must not be empty.
func (r *row) requiredLayer(column string) (string, error) {
	s, err := r.layer(column)
	if err == nil && s == "" {
		return "", &skip{column + " is empty", ""}
	}
	return s, err
}
