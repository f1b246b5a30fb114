package auth

import "github.com/VictoriaMetrics/metrics"

// counts are the counters of logins.
type counts struct {
	// How attempts with a password end.
	success, failure, limited, busy, failed *metrics.Counter
	// Why attempts are limited.
	accountHits, addressHits *metrics.Counter
	// Hashes computed.
	argon2, bcrypt *metrics.Counter
}

func newCounts(set *metrics.Set) counts {
	attempts := func(status string) *metrics.Counter {
		return set.NewCounter(`hal9_auth_attempts_total{status="` + status + `"}`)
	}
	hits := func(limit string) *metrics.Counter {
		return set.NewCounter(`hal9_rate_limit_hits_total{limit="` + limit + `"}`)
	}
	hashes := func(algorithm string) *metrics.Counter {
		return set.NewCounter(`hal9_auth_hashes_total{algorithm="` + algorithm + `"}`)
	}
	return counts{
		success: attempts("success"), failure: attempts("failure"), limited: attempts("limited"),
		busy: attempts("busy"), failed: attempts("error"),
		accountHits: hits("account"), addressHits: hits("address"),
		argon2: hashes(algorithmArgon2), bcrypt: hashes(algorithmBcrypt),
	}
}
