package cacheutil_test

import (
	"log/slog"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/hal9-ai/hal9/cacheutil"
	"github.com/hal9-ai/hal9/cacheutil/cachetest"
	"github.com/hal9-ai/hal9/internal/testenv"
)

func TestLocalTier(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	cachetest.Run(t, func(t *testing.T) *cacheutil.Manager {
		t.Helper()
		return open(t, cacheutil.Config{})
	})
}

func TestTwoTiers(t *testing.T) {
	url := testenv.CacheURL(t)
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	cachetest.Run(t, func(t *testing.T) *cacheutil.Manager {
		t.Helper()
		return openLive(t, cacheutil.Config{URL: url, Prefix: prefix(t)})
	})
}

// Two managers of one Valkey take turns, as two processes would.

func prefix(t *testing.T) string {
	t.Helper()
	return "test:" + strings.ReplaceAll(t.Name(), "/", ":") + ":"
}

// open opens a manager that says nothing.
func open(tb testing.TB, cfg cacheutil.Config) *cacheutil.Manager {
	tb.Helper()
	cfg.Logger = slog.New(slog.DiscardHandler)
	m, err := cacheutil.Open(tb.Context(), cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := m.Close(); err != nil {
			tb.Error(err)
		}
	})
	return m
}

// openLive opens a manager and waits until it uses both tiers.
func openLive(tb testing.TB, cfg cacheutil.Config) *cacheutil.Manager {
	tb.Helper()
	m := open(tb, cfg)
	eventually(tb, "invalidations arrive", func() bool { return m.State().Tracking })
	return m
}
