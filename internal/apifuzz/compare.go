package apifuzz

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Answer is what a server said.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte

	value any // the body as JSON
}

// pairing tells which values of one server are which of the other: ids, tokens, versions.
type pairing struct {
	of, from map[string]string
	// began is when the servers did: their own rows are older, and were not made at the
	// same moment.
	began time.Time
}

func newPairing(began time.Time) *pairing {
	return &pairing{map[string]string{}, map[string]string{}, began}
}

// match tells whether a and b may stand for each other, and holds them to it.
func (p *pairing) match(kind, a, b string) bool {
	a, b = kind+a, kind+b
	x, known := p.of[a]
	y, other := p.from[b]
	if !known && !other {
		p.of[a], p.from[b] = b, a
		return true
	}
	return x == b && y == a
}

var (
	// made are values that a server makes up, within texts.
	made = regexp.MustCompile(uuidPattern.String() + `|hal9_(?:at|rt|key)_[0-9A-Za-z]+`)
	tags = regexp.MustCompile(`^"\d+-[0-9A-Za-z]+"$`)
	// digests are tags of answers, in which ids stand.
	digests = regexp.MustCompile(`^"[0-9a-f]{32}"$`)
)

// text compares texts that may hold such values.
func (p *pairing) text(a, b string) bool {
	if a == b {
		return true
	}
	x, y := made.FindAllString(a, -1), made.FindAllString(b, -1)
	if len(x) == 0 || len(x) != len(y) || made.ReplaceAllString(a, "") != made.ReplaceAllString(b, "") {
		return false
	}
	for i := range x {
		if !p.match("", x[i], y[i]) {
			return false
		}
	}
	return true
}

// volatile are properties that tell of the process, of the engine, or of what is
// written behind the requests.
func volatile() []string {
	return []string{
		"uptime_seconds", "average_latency_ms", "latency_ms", "signals_per_second", "memory_usage_mb", "goroutines", "db_connections", "cache_hit_rate", "cache_hit_rates",
		"last_used_at", "last_signal", "signals_processed", "score", "http_requests", "http_errors", "signals_sent",
	}
}

// own are operations whose answers are each engine's own.
func own() []string {
	return []string{"PrometheusGet", "MetricsExport", "PartitionList", "HealthGetDetailed", "VersionGet"}
}

// difference tells how the answers to a request differ, "" if they do not.
func (p *pairing) difference(r *Request, a, b *Answer) string {
	if slices.Contains(own(), r.Operation) && max(a.Status, b.Status) == http.StatusServiceUnavailable {
		return ""
	}
	if a.Status != b.Status {
		return fmt.Sprintf("status %d and %d", a.Status, b.Status)
	}
	if d := p.headers(a.Header, b.Header); d != "" {
		return d
	}
	if slices.Contains(own(), r.Operation) && a.Status == http.StatusOK {
		return ""
	}
	if a.value == nil || b.value == nil {
		if r.Stream && a.Status == http.StatusOK || p.text(string(a.Body), string(b.Body)) {
			return ""
		}
		return "bodies"
	}
	if r.Operation == "MemorySearch" && a.Status == http.StatusOK {
		fullA, fullB := sortHits(a.value, r.limit()), sortHits(b.value, r.limit())
		if fullA && fullB {
			return "" // which of more are the best is each engine's own
		}
	}
	return p.value("", a.value, b.value)
}

func (p *pairing) headers(a, b http.Header) string {
	ignored := []string{"Date", "Content-Length", "X-Request-Id", "Traceparent"}
	for name := range sorted(merged(a, b)) {
		x, y := strings.Join(a[name], "\n"), strings.Join(b[name], "\n")
		if slices.Contains(ignored, name) || p.text(x, y) {
			continue
		}
		if name == "Etag" && (digests.MatchString(x) && digests.MatchString(y) ||
			tags.MatchString(x) && tags.MatchString(y) && p.match("version ", tagVersion(x), tagVersion(y))) {
			continue
		}
		return fmt.Sprintf("header %s: %q and %q", name, x, y)
	}
	return ""
}

func tagVersion(tag string) string {
	version, _, _ := strings.Cut(strings.TrimPrefix(tag, `"`), "-")
	return version
}

func merged(a, b http.Header) http.Header {
	all := a.Clone()
	maps.Copy(all, b)
	return all
}

// value compares JSON values; numbers by what they are worth, objects by their members.
func (p *pairing) value(place string, a, b any) string {
	different := func() string { return fmt.Sprintf("%s: %s and %s", place, short(a), short(b)) }
	switch x := a.(type) {
	case object:
		y, ok := b.(object)
		if !ok || len(x) != len(y) {
			return different()
		}
		for name, value := range sorted(x) {
			other, ok := y[name]
			if !ok {
				return different()
			}
			if slices.Contains(volatile(), name) && !strings.Contains(place, "metadata") {
				continue
			}
			if name == "version" && p.number("version ", value, other) {
				continue
			}
			if d := p.value(place+"."+name, value, other); d != "" {
				return d
			}
		}
	case []any:
		y, ok := b.([]any)
		if !ok || len(x) != len(y) {
			return different()
		}
		for i := range x {
			if d := p.value(place+"."+strconv.Itoa(i), x[i], y[i]); d != "" {
				return d
			}
		}
	case json.Number:
		y, ok := b.(json.Number)
		if !ok || !equalNumbers(x, y) {
			return different()
		}
	case string:
		y, ok := b.(string)
		if !ok {
			return different()
		}
		if p.text(x, y) || p.bothOld(x, y) || strings.HasSuffix(place, "next_cursor") && p.match("cursor ", x, y) {
			return ""
		}
		return different()
	default:
		if a != b {
			return different()
		}
	}
	return ""
}

func (p *pairing) number(kind string, a, b any) bool {
	x, ok := a.(json.Number)
	y, also := b.(json.Number)
	return ok && also && p.match(kind, string(x), string(y))
}

// bothOld tells whether both are times from before the run.
func (p *pairing) bothOld(a, b string) bool {
	x, err := time.Parse(time.RFC3339, a)
	if err != nil {
		return false
	}
	y, err := time.Parse(time.RFC3339, b)
	return err == nil && x.Before(p.began) && y.Before(p.began) && p.began.Sub(x) < 24*time.Hour && p.began.Sub(y) < 24*time.Hour
}

func equalNumbers(a, b json.Number) bool {
	if a == b {
		return true
	}
	x, ok := new(big.Rat).SetString(string(a))
	y, also := new(big.Rat).SetString(string(b))
	return ok && also && x.Cmp(y) == 0
}

// sortHits brings what a search found into an order of its own: that of the scores is
// each engine's. It tells whether there may be more than the limit let through.
func sortHits(answer any, limit int) (full bool) {
	o, _ := answer.(object)
	hits, _ := o["data"].([]any)
	slices.SortStableFunc(hits, func(a, b any) int {
		x, _ := a.(object)
		y, _ := b.(object)
		return strings.Compare(textAt(x, "created_at"), textAt(y, "created_at"))
	})
	return len(hits) >= limit
}

// limit is how many rows the request asks for at the most, that of the document if it
// does not say.
func (r *Request) limit() int {
	_, query, _ := strings.Cut(r.Target, "?")
	values, err := url.ParseQuery(query)
	if err == nil {
		if n, err := strconv.Atoi(values.Get("limit")); err == nil {
			return n
		}
	}
	for _, p := range r.op.parameters {
		if p.name == "limit" {
			return numberAt(p.schema, "default", 1)
		}
	}
	return 1
}

func short(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	const longest = 600
	if len(text) > longest {
		return string(text[:longest]) + "…"
	}
	return string(text)
}
