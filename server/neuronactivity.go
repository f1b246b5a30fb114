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
	heard := heardAt(n, lastSignal)
	return heard == nil || s.now().Sub(*heard) <= s.cfg.StaleAfter
}

// heardAt is the later of a neuron's last signal and its last change of state, nil
// before both.
func heardAt(n *model.Neuron, lastSignal *time.Time) *time.Time {
	if lastSignal == nil || n.StateSetAt != nil && n.StateSetAt.After(*lastSignal) {
		return n.StateSetAt
	}
	return lastSignal
}

// neuronActivity is a neuron's traffic; none if nothing was recorded yet.
func (s *Server) neuronActivity(ctx context.Context, id string) (model.NeuronActivity, error) {
	a, err := s.store.NeuronActivityGet(ctx, model.NeuronActivityGetParams{NeuronID: id})
	if errors.Is(err, model.ErrNotFound) {
		return model.NeuronActivity{NeuronID: id}, nil
	}
	return a, err
}

// staleAt is the moment after which a healthy neuron is no longer so by time alone; zero
// for one that time does not change.
func (s *Server) staleAt(n *model.Neuron, lastSignal *time.Time) time.Time {
	heard := heardAt(n, lastSignal)
	if heard == nil || !s.isHealthy(n, lastSignal) {
		return time.Time{}
	}
	return heard.Add(s.cfg.StaleAfter)
}

// activityOf is the traffic of one page of neurons, those after the id that the page
// began with, as the store hands it out. Traffic is listed in the same order, but of all
// neurons: a page that was filtered may take several reads to its last neuron.
func (s *Server) activityOf(ctx context.Context, after string, page []model.Neuron) ([][]model.NeuronActivity, error) {
	if len(page) == 0 {
		return nil, nil
	}
	var heard [][]model.NeuronActivity
	last := page[len(page)-1].ID
	limit := max(len(page), 100)
	for {
		rows, err := s.store.NeuronActivityList(ctx, model.NeuronActivityListParams{AfterID: after, PageLimit: int64(limit)})
		if err != nil {
			return nil, err
		}
		heard = append(heard, rows)
		if len(rows) < limit || rows[len(rows)-1].NeuronID >= last {
			return heard, nil
		}
		after = rows[len(rows)-1].NeuronID
		limit = max(limit, 1000)
	}
}

// lastSignals is when each neuron of a page was last heard from.
func lastSignals(heard [][]model.NeuronActivity) map[string]*time.Time {
	last := map[string]*time.Time{}
	for _, rows := range heard {
		for i := range rows {
			last[rows[i].NeuronID] = rows[i].LastSignalAt
		}
	}
	return last
}
