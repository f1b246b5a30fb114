package server

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/hal9-ai/hal9/auth"
	"github.com/hal9-ai/hal9/model"
)

// neuron is one neuron, in the one shape that all routes answer.
type neuron struct {
	ID           string     `json:"id" doc:"The name, unique." example:"strategic-planner"`
	Layer        string     `json:"layer" example:"L4"`
	State        string     `json:"state" doc:"A free word; a new neuron is idle." example:"idle"`
	IsHealthy    bool       `json:"is_healthy" doc:"The state is neither Failed nor Stopped, and the neuron was heard from (a signal from it, or a state set) within neurons.stale_after, or never yet."`
	SystemPrompt string     `json:"system_prompt" example:"You plan."`
	Settings     jsonObject `json:"settings"`
	Version      int64      `json:"version" doc:"Grows with each change." example:"17"`
	CreatedAt    time.Time  `json:"created_at"`
	UpdatedAt    time.Time  `json:"updated_at"`
}

// neuronHealth is what is known of a neuron's well-being.
type neuronHealth struct {
	State            string     `json:"state" example:"idle"`
	LastSignal       *time.Time `json:"last_signal" doc:"When it last sent a signal; null if it never did." nullable:"true"`
	SignalsProcessed int64      `json:"signals_processed" doc:"Signals addressed to it; brought up to date about once a second."`
	ErrorsCount      int64      `json:"errors_count" doc:"How often it entered Failed."`
	UptimeSeconds    float64    `json:"uptime_seconds" doc:"Since it was made or came back from Failed or Stopped; 0 while it is in one of those."`
}

// NeuronFields is what a client may set of a neuron besides its id and state.
type NeuronFields struct {
	Layer        string     `json:"layer" minLength:"1" maxLength:"255" doc:"L1 to L4, or execution, implementation, design, strategic, in any case." example:"L4"`
	SystemPrompt longText   `json:"system_prompt,omitempty"`
	Settings     jsonObject `json:"settings,omitempty"`
}

type neuronCreateBody struct {
	ID    neuronName `json:"id" doc:"The name, unique." example:"strategic-planner"`
	State string     `json:"state,omitempty" maxLength:"255" default:"idle" doc:"A free word."`
	NeuronFields
}

type neuronStateBody struct {
	State string `json:"state" minLength:"1" maxLength:"255" doc:"A free word; Failed and Stopped, in any case, say that the neuron is not running." example:"Running"`
}

// NeuronPath is the part of the input that names a neuron.
type NeuronPath struct {
	ID string `path:"id" maxLength:"255" doc:"The neuron's name." example:"strategic-planner"`
}

func (s *Server) registerNeurons() {
	const path, one = "/api/v1/neurons", "/api/v1/neurons/{id}"
	register(s, operation{
		id: "NeuronCreate", method: http.MethodPost, path: path, tag: tagNeurons, access: scoped(auth.ScopeCreateNeuron),
		summary: "Create a neuron", status: http.StatusCreated, created: true,
		problems: []int{http.StatusConflict}, idempotency: idempotencyAtomic, etag: true,
		example: map[string]any{"id": "strategic-planner", "layer": "L4", "system_prompt": "You plan.", "settings": map[string]any{"temperature": 0.2}},
	}, s.neuronCreate)
	registerDirect(s, operation{
		id: "NeuronList", method: http.MethodGet, path: path, tag: tagNeurons, access: scoped(auth.ScopeViewNeuron),
		summary: "List the neurons", description: "In order of their ids.",
	}, fillNeuronList, s.neuronList)
	registerDirect(s, operation{
		id: "NeuronGet", method: http.MethodGet, path: one, tag: tagNeurons, access: scoped(auth.ScopeViewNeuron),
		summary: "Get a neuron", problems: []int{http.StatusNotFound}, etag: true,
	}, fillNeuronGet, s.neuronGet)
	register(s, operation{
		id: "NeuronPut", method: http.MethodPut, path: one, tag: tagNeurons, access: scoped(auth.ScopeCreateNeuron, auth.ScopeModifyNeuron), created: true,
		summary: "Replace a neuron, or create it", description: "Layer, prompt and settings are replaced; the state stays. " +
			"With If-Match an existing neuron is replaced at that version only, with If-None-Match: * only a new one is created.",
		problems: []int{http.StatusPreconditionFailed}, etag: true,
		example: map[string]any{"layer": "L4", "system_prompt": "You plan.", "settings": map[string]any{"temperature": 0.3}},
	}, s.neuronPut)
	register(s, operation{
		id: "NeuronDelete", method: http.MethodDelete, path: one, tag: tagNeurons, access: closed(auth.ScopeDeleteNeuron),
		summary: "Delete a neuron", description: "Its signals and memories stay. The act is written into the audit log, with it or not at all.",
		problems: []int{http.StatusNotFound, http.StatusPreconditionFailed},
	}, s.neuronDelete)
	register(s, operation{
		id: "NeuronSetState", method: http.MethodPut, path: one + "/state", tag: tagNeurons, access: scoped(auth.ScopeModifyNeuron),
		summary: "Set a neuron's state", accepted: true,
		description: "Where states are written behind (cache.entities.neuron_state.strategy), one without If-Match is answered 202: " +
			"accepted, shown as it will be, and stored a moment later.",
		problems: []int{http.StatusNotFound, http.StatusPreconditionFailed}, etag: true,
		example: map[string]any{"state": "Running"},
	}, s.neuronSetState)
	register(s, operation{
		id: "NeuronHealthGet", method: http.MethodGet, path: one + "/health", tag: tagNeurons, access: scoped(auth.ScopeViewNeuron),
		summary: "Get a neuron's health", problems: []int{http.StatusNotFound},
	}, s.neuronHealthGet)
}

func (s *Server) neuronCreate(ctx context.Context, in *struct{ Body neuronCreateBody }) (*answer[neuron], error) {
	layer, err := layerName("body.layer", in.Body.Layer)
	if err != nil {
		return nil, err
	}
	n, err := s.queries(ctx).NeuronInsert(ctx, model.NeuronInsertParams{
		ID: string(in.Body.ID), Layer: layer,
		SystemPrompt: string(in.Body.SystemPrompt), Settings: in.Body.Settings.value(),
		State: in.Body.State, Condition: model.ConditionOf(in.Body.State), CreatedAt: s.now(),
	})
	if err != nil {
		return nil, err
	}
	return s.neuronCreated(n), nil
}

// neuronCreated answers 201 with a new neuron.
func (s *Server) neuronCreated(row model.Neuron) *answer[neuron] {
	n := s.neuronOf(row, nil)
	return created(n, neuronURL(n.ID)).tagged(neuronTag(&n))
}

type neuronListInput struct {
	PageQuery
	Layer string `query:"layer" maxLength:"255" doc:"Only the neurons of this layer."`
	State string `query:"state" maxLength:"255" doc:"Only the neurons in this state, spelt as it is stored."`
}

func fillNeuronList(_ *gin.Context, in *neuronListInput) bool {
	in.Limit = defaultLimit
	return true
}

func (s *Server) neuronList(ctx context.Context, in *neuronListInput) (*pageAnswer[neuron], error) {
	layer, err := layerFilter(in.Layer)
	if err != nil {
		return nil, err
	}
	after := ""
	if in.Cursor != "" {
		if after, err = decodeTextCursor(cursorNeurons, in.Cursor); err != nil {
			return nil, err
		}
	}
	rows, shown, err := readPage(in.Limit, s.pageBytes, neuronBytes, func(last *model.Neuron, most int) ([]model.Neuron, error) {
		arg := model.NeuronListParams{AfterID: after, Layer: layer, State: optional(in.State), PageLimit: int64(most)}
		if last != nil {
			arg.AfterID = last.ID
		}
		return s.store.NeuronList(ctx, arg)
	})
	if err != nil {
		return nil, err
	}
	heard, err := s.activityOf(ctx, after, rows)
	if err != nil {
		return nil, err
	}
	key := "list\x00" + strconv.Itoa(in.Limit) + "\x00" + in.Layer + "\x00" + in.State + "\x00" + after
	body, err := s.encoded.page(key, s.now(), rows, heard, func() ([]byte, time.Time, error) {
		last, until := lastSignals(heard), time.Time{}
		answer := page(rows, shown, func(n model.Neuron) neuron {
			until = sooner(until, s.staleAt(&n, last[n.ID]))
			return s.neuronOf(n, last[n.ID])
		}, func(n model.Neuron) string {
			return encodeTextCursor(cursorNeurons, n.ID)
		})
		body, err := marshalAnswer(answer.Body)
		return body, until, err
	})
	if err != nil {
		return nil, err
	}
	return &pageAnswer[neuron]{Body: pageEnvelope[neuron]{encoded: body}}, nil
}

// sooner is the earlier of two moments of which zero is none.
func sooner(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

type neuronGetInput struct {
	NeuronPath
	IfNoneMatch
}

func fillNeuronGet(c *gin.Context, in *neuronGetInput) bool { return in.fill(c) }

func (s *Server) neuronGet(ctx context.Context, in *neuronGetInput) (*answer[neuron], error) {
	n, err := s.store.NeuronGet(ctx, model.NeuronGetParams{ID: in.ID})
	if err != nil {
		return nil, err
	}
	a, err := s.neuronAnswer(ctx, n)
	if err != nil {
		return nil, err
	}
	a.Body.encoded, err = s.encoded.neuron(n.ID, n.Version, a.Body.Data.IsHealthy, func() ([]byte, error) { return marshalAnswer(a.Body) })
	if err != nil {
		return nil, err
	}
	return conditional(&in.IfNoneMatch, a, a.ETag), nil
}

// neuronVersion reads the version of a stored neuron.
func (s *Server) neuronVersion(ctx context.Context, id string) func() (int64, error) {
	return func() (int64, error) {
		n, err := s.store.NeuronGet(ctx, model.NeuronGetParams{ID: id})
		return n.Version, err
	}
}

type neuronPutInput struct {
	NeuronPath
	IfMatch
	CreateOnly
	Body NeuronFields
}

func (s *Server) neuronPut(ctx context.Context, in *neuronPutInput) (*answer[neuron], error) {
	layer, err := layerName("body.layer", in.Body.Layer)
	if err != nil {
		return nil, err
	}
	if err := s.newNeuronPath(ctx, in.ID); err != nil {
		return nil, err
	}
	switch {
	case in.createOnly && in.given():
		return nil, newProblem(http.StatusBadRequest, "", problemField{"header." + headerIfMatch, "contradicts If-None-Match: *; send one of them"})
	case in.createOnly:
		return s.neuronPutNew(ctx, in, layer)
	case in.given():
		return s.neuronPutVersion(ctx, in, layer)
	}
	return s.neuronPutAny(ctx, in, layer)
}

// putAttempts bounds how often a PUT meets a neuron that others delete and create meanwhile.
const putAttempts = 10

// neuronPutAny is PUT without a condition. Whether a neuron was new is told by which statement
// wrote it: a row's times say nothing where the clock stood still or went back.
func (s *Server) neuronPutAny(ctx context.Context, in *neuronPutInput, layer string) (*answer[neuron], error) {
	var err error
	for range putAttempts {
		var n model.Neuron
		n, err = s.store.NeuronUpdate(ctx, model.NeuronUpdateParams{
			ID: in.ID, Layer: layer, SystemPrompt: string(in.Body.SystemPrompt), Settings: in.Body.Settings.value(), UpdatedAt: s.now(),
		})
		if err == nil {
			return s.neuronAnswer(ctx, n)
		}
		if !errors.Is(err, model.ErrNotFound) {
			return nil, err
		}
		n, err = s.neuronInsert(ctx, in, layer)
		if err == nil {
			return s.neuronCreated(n), nil
		}
		if !errors.Is(err, model.ErrConflict) {
			return nil, err
		}
	}
	return nil, err
}

func (s *Server) neuronInsert(ctx context.Context, in *neuronPutInput, layer string) (model.Neuron, error) {
	return s.store.NeuronInsert(ctx, model.NeuronInsertParams{
		ID: in.ID, Layer: layer, SystemPrompt: string(in.Body.SystemPrompt), Settings: in.Body.Settings.value(),
		State: model.StateIdle, Condition: model.ConditionOf(model.StateIdle), CreatedAt: s.now(),
	})
}

// newNeuronPath refuses to create what the body of NeuronCreate would not name; neurons of
// such names that are there can be replaced.
func (s *Server) newNeuronPath(ctx context.Context, id string) error {
	if model.NeuronIDPlain(id) {
		return nil
	}
	_, err := s.store.NeuronGet(ctx, model.NeuronGetParams{ID: id})
	if errors.Is(err, model.ErrNotFound) {
		return invalidField("path.id", "must "+model.NeuronIDRule)
	}
	return err
}

// neuronPutNew is PUT with If-None-Match: *.
func (s *Server) neuronPutNew(ctx context.Context, in *neuronPutInput, layer string) (*answer[neuron], error) {
	n, err := s.neuronInsert(ctx, in, layer)
	switch {
	case errors.Is(err, model.ErrConflict):
		return nil, changedSince(headerIfNoneMatch, "there is a neuron with this id already")
	case err != nil:
		return nil, err
	}
	return s.neuronCreated(n), nil
}

// neuronPutVersion is PUT with If-Match. It creates nothing: where there is nothing,
// no version can match.
func (s *Server) neuronPutVersion(ctx context.Context, in *neuronPutInput, layer string) (*answer[neuron], error) {
	nothing := changedSince(headerIfMatch, "there is no neuron with this id; leave the header out to create it")
	current := s.neuronVersion(ctx, in.ID)
	version, err := in.version(current)
	if err == nil {
		var n model.Neuron
		n, err = s.store.NeuronUpdate(ctx, model.NeuronUpdateParams{
			ID: in.ID, Layer: layer, SystemPrompt: string(in.Body.SystemPrompt), Settings: in.Body.Settings.value(),
			UpdatedAt: s.now(), IfVersion: version,
		})
		if err == nil {
			return s.neuronAnswer(ctx, n)
		}
		if errors.Is(err, model.ErrNotFound) {
			err = in.missed("neuron", current)
		}
	}
	if errors.Is(err, model.ErrNotFound) {
		return nil, nothing
	}
	return nil, err
}

func (s *Server) neuronDelete(ctx context.Context, in *struct {
	NeuronPath
	IfMatch
},
) (*answer[deleted], error) {
	current := s.neuronVersion(ctx, in.ID)
	version, err := in.version(current)
	if err != nil {
		return nil, err
	}
	err = s.store.InTx(ctx, func(ctx context.Context, tx model.Tx) error {
		if _, err := tx.NeuronDelete(ctx, model.NeuronDeleteParams{ID: in.ID, IfVersion: version}); err != nil {
			return err
		}
		return s.auth.AuditTx(ctx, tx, principalOf(ctx), "neuron.delete", "neuron", in.ID, nil, clientOf(ctx))
	})
	if errors.Is(err, model.ErrNotFound) {
		return nil, in.missed("neuron", current)
	}
	if err != nil {
		return nil, err
	}
	return ok(deleted{ID: in.ID}), nil
}

// deleted tells what is gone.
type deleted struct {
	ID string `json:"id" doc:"What was deleted."`
}

func (s *Server) neuronSetState(ctx context.Context, in *struct {
	NeuronPath
	IfMatch
	Body neuronStateBody
},
) (*answer[neuron], error) {
	current := s.neuronVersion(ctx, in.ID)
	version, err := in.version(current)
	if err != nil {
		return nil, err
	}
	arg := model.NeuronSetStateParams{
		ID: in.ID, State: in.Body.State, Condition: model.ConditionOf(in.Body.State), UpdatedAt: s.now(), IfVersion: version,
	}
	if s.later != nil {
		n, queued, err := s.later.NeuronSetState(ctx, arg)
		switch {
		case err != nil:
			return nil, err
		case queued:
			return s.neuronAccepted(ctx, n)
		}
	}
	n, err := s.store.NeuronSetState(ctx, arg)
	if errors.Is(err, model.ErrNotFound) {
		return nil, in.missed("neuron", current)
	}
	if err != nil {
		return nil, err
	}
	return s.neuronAnswer(ctx, n)
}

func (s *Server) neuronHealthGet(ctx context.Context, in *NeuronPath) (*answer[neuronHealth], error) {
	n, err := s.store.NeuronGetState(ctx, model.NeuronGetStateParams{ID: in.ID})
	if err != nil {
		return nil, err
	}
	heard, err := s.neuronActivity(ctx, n.ID)
	if err != nil {
		return nil, err
	}
	h := neuronHealth{
		State: n.State, LastSignal: heard.LastSignalAt,
		SignalsProcessed: heard.SignalsProcessed, ErrorsCount: n.ErrorsCount,
	}
	if n.Condition == model.ConditionRunning {
		h.UptimeSeconds = secondsSince(n.RunningSince, s.now())
	}
	return ok(h), nil
}

// neuronAnswer answers 200 with a neuron.
func (s *Server) neuronAnswer(ctx context.Context, n model.Neuron) (*answer[neuron], error) {
	heard, err := s.neuronActivity(ctx, n.ID)
	if err != nil {
		return nil, err
	}
	data := s.neuronOf(n, heard.LastSignalAt)
	return ok(data).tagged(neuronTag(&data)), nil
}

// neuronAccepted answers 202 with a neuron as it will be, without an ETag: nobody has
// stored this version yet.
func (s *Server) neuronAccepted(ctx context.Context, n model.Neuron) (*answer[neuron], error) {
	a, err := s.neuronAnswer(ctx, n)
	if err != nil {
		return nil, err
	}
	a.Status, a.ETag, a.CacheControl = http.StatusAccepted, "", ""
	return a, nil
}

// neuronOf is a stored neuron in the shape of the answers.
func (s *Server) neuronOf(n model.Neuron, lastSignal *time.Time) neuron {
	return neuron{
		ID: n.ID, Layer: n.Layer, State: n.State, IsHealthy: s.isHealthy(&n, lastSignal),
		SystemPrompt: n.SystemPrompt, Settings: objectOf(n.Settings), Version: n.Version,
		CreatedAt: n.CreatedAt, UpdatedAt: n.UpdatedAt,
	}
}

func neuronURL(id string) string { return "/api/v1/neurons/" + url.PathEscape(id) }
