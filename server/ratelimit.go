package server

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/VictoriaMetrics/metrics"
	"github.com/gin-gonic/gin"

	"github.com/hal9-ai/hal9/auth"
)

// Limits are the general limits on requests to this server. They live in this
// process: they hold whatever else is down, and each server grants its own.
type Limits struct {
	// PerKey is how many requests each API key, or user who logged in, may send in
	// Window; 0 is no limit.
	PerKey int
	// PerAddress is the same for each address without a valid credential.
	PerAddress int
	// Window is what the two are about. 1 min.
	Window time.Duration
	// Requests is how many requests may be under way in any case, those left out that
	// access.uncounted names; more may be while the server answers them within
	// RequestsDelay. 0 is no limit.
	Requests int
	// RequestsDelay is 100 ms.
	RequestsDelay time.Duration
	// RefusalPause is how long, at the most, a connection is left unread whose request was
	// refused for Requests and RequestsDelay. 0 is not at all.
	RefusalPause time.Duration
}

// maxLimitedKeys bounds the keys and the addresses that are remembered.
const maxLimitedKeys = 100_000

// rateLimits are the limits at work; a nil one is none.
type rateLimits struct {
	key, address *rateLimit
	good         *goodCredentials // nil where address is
}

type rateLimit struct {
	name   string // as the headers say it
	policy string
	limit  *auth.RateLimit
	hits   *metrics.Counter
}

func newRateLimits(l Limits, set *metrics.Set) rateLimits {
	newLimit := func(name string, count int) *rateLimit {
		if count == 0 {
			return nil
		}
		return &rateLimit{
			name: name, policy: fmt.Sprintf(`"%s";q=%d;w=%d`, name, count, seconds(l.Window)),
			limit: auth.NewRateLimit(count, l.Window, maxLimitedKeys),
			hits:  set.GetOrCreateCounter(`hal9_rate_limit_hits_total{limit="requests_per_` + name + `"}`),
		}
	}
	limits := rateLimits{key: newLimit("key", l.PerKey), address: newLimit("address", l.PerAddress)}
	if limits.address != nil {
		limits.good = newGoodCredentials(maxLimitedKeys)
	}
	return limits
}

// isGood tells whether a credential need not be charged to its address before it is looked
// up: nobody is, or it was good before. One client with worthless ones would otherwise shut
// out all others who are served behind the same address.
func (l *rateLimits) isGood(credential string) bool { return l.good == nil || l.good.has(credential) }

// foundGood gives back what a credential was charged that turned out to be good.
func (l *rateLimits) foundGood(c *gin.Context, credential string, charged bool, now time.Time) {
	if !charged {
		return
	}
	l.address.limit.Return(auth.AddressKey(clientOf(c.Request.Context()).IP), now)
	l.good.add(credential)
	delete(c.Writer.Header(), "Ratelimit")
	delete(c.Writer.Header(), "Ratelimit-Policy")
}

func (l *rateLimits) foundBad(credential string) {
	if l.good != nil {
		l.good.remove(credential)
	}
}

// take takes the request from the budget of who sends it, and says so in the headers
// (draft-ietf-httpapi-ratelimit-headers). A request whose credential is worth nothing
// counts for its address.
func (l *rateLimits) take(c *gin.Context, p *auth.Principal, now time.Time) *problem {
	limit, who := l.address, ""
	switch {
	case !p.Known():
		if limit != nil {
			who = auth.AddressKey(clientOf(c.Request.Context()).IP)
		}
	case p.KeyID != (auth.Principal{}).KeyID:
		limit, who = l.key, string(p.KeyID[:])
	default:
		limit, who = l.key, string(p.UserID[:])
	}
	if limit == nil {
		return nil
	}
	wait, ok := limit.limit.Take(who, now)
	left, whole := limit.limit.Left(who, now)
	h := c.Writer.Header()
	h["Ratelimit-Policy"] = []string{limit.policy}
	h["Ratelimit"] = []string{fmt.Sprintf(`"%s";r=%d;t=%d`, limit.name, left, seconds(whole))}
	if ok {
		return nil
	}
	limit.hits.Inc()
	return tooManyRequests("too many requests; send fewer, and this one again after the time that Retry-After tells", wait)
}

// tooManyRequests is the 429 with the time to wait.
func tooManyRequests(detail string, wait time.Duration) *problem {
	return newProblem(http.StatusTooManyRequests, detail).with("Retry-After", strconv.Itoa(max(1, seconds(wait))))
}

// seconds are whole seconds, rounded up: who waits them waits long enough.
func seconds(d time.Duration) int {
	return int(math.Ceil(d.Seconds()))
}
