package auth

import (
	"time"

	"github.com/VictoriaMetrics/metrics"
)

// maxRequestKeys bounds the callers that a RequestLimit remembers, at about 100 bytes
// each.
const maxRequestKeys = 100_000

// RequestLimit is the general limit on requests of each caller: limits.* of the
// configuration. It lives in this process: each server grants its own. Safe for
// concurrent use; a nil one allows everything.
type RequestLimit struct {
	limit *RateLimit
	hits  *metrics.Counter
}

// NewRequestLimit allows perSecond requests a second and burst at once to each caller,
// and counts what it refuses in hal9_rate_limit_hits_total{limit="requests"}. A
// perSecond of 0 is no limit: nil. A burst below 1 is 1.
func NewRequestLimit(perSecond float64, burst int, set *metrics.Set) *RequestLimit {
	if perSecond <= 0 {
		return nil
	}
	burst = max(burst, 1)
	window := time.Duration(float64(burst) / perSecond * float64(time.Second))
	return &RequestLimit{
		limit: NewRateLimit(burst, window, maxRequestKeys),
		hits:  set.GetOrCreateCounter(`hal9_rate_limit_hits_total{limit="requests"}`),
	}
}

// Allow takes one request from the caller's budget, or says when the next one is
// there. The caller is p's key or user, or the address of a request by nobody.
func (l *RequestLimit) Allow(p *Principal, ip string, now time.Time) (retryAfter time.Duration, ok bool) {
	if l == nil {
		return 0, true
	}
	if retryAfter, ok = l.limit.Take(caller(p, ip), now); !ok {
		l.hits.Inc()
	}
	return retryAfter, ok
}

// caller names whose budget a request is taken from.
func caller(p *Principal, ip string) string {
	switch {
	case p != nil && p.KeyID != (Principal{}).KeyID:
		return "key " + p.KeyID.String()
	case p != nil && p.Known():
		return "user " + p.UserID.String()
	default:
		return AddressKey(ip)
	}
}
