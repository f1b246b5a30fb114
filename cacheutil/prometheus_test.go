package cacheutil_test

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/hal9-ai/hal9/cacheutil"
	"github.com/hal9-ai/hal9/internal/testenv"
)

func TestWritePrometheus(t *testing.T) {
	m := openLive(t, cacheutil.Config{URL: testenv.CacheURL(t), Prefix: prefix(t), MetricPrefix: "x_"})
	c := wordCache(t, m, nil)
	for range 3 {
		if _, err := c.Get(t.Context(), "k", func(context.Context) (string, error) { return "a", nil }); err != nil {
			t.Fatal(err)
		}
	}
	var out strings.Builder
	m.WritePrometheus(&out)
	text := out.String()
	for _, want := range []string{
		"# HELP x_requests_total Reads.\n# TYPE x_requests_total counter\nx_requests_total{entity=\"word\"} 3\n",
		"x_hits_total{entity=\"word\",tier=\"local\"} 2\nx_hits_total{entity=\"word\",tier=\"remote\"} 0\n",
		"x_misses_total{entity=\"word\"} 1\n", "x_loads_total{entity=\"word\"} 1\n",
		"x_entries{entity=\"word\",tier=\"local\"} 1\n", "x_tracking_up 1\n", "x_pending_invalidations 0\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	sample := regexp.MustCompile(`^x_[a-z_]+(\{entity="word"(,tier="(local|remote)")?\})? [0-9.e+-]+$`)
	typed := map[string]bool{}
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if name, ok := strings.CutPrefix(line, "# TYPE "); ok {
			name, _, _ = strings.Cut(name, " ")
			if typed[name] {
				t.Errorf("%s is declared twice", name)
			}
			typed[name] = true
		} else if !strings.HasPrefix(line, "# HELP ") && !sample.MatchString(line) {
			t.Errorf("no sample: %q", line)
		}
	}
}

func TestPeek(t *testing.T) {
	m := openLive(t, cacheutil.Config{URL: testenv.CacheURL(t), Prefix: prefix(t)})
	c := wordCache(t, m, func(o *cacheutil.Options[string]) { o.Version = func(string) int64 { return 7 } })
	if _, err := m.Peek(t.Context(), "k"); !errors.Is(err, cacheutil.ErrNoEntry) {
		t.Errorf("got %v", err)
	}
	if _, err := c.Get(t.Context(), "k", func(context.Context) (string, error) { return "a", nil }); err != nil {
		t.Fatal(err)
	}
	entry, err := m.Peek(t.Context(), "k")
	if err != nil || entry.Kind != cacheutil.KindValue || entry.Version != 7 || string(entry.JSON) != `"a"` || entry.TTL <= 0 {
		t.Errorf("got %+v, %v", entry, err)
	}
	if err := m.Drop(t.Context(), "k"); err != nil {
		t.Error(err)
	}
	if entry, err = m.Peek(t.Context(), "k"); err != nil || entry.Kind != cacheutil.KindTombstone || entry.Version != 7 {
		t.Errorf("got %+v, %v", entry, err)
	}
	_, err = c.Get(t.Context(), "none", func(context.Context) (string, error) { return "", cacheutil.ErrNotFound })
	if !errors.Is(err, cacheutil.ErrNotFound) {
		t.Error(err)
	}
	if entry, err = m.Peek(t.Context(), "none"); err != nil || entry.Kind != cacheutil.KindNegative {
		t.Errorf("got %+v, %v", entry, err)
	}
}
