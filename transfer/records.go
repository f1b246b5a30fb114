package transfer

import (
	"context"
	"math"
	"strings"

	"github.com/google/uuid"

	"github.com/hal9-ai/hal9/model"
)

// memoriesOfA imports the memories of the whole server's database.
func memoriesOfA() step {
	return &pipe[model.MemoryImportParams]{
		name:    "memories",
		columns: []string{"id", "neuron_id", "content", "importance", "context", "created_at"},
		convert: memoryOfA,
		judge:   presence(memoriesStored),
		write:   memoriesWrite,
	}
}

func memoryOfA(ctx context.Context, r *row) (m model.MemoryImportParams, err error) {
	id, legacy, err := r.id(entityMemory)
	if err != nil {
		return m, err
	}
	m.ID, m.Metadata = id, model.EmptyObject()
	if m.NeuronID, err = r.required("neuron_id"); err != nil {
		return m, err
	}
	if m.CreatedAt, err = r.moment("created_at"); err != nil {
		return m, err
	}
	m.UpdatedAt = m.CreatedAt
	const unknownImportance = 0.5 // the original's default
	if m.Importance, err = r.float("importance", unknownImportance); err != nil {
		return m, err
	}
	content, original, err := r.content()
	if err != nil {
		return m, err
	}
	m.Content = content
	about := r.object("context")
	if err := r.remap(ctx, "context", &about); err != nil {
		return m, err
	}
	if legacy != "" {
		about.addText("legacy_id", legacy)
	}
	about.addAll(original)
	about.addAll(r.legacy())
	m.Context, err = about.stored("context")
	return m, err
}

// metricsOfA imports the aggregated metrics.
func metricsOfA() step {
	return &pipe[model.MetricImportParams]{
		name:    "metrics_aggregate",
		columns: []string{"id", "metric_name", "neuron_id", "value", "labels", "timestamp"},
		convert: func(_ context.Context, r *row) (model.MetricImportParams, error) { return metricOf(r) },
		judge: presence(func(ctx context.Context, q model.Queries, items []model.MetricImportParams) ([]bool, error) {
			return storedByID(items, func(m model.MetricImportParams) uuid.UUID { return m.ID }, func(ids model.JSON) ([]uuid.UUID, error) {
				return q.MetricListStoredIDs(ctx, model.MetricListStoredIDsParams{Ids: ids})
			})
		}),
		write: func(ctx context.Context, tx model.Tx, items []model.MetricImportParams) ([]outcome, error) {
			outcomes := make([]outcome, len(items))
			return outcomes, importFresh(ctx, tx, items, outcomes, func(ctx context.Context, q model.Imports, m model.MetricImportParams) (int64, error) {
				return q.MetricImport(ctx, m)
			})
		},
	}
}

func metricOf(r *row) (m model.MetricImportParams, err error) {
	id, legacy, err := r.id(entityMetric)
	if err != nil {
		return m, err
	}
	m.ID = id
	labels := r.object("labels")
	if legacy != "" {
		labels.addText("legacy_id", legacy)
	}
	if m.MetricName, err = r.required("metric_name"); err != nil {
		return m, err
	}
	if neuron := r.optionalText("neuron_id", maxName, &labels); neuron != nil && *neuron != "" {
		m.NeuronID = neuron
	} else if neuron != nil {
		r.converted("neuron_id", "neuron_id was an empty text: none is stored")
	}
	if m.Value, err = r.number("value"); err != nil {
		return m, err
	}
	if m.Timestamp, err = r.moment("timestamp"); err != nil {
		return m, err
	}
	labels.addAll(r.legacy())
	m.Labels, err = labels.stored("labels")
	return m, err
}

// auditOfA imports the audit log.
func auditOfA() step {
	return &pipe[model.AuditImportParams]{
		name: "audit_log",
		columns: []string{
			"id", "user_id", "action", "resource_type", "resource_id", "details", "ip_address", "user_agent", "created_at",
		},
		convert: auditOf,
		judge: presence(func(ctx context.Context, q model.Queries, items []model.AuditImportParams) ([]bool, error) {
			return storedByID(items, func(a model.AuditImportParams) uuid.UUID { return a.ID }, func(ids model.JSON) ([]uuid.UUID, error) {
				return q.AuditListStoredIDs(ctx, model.AuditListStoredIDsParams{Ids: ids})
			})
		}),
		write: func(ctx context.Context, tx model.Tx, items []model.AuditImportParams) ([]outcome, error) {
			outcomes := make([]outcome, len(items))
			return outcomes, importFresh(ctx, tx, items, outcomes, func(ctx context.Context, q model.Imports, a model.AuditImportParams) (int64, error) {
				return q.AuditImport(ctx, a)
			})
		},
	}
}

// auditOf converts an entry. Its user need not exist: what a user did outlives him.
func auditOf(ctx context.Context, r *row) (a model.AuditImportParams, err error) {
	id, legacy, err := r.id(entityAudit)
	if err != nil {
		return a, err
	}
	a.ID = id
	details := r.object("details")
	if legacy != "" {
		details.addText("legacy_id", legacy)
	}
	if user, ok := r.reference("user_id", entityUser, &details); ok {
		a.UserID = &user
	} else if r.value("user_id") != nil {
		r.converted("user_id", "user_id was an empty text: none is stored")
	}
	if a.Action, err = r.required("action"); err != nil {
		return a, err
	}
	if a.ResourceType, err = r.name("resource_type"); err != nil {
		return a, err
	}
	if a.ResourceType == "" {
		r.note("resource_type was empty: set to unknown")
		a.ResourceType = "unknown"
	}
	if a.ResourceID, err = r.resource(ctx, a.ResourceType, &details); err != nil {
		return a, err
	}
	a.IPAddress = r.optionalText("ip_address", math.MaxInt, &details)
	a.UserAgent = r.optionalText("user_agent", math.MaxInt, &details)
	if a.CreatedAt, err = r.moment("created_at"); err != nil {
		return a, err
	}
	details.addAll(r.legacy())
	a.Details, err = details.stored("details")
	return a, err
}

// resource reads the id of what an entry is about, remapped if a row of the file has
// it and got a new one.
func (r *row) resource(ctx context.Context, kind string, about *object) (*string, error) {
	const column = "resource_id"
	text := r.optionalText(column, math.MaxInt, about)
	if text == nil || *text == "" {
		return text, nil
	}
	table, entity, ok := tableOf(kind)
	if !ok {
		return text, nil
	}
	id, kept := newID(entity, *text)
	if kept {
		return text, nil
	}
	found, err := r.source().inFile(ctx, table, r.value(column))
	if err != nil || !found {
		return text, err
	}
	r.converted(column, column+" was no UUID: remapped, the old one is kept as legacy_"+column)
	about.addText("legacy_"+column, *text)
	remapped := id.String()
	return &remapped, nil
}

// tableOf finds the table of a kind of resource, in the singular or plural.
func tableOf(kind string) (table, entity string, ok bool) {
	switch strings.ReplaceAll(strings.ToLower(kind), "-", "_") {
	case "user", "users":
		return "users", entityUser, true
	case "api_key", "api_keys", "apikey":
		return "api_keys", entityAPIKey, true
	case "session", "sessions":
		return "sessions", entitySession, true
	case "signal", "signals":
		return "signals", entitySignal, true
	case "memory", "memories":
		return "memories", entityMemory, true
	default:
		return "", "", false
	}
}
