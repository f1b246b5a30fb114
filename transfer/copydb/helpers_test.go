package copydb_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/hal9-ai/hal9/internal/testenv"
	"github.com/hal9-ai/hal9/model"
	"github.com/hal9-ai/hal9/store"
	"github.com/hal9-ai/hal9/transfer/copydb"
)

// start is when what the tests store was made.
var start = time.Date(2026, 3, 30, 12, 0, 0, 123_456_000, time.UTC)

// newDatabase makes a migrated database of an engine and returns its URL.
func newDatabase(t *testing.T, engine string) string {
	t.Helper()
	url := "sqlite://" + filepath.Join(t.TempDir(), "hal9.db")
	if engine == "postgres" {
		url = testenv.PostgresDatabase(t)
	}
	must(t, openStore(t, url).Close())
	return url
}

func openStore(t *testing.T, url string) model.Store {
	t.Helper()
	st, err := store.Open(t.Context(), store.Config{URL: url, Migrate: true, MaxConnections: 6})
	if err != nil {
		t.Fatalf("open %s: %v", url, err)
	}
	return st
}

// withStore runs fn on an open store.
func withStore(t *testing.T, url string, fn func(st model.Store)) {
	t.Helper()
	st := openStore(t, url)
	defer func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	}()
	fn(st)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// fill stores rows in every table: values that the engines write differently, text in
// other scripts, months far apart, ids that are no UUIDv7.
func fill(t *testing.T, url string, signals int) {
	t.Helper()
	withStore(t, url, func(st model.Store) {
		ctx := t.Context()
		for i := range 5 {
			id := uuid.New()
			_, err := st.UserInsert(ctx, model.UserInsertParams{
				ID: id, Username: fmt.Sprintf("user-%d", i), Email: new(fmt.Sprintf("ünïcode%d@example.org", i)), PasswordHash: "$2b$12$old", Role: "user",
				IsActive: i%2 == 0, CreatedAt: start, UpdatedAt: start.Add(time.Microsecond),
			})
			must(t, err)
			session := uuid.New()
			_, err = st.SessionInsert(ctx, model.SessionInsertParams{ID: session, UserID: id, TokenHash: "session-" + id.String(), IPAddress: new("::1"), ExpiresAt: start.AddDate(9, 0, 0), CreatedAt: start})
			must(t, err)
			must(t, st.RefreshTokenInsert(ctx, model.RefreshTokenInsertParams{ID: uuid.New(), SessionID: session, TokenHash: "refresh-" + id.String(), ExpiresAt: start, CreatedAt: start}))
			_, err = st.APIKeyInsert(ctx, model.APIKeyInsertParams{ID: uuid.New(), UserID: id, Name: "ключ", KeyHash: "key-" + id.String(), Permissions: model.JSON(`["signals:read", "signals:write"]`), IsActive: true, CreatedAt: start})
			must(t, err)
			_, err = st.LegacyDetailImport(ctx, model.LegacyDetailImportParams{Entity: "user", ID: id, UserID: id, Details: model.JSON(`{"legacy_id":"u-7","big":12345678901234567890.5,"exp":1e2}`), CreatedAt: start})
			must(t, err)
			must(t, st.AuditInsert(ctx, model.AuditInsertParams{ID: uuid.New(), UserID: &id, Action: "login", ResourceType: "user", Details: model.JSON(`{"b":1,"a":[1.0,2e3,null]}`), CreatedAt: start}))
			must(t, st.MetricInsert(ctx, model.MetricInsertParams{ID: uuid.New(), MetricName: "load", Value: 0.1 + float64(i), Labels: model.JSON(`{}`), Timestamp: start}))
			_, err = st.NeuronInsert(ctx, model.NeuronInsertParams{ID: fmt.Sprintf("neuron-ß-%d", i), Layer: "L2", SystemPrompt: "line\nline\ttab \\ \"", Settings: model.JSON(`{"z":{"y":[]},"a":"\u00e9"}`), State: "idle", Condition: "running", CreatedAt: start})
			must(t, err)
			claim, err := st.IdempotencyKeyClaim(ctx, model.IdempotencyKeyClaimParams{ID: "claim-" + id.String(), Fingerprint: "f", Holder: uuid.New(), CreatedAt: start, LockedUntil: start, ExpiresAt: start.AddDate(9, 0, 0)})
			must(t, err)
			_, err = st.IdempotencyKeyFinish(ctx, model.IdempotencyKeyFinishParams{Status: new(int64(200)), Headers: model.JSON(`{"ETag":"1"}`), Body: []byte("{\x00\xff}"), ID: claim.ID, Holder: claim.Holder})
			must(t, err)
		}
		for i := range 40 {
			addMemory(t, st, uuid.New(), fmt.Sprintf("Running the naïve plan of number%d, 東京", i))
		}
		_, err := st.NeuronActivityAdd(ctx, model.NeuronActivityAddParams{SignalsAdded: 3, LastSignalAt: &start, NeuronID: "neuron-l1"})
		must(t, err)
		// A neuron that every new database has, and this one has not.
		_, err = st.NeuronDelete(ctx, model.NeuronDeleteParams{ID: "neuron-l4"})
		must(t, err)
		addSignals(t, st, signals)
	})
}

func addMemory(t *testing.T, st model.Store, id uuid.UUID, content string) {
	t.Helper()
	_, err := st.MemoryInsert(t.Context(), model.MemoryInsertParams{
		ID: id, NeuronID: "neuron-l1", Content: content, Importance: 0.3, Context: model.JSON(`{"legacy_id":"m"}`),
		Metadata: model.JSON(`{"signal_id":"x"}`), Embedding: []byte{0, 1, 255}, CreatedAt: start,
	})
	must(t, err)
}

func aSignal(ids *model.IDGenerator, at time.Time) model.SignalInsertParams {
	id := ids.NewAt(at)
	at, _ = model.IDTime(id)
	return model.SignalInsertParams{
		ID: id, FromNeuron: "api-client", ToNeuron: "neuron-l1", LayerFrom: "API", LayerTo: "L1", PropagationType: "forward",
		Content: "Plan the day " + strings.Repeat("and the next ", 3), Metadata: model.JSON(`{"b":1,"a":2}`), Timestamp: at,
	}
}

func addSignals(t *testing.T, st model.Store, n int) {
	t.Helper()
	ids := model.NewIDGenerator(time.Now)
	rows := make([]model.SignalInsertParams, n)
	for i := range rows {
		rows[i] = aSignal(ids, start.Add(time.Duration(i)*7*time.Hour))
		if i%10 == 0 { // as an import brings them
			rows[i].ID, rows[i].Timestamp = uuid.New(), start.Add(time.Duration(i)*time.Hour+time.Microsecond)
		}
	}
	result, err := st.SignalInsertMany(t.Context(), rows)
	must(t, err)
	if result.Inserted != n {
		t.Fatalf("stored %d of %d signals: %+v", result.Inserted, n, result.Failed)
	}
}

func options(from, to string) copydb.Options {
	return copydb.Options{From: from, To: to, FromName: from, ToName: to}
}

// copyAll copies, and fails the test unless both sides are the same then.
func copyAll(t *testing.T, o copydb.Options) *copydb.Report {
	t.Helper()
	report, err := copydb.Copy(t.Context(), o)
	must(t, err)
	wantSame(t, report)
	return report
}

func wantSame(t *testing.T, report *copydb.Report) {
	t.Helper()
	refused, different := report.Faults()
	if refused+different > 0 || !report.Compared {
		t.Fatalf("compared %v, %d refused, %d different: %v %v", report.Compared, refused, different, report.Refused, report.Differences)
	}
	if len(report.Tables) < 12 {
		t.Fatalf("%d tables", len(report.Tables))
	}
	for _, table := range report.Tables {
		if table.SourceRows == 0 {
			t.Errorf("%s is empty: let fill put rows in", table.Table)
		}
	}
}
