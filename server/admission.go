package server

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/VictoriaMetrics/metrics"
)

// admission bounds how many requests are worked on at a time. A server that takes all
// that comes answers each the later the more there are, in the end after its client gave
// up: it works at full speed for nobody. What cannot be answered soon is better refused
// at once, while that is cheap.
//
// The bound follows the server: by Little's law n requests that are answered at a rate r
// take n/r each, so r × delay may be there for them to take no longer than delay. Few
// requests are always let in, since their rate tells nothing of what the server can do.
//
// When the processor is what is short, requests wait before they are under way: unread,
// in the kernel, for a goroutine that waits for its turn. The kernel knows for how long;
// it is asked for a sample of the requests, and r times that are those who wait; on
// connections with one request at a time no more than there are connections, those that
// are left unread left out.
//
// A burst is no overload: after a pause of the disk or of the collector all who came
// meanwhile are there at once, and soon answered. So what is beyond the bound is let in
// for patience × delay, up to patience times the bound, and refused when the bound was
// passed for longer, until there are half as many and for some seconds nothing was
// refused. Meanwhile the bound is lower, or all who are let in would wait for delay. That is
// CoDel's way to tell a good queue from a bad one (Nichols and Jacobson, Controlling Queue Delay, ACM Queue 2012).
// It is safe for concurrent use.
type admission struct {
	least int64 // that may be under way whatever the rate; 0 is no bound at all
	delay time.Duration

	under atomic.Int64 // requests under way
	done  atomic.Int64 // requests that ended, ever
	asks  func() int64 // connections that may bring a request
	waits atomic.Int64 // requests that wait to be looked at, as it seems
	most  atomic.Int64 // that may be under way or wait at present
	soon  atomic.Int64 // that are answered within delay, by the rate
	over  atomic.Int64 // since when there are more, since begun; 0 if there are not
	last  atomic.Int64 // when one was refused last, since begun
	// looked is when the rate was looked at last, since begun.
	looked atomic.Int64
	// sampled is when a request was asked how long it waited, since begun.
	sampled atomic.Int64
	begun   time.Time

	mu       sync.Mutex // held to look at the rate and the wait
	age      float64    // seconds that requests wait to be looked at
	rate     float64    // requests a second
	lastDone int64

	refused *metrics.Counter
	told    atomic.Int64 // when the log was told last, since begun
}

const (
	// rateWindow is how often the rate is looked at: longer than a commit takes, by
	// which many requests end together.
	rateWindow = 200 * time.Millisecond
	// rateWeight is how much of the new rate counts.
	rateWeight = 0.5
	// sampleOne is one in how many requests is asked how long it waited.
	sampleOne = 8
	// samplePause is how long no other is asked then: of tens of thousands a second a
	// thousand are enough.
	samplePause = time.Millisecond
	// ageWeight is how much of a new wait counts.
	ageWeight = 1.0 / 16
	// patience is how many delays, and how many times the bound, a burst may take.
	patience = 4
	// refusedShare is how much of delay those who are there take while others are refused,
	// and fewest is how many may be there in any case.
	refusedShare = 0.4
	fewest       = 64
	// memory is for how many delays after a refusal a new burst is taken for the overload
	// of before.
	memory = 20
	// shedLogEvery keeps a flood out of the log.
	shedLogEvery = time.Second
)

// adminLane is how many requests of those who look after the server are worked on at once.
const adminLane = 64

// newAdmission makes a lane, whose name is its label in the metrics.
func newAdmission(name string, least int, delay time.Duration, asks func() int64, set *metrics.Set) *admission {
	a := &admission{asks: asks, least: int64(least), delay: delay, begun: time.Now()}
	a.most.Store(a.least)
	label := `{lane="` + name + `"}`
	a.refused = set.NewCounter("hal9_http_shed_total" + label)
	set.NewGauge("hal9_http_requests_in_flight"+label, func() float64 { return float64(a.under.Load()) })
	set.NewGauge("hal9_http_requests_limit"+label, func() float64 { return float64(a.most.Load()) })
	return a
}

// laneOf is what counts the requests to a route; nil for nothing. What no route takes
// counts like the rest.
func (s *Server) laneOf(a *access) *admission {
	switch {
	case a == nil || a.lane == laneGeneral:
		return s.general
	case a.lane == laneAdmin:
		return s.admins
	default:
		return nil
	}
}

// enter lets a request in, which then must leave; false says that there are too many.
// ctx is the request's, which knows where it came by, and at is now.
func (a *admission) enter(ctx context.Context, at time.Time) bool {
	a.look(ctx, at)
	if a.resume() {
		return true
	}
	a.under.Add(-1)
	return false
}

// full tells whether enter would refuse a request, which is not counted yet.
func (a *admission) full(ctx context.Context, at time.Time) bool {
	a.look(ctx, at)
	return !a.fits(a.under.Load() + 1)
}

// look looks at a sample of the requests.
func (a *admission) look(ctx context.Context, at time.Time) {
	if a.least > 0 && rand.Uint32()%sampleOne == 0 { //nolint:gosec // a sample, not a secret
		now, last := int64(at.Sub(a.begun)), a.sampled.Load()
		if now-last >= int64(samplePause) && a.sampled.CompareAndSwap(last, now) {
			if conn := connOf(ctx); conn != nil {
				a.sample(sinceArrival(conn))
			}
		}
	}
}

// sample notes how long a request waited to be looked at.
func (a *admission) sample(age time.Duration) {
	a.allowed(time.Since(a.begun))
	a.mu.Lock()
	defer a.mu.Unlock()
	a.age += ageWeight * (age.Seconds() - a.age)
	a.waits.Store(int64(a.rate * a.age))
}

// leave ends a request.
func (a *admission) leave() {
	a.under.Add(-1)
	a.done.Add(1)
}

// pause takes a request out of the count while it waits for its client, who may take
// his time.
func (a *admission) pause() { a.under.Add(-1) }

// resume counts it again; false says that there are too many by now.
func (a *admission) resume() bool { return a.fits(a.under.Add(1)) }

// fits tells whether there may be so many requests.
func (a *admission) fits(n int64) bool {
	if waits := a.waits.Load(); waits > 0 {
		n = max(n, min(n+waits, a.asks()))
	}
	if a.least == 0 {
		return true
	}
	over := time.Duration(a.over.Load())
	if over == 0 && n <= a.least {
		return true
	}
	now := time.Since(a.begun)
	allowed := a.allowed(now)
	if over != 0 && now-over >= patience*a.delay {
		allowed = a.whileRefused(allowed)
	}
	if n <= allowed {
		a.calm(n, allowed)
		return true
	}
	if over == 0 {
		over = now
		if last := time.Duration(a.last.Load()); last > 0 && now-last < memory*a.delay {
			over -= patience * a.delay // it was calm for a moment only
		}
		a.over.CompareAndSwap(0, int64(over))
	}
	if now-over < patience*a.delay && n <= patience*allowed {
		return true
	}
	a.last.Store(int64(now))
	return false
}

// whileRefused is how many may be there while others are refused: fewer, so that those who
// are let in, and those who are not, wait for less than delay. Fewer than a.least only where
// requests wait to be looked at: then it is the processor that they wait for, and enough are
// there to keep it busy.
func (a *admission) whileRefused(allowed int64) int64 {
	if a.waits.Load() == 0 {
		return allowed
	}
	return min(allowed, max(fewest, int64(float64(a.soon.Load())*refusedShare)))
}

// calm ends an overload when there are half as many as may be.
func (a *admission) calm(n, allowed int64) {
	if n <= allowed/2 && a.over.Load() != 0 {
		a.over.Store(0)
	}
}

// allowed is how many may be under way. The rate is looked at by those who come while
// there are many: a server that is asked little has nothing to do for it.
func (a *admission) allowed(now time.Duration) int64 {
	if last := time.Duration(a.looked.Load()); now-last >= rateWindow && a.mu.TryLock() {
		defer a.mu.Unlock()
		last = time.Duration(a.looked.Load())
		if since := now - last; since >= rateWindow {
			done := a.done.Load()
			rate := float64(done-a.lastDone) / since.Seconds()
			a.rate += rateWeight * (rate - a.rate)
			a.lastDone = done
			soon := int64(a.rate * a.delay.Seconds())
			a.soon.Store(soon)
			a.most.Store(max(a.least, soon))
			a.looked.Store(int64(now))
		}
	}
	return a.most.Load()
}

// countConn keeps count of open connections.
func (s *Server) countConn(conn net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		s.conns.Add(1)
	case http.StateClosed, http.StateHijacked:
		s.conns.Add(-1)
	case http.StateIdle:
		if c := watchedConn(conn); c != nil {
			c.answered()
		}
	case http.StateActive:
	}
}

type connKey struct{}

// withConn lets a connection's requests find it.
func withConn(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}

// connOf is where a request came by; nil if that is not known.
func connOf(ctx context.Context) net.Conn {
	c, _ := ctx.Value(connKey{}).(net.Conn)
	return c
}

// shedBody is made once: a refusal must cost next to nothing.
func shedBody() []byte {
	body, err := marshalAnswer(tooManyUnderWay())
	if err != nil {
		return nil // nothing in a problem can fail to be written
	}
	return body
}

func tooManyUnderWay() *problem {
	return newProblem(http.StatusServiceUnavailable, "more requests are under way than this server can answer soon; nothing was done; try again after the time that Retry-After tells")
}

// shedEarly refuses a request before the router and all that stands around it, if that is
// sure: a part of what a refusal costs. Routes with parameters are left to the router.
func (s *Server) shedEarly(w http.ResponseWriter, r *http.Request) bool {
	if s.general.over.Load() == 0 {
		return false
	}
	begin := time.Now()
	access := s.access[routeKey{r.Method, r.URL.Path}]
	if access == nil || access.lane != laneGeneral || !s.general.full(r.Context(), begin) {
		return false
	}
	s.shed(w, r, r.URL.Path, s.general, begin)
	return true
}

// shed refuses a request before anything is done for it.
func (s *Server) shed(w http.ResponseWriter, r *http.Request, route string, a *admission, begin time.Time) {
	a.refused.Inc()
	h := w.Header()
	for i := range s.secureHeaders {
		h[s.secureHeaders[i].name] = s.secureHeaders[i].value
	}
	if origin := r.Header.Get("Origin"); s.allowedOrigin(origin) {
		h["Access-Control-Allow-Origin"] = []string{origin}
		h["Vary"] = []string{"Origin"}
	}
	h[headerRequestID] = []string{requestIDOf(r)}
	h["Retry-After"] = []string{s.retryAfter(r, a)}
	h["Content-Type"] = []string{typeProblem}
	w.WriteHeader(http.StatusServiceUnavailable)
	_, _ = w.Write(s.shedBody) // what is left to fail is the client's connection
	s.http.observe(r.Method, route, http.StatusServiceUnavailable, time.Since(begin))

	now := time.Since(a.begun)
	if last := a.told.Load(); (last == 0 || now-time.Duration(last) >= shedLogEvery) && a.told.CompareAndSwap(last, int64(now)) {
		s.log.LogAttrs(r.Context(), slog.LevelWarn, "requests are refused: more are under way than can be answered soon",
			slog.Int64("under_way", a.under.Load()), slog.Int64("limit", a.most.Load()), slog.Uint64("refused_so_far", a.refused.Get()))
	}
}
