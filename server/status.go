package server

import (
	"context"
	"net/http"
	"time"

	"github.com/hal9-ai/hal9/auth"
	"github.com/hal9-ai/hal9/model"
)

type status struct {
	Running       bool           `json:"running" doc:"This server is ready."`
	UptimeSeconds float64        `json:"uptime_seconds"`
	Neurons       []statusNeuron `json:"neurons" nullable:"false" doc:"In order of their ids, up to server.max_page of them."`
	Metrics       StatusMetrics  `json:"metrics"`
}

type statusNeuron struct {
	ID     string `json:"id" example:"neuron-l4"`
	Layer  string `json:"layer" example:"L4"`
	State  string `json:"state" example:"idle"`
	Health string `json:"health" enum:"healthy,unhealthy" doc:"As is_healthy of the neuron."`
}

// StatusMetrics are the figures about signals.
type StatusMetrics struct {
	SignalsSent      uint64  `json:"signals_sent" doc:"Accepted by this server since its start."`
	SignalsProcessed uint64  `json:"signals_processed" doc:"Committed by this server since its start."`
	SignalsFailed    uint64  `json:"signals_failed" doc:"Refused or failed on this server since its start."`
	AverageLatencyMS float64 `json:"average_latency_ms" doc:"From acceptance to commit, the mean of the last minute; 0 if nothing was committed."`
}

func (s *Server) registerStatus() {
	registerDirect(s, operation{
		id: "StatusGet", method: http.MethodGet, path: "/api/v1/status", tag: tagStatus, access: scoped(auth.ScopeViewMetrics),
		summary: "Tell how the service is doing",
	}, fillNothing, s.statusGet)
}

func (s *Server) statusGet(ctx context.Context, _ *struct{}) (*answer[status], error) {
	neurons, err := s.encodedStatusNeurons(ctx)
	if err != nil {
		return nil, err
	}
	a := ok(status{Running: s.ready.Load(), UptimeSeconds: secondsSince(s.started, s.now()), Metrics: s.signalFigures()})
	a.Body.encoded = encodeStatus(&a.Body.Data, neurons)
	return a, nil
}

// statusStep is how many neurons are read at once: a cache that holds readings of prompts
// takes several times their memory while it does.
const statusStep = 25

// encodedStatusNeurons is the JSON of all neurons. They are read a few at a time: prompts,
// of which none is told here, may have 1 MiB each.
func (s *Server) encodedStatusNeurons(ctx context.Context) ([]byte, error) {
	list, after := []byte("["), ""
	for left := s.cfg.MaxPage; left > 0; {
		most := min(left, statusStep)
		rows, err := s.store.NeuronList(ctx, model.NeuronListParams{AfterID: after, PageLimit: int64(most)})
		if err != nil {
			return nil, err
		}
		if len(rows) == 0 {
			break
		}
		heard, err := s.activityOf(ctx, after, rows)
		if err != nil {
			return nil, err
		}
		part, err := s.encoded.page("status\x00"+after, s.now(), rows, heard, func() ([]byte, time.Time, error) {
			neurons, until := s.statusNeurons(rows, heard)
			body, err := marshalAnswer(neurons)
			return body, until, err
		})
		if err != nil {
			return nil, err
		}
		if after == "" && len(rows) < most {
			return part, nil // all of them: nothing to put together
		}
		if len(list) > 1 {
			list = append(list, ',')
		}
		list = append(list, part[1:len(part)-1]...)
		if left -= len(rows); len(rows) < most {
			break
		}
		after = rows[len(rows)-1].ID
	}
	return append(list, ']'), nil
}

// statusNeurons tells of some neurons, and until when that holds.
func (s *Server) statusNeurons(rows []model.Neuron, heard [][]model.NeuronActivity) (neurons []statusNeuron, until time.Time) {
	last := lastSignals(heard)
	neurons = make([]statusNeuron, len(rows))
	for i := range rows {
		n := &rows[i]
		neurons[i] = statusNeuron{ID: n.ID, Layer: n.Layer, State: n.State, Health: healthy}
		if !s.isHealthy(n, last[n.ID]) {
			neurons[i].Health = unhealthy
		}
		until = sooner(until, s.staleAt(n, last[n.ID]))
	}
	return neurons, until
}

func (s *Server) signalFigures() StatusMetrics {
	st := s.ingest.Stats()
	return StatusMetrics{
		SignalsSent: st.Accepted, SignalsProcessed: st.Committed, SignalsFailed: st.Failed,
		AverageLatencyMS: float64(st.MeanLatency) / float64(time.Millisecond),
	}
}
