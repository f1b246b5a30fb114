package telemetry

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/hal9-ai/hal9/cacheutil"
	"github.com/hal9-ai/hal9/model"
)

// Spans makes spans of queries and of reads of the cache, within requests that are
// traced; what nobody asked for has none. Spans name queries and caches, and hold no
// keys, parameters or texts of errors.
type Spans struct {
	tracer trace.Tracer
	next   model.QueryObserver
	system attribute.KeyValue
}

var (
	_ model.QueryObserver = (*Spans)(nil)
	_ cacheutil.Observer  = (*Spans)(nil)
)

// NewSpans returns an observer that tells next of every query too. engine is that of
// the store.
func NewSpans(tracer trace.Tracer, engine string, next model.QueryObserver) *Spans {
	if engine == "postgres" {
		engine = "postgresql" // as the conventions call it
	}
	return &Spans{tracer: tracer, next: next, system: attribute.String("db.system.name", engine)}
}

// QueryBegin implements model.QueryObserver.
func (s *Spans) QueryBegin(ctx context.Context, query string) context.Context {
	ctx = s.next.QueryBegin(ctx, query)
	if !trace.SpanFromContext(ctx).IsRecording() {
		return ctx
	}
	ctx, _ = s.tracer.Start(ctx, "query "+query, trace.WithSpanKind(trace.SpanKindClient), //nolint:spancheck // QueryEnd ends it
		trace.WithAttributes(s.system, attribute.String("db.query.summary", query)))
	return ctx
}

// QueryEnd implements model.QueryObserver.
func (s *Spans) QueryEnd(ctx context.Context, query string, took time.Duration, err error) {
	s.next.QueryEnd(ctx, query, took, err)
	// It records only if QueryBegin has started it.
	if span := trace.SpanFromContext(ctx); span.IsRecording() {
		if failed(err) {
			span.SetStatus(codes.Error, "")
		}
		span.End()
	}
}

// ReadBegin implements cacheutil.Observer.
func (s *Spans) ReadBegin(ctx context.Context, cache string) (context.Context, bool) {
	if !trace.SpanFromContext(ctx).IsRecording() {
		return ctx, false
	}
	ctx, _ = s.tracer.Start(ctx, "cache "+cache, trace.WithAttributes(attribute.String("hal9.cache.entity", cache))) //nolint:spancheck // ReadEnd ends it
	return ctx, true
}

// ReadEnd implements cacheutil.Observer.
func (s *Spans) ReadEnd(ctx context.Context, tier cacheutil.Tier, err error) {
	span := trace.SpanFromContext(ctx)
	span.SetAttributes(attribute.String("hal9.cache.tier", string(tier)), attribute.Bool("hal9.cache.hit", tier != cacheutil.TierLoad))
	if failed(err) {
		span.SetStatus(codes.Error, "")
	}
	span.End()
}
