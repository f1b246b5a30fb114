package store_test

import (
	"testing"
	"time"

	"github.com/hal9-ai/hal9/internal/storetest"
	"github.com/hal9-ai/hal9/internal/testenv"
	"github.com/hal9-ai/hal9/model"
	"github.com/hal9-ai/hal9/store"
)

// pooled opens a fresh store as behind a pooler in transaction mode, and migrates it past
// that.
func pooled(t *testing.T, url, admin string) model.Store {
	t.Helper()
	return openWith(t, store.Config{
		URL: url, AdminURL: admin, Pooled: true, Migrate: true,
		MaxConnections: 4, AcquireTimeout: time.Minute, StatementTimeout: 2 * time.Minute,
	})
}

// TestConformancePooled is the short form of `make test-pooler`: how statements are sent
// and transactions begun behind a pooler, with PostgreSQL itself in its place.
func TestConformancePooled(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) model.Store {
		t.Helper()
		url := testenv.PostgresDatabase(t)
		return pooled(t, url, url)
	}, "EveryQueryRuns", "SignalInsertMany", "SignalInsertManyBadRows", "JSONValues", "InTxRollsBack", "InTxBulk", "CallersLeave")
}
