package server

import (
	"context"
	"net/http"
	"runtime/metrics"

	"github.com/danielgtaylor/huma/v2"

	"github.com/hal9-ai/hal9/auth"
	"github.com/hal9-ai/hal9/model"
)

// figures is what the service counts, for people and scripts; /metrics has the same
// and more for Prometheus.
type figures struct {
	UptimeSeconds float64 `json:"uptime_seconds"`
	StatusMetrics
	SignalsPerSecond float64          `json:"signals_per_second" doc:"Committed by this server, over the last minute."`
	NeuronsTotal     int64            `json:"neurons_total"`
	NeuronsActive    int64            `json:"neurons_active" doc:"Neurons whose state is neither Failed nor Stopped."`
	NeuronsByState   map[string]int64 `json:"neurons_by_state" doc:"The states are spelt as they are stored."`
	HTTPRequests     uint64           `json:"http_requests" doc:"Answered by this server since its start."`
	HTTPErrors       uint64           `json:"http_errors" doc:"Those answered with 5xx."`
	DBConnections    poolFigures      `json:"db_connections"`
	CacheHitRate     float64          `json:"cache_hit_rate" doc:"Hits of either tier per request to the caches, over the last minute; 0 without requests."`
	// CacheHitRates is beside it, by what is cached.
	CacheHitRates map[string]float64 `json:"cache_hit_rates" doc:"The same of each cache that was asked."`
	MemoryUsageMB float64            `json:"memory_usage_mb" doc:"Memory that the process holds, in 2^20 bytes."`
	Goroutines    uint64             `json:"goroutines"`
}

type poolFigures struct {
	Max     int `json:"max"`
	InUse   int `json:"in_use"`
	Idle    int `json:"idle"`
	Waiting int `json:"waiting" doc:"Calls that wait for a connection."`
}

func (s *Server) registerMetrics() {
	registerDirect(s, operation{
		id: "MetricsGet", method: http.MethodGet, path: "/api/v1/metrics", tag: tagStatus, access: scoped(auth.ScopeViewMetrics),
		summary: "Get the figures of this server",
	}, fillNothing, s.metricsGet)
	exported := map[string]*huma.Response{"200": {
		Description: "The figures, in the format asked for",
		Content: map[string]*huma.MediaType{
			typeJSON:     {Schema: &huma.Schema{Ref: "#/components/schemas/EnvelopeFigures"}},
			"text/plain": {Schema: &huma.Schema{Type: huma.TypeString}, Example: "hal9_server_uptime_seconds 12.5\n"},
		},
	}}
	register(s, operation{
		id: "MetricsExport", method: http.MethodGet, path: "/api/v1/metrics/export", tag: tagStatus, access: scoped(auth.ScopeViewMetrics),
		summary: "Export the figures as JSON or for Prometheus", responses: exported,
	}, s.metricsExport)
	prometheusAccess := scoped(auth.ScopeViewMetrics).in(laneAdmin)
	if s.cfg.MetricsPublic {
		prometheusAccess = public().in(laneAdmin)
	}
	register(s, operation{
		id: "PrometheusGet", method: http.MethodGet, path: "/metrics", tag: tagProbes, anyQuery: true, access: prometheusAccess,
		summary: "Get the metrics in Prometheus' text format", responses: textResponses("hal9_server_uptime_seconds 12.5\n"),
	}, func(ctx context.Context, _ *struct{}) (*text, error) {
		return s.prometheus(ctx), nil
	})
}

func (s *Server) metricsGet(ctx context.Context, _ *struct{}) (*answer[figures], error) {
	f, err := s.figures(ctx)
	if err != nil {
		return nil, err
	}
	a := ok(f)
	a.Body.encoded = encodeFigures(&a.Body.Data)
	return a, nil
}

type metricsExportInput struct {
	Format string `query:"format" enum:"json,prometheus" default:"json"`
}

func (s *Server) metricsExport(ctx context.Context, in *metricsExportInput) (*text, error) {
	if in.Format == "prometheus" {
		return s.prometheus(ctx), nil
	}
	f, err := s.figures(ctx)
	if err != nil {
		return nil, err
	}
	return &text{Status: http.StatusOK, ContentType: typeJSON, Body: encodeFigures(&f)}, nil
}

func (s *Server) figures(ctx context.Context) (figures, error) {
	states, err := s.store.NeuronCountByState(ctx)
	if err != nil {
		return figures{}, err
	}
	pool := s.store.PoolStats()
	f := figures{
		UptimeSeconds: secondsSince(s.started, s.now()), StatusMetrics: s.signalFigures(),
		SignalsPerSecond: s.ingest.Stats().CommittedPerSecond,
		NeuronsByState:   map[string]int64{},
		DBConnections:    poolFigures{Max: pool.Max, InUse: pool.InUse, Idle: pool.Idle, Waiting: pool.Waiting},
	}
	for _, row := range states {
		f.NeuronsTotal += row.NeuronsCount
		f.NeuronsByState[row.State] += row.NeuronsCount
		if row.Condition == model.ConditionRunning {
			f.NeuronsActive += row.NeuronsCount
		}
	}
	f.HTTPRequests, f.HTTPErrors = s.http.totals()
	f.CacheHitRate, f.CacheHitRates = s.cache.rates(s.now())
	held, goroutines := processFigures()
	f.MemoryUsageMB, f.Goroutines = float64(held)/(1<<20), goroutines
	return f, nil
}

// processFigures reads what the runtime holds, without stopping it.
func processFigures() (heldBytes, goroutines uint64) {
	samples := []metrics.Sample{
		{Name: "/memory/classes/total:bytes"},
		{Name: "/memory/classes/heap/released:bytes"},
		{Name: "/sched/goroutines:goroutines"},
	}
	metrics.Read(samples)
	return samples[0].Value.Uint64() - samples[1].Value.Uint64(), samples[2].Value.Uint64()
}
