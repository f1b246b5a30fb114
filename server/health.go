package server

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/hal9-ai/hal9/auth"
	"github.com/hal9-ai/hal9/internal/dburl"
	"github.com/hal9-ai/hal9/model"
)

// What a health check may say.
const (
	healthy   = "healthy"
	degraded  = "degraded"
	unhealthy = "unhealthy"
)

const serviceName = "hal9-server"

// Health is the answer of a health check.
type Health struct {
	Status    string    `json:"status" enum:"healthy,degraded,unhealthy" example:"healthy"`
	Service   string    `json:"service" example:"hal9-server"`
	Version   string    `json:"version" example:"1.0.0"`
	Timestamp time.Time `json:"timestamp"`
}

type healthDetailed struct {
	Health
	UptimeSeconds float64     `json:"uptime_seconds"`
	Components    []component `json:"components" nullable:"false"`
	ChecksPassed  int         `json:"checks_passed"`
	ChecksTotal   int         `json:"checks_total"`
}

// component is one part of the service and the outcome of its check.
type component struct {
	Name      string         `json:"name" example:"database"`
	Status    string         `json:"status" enum:"healthy,degraded,unhealthy" example:"healthy"`
	Message   string         `json:"message" example:"answers"`
	LatencyMS float64        `json:"latency_ms"`
	Metadata  map[string]any `json:"metadata" nullable:"false"`
}

type version struct {
	Version  string `json:"version" example:"1.0.0"`
	Commit   string `json:"commit" doc:"Empty if unknown."`
	Time     string `json:"time" doc:"Of the commit; empty if unknown."`
	Go       string `json:"go" example:"go1.26.8"`
	Platform string `json:"platform" example:"linux/amd64"`
}

// text is a plain answer.
type text struct {
	Status      int
	ContentType string `header:"Content-Type" hidden:"true"`
	Body        []byte
}

// bareAnswer has no envelope.
type bareAnswer[T any] struct {
	Status int
	Body   T
}

func (s *Server) registerHealth() {
	register(s, operation{
		id: "HealthGet", method: http.MethodGet, path: "/health", tag: tagProbes, anyQuery: true, access: probe(),
		summary: "Tell that the server runs", description: "Asks nothing of the database; /readyz and /health/detailed do.",
	}, s.healthGet)
	register(s, operation{
		id: "HealthGetDetailed", method: http.MethodGet, path: "/health/detailed", tag: tagProbes, access: closed(auth.ScopeSystemAdmin),
		summary:     "Check each part of the service",
		description: "Answers 200 when healthy or degraded, 503 when unhealthy.",
		responses: map[string]*huma.Response{
			"503": {Description: "Unhealthy", Content: map[string]*huma.MediaType{typeJSON: {
				Schema: &huma.Schema{Ref: "#/components/schemas/HealthDetailed"},
			}}},
		},
	}, s.healthGetDetailed)
	register(s, operation{
		id: "LivenessGet", method: http.MethodGet, path: "/livez", tag: tagProbes, anyQuery: true, access: probe(),
		summary: "Tell that the process lives", responses: textResponses("OK"),
	}, func(context.Context, *struct{}) (*text, error) {
		return plain(http.StatusOK, "OK"), nil
	})
	register(s, operation{
		id: "ReadinessGet", method: http.MethodGet, path: "/readyz", tag: tagProbes, anyQuery: true, access: probe(),
		summary: "Tell whether requests can be served", description: "503 while shutting down or when the database does not answer.",
		responses: textResponses("ready", http.StatusServiceUnavailable),
	}, s.readinessGet)
	register(s, operation{
		id: "VersionGet", method: http.MethodGet, path: "/version", tag: tagProbes, anyQuery: true, access: probe(),
		summary: "Tell what is running",
	}, func(context.Context, *struct{}) (*bareAnswer[version], error) {
		return &bareAnswer[version]{http.StatusOK, version{
			Version: s.build.Version, Commit: s.build.Commit, Time: s.build.Time, Go: s.build.Go, Platform: s.build.Platform,
		}}, nil
	})
}

func plain(status int, body string) *text {
	return &text{Status: status, ContentType: typeText, Body: []byte(body)}
}

// textResponses documents a plain answer with 200 and other statuses.
func textResponses(example string, others ...int) map[string]*huma.Response {
	content := func(example string) map[string]*huma.MediaType {
		return map[string]*huma.MediaType{"text/plain": {Schema: &huma.Schema{Type: huma.TypeString}, Example: example}}
	}
	r := map[string]*huma.Response{"200": {Description: http.StatusText(http.StatusOK), Content: content(example)}}
	for _, status := range others {
		r[strconv.Itoa(status)] = &huma.Response{Description: http.StatusText(status), Content: content("not " + example)}
	}
	return r
}

func (s *Server) health() Health {
	return Health{Status: healthy, Service: serviceName, Version: s.build.Version, Timestamp: s.now().UTC()}
}

func (s *Server) healthGet(context.Context, *struct{}) (*bareAnswer[Health], error) {
	return &bareAnswer[Health]{http.StatusOK, s.health()}, nil
}

type healthDetailedInput struct {
	Detailed  bool `query:"detailed" default:"true" doc:"Whether to list the components."`
	TimeoutMS int  `query:"timeout_ms" minimum:"1" maximum:"60000" default:"5000" doc:"How long the checks may take; server.request_timeout holds as well."`
}

func (s *Server) healthGetDetailed(ctx context.Context, in *healthDetailedInput) (*bareAnswer[healthDetailed], error) {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(in.TimeoutMS)*time.Millisecond)
	defer cancel()
	checks := []component{s.checkServer(), s.checkDatabase(ctx), s.checkPool(), s.checkCache()}
	if s.store.Engine() == dburl.Postgres {
		checks = append(checks, s.checkPartitions(ctx))
	}
	h := healthDetailed{
		Health: s.health(), UptimeSeconds: secondsSince(s.started, s.now()),
		Components: checks, ChecksTotal: len(checks),
	}
	for _, c := range checks {
		if c.Status == healthy {
			h.ChecksPassed++
		}
		h.Status = worse(h.Status, c.Status)
	}
	if !in.Detailed {
		h.Components = []component{}
	}
	status := http.StatusOK
	if h.Status == unhealthy {
		status = http.StatusServiceUnavailable
	}
	return &bareAnswer[healthDetailed]{status, h}, nil
}

func worse(a, b string) string {
	rank := map[string]int{healthy: 0, degraded: 1, unhealthy: 2}
	if rank[b] > rank[a] {
		return b
	}
	return a
}

func (s *Server) checkServer() component {
	c := component{Name: "server", Status: healthy, Message: "takes requests", Metadata: map[string]any{"auth_mode": s.cfg.AuthMode}}
	if !s.ready.Load() {
		c.Status, c.Message = degraded, "shutting down"
	}
	return c
}

func (s *Server) checkDatabase(ctx context.Context) component {
	c := component{Name: "database", Status: healthy, Message: "answers", Metadata: map[string]any{"engine": s.store.Engine()}}
	begin := time.Now()
	if err := s.store.Ping(ctx); err != nil {
		c.Status, c.Message = unhealthy, "does not answer"
	}
	c.LatencyMS = float64(time.Since(begin).Microseconds()) / 1000
	return c
}

// checkPool: calls that wait for a connection are a sign of too much load.
func (s *Server) checkPool() component {
	p := s.store.PoolStats()
	c := component{Name: "connections", Status: healthy, Message: "free", Metadata: map[string]any{
		"max": p.Max, "in_use": p.InUse, "idle": p.Idle, "waiting": p.Waiting,
	}}
	if p.Waiting > 0 {
		c.Status, c.Message = degraded, "calls wait for a connection; raise database.max_connections or take load away"
	}
	return c
}

// checkPartitions: without partitions ahead no signal is lost, but all go to the default
// one, and moving them home pauses inserts.
func (s *Server) checkPartitions(ctx context.Context) component {
	c := component{Name: "partitions", Status: healthy, Message: "ready for the coming months", Metadata: map[string]any{}}
	begin := time.Now()
	all, err := s.store.SignalPartitionList(ctx)
	c.LatencyMS = float64(time.Since(begin).Microseconds()) / 1000
	if err != nil {
		c.Status, c.Message = degraded, "cannot be listed"
		return c
	}
	ahead := model.SignalMonthsAhead(all, s.now())
	c.Metadata["months_ahead"], c.Metadata["partitions"] = ahead, len(all)
	if ahead < model.LeastMonthsAhead {
		c.Status, c.Message = degraded, "too few lie ahead; run 'hal9 partitions ensure' and see what keeps the upkeep from it"
	}
	return c
}

// readyTimeout bounds how long a probe waits for the database.
const readyTimeout = 2 * time.Second

func (s *Server) readinessGet(ctx context.Context, _ *struct{}) (*text, error) {
	if !s.ready.Load() {
		return plain(http.StatusServiceUnavailable, "not ready: shutting down\n"), nil
	}
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	if err := s.store.Ping(ctx); err != nil {
		return plain(http.StatusServiceUnavailable, "not ready: the database does not answer\n"), nil
	}
	return plain(http.StatusOK, "ready\n"), nil
}
