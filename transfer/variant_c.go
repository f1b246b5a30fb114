package transfer

import (
	"context"

	"github.com/google/uuid"

	"github.com/hal9-ai/hal9/model"
)

// variantC is the memory store of the neurons: one table, and a full-text index
// that is never read.
type variantC struct{}

func (variantC) name() string { return "C" }

func (variantC) describe() string { return "the memories of neurons" }

func (variantC) matches(s *schema) bool {
	t := s.tables["memories"]
	return t.has("id", "content", "layer", "timestamp", "entry_type", "metadata", "embedding", "access_count", "last_accessed") &&
		!t.has("created_at") && !t.has("context")
}

func (variantC) plan(*schema) []step { return []step{memoriesOfC()} }

func memoriesOfC() step {
	return &pipe[model.MemoryImportParams]{
		name: "memories",
		columns: []string{
			"id", "neuron_id", "layer", "timestamp", "entry_type", "content", "metadata",
			"embedding", "importance", "access_count", "last_accessed",
		},
		convert: memoryOfC,
		judge:   presence(memoriesStored),
		write:   memoriesWrite,
	}
}

// memoryOfC converts a row of variant C.
func memoryOfC(ctx context.Context, r *row) (m model.MemoryImportParams, err error) {
	id, legacy, err := r.id(entityMemory)
	if err != nil {
		return m, err
	}
	m.ID = id
	var about object // the context, which the table does not have
	if legacy != "" {
		about.addText("legacy_id", legacy)
	}
	if m.NeuronID, err = r.required("neuron_id"); err != nil {
		return m, err
	}
	layer, err := r.layer("layer")
	if err != nil {
		return m, err
	}
	if layer != "" {
		m.Layer = &layer
	}
	if m.EntryType, err = r.optionalWord("entry_type"); err != nil {
		return m, err
	}
	if m.CreatedAt, err = r.moment("timestamp"); err != nil {
		return m, err
	}
	m.UpdatedAt = m.CreatedAt
	content, original, err := r.content()
	if err != nil {
		return m, err
	}
	m.Content = content
	about.addAll(original)
	if err := memoryFiguresOfC(r, &m, &about); err != nil {
		return m, err
	}
	metadata := r.object("metadata")
	if err := r.remap(ctx, "metadata", &metadata); err != nil {
		return m, err
	}
	about.addAll(r.legacy())
	if m.Metadata, err = metadata.stored("metadata"); err != nil {
		return m, err
	}
	m.Context, err = about.stored("context")
	return m, err
}

// memoryFiguresOfC reads what a memory bears beside its text.
func memoryFiguresOfC(r *row, m *model.MemoryImportParams, about *object) (err error) {
	const unknownImportance = 0.5 // the original's default
	if m.Importance, err = r.float("importance", unknownImportance); err != nil {
		return err
	}
	if m.AccessCount, err = r.count("access_count"); err != nil {
		return err
	}
	if v := r.value("last_accessed"); v != nil {
		if t, err := parseTime(v); err == nil {
			m.LastAccessed = &t
			r.timeForm("last_accessed", v, t)
		} else if kept, ok := legacyMember("last_accessed", v); ok {
			r.keptAside("last_accessed", "last_accessed was "+err.Error()+": kept as legacy_last_accessed")
			about.addAll([]member{kept})
		}
	}
	switch v := r.value("embedding").(type) {
	case nil:
	case []byte:
		const float32Size = 4
		if len(v)%float32Size != 0 {
			r.note("embedding is no whole number of 32-bit floats: its bytes are kept as they are")
		}
		m.Embedding = v
	default:
		r.keptAside("embedding", "embedding was no bytes: kept as legacy_embedding")
		if kept, ok := legacyMember("embedding", v); ok {
			about.addAll([]member{kept})
		}
	}
	return nil
}

func memoriesStored(ctx context.Context, q model.Queries, items []model.MemoryImportParams) ([]bool, error) {
	return storedByID(items, func(m model.MemoryImportParams) uuid.UUID { return m.ID }, func(ids model.JSON) ([]uuid.UUID, error) {
		return q.MemoryListStoredIDs(ctx, model.MemoryListStoredIDsParams{Ids: ids})
	})
}

func memoriesWrite(ctx context.Context, tx model.Tx, items []model.MemoryImportParams) ([]outcome, error) {
	outcomes := make([]outcome, len(items))
	return outcomes, importFresh(ctx, tx, items, outcomes, func(ctx context.Context, q model.Imports, m model.MemoryImportParams) (int64, error) {
		return q.MemoryImport(ctx, m)
	})
}
