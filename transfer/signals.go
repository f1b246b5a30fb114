package transfer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/hal9-ai/hal9/model"
)

// storedIDs returns those of the signals' ids that the store holds, at any time:
// ids that are no UUIDv7 say nothing about their month.
func storedIDs(ctx context.Context, q model.Queries, items []model.SignalInsertParams) (map[uuid.UUID]bool, error) {
	ids := make([]string, len(items))
	for i, s := range items {
		ids[i] = s.ID.String()
	}
	list, err := json.Marshal(ids)
	if err != nil {
		return nil, fmt.Errorf("write ids as JSON: %w", err)
	}
	found, err := q.SignalListStoredIDs(ctx, model.SignalListStoredIDsParams{Ids: list})
	if err != nil {
		return nil, err
	}
	stored := make(map[uuid.UUID]bool, len(found))
	for _, id := range found {
		stored[id] = true
	}
	return stored, nil
}

func signalsStored(ctx context.Context, q model.Queries, items []model.SignalInsertParams) ([]bool, error) {
	stored, err := storedIDs(ctx, q, items)
	if err != nil {
		return nil, err
	}
	there := make([]bool, len(items))
	for i, s := range items {
		there[i] = stored[s.ID]
	}
	return there, nil
}

func signalsWrite(ctx context.Context, tx model.Tx, items []model.SignalInsertParams) ([]outcome, error) {
	stored, err := storedIDs(ctx, tx, items)
	if err != nil {
		return nil, err
	}
	outcomes := make([]outcome, len(items))
	fresh := make([]model.SignalInsertParams, 0, len(items))
	origin := make([]int, 0, len(items)) // where each fresh one stands in items
	for i, s := range items {
		if stored[s.ID] {
			outcomes[i].fate = present
			continue
		}
		stored[s.ID] = true // two spellings of one id in a chunk
		fresh = append(fresh, s)
		origin = append(origin, i)
	}
	if len(fresh) == 0 {
		return outcomes, nil
	}
	result, err := tx.SignalInsertMany(ctx, fresh)
	if err != nil {
		return nil, err
	}
	for _, i := range result.Duplicates {
		outcomes[origin[i]].fate = present
	}
	for _, f := range result.Failed {
		outcomes[origin[f.Index]] = outcome{fate: refused, detail: reasonOf(f.Err)}
	}
	return outcomes, nil
}

// traffic is which of the store's neurons the imported signals concern.
type traffic struct {
	touched map[string]bool
}

// newTraffic reads the ids of the store's neurons: names in signals that no neuron
// bears have no traffic to recount, and need no memory.
func newTraffic(ctx context.Context, j *job) (*traffic, error) {
	t := &traffic{touched: map[string]bool{}}
	if j.options.DryRun {
		return t, nil
	}
	const page = 500
	after := ""
	for {
		neurons, err := j.store.NeuronList(ctx, model.NeuronListParams{AfterID: after, PageLimit: page})
		if err != nil {
			return nil, fmt.Errorf("list the neurons: %w", err)
		}
		for _, n := range neurons {
			t.touched[n.ID] = false
			after = n.ID
		}
		if len(neurons) < page {
			return t, nil
		}
	}
}

func (t *traffic) touch(neurons ...string) {
	for _, n := range neurons {
		if _, known := t.touched[n]; known {
			t.touched[n] = true
		}
	}
}

// recount brings the traffic of the neurons up to date. It is done also when no
// signal was new: an earlier import may have been stopped right before.
func (t *traffic) recount(ctx context.Context, j *job) error {
	for id, touched := range t.touched {
		if !touched {
			continue
		}
		_, err := j.store.NeuronActivityRecount(ctx, model.NeuronActivityRecountParams{NeuronID: id})
		if err != nil && !errors.Is(err, model.ErrNotFound) {
			return fmt.Errorf("recount the signals of neuron %q: %w", id, err)
		}
	}
	return nil
}
