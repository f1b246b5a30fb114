package auth

import "github.com/VictoriaMetrics/metrics"

// attempts counts how logins end.
type attempts struct {
	success, failure, limited, busy *metrics.Counter
}

func newAttempts(set *metrics.Set) attempts {
	counter := func(status string) *metrics.Counter {
		return set.NewCounter(`hal9_auth_attempts_total{status="` + status + `"}`)
	}
	return attempts{counter("success"), counter("failure"), counter("limited"), counter("busy")}
}
