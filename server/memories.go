package server

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/hal9-ai/hal9/auth"
	"github.com/hal9-ai/hal9/model"
)

// Memory is one memory, in the shape of lists. The embedding is only told by the
// route to one memory: it is longer than most contents.
type Memory struct {
	ID           uuid.UUID  `json:"id" format:"uuid" example:"0199d2f4-7c00-7a31-8d52-0e6f4b1c9a71"`
	NeuronID     string     `json:"neuron_id" example:"strategic-planner"`
	Layer        *string    `json:"layer" nullable:"true" example:"L4"`
	EntryType    *string    `json:"entry_type" nullable:"true" doc:"A free word." example:"Task"`
	Content      string     `json:"content" example:"The antenna fails within 72 hours."`
	Importance   float64    `json:"importance" doc:"From 0 to 1." example:"0.7"`
	Context      jsonObject `json:"context"`
	Metadata     jsonObject `json:"metadata"`
	HasEmbedding bool       `json:"has_embedding"`
	AccessCount  int64      `json:"access_count"`
	LastAccessed *time.Time `json:"last_accessed" nullable:"true"`
	CreatedAt    time.Time  `json:"created_at"`
	UpdatedAt    time.Time  `json:"updated_at"`
	Version      int64      `json:"version" doc:"Grows with each change." example:"17"`
}

// wholeMemory is a memory with its embedding.
type wholeMemory struct {
	Memory
	Embedding *string `json:"embedding" nullable:"true" encoding:"base64" doc:"Little-endian 32-bit floats in base64, null if there is none."`
}

// memoryFields is what a client may set of a memory.
type memoryFields struct {
	NeuronID   neuronName `json:"neuron_id" doc:"Whose memory it is." example:"strategic-planner"`
	Layer      *string    `json:"layer,omitempty" minLength:"1" maxLength:"255" nullable:"true" doc:"L1 to L4, or execution, implementation, design, strategic, in any case." example:"L4"`
	EntryType  *string    `json:"entry_type,omitempty" minLength:"1" maxLength:"255" nullable:"true" doc:"A free word." example:"Task"`
	Content    longText   `json:"content" minLength:"1" example:"The antenna fails within 72 hours."`
	Importance *float64   `json:"importance,omitempty" minimum:"0" maximum:"1" nullable:"true" doc:"From 0 to 1; 0.5 if absent." example:"0.7"`
	Context    jsonObject `json:"context,omitempty"`
	Metadata   jsonObject `json:"metadata,omitempty"`
	Embedding  []byte     `json:"embedding,omitempty" nullable:"true" doc:"Little-endian 32-bit floats in base64, at most 16,384 of them."`
}

const (
	defaultImportance = 0.5
	maxEmbedding      = 64 << 10
)

func (s *Server) registerMemories() {
	const path, one = "/api/v1/memories", "/api/v1/memories/{id}"
	example := map[string]any{
		"neuron_id": "strategic-planner", "layer": "L4", "entry_type": "Task", "content": "The antenna fails within 72 hours.",
		"importance": 0.7, "metadata": map[string]any{"signal_id": "0199d2f4-7c00-7a31-8d52-0e6f4b1c9a70"},
	}
	register(s, operation{
		id: "MemoryCreate", method: http.MethodPost, path: path, tag: tagMemories, access: scoped(auth.ScopeModifyMemory),
		summary: "Create a memory", status: http.StatusCreated, created: true, example: example,
		idempotency: idempotencyAtomic, etag: true,
	}, s.memoryCreate)
	register(s, operation{
		id: "MemoryList", method: http.MethodGet, path: path, tag: tagMemories, access: scoped(auth.ScopeViewMemory), replica: true,
		summary: "List the memories", description: "The newest first.", places: map[string]string{"neuron_id": "query.neuron"},
	}, s.memoryList)
	s.registerMemorySearch(path + "/search")
	register(s, operation{
		id: "MemoryGet", method: http.MethodGet, path: one, tag: tagMemories, access: scoped(auth.ScopeViewMemory),
		summary: "Get a memory with its embedding", problems: []int{http.StatusNotFound}, etag: true,
	}, s.memoryGet)
	register(s, operation{
		id: "MemoryPut", method: http.MethodPut, path: one, tag: tagMemories, access: scoped(auth.ScopeModifyMemory),
		summary: "Replace a memory", description: "What the body leaves out is emptied or gets its default, the embedding too.",
		problems: []int{http.StatusNotFound, http.StatusPreconditionFailed}, etag: true, example: example,
	}, s.memoryPut)
	register(s, operation{
		id: "MemoryDelete", method: http.MethodDelete, path: one, tag: tagMemories, access: scoped(auth.ScopeModifyMemory),
		summary: "Delete a memory", problems: []int{http.StatusNotFound, http.StatusPreconditionFailed},
	}, s.memoryDelete)
}

func (s *Server) memoryCreate(ctx context.Context, in *struct{ Body memoryFields }) (*answer[Memory], error) {
	if err := in.Body.check(); err != nil {
		return nil, err
	}
	b := &in.Body
	row, err := s.queries(ctx).MemoryInsert(ctx, model.MemoryInsertParams{
		ID: s.idsOf(ctx).New(), NeuronID: string(b.NeuronID), Layer: b.Layer, EntryType: b.EntryType,
		Content: string(b.Content), Importance: *b.Importance, Context: b.Context.value(), Metadata: b.Metadata.value(),
		Embedding: b.Embedding, CreatedAt: s.now(),
	})
	if err != nil {
		return nil, err
	}
	m := memoryOf(row)
	return created(m, memoryURL(row.ID)).tagged(memoryTag(&m)), nil
}

type memoryListInput struct {
	PageQuery
	Neuron    string `query:"neuron" maxLength:"255" doc:"Only the memories of this neuron."`
	Layer     string `query:"layer" maxLength:"255" doc:"Only the memories of this layer."`
	EntryType string `query:"entry_type" maxLength:"255" doc:"Only the memories of this type, spelt as it is stored."`
}

// maxRecent is how long a page of MemoryListRecent may be; it returns one row more.
const maxRecent = 100

func (s *Server) memoryList(ctx context.Context, in *memoryListInput) (*pageAnswer[Memory], error) {
	layer, err := layerFilter(in.Layer)
	if err != nil {
		return nil, err
	}
	arg := model.MemoryListParams{
		CursorCreatedAt: model.MaxTime(), CursorID: model.MaxID(),
		Layer: layer, EntryType: optional(in.EntryType),
	}
	if in.Cursor != "" {
		if arg.CursorCreatedAt, arg.CursorID, err = decodeTimeCursor(cursorMemories, in.Cursor); err != nil {
			return nil, err
		}
	}
	rows, shown, err := readPage(in.Limit, s.pageBytes, memoryBytes, func(after *model.Memory, most int) ([]model.Memory, error) {
		if after != nil {
			arg.CursorCreatedAt, arg.CursorID = after.CreatedAt, after.ID
		}
		arg.PageLimit = int64(most)
		switch {
		case in.Neuron == "":
			return s.store.MemoryList(ctx, arg)
		case in.Cursor == "" && layer == nil && in.EntryType == "" && in.Limit <= maxRecent:
			rows, err := s.store.MemoryListRecent(ctx, model.MemoryListRecentParams{NeuronID: in.Neuron})
			return rows[:min(len(rows), most)], err
		default:
			return s.store.MemoryListByNeuron(ctx, model.MemoryListByNeuronParams{
				NeuronID: in.Neuron, CursorCreatedAt: arg.CursorCreatedAt, CursorID: arg.CursorID,
				Layer: arg.Layer, EntryType: arg.EntryType, PageLimit: arg.PageLimit,
			})
		}
	})
	if err != nil {
		return nil, err
	}
	return page(rows, shown, memoryOf, func(row model.Memory) string {
		return encodeTimeCursor(cursorMemories, row.CreatedAt, row.ID)
	}), nil
}

// memoryVersion reads the version of a stored memory.
func (s *Server) memoryVersion(ctx context.Context, id uuid.UUID) func() (int64, error) {
	return func() (int64, error) {
		m, err := s.store.MemoryGet(ctx, model.MemoryGetParams{ID: id})
		return m.Version, err
	}
}

func (s *Server) memoryGet(ctx context.Context, in *struct {
	UUIDPath
	IfNoneMatch
},
) (*answer[wholeMemory], error) {
	id, err := in.id()
	if err != nil {
		return nil, err
	}
	row, err := s.store.MemoryGet(ctx, model.MemoryGetParams{ID: id})
	if err != nil {
		return nil, err
	}
	m := wholeMemory{Memory: memoryOf(row)}
	if m.HasEmbedding {
		text := base64.StdEncoding.EncodeToString(row.Embedding)
		m.Embedding = &text
	}
	return conditional(&in.IfNoneMatch, ok(m), memoryTag(&m.Memory)), nil
}

func (s *Server) memoryPut(ctx context.Context, in *struct {
	UUIDPath
	IfMatch
	Body memoryFields
},
) (*answer[Memory], error) {
	id, err := in.id()
	if err != nil {
		return nil, err
	}
	if err := in.Body.check(); err != nil {
		return nil, err
	}
	current := s.memoryVersion(ctx, id)
	version, err := in.version(current)
	if err != nil {
		return nil, err
	}
	b := &in.Body
	row, err := s.store.MemoryUpdate(ctx, model.MemoryUpdateParams{
		ID: id, NeuronID: string(b.NeuronID), Layer: b.Layer, EntryType: b.EntryType,
		Content: string(b.Content), Importance: *b.Importance, Context: b.Context.value(), Metadata: b.Metadata.value(),
		Embedding: b.Embedding, UpdatedAt: s.now(), IfVersion: version,
	})
	if errors.Is(err, model.ErrNotFound) {
		return nil, in.missed("memory", current)
	}
	if err != nil {
		return nil, err
	}
	m := memoryOf(row)
	return ok(m).tagged(memoryTag(&m)), nil
}

func (s *Server) memoryDelete(ctx context.Context, in *struct {
	UUIDPath
	IfMatch
},
) (*answer[deleted], error) {
	id, err := in.id()
	if err != nil {
		return nil, err
	}
	current := s.memoryVersion(ctx, id)
	version, err := in.version(current)
	if err != nil {
		return nil, err
	}
	rows, err := s.store.MemoryDelete(ctx, model.MemoryDeleteParams{ID: id, IfVersion: version})
	if err != nil {
		return nil, err
	}
	if rows == 0 {
		return nil, in.missed("memory", current)
	}
	return ok(deleted{ID: id.String()}), nil
}

// check refuses what the schema cannot, and fills in what is absent.
func (f *memoryFields) check() error {
	if f.Layer != nil {
		layer, err := layerName("body.layer", *f.Layer)
		if err != nil {
			return err
		}
		f.Layer = &layer
	}
	if f.Importance == nil {
		importance := defaultImportance
		f.Importance = &importance
	}
	*f.Importance += 0 // no negative zero, which PostgreSQL keeps and SQLite does not
	switch n := len(f.Embedding); {
	case n == 0:
		f.Embedding = nil
	case n%4 != 0:
		return invalidField("body.embedding", "must hold 32-bit floats: a multiple of 4 bytes before base64")
	case n > maxEmbedding:
		return invalidField("body.embedding", "must not hold more than 16,384 floats")
	}
	return nil
}

func memoryOf(row model.Memory) Memory {
	return Memory{
		ID: row.ID, NeuronID: row.NeuronID, Layer: row.Layer, EntryType: row.EntryType,
		Content: row.Content, Importance: row.Importance, Context: objectOf(row.Context), Metadata: objectOf(row.Metadata),
		HasEmbedding: len(row.Embedding) > 0, AccessCount: row.AccessCount, LastAccessed: row.LastAccessed,
		CreatedAt: row.CreatedAt, UpdatedAt: row.UpdatedAt, Version: row.Version,
	}
}

func memoryURL(id uuid.UUID) string { return "/api/v1/memories/" + id.String() }
