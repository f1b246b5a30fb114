package server

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/hal9-ai/hal9/auth"
	"github.com/hal9-ai/hal9/model"
)

// Signal is one signal, in the shape of the routes under /signals.
type Signal struct {
	ID              uuid.UUID  `json:"id" format:"uuid" example:"0199d2f4-7c00-7a31-8d52-0e6f4b1c9a70"`
	FromNeuron      string     `json:"from_neuron" example:"strategic-planner"`
	ToNeuron        string     `json:"to_neuron" example:"task-analyzer"`
	LayerFrom       string     `json:"layer_from" example:"L4"`
	LayerTo         string     `json:"layer_to" example:"L3"`
	PropagationType string     `json:"propagation_type" example:"forward"`
	Content         string     `json:"content" example:"Plan the mission."`
	Metadata        jsonObject `json:"metadata"`
	Timestamp       time.Time  `json:"timestamp" doc:"The time inside the id, in milliseconds; imported signals have their own."`
}

// Who sends a signal when nobody is named: a client of this API.
const (
	apiClient = "api-client"
	apiLayer  = "API"
)

const propagationForward = "forward"

func (s *Server) registerSignals() {
	s.registerContractSignals()
	const path, one = "/api/v1/signals", "/api/v1/signals/{id}"
	s.registerSignalSubmit(path)
	s.registerSignalBulk()
	s.registerSignalStream()
	register(s, operation{
		id: "SignalList", method: http.MethodGet, path: path, tag: tagSignals, access: scoped(auth.ScopeViewSignals), replica: true,
		summary: "List the signals", description: "The newest first.", places: map[string]string{"neuron_id": "query.neuron"},
	}, s.signalList)
	registerDirect(s, operation{
		id: "SignalGet", method: http.MethodGet, path: one, tag: tagSignals, access: scoped(auth.ScopeViewSignals), replica: true,
		summary: "Get a signal with its trace", description: traceDescription,
		problems: []int{http.StatusNotFound}, etag: true,
	}, fillSignalGet, s.signalGet)
}

type signalListInput struct {
	PageQuery
	Neuron string `query:"neuron" maxLength:"255" doc:"Only what this neuron sent or was sent."`
	Layer  string `query:"layer" maxLength:"255" doc:"Only signals from or to this layer: L1 to L4, their names, or API."`
	Since  moment `query:"since" doc:"Only signals of this moment or later." example:"2026-01-31T00:00:00Z"`
	Until  moment `query:"until" doc:"Only signals before this moment." example:"2026-02-01T00:00:00Z"`
}

func (s *Server) signalList(ctx context.Context, in *signalListInput) (*pageAnswer[Signal], error) {
	arg, err := in.params()
	if err != nil {
		return nil, err
	}
	rows, shown, err := readPage(in.Limit, s.pageBytes, signalBytes, func(after *model.Signal, most int) ([]model.Signal, error) {
		if after != nil {
			arg.after(after.Timestamp, after.ID)
		}
		arg.PageLimit = int64(most)
		if in.Neuron == "" {
			return s.store.SignalList(ctx, arg.SignalListParams)
		}
		return s.store.SignalListByNeuron(ctx, model.SignalListByNeuronParams{
			NeuronID: in.Neuron, Since: arg.Since, Until: arg.Until,
			CursorTimestamp: arg.CursorTimestamp, CursorID: arg.CursorID, Layer: arg.Layer, PageLimit: arg.PageLimit,
		})
	})
	if err != nil {
		return nil, err
	}
	return page(rows, shown, signalOf, func(row model.Signal) string {
		return encodeTimeCursor(cursorSignals, row.Timestamp, row.ID)
	}), nil
}

// signalListing is which signals are listed, from where on.
type signalListing struct{ model.SignalListParams }

// after begins the list after a signal.
func (l *signalListing) after(at time.Time, id uuid.UUID) {
	l.CursorTimestamp, l.CursorID = at, id
	// The cursor alone would leave the engine to look at the newer partitions too.
	if end := at.Add(time.Microsecond); end.Before(l.Until) {
		l.Until = end
	}
}

func (in *signalListInput) params() (signalListing, error) {
	arg := signalListing{model.SignalListParams{Until: model.MaxTime(), CursorTimestamp: model.MaxTime(), CursorID: model.MaxID()}}
	var err error
	if in.Layer != "" {
		var layer string
		if layer, err = signalLayer("query.layer", in.Layer); err != nil {
			return arg, err
		}
		arg.Layer = &layer
	}
	if arg.Since, err = in.Since.bound("query.since", arg.Since); err != nil {
		return arg, err
	}
	if arg.Until, err = in.Until.bound("query.until", arg.Until); err != nil {
		return arg, err
	}
	if arg.Since.After(arg.Until) {
		return arg, invalidField("query.since", "must not be later than until")
	}
	if in.Cursor != "" {
		at, id, err := decodeTimeCursor(cursorSignals, in.Cursor)
		if err != nil {
			return arg, err
		}
		arg.after(at, id)
	}
	return arg, nil
}

// UUIDPath is the part of the input of routes to one thing whose id is a UUID.
type UUIDPath struct {
	ID string `path:"id" format:"uuid" maxLength:"36" doc:"The id." example:"0199d2f4-7c00-7a31-8d52-0e6f4b1c9a70"`
}

func (p *UUIDPath) id() (uuid.UUID, error) {
	id, err := uuid.Parse(p.ID)
	if err != nil {
		return id, invalidField("path.id", "must be a UUID such as 0199d2f4-7c00-7a31-8d52-0e6f4b1c9a70")
	}
	return id, nil
}

// readSignal finds a signal by its id. A UUIDv7 says its own time, so that one
// partition is looked at; an imported signal may have another time, or an id that
// says none.
func (s *Server) readSignal(ctx context.Context, id uuid.UUID) (model.Signal, error) {
	// An id may say a year in which nothing can be stored.
	if t, ok := model.IDTime(id); ok && t.Before(model.MaxTime()) {
		row, err := s.store.SignalGet(ctx, model.SignalGetParams{ID: id, Timestamp: t})
		if !errors.Is(err, model.ErrNotFound) {
			return row, err
		}
	}
	return s.store.SignalFind(ctx, model.SignalFindParams{ID: id})
}

// signalLayer reads the layer of either end of a signal: API is where clients are.
func signalLayer(location, v string) (string, error) {
	if strings.EqualFold(v, apiLayer) {
		return apiLayer, nil
	}
	layer, ok := model.ParseLayer(v)
	if !ok {
		return "", invalidField(location, "unknown layer; give L1, L2, L3 or L4, or execution, implementation, design or strategic, or API")
	}
	return layer, nil
}

func signalOf(row model.Signal) Signal {
	return Signal{
		ID: row.ID, FromNeuron: row.FromNeuron, ToNeuron: row.ToNeuron, LayerFrom: row.LayerFrom, LayerTo: row.LayerTo,
		PropagationType: row.PropagationType, Content: row.Content, Metadata: objectOf(row.Metadata), Timestamp: row.Timestamp,
	}
}

func signalURL(id uuid.UUID) string { return "/api/v1/signals/" + id.String() }
