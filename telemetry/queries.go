package telemetry

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/hal9-ai/hal9/model"
)

// Queries counts and times the queries of a store by name. It is a model.QueryObserver:
// its names are those of queries, so that there are no more series than queries.
type Queries struct {
	set    *metrics.Set
	byName sync.Map // string → *queryMetrics
}

var _ model.QueryObserver = (*Queries)(nil)

type queryMetrics struct {
	duration *metrics.PrometheusHistogram
	errors   *metrics.Counter
}

// NewQueries returns an observer whose metrics are in the set.
func NewQueries(set *metrics.Set) *Queries { return &Queries{set: set} }

// queryBounds reach from a look-up in SQLite to the default time limit of a statement,
// in seconds. Each is a series for each query, so that they are few.
func queryBounds() []float64 {
	return []float64{.0001, .0005, .001, .0025, .005, .01, .025, .05, .1, .5, 1, 5, 10}
}

// QueryBegin implements model.QueryObserver.
func (q *Queries) QueryBegin(ctx context.Context, _ string) context.Context { return ctx }

// QueryEnd implements model.QueryObserver.
func (q *Queries) QueryEnd(_ context.Context, query string, took time.Duration, err error) {
	m := q.of(query)
	m.duration.Update(took.Seconds())
	if failed(err) {
		m.errors.Inc()
	}
}

func (q *Queries) of(query string) *queryMetrics {
	found, ok := q.byName.Load(query)
	if !ok {
		labels := `{query="` + query + `"}`
		found, _ = q.byName.LoadOrStore(query, &queryMetrics{
			duration: q.set.GetOrCreatePrometheusHistogramExt("hal9_db_query_duration_seconds"+labels, queryBounds()),
			errors:   q.set.GetOrCreateCounter("hal9_db_query_errors_total" + labels),
		})
	}
	m, _ := found.(*queryMetrics)
	return m
}

// failed tells whether the database is at fault, and not the row or who asked for it.
func failed(err error) bool {
	if err == nil {
		return false
	}
	for _, answer := range []error{model.ErrNotFound, model.ErrConflict, model.ErrInvalid, model.ErrInTx, context.Canceled} {
		if errors.Is(err, answer) {
			return false
		}
	}
	_, told := errors.AsType[*model.Error](err)
	return told // what a transaction's function returned of its own is no failure of the database
}
