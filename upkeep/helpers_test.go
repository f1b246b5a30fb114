package upkeep_test

import (
	"bytes"
	"context"
	"slices"
	"testing"
	"time"

	"github.com/VictoriaMetrics/metrics"
	"github.com/google/uuid"
	"go.uber.org/goleak"

	"github.com/hal9-ai/hal9/internal/testenv"
	"github.com/hal9-ai/hal9/internal/testenv/migrated"
	"github.com/hal9-ai/hal9/model"
	"github.com/hal9-ai/hal9/store"
	"github.com/hal9-ai/hal9/upkeep"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// onBothEngines runs a test on a new database of each engine. open opens a store of its
// own on it, as another server would.
func onBothEngines(t *testing.T, test func(t *testing.T, open func() model.Store)) {
	t.Helper()
	urls := map[string]func(*testing.T) string{
		"postgres": func(t *testing.T) string { return migrated.PostgresDatabase(t) },
		"sqlite":   func(t *testing.T) string { return migrated.SQLiteDatabase(t) },
	}
	for engine, url := range urls {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			url := url(t)
			test(t, func() model.Store {
				st, err := store.Open(t.Context(), store.Config{URL: url, MaxConnections: 4})
				if err != nil {
					t.Fatalf("open the store: %v", err)
				}
				t.Cleanup(func() {
					if err := st.Close(); err != nil {
						t.Errorf("close the store: %v", err)
					}
				})
				return st
			})
		})
	}
}

// newClock stands at this moment, as databases keep it.
func newClock() *testenv.Clock { return testenv.NewClock(time.Now().UTC().Truncate(time.Microsecond)) }

func newKeeper(t *testing.T, cfg upkeep.Config) *upkeep.Keeper {
	t.Helper()
	k, err := upkeep.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// runOnce returns what each task deleted; it is empty if the keeper did not act.
func runOnce(t *testing.T, k *upkeep.Keeper) map[string]int64 {
	t.Helper()
	acted, err := k.RunOnce(t.Context())
	if err != nil {
		t.Errorf("run: %v", err)
	}
	return deletedBy(acted)
}

func deletedBy(acted []upkeep.Outcome) map[string]int64 {
	deleted := map[string]int64{}
	for _, o := range acted {
		deleted[o.Task] = o.Deleted
	}
	return deleted
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func audit(t *testing.T, st model.Store, moments ...time.Time) {
	t.Helper()
	// In small transactions: thousands of rows in one outlast its bound on a machine
	// that is busy.
	for chunk := range slices.Chunk(moments, 100) {
		ok(t, st.InTx(t.Context(), func(ctx context.Context, tx model.Tx) error {
			for _, at := range chunk {
				if err := tx.AuditInsert(ctx, model.AuditInsertParams{
					ID: uuid.New(), Action: "a", ResourceType: "r", Details: model.EmptyObject(), CreatedAt: at,
				}); err != nil {
					return err
				}
			}
			return nil
		}))
	}
}

func auditLeft(t *testing.T, st model.Store) []model.AuditLog {
	t.Helper()
	left, err := st.AuditList(t.Context(), model.AuditListParams{CursorCreatedAt: model.MaxTime(), CursorID: model.MaxID(), PageLimit: 100_000})
	ok(t, err)
	return left
}

// repeated is one moment n times.
func repeated(at time.Time, n int) []time.Time {
	all := make([]time.Time, n)
	for i := range all {
		all[i] = at
	}
	return all
}

func exposition(set *metrics.Set) string {
	var b bytes.Buffer
	set.WritePrometheus(&b)
	return b.String()
}
