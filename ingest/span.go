package ingest

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// recording is the span of a request that is traced, nil of any other.
func recording(ctx context.Context) trace.Span {
	if span := trace.SpanFromContext(ctx); span.IsRecording() {
		return span
	}
	return nil
}

// spanOf begins the span of a batch's commit. It belongs to the first request of the
// batch that is traced, and is linked with each: it with them, and they with it. end
// ends it with what became of the batch.
func (g *group) spanOf(ctx context.Context, batch []*submission) (traced context.Context, end func([]outcome)) {
	none := func([]outcome) {}
	if g.tracer == nil {
		return ctx, none
	}
	var requests []trace.Span
	for _, s := range batch {
		if s.span != nil {
			requests = append(requests, s.span)
		}
	}
	if len(requests) == 0 {
		return ctx, none
	}
	links := make([]trace.Link, len(requests))
	for i, r := range requests {
		links[i].SpanContext = r.SpanContext()
	}
	ctx, span := g.tracer.Start(trace.ContextWithSpanContext(ctx, requests[0].SpanContext()), "ingest commit",
		trace.WithLinks(links...), trace.WithAttributes(attribute.Int("hal9.ingest.batch_size", len(batch))))
	for _, r := range requests {
		r.AddLink(trace.Link{SpanContext: span.SpanContext()})
	}
	return ctx, func(outcomes []outcome) {
		for _, o := range outcomes {
			if o.err != nil {
				span.SetStatus(codes.Error, "")
			}
		}
		span.End()
	}
}
