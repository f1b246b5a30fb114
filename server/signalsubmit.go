package server

import (
	"context"
	"fmt"
	"net/http"
	"reflect"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"github.com/hal9-ai/hal9/auth"
	"github.com/hal9-ai/hal9/ingest"
	"github.com/hal9-ai/hal9/model"
)

const (
	// maxSignals bounds an array of signals.
	maxSignals = 10_000
	// maxRowFaults bounds how many faults of an array are told one by one.
	maxRowFaults = 100
	// uuidLength is the length of a UUID's usual form.
	uuidLength = 36
)

// signalFields is a signal as a client sends it.
type signalFields struct {
	ID              *string     `json:"id,omitempty" format:"uuid" nullable:"true" doc:"A UUID of version 7, to make resubmissions harmless: not later than a minute from now, not older than signals.retention. Made by the server if absent." example:"0199d2f4-7c00-7a31-8d52-0e6f4b1c9a70"`
	FromNeuron      *neuronName `json:"from_neuron,omitempty" nullable:"true" doc:"api-client if absent." example:"strategic-planner"`
	ToNeuron        *neuronName `json:"to_neuron,omitempty" nullable:"true" doc:"The own neuron of layer_to, such as neuron-l3, if absent." example:"task-analyzer"`
	LayerFrom       *string     `json:"layer_from,omitempty" minLength:"1" maxLength:"255" nullable:"true" doc:"L1 to L4, their names in any case, or API, which it is if absent." example:"L4"`
	LayerTo         string      `json:"layer_to" minLength:"1" maxLength:"255" doc:"L1 to L4, or execution, implementation, design, strategic, in any case." example:"L3"`
	PropagationType *string     `json:"propagation_type,omitempty" minLength:"1" maxLength:"255" nullable:"true" doc:"A free word; forward if absent." example:"forward"`
	Content         longText    `json:"content" minLength:"1" example:"Plan the mission."`
	Metadata        jsonObject  `json:"metadata,omitempty"`
	Timestamp       *time.Time  `json:"timestamp,omitempty" nullable:"true" doc:"Kept in milliseconds. Beside an id it must be the time inside that; alone it has the same bounds, and an id is made for it. Now if absent." example:"2026-01-31T12:00:00.123Z"`
}

// signalsBody is one signal or an array of them. The schema shows both in the
// document, but the rows are checked one by one in read: a choice between two
// schemas could only say that neither fits, and not where.
type signalsBody []byte

// Schema implements huma.SchemaProvider.
func (signalsBody) Schema(r huma.Registry) *huma.Schema {
	one := r.Schema(reflect.TypeFor[signalFields](), true, "SignalFields")
	least, most := 1, maxSignals
	return &huma.Schema{
		Description: "One signal, or an array of up to 10,000.",
		Extensions: map[string]any{"oneOf": []*huma.Schema{
			one, {Type: huma.TypeArray, Items: one, MinItems: &least, MaxItems: &most},
		}},
	}
}

// UnmarshalJSON keeps a copy of the text.
func (b *signalsBody) UnmarshalJSON(data []byte) error {
	*b = append((*b)[:0], data...)
	return nil
}

// signalBatch tells what became of an array of signals.
type signalBatch struct {
	Received   int              `json:"received" doc:"Signals in the array: the sum of the next three."`
	Stored     int              `json:"stored"`
	Duplicates int              `json:"duplicates" doc:"Stored before with the same content, or earlier in the array: a success that wrote nothing."`
	Failed     int              `json:"failed"`
	IDs        []uuid.UUID      `json:"ids" nullable:"false" doc:"The id of each signal, in the order of the array."`
	Errors     []signalRowError `json:"errors" nullable:"false" doc:"Why rows failed, the first 100 of them."`
}

type signalRowError struct {
	Index   int    `json:"index" doc:"The row's place in the array, from 0." example:"3"`
	Field   string `json:"field" example:"id"`
	Message string `json:"message" example:"a signal with this id and other content is stored"`
}

// signalsData is the one signal, or what became of the array.
type signalsData struct {
	one  *Signal
	many *signalBatch
}

// Schema implements huma.SchemaProvider.
func (signalsData) Schema(r huma.Registry) *huma.Schema {
	return &huma.Schema{
		Description: "The signal, or for an array what became of it.",
		OneOf: []*huma.Schema{
			r.Schema(reflect.TypeFor[Signal](), true, "Signal"),
			r.Schema(reflect.TypeFor[signalBatch](), true, "SignalBatch"),
		},
	}
}

// MarshalJSONTo implements json.MarshalerTo.
func (d signalsData) MarshalJSONTo(e *jsontext.Encoder) error {
	if d.one != nil {
		return json.MarshalEncode(e, d.one) //nolint:wrapcheck // the encoder's own words
	}
	return json.MarshalEncode(e, d.many) //nolint:wrapcheck // the encoder's own words
}

func (s *Server) registerSignalSubmit(path string) {
	register(s, operation{
		id: "SignalCreate", method: http.MethodPost, path: path, tag: tagSignals, access: scoped(auth.ScopeSendSignal),
		summary: "Store one signal or many", status: http.StatusCreated, created: true,
		description: "Answered after all is stored. A signal whose id is stored already with the same content is a success; with other content it is refused. " +
			"An array in which any row is malformed is refused whole, with each fault by its place. " +
			"Rows that only the database could refuse, such as an id that is stored with other content, take no others along: " +
			"then the answer is 207 and names them.",
		problems: []int{http.StatusConflict}, idempotency: idempotencyDerived,
		example: map[string]any{
			"from_neuron": "strategic-planner", "layer_from": "L4", "to_neuron": "task-analyzer", "layer_to": "L3",
			"content": "Plan the mission.", "metadata": map[string]any{"parent_id": "0199d2f4-7c00-7a31-8d52-0e6f4b1c9a70"},
		},
		responses: map[string]*huma.Response{"207": {
			Description: "Some rows of the array were refused: see data.errors. The others are stored.",
			Content:     map[string]*huma.MediaType{typeJSON: {Schema: &huma.Schema{Ref: "#/components/schemas/EnvelopeSignalsData"}}},
		}},
	}, s.signalSubmit)
}

func (s *Server) signalSubmit(ctx context.Context, in *struct{ Body signalsBody }) (*answer[signalsData], error) {
	rows, isArray, err := s.readSignals(ctx, in.Body)
	if err != nil {
		return nil, err
	}
	if isArray {
		return s.signalSubmitMany(ctx, rows)
	}
	row := rows[0]
	if _, err := s.ingest.Submit(ctx, row); err != nil {
		return nil, err
	}
	stored := signalOf(model.Signal(row))
	return created(signalsData{one: &stored}, signalURL(row.ID)), nil
}

func (s *Server) signalSubmitMany(ctx context.Context, rows []model.SignalInsertParams) (*answer[signalsData], error) {
	result, err := s.ingest.SubmitMany(ctx, rows)
	if err != nil {
		return nil, err
	}
	batch := &signalBatch{
		Received: len(rows), Stored: result.Inserted, Duplicates: len(result.Duplicates), Failed: len(result.Failed),
		IDs: make([]uuid.UUID, len(rows)), Errors: []signalRowError{},
	}
	for i := range rows {
		batch.IDs[i] = rows[i].ID
	}
	for _, bad := range result.Failed[:min(len(result.Failed), maxRowFaults)] {
		f := faultOf("", bad.Err)
		batch.Errors = append(batch.Errors, signalRowError{Index: bad.Index, Field: f.Location, Message: f.Message})
	}
	a := created(signalsData{many: batch}, "")
	if batch.Failed > 0 {
		a.Status = http.StatusMultiStatus
	}
	return a, nil
}

// readSignals turns a body into rows to be stored, or tells all that is wrong.
func (s *Server) readSignals(ctx context.Context, body []byte) (rows []model.SignalInsertParams, isArray bool, err error) {
	texts := []jsontext.Value{body}
	isArray = jsontext.Value(body).Kind() == '['
	if isArray {
		texts = nil
		if err := decodeInto(body, &texts); err != nil {
			return nil, isArray, invalidField("body", err.Error())
		}
		if len(texts) < 1 || len(texts) > maxSignals {
			return nil, isArray, invalidField("body", fmt.Sprintf("must hold 1 to %d signals; it holds %d", maxSignals, len(texts)))
		}
	}

	r := s.newSignalReader()
	r.identities = s.identitiesOf(ctx)
	d := newLineDecoder(r)
	rows = make([]model.SignalInsertParams, len(texts))
	var faults []problemField
	bad := 0
	for i, text := range texts {
		var rowFaults []problemField
		index := i
		if !isArray {
			index = -1
		}
		var plain bool
		if rows[i], plain = d.quick(text); plain {
			continue
		}
		rows[i], rowFaults = r.read(text, index)
		if len(rowFaults) == 0 {
			continue
		}
		bad++
		if room := maxRowFaults - len(faults); room > 0 {
			faults = append(faults, rowFaults[:min(room, len(rowFaults))]...)
		}
	}
	switch {
	case bad == 0:
		return rows, isArray, nil
	case !isArray:
		return nil, isArray, newProblem(http.StatusUnprocessableEntity, "", faults...)
	default:
		return nil, isArray, newProblem(http.StatusUnprocessableEntity,
			fmt.Sprintf("%d of %d signals are malformed, and none was stored: %s", bad, len(rows), describe(faults)), faults...)
	}
}

// signalReader reads the rows of one body.
type signalReader struct {
	registry   huma.Registry
	schema     *huma.Schema
	identities ingest.Identities
	maxDepth   int
	path       *huma.PathBuffer
	result     huma.ValidateResult
}

func (s *Server) newSignalReader() *signalReader {
	registry := s.api.OpenAPI().Components.Schemas
	return &signalReader{
		registry: registry, schema: registry.Map()["SignalFields"],
		identities: s.identities, maxDepth: s.cfg.MaxJSONDepth, path: huma.NewPathBuffer(make([]byte, 0, 64), 0),
	}
}

// read is the row to be stored, or all that is wrong with it, told by places in the
// body: below body[index], or below body if the index is negative.
func (r *signalReader) read(text []byte, index int) (model.SignalInsertParams, []problemField) {
	r.path.Reset()
	r.path.Push("body")
	if index >= 0 {
		r.path.PushIndex(index)
	}
	at := r.path.String()

	generic, err := decodeValue(text, r.maxDepth)
	if err != nil {
		return model.SignalInsertParams{}, []problemField{{at, err.Error()}}
	}
	r.result.Reset()
	huma.Validate(r.registry, r.schema, r.path, huma.ModeWriteToServer, generic, &r.result)
	var in signalFields
	if len(r.result.Errors) == 0 {
		if err := decodeInto(text, &in); err != nil {
			return model.SignalInsertParams{}, []problemField{{at, err.Error()}}
		}
		r.path.Push("content")
		r.result.Errors = append(r.result.Errors, in.Content.Resolve(nil, r.path)...)
		r.path.Pop()
		r.path.Push("metadata")
		r.result.Errors = append(r.result.Errors, in.Metadata.Resolve(nil, r.path)...)
		r.path.Pop()
	}
	if len(r.result.Errors) > 0 {
		faults := make([]problemField, len(r.result.Errors))
		for i, err := range r.result.Errors {
			faults[i] = faultOf(at, err)
		}
		sortFields(faults)
		return model.SignalInsertParams{}, faults
	}

	row, err := in.params(r.identities)
	if err != nil {
		return row, []problemField{faultOf(at, err)}
	}
	return row, nil
}

// params is the row to be stored, all defaults filled in.
func (f *signalFields) params(identities ingest.Identities) (model.SignalInsertParams, error) {
	row, err := f.row()
	if err != nil {
		return row, err
	}
	var id *uuid.UUID
	if f.ID != nil {
		parsed, err := uuid.Parse(*f.ID)
		if err != nil || len(*f.ID) != uuidLength {
			return row, invalidField("id", "must be a UUID such as 0199d2f4-7c00-7a31-8d52-0e6f4b1c9a70")
		}
		id = &parsed
	}
	row.ID, row.Timestamp, err = identities.Identify(id, f.Timestamp)
	return row, err
}

// row is params without an id and a time.
func (f *signalFields) row() (model.SignalInsertParams, error) {
	row := model.SignalInsertParams{
		FromNeuron: string(valueOr(f.FromNeuron, apiClient)), PropagationType: valueOr(f.PropagationType, propagationForward),
		Content: string(f.Content), Metadata: f.Metadata.value(),
	}
	var err error
	if row.LayerTo, err = layerName("layer_to", f.LayerTo); err != nil {
		return row, err
	}
	if row.LayerFrom, err = signalLayer("layer_from", valueOr(f.LayerFrom, apiLayer)); err != nil {
		return row, err
	}
	if f.ToNeuron != nil {
		row.ToNeuron = string(*f.ToNeuron)
	} else {
		row.ToNeuron = model.DefaultTarget(row.LayerTo)
	}
	return row, nil
}

// faultOf tells an error by its place below the given one, such as body[3].
func faultOf(at string, err error) problemField {
	under := func(field string) string {
		if at != "" && field != "" {
			return at + "." + field
		}
		return at + field
	}
	switch e := err.(type) { //nolint:errorlint // only errors that come bare
	case *huma.ErrorDetail:
		if f, ok := e.Value.(fault); ok {
			return problemField{e.Location, string(f)}
		}
		return problemField{e.Location, e.Message}
	case *problem:
		if len(e.Errors) > 0 {
			return problemField{under(e.Errors[0].Location), e.Errors[0].Message}
		}
		return problemField{at, e.Detail}
	case *model.Error:
		reason := e.Reason
		if reason == "" {
			reason = e.Kind.Error()
		}
		return problemField{under(e.Field), reason}
	default:
		return problemField{at, "cannot be stored (" + strconv.Quote(safeText(err)) + ")"}
	}
}

func valueOr[T any](v *T, absent T) T {
	if v == nil {
		return absent
	}
	return *v
}
