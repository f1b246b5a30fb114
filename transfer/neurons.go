package transfer

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hal9-ai/hal9/model"
)

// defaultLayer is that of a neuron about which nothing tells more.
const defaultLayer = "L2"

// neurons imports the neurons, which have a layer in variant A alone.
type neurons struct{}

func (neurons) table() string { return "neurons" }

func (neurons) run(ctx context.Context, j *job) error {
	layers, err := layersFromSignals(ctx, j.source)
	if err != nil {
		return err
	}
	now := model.NormalTime(j.options.Now())
	p := pipe[model.NeuronImportParams]{
		name:    "neurons",
		columns: []string{"id", "layer", "system_prompt", "settings", "state", "created_at", "updated_at"},
		convert: func(_ context.Context, r *row) (model.NeuronImportParams, error) { return neuronOf(r, layers, now) },
		judge:   presence(neuronsStored),
		write:   neuronsWrite,
	}
	return p.run(ctx, j)
}

// neuronOf converts a row.
func neuronOf(r *row, layers map[string]string, now time.Time) (n model.NeuronImportParams, err error) {
	if n.ID, err = r.required("id"); err != nil {
		return n, err
	}
	if !model.NeuronIDPlain(n.ID) {
		r.note("id is kept, though new ones must " + model.NeuronIDRule)
	}
	if n.Layer, err = r.layer("layer"); err != nil {
		return n, err
	}
	if n.Layer == "" {
		var from string
		n.Layer, from = deriveLayer(n.ID, layers)
		r.note("layer was not in the file: taken from " + from)
	}
	if n.State, err = r.word("state"); err != nil {
		return n, err
	}
	if n.State == "" {
		r.note("state was empty: set to " + model.StateIdle)
		n.State = model.StateIdle
	}
	n.Condition = model.ConditionOf(n.State)
	settings := r.object("settings")
	if prompt, found := textOf(r.value("system_prompt")); found {
		if model.CheckText("", "", prompt) != nil {
			return n, &skip{"system_prompt is no valid text", ""}
		}
		n.SystemPrompt = prompt
	}
	if err := neuronTimes(r, &n, now); err != nil {
		return n, err
	}
	settings.addAll(r.legacy())
	n.Settings, err = settings.stored("settings")
	return n, err
}

// neuronTimes reads when a neuron was made and changed; either stands in for the
// other, and the time of the import for both.
func neuronTimes(r *row, n *model.NeuronImportParams, now time.Time) (err error) {
	hasCreated, hasUpdated := r.value("created_at") != nil, r.value("updated_at") != nil
	if hasCreated {
		if n.CreatedAt, err = r.moment("created_at"); err != nil {
			return err
		}
	}
	if hasUpdated {
		if n.UpdatedAt, err = r.moment("updated_at"); err != nil {
			return err
		}
	}
	switch {
	case hasCreated && hasUpdated:
	case hasCreated:
		n.UpdatedAt = n.CreatedAt
	case hasUpdated:
		n.CreatedAt = n.UpdatedAt
	default:
		r.note("created_at and updated_at were empty: set to the time of the import")
		n.CreatedAt, n.UpdatedAt = now, now
	}
	return nil
}

// deriveLayer finds a neuron's layer by its name (neuron-l4, or a layer's own
// name), else by the signals that it sent or was sent.
func deriveLayer(id string, layers map[string]string) (layer, from string) {
	name := strings.TrimPrefix(strings.ToLower(id), "neuron-")
	if layer, ok := model.ParseLayer(name); ok {
		return layer, "its id"
	}
	if layer, ok := layers[id]; ok {
		return layer, "its signals"
	}
	return defaultLayer, "nothing, set to " + defaultLayer
}

// layersFromSignals tells for each neuron of the file the layer under which most
// signals know it, the lowest of several. The result has a row per neuron and layer.
func layersFromSignals(ctx context.Context, s *Source) (_ map[string]string, err error) {
	const doing = "read the layers of the signals"
	if !s.schema.tables["signals"].has("from_neuron", "to_neuron", "layer_from", "layer_to") {
		return map[string]string{}, nil
	}
	rows, err := s.conn.QueryContext(ctx, `
SELECT +id, +layer, sum(n) FROM (
    SELECT to_neuron AS id, layer_to AS layer, count(*) AS n FROM signals NOT INDEXED GROUP BY 1, 2
    UNION ALL
    SELECT from_neuron, layer_from, count(*) FROM signals NOT INDEXED GROUP BY 1, 2)
WHERE id IN (SELECT id FROM neurons)
GROUP BY 1, 2`)
	if err != nil {
		return nil, s.readError(doing, err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	layers := map[string]string{}
	most := map[string]int64{}
	for rows.Next() {
		var id, layer any
		var n int64
		if err := rows.Scan(&id, &layer, &n); err != nil {
			return nil, s.readError(doing, err)
		}
		neuron, _ := textOf(id)
		spelled, _ := textOf(layer)
		short, known := model.ParseLayer(unquoteJSON(spelled))
		if known && (n > most[neuron] || n == most[neuron] && short < layers[neuron]) {
			layers[neuron], most[neuron] = short, n
		}
	}
	if err := rows.Err(); err != nil {
		return nil, s.readError(doing, err)
	}
	return layers, nil
}

func neuronsStored(ctx context.Context, q model.Queries, items []model.NeuronImportParams) ([]bool, error) {
	there := make([]bool, len(items))
	for i, n := range items {
		_, err := q.NeuronGet(ctx, model.NeuronGetParams{ID: n.ID})
		if err != nil && !errors.Is(err, model.ErrNotFound) {
			return nil, err
		}
		there[i] = err == nil
	}
	return there, nil
}

func neuronsWrite(ctx context.Context, tx model.Tx, items []model.NeuronImportParams) ([]outcome, error) {
	outcomes := make([]outcome, len(items))
	for i, n := range items {
		count, err := tx.NeuronImport(ctx, n)
		if err != nil {
			return nil, err
		}
		if count > 0 {
			continue
		}
		outcomes[i].fate = present
		kept, err := tx.NeuronGet(ctx, model.NeuronGetParams{ID: n.ID})
		if err != nil {
			return nil, fmt.Errorf("compare neuron %q: %w", n.ID, err)
		}
		if kept.State != n.State || kept.Layer != n.Layer {
			outcomes[i].note = "was there already with another layer or state, which was left as it is"
		}
	}
	return outcomes, nil
}
