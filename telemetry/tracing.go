package telemetry

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/VictoriaMetrics/metrics"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// exportTimeout bounds one attempt to hand spans over.
const exportTimeout = 10 * time.Second

// TracingConfig says where traces go. Without an Endpoint there are none.
type TracingConfig struct {
	// Endpoint is an OTLP collector's, http://host:4318; /v1/traces is added to a URL
	// without a path.
	Endpoint string
	// SampleRatio is the share of traces that begin here and are recorded. One that a
	// caller began follows the caller's decision.
	SampleRatio float64
	// Headers are sent along.
	Headers map[string]string
	// Version and Instance tell this server from others.
	Version, Instance string
	// Logger is told when spans cannot be handed over, once until they can again.
	Logger *slog.Logger
	// Metrics is where the spans are counted.
	Metrics *metrics.Set
}

// Tracing hands spans to a collector in the background. What it cannot hand over it
// drops: nobody waits for it. nil makes no spans.
type Tracing struct {
	provider *sdktrace.TracerProvider
}

// OpenTracing starts to hand over spans; nil where there is no endpoint. It does not
// connect: a collector that is away is tried again with the next spans.
func OpenTracing(ctx context.Context, cfg TracingConfig) (*Tracing, error) {
	if cfg.Endpoint == "" {
		return nil, nil //nolint:nilnil // nil is a Tracing
	}
	target, err := url.Parse(cfg.Endpoint)
	if err != nil {
		return nil, fmt.Errorf("tracing.endpoint: %w", err)
	}
	if target.Path == "" || target.Path == "/" {
		target.Path = "/v1/traces"
	}
	exporter, err := otlptracehttp.New(ctx,
		otlptracehttp.WithEndpointURL(target.String()), otlptracehttp.WithHeaders(cfg.Headers), otlptracehttp.WithTimeout(exportTimeout))
	if err != nil {
		return nil, fmt.Errorf("tracing.endpoint: %w", err)
	}
	quiet := &quietExporter{
		SpanExporter: exporter, log: cfg.Logger,
		exported: cfg.Metrics.NewCounter(`hal9_tracing_spans_total{status="exported"}`),
		failed:   cfg.Metrics.NewCounter(`hal9_tracing_spans_total{status="failed"}`),
	}
	provider := sdktrace.NewTracerProvider(
		sdktrace.WithBatcher(quiet),
		sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.TraceIDRatioBased(cfg.SampleRatio))),
		sdktrace.WithResource(resource.NewSchemaless(
			attribute.String("service.name", "hal9"),
			attribute.String("service.version", cfg.Version),
			attribute.String("service.instance.id", cfg.Instance),
		)),
	)
	return &Tracing{provider}, nil
}

// Tracer makes spans; nil makes none.
func (t *Tracing) Tracer() trace.Tracer {
	if t == nil {
		return nil
	}
	return t.provider.Tracer("github.com/hal9-ai/hal9")
}

// Close hands over what is left, within ctx.
func (t *Tracing) Close(ctx context.Context) error {
	if t == nil {
		return nil
	}
	if err := t.provider.Shutdown(ctx); err != nil {
		return fmt.Errorf("hand over the last traces: %w", err)
	}
	return nil
}

// quietExporter keeps failures from the SDK, which would write each to the standard
// error, and logs their beginning and their end.
type quietExporter struct {
	sdktrace.SpanExporter

	log              *slog.Logger
	exported, failed *metrics.Counter
	failing          atomic.Bool
}

func (q *quietExporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	if err := q.SpanExporter.ExportSpans(ctx, spans); err != nil {
		q.failed.Add(len(spans))
		if !q.failing.Swap(true) {
			// The error's text may repeat what a collector answered.
			q.log.WarnContext(ctx, "the collector takes no traces; they are dropped until it does", slog.String("key", "tracing.endpoint"))
		}
		return nil
	}
	q.exported.Add(len(spans))
	if q.failing.Swap(false) {
		q.log.InfoContext(ctx, "the collector takes traces again")
	}
	return nil
}
