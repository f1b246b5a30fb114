package server_test

import (
	"context"
	"testing"

	"github.com/hal9-ai/hal9/model"
	"github.com/hal9-ai/hal9/server"
)

// someday takes every state that names no version, and stores none.
type someday struct{ st model.Store }

func (s someday) NeuronSetState(ctx context.Context, arg model.NeuronSetStateParams) (model.Neuron, bool, error) {
	n, err := s.st.NeuronGet(ctx, model.NeuronGetParams{ID: arg.ID})
	if err != nil || arg.IfVersion != nil {
		return n, false, err
	}
	n.State, n.Condition = arg.State, arg.Condition
	return n, true, nil
}

// TestAcceptedStates: a state that is stored later is answered 202, without the ETag of
// a version that nobody has stored; with If-Match it is stored at once.
func TestAcceptedStates(t *testing.T) {
	t.Parallel()
	s := newServer(t, sqliteEngine, func(d *server.Deps) { d.Later = someday{d.Store} })
	r := s.ask("PUT", "/api/v1/neurons/neuron-l1/state", `{"state":"Busy"}`).want(202, `"state":"Busy"`)
	if tag := r.header.Get("ETag"); tag != "" {
		t.Errorf("ETag %s", tag)
	}
	tag := s.ask("GET", "/api/v1/neurons/neuron-l1", "").want(200, `"state":"idle"`).header.Get("ETag")
	s.ask("PUT", "/api/v1/neurons/neuron-l1/state", `{"state":"Done"}`, "If-Match", tag).want(200, `"state":"Done"`)
	s.ask("PUT", "/api/v1/neurons/nobody/state", `{"state":"Busy"}`).want(404)
}
