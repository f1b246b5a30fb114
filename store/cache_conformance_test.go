package store_test

import (
	"crypto/rand"
	"log/slog"
	"testing"
	"time"

	"github.com/hal9-ai/hal9/cacheutil"
	"github.com/hal9-ai/hal9/gen/cachedstore"
	"github.com/hal9-ai/hal9/internal/storetest"
	"github.com/hal9-ai/hal9/internal/testenv"
	"github.com/hal9-ai/hal9/internal/testenv/migrated"
	"github.com/hal9-ai/hal9/model"
	"github.com/hal9-ai/hal9/store"
)

// cacheWith is a cache whose entries outlive every test, so that what is not
// invalidated shows.
func cacheWith(url string, strategy cacheutil.Strategy) *store.Cache {
	return &store.Cache{
		Config: cacheutil.Config{URL: url, Prefix: "test-" + rand.Text() + ":", EpochInterval: time.Hour, Logger: slog.New(slog.DiscardHandler)},
		Settings: func(e cachedstore.Entity) cachedstore.Settings {
			set := cachedstore.Settings{TTL: time.Hour, NegativeTTL: time.Hour, RefreshAhead: 0.8}
			if e.WriteThrough {
				set.Strategy = strategy
			}
			return set
		},
	}
}

func openCached(tb testing.TB, url string, cache *store.Cache) model.Store {
	tb.Helper()
	st, err := store.Open(tb.Context(), store.Config{URL: url, MaxConnections: 8, Cache: cache})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := st.Close(); err != nil {
			tb.Error(err)
		}
	})
	return st
}

// TestConformanceCached holds the store behind its cache to all that the engines are
// held to.
func TestConformanceCached(t *testing.T) {
	t.Parallel()
	engines := map[string]func(*testing.T) string{
		"postgres": func(t *testing.T) string { t.Helper(); return migrated.PostgresDatabase(t) },
		"sqlite":   func(t *testing.T) string { t.Helper(); return migrated.SQLiteDatabase(t) },
	}
	tiers := map[string]struct {
		url      func(*testing.T) string
		strategy cacheutil.Strategy
	}{
		"process": {func(*testing.T) string { return "" }, cacheutil.CacheAside},
		"valkey":  {func(t *testing.T) string { t.Helper(); return testenv.CacheURL(t) }, cacheutil.WriteThrough},
	}
	for engine, database := range engines {
		for tier, how := range tiers {
			t.Run(engine+"/"+tier, func(t *testing.T) {
				t.Parallel()
				storetest.Run(t, func(t *testing.T) model.Store {
					t.Helper()
					return openCached(t, database(t), cacheWith(how.url(t), how.strategy))
				})
			})
		}
	}
}
