package server

import (
	"context"
	"errors"
	"time"

	"github.com/hal9-ai/hal9/model"
)

// isHealthy: the neuron runs, and was heard from lately or never.
func (s *Server) isHealthy(n *model.Neuron, lastSignal *time.Time) bool {
	if n.Condition != model.ConditionRunning {
		return false
	}
	heard := lastSignal
	if heard == nil || n.StateSetAt != nil && n.StateSetAt.After(*heard) {
		heard = n.StateSetAt
	}
	return heard == nil || s.now().Sub(*heard) <= s.cfg.StaleAfter
}

// neuronActivity is a neuron's traffic; none if nothing was recorded yet.
func (s *Server) neuronActivity(ctx context.Context, id string) (model.NeuronActivity, error) {
	a, err := s.store.NeuronActivityGet(ctx, model.NeuronActivityGetParams{NeuronID: id})
	if errors.Is(err, model.ErrNotFound) {
		return model.NeuronActivity{NeuronID: id}, nil
	}
	return a, err
}

// activityOf is the traffic of one page of neurons, those after the id that the page
// began with. Traffic is listed in the same order, but of all neurons: a page that
// was filtered may take several reads to its last neuron.
func (s *Server) activityOf(ctx context.Context, after string, page []model.Neuron) (map[string]model.NeuronActivity, error) {
	heard := make(map[string]model.NeuronActivity, len(page))
	if len(page) == 0 {
		return heard, nil
	}
	last := page[len(page)-1].ID
	limit := max(len(page), 100)
	for {
		rows, err := s.store.NeuronActivityList(ctx, model.NeuronActivityListParams{AfterID: after, PageLimit: int64(limit)})
		if err != nil {
			return nil, err
		}
		for _, a := range rows {
			heard[a.NeuronID] = a
		}
		if len(rows) < limit || rows[len(rows)-1].NeuronID >= last {
			return heard, nil
		}
		after = rows[len(rows)-1].NeuronID
		limit = max(limit, 1000)
	}
}
