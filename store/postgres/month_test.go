package postgres_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hal9-ai/hal9/internal/testenv/migrated"
	"github.com/hal9-ai/hal9/model"
	"github.com/hal9-ai/hal9/store/postgres"
)

// A signal is found by id and time wherever it lies: at either end of a month, in the
// default partition, and in months for which there is no statement of their own.
func TestSignalGetAtTheEdgesOfMonths(t *testing.T) {
	t.Parallel()
	st, _ := open(t)
	ids := model.NewIDGenerator(time.Now)
	now := time.Now().UTC()
	begin := time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, time.UTC)
	var signals []model.SignalInsertParams
	for _, months := range []int{-1300, -121, -120, -119, -118, -13, -12, -1, 0, 1, 2, 3, 1300} {
		month := begin.AddDate(0, months, 0)
		zone := time.FixedZone("", -11*3600) // another month there
		for _, at := range []time.Time{month, month.Add(time.Microsecond).In(zone), month.Add(-time.Microsecond), month.Add(15 * 24 * time.Hour)} {
			signals = append(signals, model.SignalInsertParams{
				ID: ids.New(), Timestamp: at, FromNeuron: "a", ToNeuron: "b", LayerFrom: "L1", LayerTo: "L2", PropagationType: "forward",
				Content: at.String(), Metadata: model.EmptyObject(),
			})
		}
	}
	if _, err := st.SignalInsertMany(t.Context(), signals); err != nil {
		t.Fatal(err)
	}
	for _, s := range signals {
		got, err := st.SignalGet(t.Context(), model.SignalGetParams{ID: s.ID, Timestamp: s.Timestamp})
		if err != nil || got.Content != s.Content {
			t.Errorf("%s: %q, %v", s.Timestamp, got.Content, err)
		}
		_, err = st.SignalGet(t.Context(), model.SignalGetParams{ID: s.ID, Timestamp: s.Timestamp.Add(time.Millisecond)})
		if !errors.Is(err, model.ErrNotFound) {
			t.Errorf("another time than %s: %v", s.Timestamp, err)
		}
	}
}

// However many months there are, the plan for a look-up names one partition: the engine
// locks all that a plan names. Each connection keeps a bounded number of such plans.
func TestSignalGetPlansOnePartition(t *testing.T) {
	t.Parallel()
	st, err := postgres.Open(t.Context(), postgres.Config{URL: migrated.PostgresDatabase(t), MaxConnections: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	now := time.Now()
	for months := -5; months <= 1; months++ {
		if _, err := st.SignalPartitionEnsure(t.Context(), now.AddDate(0, months, 0)); err != nil {
			t.Fatal(err)
		}
	}
	get := func(at time.Time) {
		t.Helper()
		if _, err := st.SignalGet(t.Context(), model.SignalGetParams{Timestamp: at}); !errors.Is(err, model.ErrNotFound) {
			t.Fatal(err)
		}
	}
	statements := func() []string {
		rows, err := st.Pool().Query(t.Context(), "SELECT name FROM pg_prepared_statements WHERE statement LIKE '%name: SignalGet :one%'", pgx.QueryExecModeSimpleProtocol)
		if err != nil {
			t.Fatal(err)
		}
		names, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatal(err)
		}
		return names
	}
	get(now)
	names := statements()
	if len(names) != 1 {
		t.Fatalf("one month, and the statements are %q", names)
	}
	rows, err := st.Pool().Query(t.Context(), fmt.Sprintf("EXPLAIN EXECUTE %s ('%s', now())", pgx.Identifier{names[0]}.Sanitize(), model.MaxID()), pgx.QueryExecModeSimpleProtocol)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	plan := strings.Join(lines, "\n")
	if strings.Contains(plan, "Subplans Removed") || strings.Count(plan, "signals_y") == 0 || !strings.Contains(plan, now.UTC().Format("y2006m01")) {
		t.Errorf("the plan is\n%s", plan)
	}
	begin := time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, time.UTC)
	for months := -130; months <= 10; months++ {
		get(begin.AddDate(0, months, 0))
	}
	// 121 months, and one for all others.
	if n := len(statements()); n != 122 {
		t.Errorf("look-ups in 141 months left %d statements", n)
	}
}
