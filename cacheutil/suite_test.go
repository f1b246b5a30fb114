package cacheutil_test

import (
	"crypto/rand"
	"log/slog"
	"strings"
	"testing"
	"time"

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

// prefix begins keys that no other test uses, nor another run of this one.
func prefix(tb testing.TB) string {
	tb.Helper()
	return "test:" + strings.ReplaceAll(tb.Name(), "/", ":") + ":" + rand.Text() + ":"
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
	if cfg.CallTimeout == 0 {
		cfg.CallTimeout = 5 * time.Second // a busy machine is not what is tested
	}
	m := open(tb, cfg)
	testenv.Eventually(tb, "Valkey is used", func() bool { s := m.State(); return s.Tracking && s.Valkey == "up" })
	return m
}
