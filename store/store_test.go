package store_test

import (
	"testing"
	"time"

	"github.com/hal9-ai/hal9/internal/storetest"
	"github.com/hal9-ai/hal9/internal/testenv/migrated"
	"github.com/hal9-ai/hal9/model"
	"github.com/hal9-ai/hal9/store"
)

// open opens a fresh, migrated store at the URL.
func open(tb testing.TB, url string) model.Store {
	tb.Helper()
	return openWith(tb, store.Config{
		URL: url, Migrate: true,
		// The race detector slows SQLite down by an order of magnitude.
		MaxConnections: 4, AcquireTimeout: time.Minute, StatementTimeout: 2 * time.Minute,
	})
}

// openWith opens a store that is closed when the test ends.
func openWith(tb testing.TB, cfg store.Config) model.Store {
	tb.Helper()
	st, err := store.Open(tb.Context(), cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := st.Close(); err != nil {
			tb.Errorf("close the store: %v", err)
		}
	})
	return st
}

func TestConformancePostgres(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) model.Store {
		t.Helper()
		return open(t, migrated.PostgresDatabase(t))
	})
}

func TestConformanceSQLite(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) model.Store {
		t.Helper()
		return open(t, migrated.SQLiteDatabase(t))
	})
}

func TestConformanceSQLiteMemory(t *testing.T) {
	t.Parallel()
	// What memory may do differently: connections that share one database, locks, the end.
	storetest.Run(t, func(t *testing.T) model.Store {
		t.Helper()
		return open(t, "sqlite::memory:")
	}, "EveryQueryRuns", "MemorySearch", "SignalInsertMany", "InTxRollsBack", "InTxPanics", "CallersLeave",
		"ConcurrentWriters", "PoolStats", "Closed")
}
