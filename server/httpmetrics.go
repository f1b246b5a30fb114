package server

import (
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/VictoriaMetrics/metrics"
	"github.com/gin-gonic/gin"
)

// httpMetrics counts and times requests by route, method and status. Routes are
// known beforehand, so that a request costs two look-ups and no lock.
type httpMetrics struct {
	set    *metrics.Set
	routes map[routeKey]*routeMetrics
	other  *routeMetrics // requests that no route took

	requests atomic.Uint64
	failures atomic.Uint64
}

type routeKey struct{ method, route string }

type routeMetrics struct {
	key      routeKey
	statuses sync.Map // int → *statusMetric
}

type statusMetric struct {
	requests *metrics.Counter
	duration *metrics.PrometheusHistogram
}

// unmatched is the route's label of requests that no route took: paths are the
// client's choice, and there must not be a series for each.
const unmatched = "unmatched"

// otherMethod is the method's label of those, and of methods that no route has.
const otherMethod = "OTHER"

func newHTTPMetrics(set *metrics.Set, routes gin.RoutesInfo) *httpMetrics {
	m := &httpMetrics{
		set:    set,
		routes: make(map[routeKey]*routeMetrics, len(routes)),
		other:  &routeMetrics{key: routeKey{otherMethod, unmatched}},
	}
	for _, r := range routes {
		key := routeKey{r.Method, r.Path}
		m.routes[key] = &routeMetrics{key: key}
	}
	return m
}

func (m *httpMetrics) observe(method, route string, status int, took time.Duration) {
	r, ok := m.routes[routeKey{method, route}]
	if !ok {
		r = m.other
	}
	v, ok := r.statuses.Load(status)
	if !ok {
		v, _ = r.statuses.LoadOrStore(status, m.newStatus(r.key, status))
	}
	if metric, ok := v.(*statusMetric); ok {
		metric.requests.Inc()
		metric.duration.Update(took.Seconds())
	}
	m.total(status)
}

// count counts an answer to what could not be read, so that it has no time.
func (m *httpMetrics) count(status int) {
	m.set.GetOrCreateCounter("hal9_http_requests_total" + labelsOf(m.other.key, status)).Inc()
	m.total(status)
}

func (m *httpMetrics) total(status int) {
	m.requests.Add(1)
	if status >= http.StatusInternalServerError {
		m.failures.Add(1)
	}
}

func labelsOf(key routeKey, status int) string {
	return fmt.Sprintf(`{method=%q,route=%q,status="%d"}`, key.method, key.route, status)
}

func (m *httpMetrics) newStatus(key routeKey, status int) *statusMetric {
	labels := labelsOf(key, status)
	return &statusMetric{
		requests: m.set.GetOrCreateCounter("hal9_http_requests_total" + labels),
		duration: m.set.GetOrCreatePrometheusHistogramExt("hal9_http_request_duration_seconds"+labels, durationBounds()),
	}
}

// durationBounds reach from what needs no database to the default request timeout.
func durationBounds() []float64 {
	return []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}
}

func (m *httpMetrics) totals() (requests, failures uint64) {
	return m.requests.Load(), m.failures.Load()
}

// methodLabel is the method, or OTHER: methods are the client's choice too.
func methodLabel(method string) string {
	if slices.Contains([]string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodHead, http.MethodOptions, http.MethodPatch}, method) {
		return method
	}
	return otherMethod
}

func routeLabel(route string) string {
	if route == "" {
		return unmatched
	}
	return route
}
