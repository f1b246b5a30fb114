package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/VictoriaMetrics/metrics"
	"go.opentelemetry.io/otel/trace"

	"github.com/hal9-ai/hal9/internal/config"
	"github.com/hal9-ai/hal9/model"
	"github.com/hal9-ai/hal9/store"
	"github.com/hal9-ai/hal9/telemetry"
)

// observation is how a server tells what it does: nobody is spared the metrics, spans
// are made where tracing.endpoint asks for them.
type observation struct {
	log     *slog.Logger
	set     *metrics.Set
	queries model.QueryObserver
	tracing *telemetry.Tracing
}

// observe opens what tells of this server, and puts it into the cache's settings.
func observe(ctx context.Context, cfg *config.Config, log *slog.Logger, cache *store.Cache) (*observation, error) {
	o := &observation{log: log, set: metrics.NewSet()}
	queries := telemetry.NewQueries(o.set)
	o.queries = queries
	var err error
	o.tracing, err = telemetry.OpenTracing(ctx, telemetry.TracingConfig{
		Endpoint: cfg.Tracing.Endpoint, SampleRatio: cfg.Tracing.SampleRatio, Headers: cfg.Tracing.HeaderMap(),
		Version: readBuild().Version, Instance: holderName(), Logger: log, Metrics: o.set,
	})
	if err != nil || o.tracing == nil {
		return o, err
	}
	spans := telemetry.NewSpans(o.tracing.Tracer(), cfg.Database.Engine(), queries)
	o.queries, cache.Observer = spans, spans
	o.log = slog.New(telemetry.LogHandler(log.Handler()))
	return o, nil
}

func (o *observation) tracer() trace.Tracer { return o.tracing.Tracer() }

// lastTraces bounds how long the end of a server waits for its collector.
const lastTraces = 3 * time.Second

// close hands over the last spans. A collector that is away is no failure of the
// server.
func (o *observation) close(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastTraces)
	defer cancel()
	if err := o.tracing.Close(ctx); err != nil {
		o.log.WarnContext(ctx, "the last traces are lost", slog.String("error", fmt.Sprintf("%T", err)))
	}
}
