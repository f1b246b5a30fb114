package server_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
)

// The calls of the load test that HAL9's users run, with its checks of status and
// shape, from many users at once; its times belong to a benchmark.
// Afterwards the counters are what a recount of the answers says.
func TestLoadTestCalls(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, s *harness) {
		const users, rounds = 20, 5
		var running sync.WaitGroup
		for user := range users {
			running.Go(func() {
				for round := range rounds {
					loadTestSignal(s, user+round)
					loadTestReads(s)
					loadTestAccount(s, fmt.Sprintf("user-%d-%d", user, round))
				}
			})
		}
		running.Wait()

		status := data[struct {
			Running bool
			Metrics struct {
				SignalsSent      int `json:"signals_sent"`
				SignalsProcessed int `json:"signals_processed"`
				SignalsFailed    int `json:"signals_failed"`
			}
		}](s.ask("GET", "/api/v1/status", "").want(200))
		m := status.Metrics
		if !status.Running || m.SignalsSent != users*rounds || m.SignalsProcessed != users*rounds || m.SignalsFailed != 0 {
			t.Errorf("after %d signals the status is %+v", users*rounds, status)
		}
		stored := decode[list[struct{ ID string }]](s.ask("GET", "/api/v1/signals?limit=1000", "").want(200))
		if len(stored.Data) != users*rounds {
			t.Errorf("%d signals are stored, %d were acknowledged", len(stored.Data), users*rounds)
		}
	})
}

func loadTestSignal(s *harness, n int) {
	layers := []string{"L4", "L3", "L2"}
	neurons := []string{"strategic-planner", "task-analyzer", "executor"}
	sent := data[struct {
		SignalID string `json:"signal_id"`
		Message  string
	}](s.ask("POST", "/api/v1/signal", fmt.Sprintf(
		`{"content":"Test signal %d","layer":%q,"neuron_id":%q}`, n, layers[n%3], neurons[n%3])).want(200))
	if sent.SignalID == "" {
		s.t.Errorf("no signal_id in %+v", sent)
	}
}

// loadTestAccount registers without an email, logs in and reads the profile.
func loadTestAccount(s *harness, name string) {
	credentials := `{"username":"` + name + `","password":"SecurePassword123!"}`
	s.ask("POST", "/api/v1/auth/register", credentials).want(200)
	token := data[struct {
		AccessToken string `json:"access_token"`
	}](s.ask("POST", "/api/v1/auth/login", credentials).want(200)).AccessToken
	if token == "" {
		s.t.Errorf("no access_token for %s", name)
	}
	s.ask("GET", "/api/v1/auth/profile", "", bearer(token)...).want(200, `"username":"`+name+`"`)
}

func loadTestReads(s *harness) {
	s.ask("GET", "/api/v1/status", "").want(200, `"running":true`)
	neurons := data[[]struct {
		ID        string
		Layer     string
		State     string
		IsHealthy *bool `json:"is_healthy"`
	}](s.ask("GET", "/api/v1/neurons", "").want(200))
	if len(neurons) < 4 || neurons[0].State == "" || strings.Contains(neurons[0].Layer, `"`) || neurons[0].IsHealthy == nil {
		s.t.Errorf("the neurons are %+v", neurons)
		return
	}
	s.ask("GET", "/api/v1/neurons/"+neurons[0].ID, "").want(200)
	metrics := data[struct {
		SignalsSent  *int     `json:"signals_sent"`
		CacheHitRate *float64 `json:"cache_hit_rate"`
	}](s.ask("GET", "/api/v1/metrics", "").want(200))
	if metrics.SignalsSent == nil || *metrics.SignalsSent < 0 || metrics.CacheHitRate == nil {
		s.t.Errorf("the metrics are %+v", metrics)
	}
}
