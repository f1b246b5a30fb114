package server_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/hal9-ai/hal9/auth"
	"github.com/hal9-ai/hal9/model"
)

type healthAnswer struct {
	Status, Service, Version string
	Timestamp                time.Time
	UptimeSeconds            *float64 `json:"uptime_seconds"`
	Components               []struct {
		Name, Status, Message string
		LatencyMS             float64 `json:"latency_ms"`
		Metadata              map[string]any
	}
	ChecksPassed int `json:"checks_passed"`
	ChecksTotal  int `json:"checks_total"`
}

func TestHealth(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, s *harness) {
		admin := []string{"X-API-Key", s.key(s.user("root", auth.RoleAdmin))}
		h := decode[healthAnswer](s.ask("GET", "/health?whatever=1", "").want(200))
		if h.Status != "healthy" || h.Service != "hal9-server" || h.Version != "1.2.3" || h.Timestamp.IsZero() {
			t.Errorf("health: %+v", h)
		}
		s.clock.Advance(time.Minute)
		checks := 4
		if s.store.Engine() == postgresEngine {
			checks++ // the partitions
		}
		d := decode[healthAnswer](s.ask("GET", "/health/detailed?detailed=true&timeout_ms=5000", "", admin...).want(200))
		if d.Status != "healthy" || d.UptimeSeconds == nil || *d.UptimeSeconds < 59 || d.ChecksPassed != checks || d.ChecksTotal != checks ||
			len(d.Components) != checks || d.Components[1].Name != "database" || d.Components[1].Metadata["engine"] != s.store.Engine() {
			t.Errorf("detailed: %+v", d)
		}
		if short := decode[healthAnswer](s.ask("GET", "/health/detailed?detailed=false", "", admin...).want(200)); len(short.Components) != 0 || short.ChecksTotal != checks {
			t.Errorf("not detailed: %+v", short)
		}
		s.ask("GET", "/health/detailed?timeout_ms=0", "", admin...).problem(422, "query.timeout_ms")
		if r := s.ask("GET", "/livez", "").want(200); r.body != "OK" {
			t.Errorf("livez %q", r.body)
		}
		eventually(t, func() bool { return s.ask("GET", "/readyz", "").body == "ready\n" })
		s.ask("GET", "/version", "").want(200, `"version":"1.2.3"`)
	})
}

// Whoever looks after the database learns that partitions run out while there is time.
func TestHealthTellsOfFewPartitions(t *testing.T) {
	t.Parallel()
	s := newServer(t, postgresEngine)
	admin := []string{"X-API-Key", s.key(s.user("root", auth.RoleAdmin))}
	now := s.clock.Now().UTC()
	for months, want := range []string{"healthy", "healthy", "degraded", "degraded", "degraded"} { // three were made ahead
		first := time.Date(now.Year(), now.Month()+time.Month(months), 1, 0, 0, 0, 0, time.UTC)
		s.clock.Advance(max(0, first.Sub(s.clock.Now())))
		d := decode[healthAnswer](s.ask("GET", "/health/detailed", "", admin...).want(200))
		last := d.Components[len(d.Components)-1]
		if d.Status != want || last.Name != "partitions" || last.Status != want || last.Metadata["months_ahead"] != float64(3-months) {
			t.Errorf("after %d months: %+v", months, d)
		}
	}
}

// unreachable is a store whose database does not answer.
type unreachable struct{ model.Store }

func (unreachable) Ping(context.Context) error {
	return &model.Error{Kind: model.ErrUnavailable, Cause: errors.New("connection refused to 10.1.2.3")}
}

func TestHealthWithoutDatabase(t *testing.T) {
	t.Parallel()
	s := newServer(t, sqliteEngine, withStore(func(st model.Store) model.Store { return unreachable{st} }))
	s.ask("GET", "/livez", "").want(200)
	s.ask("GET", "/health", "").want(200)
	if r := s.ask("GET", "/readyz", "").want(503); r.body != "not ready: the database does not answer\n" {
		t.Errorf("readyz %q", r.body)
	}
	d := decode[healthAnswer](s.ask("GET", "/health/detailed", "", "X-API-Key", s.key(s.user("root", auth.RoleAdmin))).want(503))
	if d.Status != "unhealthy" || d.ChecksPassed != 3 || d.Components[1].Status != "unhealthy" {
		t.Errorf("detailed: %+v", d)
	}
}
