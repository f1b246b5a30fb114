//go:build faults

package store_test

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hal9-ai/hal9/internal/storetest"
	"github.com/hal9-ai/hal9/internal/testenv"
	"github.com/hal9-ai/hal9/model"
	"github.com/hal9-ai/hal9/schema"
	"github.com/hal9-ai/hal9/store/postgres"
)

// through is the URL of the same database through the pooler.
func through(t *testing.T, pooler, database string) string {
	t.Helper()
	p, err := url.Parse(pooler)
	if err != nil {
		t.Fatal(err)
	}
	d, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	p.Path = d.Path
	return p.String()
}

// TestLongPgBouncer runs the whole suite through a PgBouncer that lends three connections
// to all.
func TestLongPgBouncer(t *testing.T) {
	pooler := testenv.StartPgBouncer(t).URL()
	storetest.Run(t, func(t *testing.T) model.Store {
		t.Helper()
		direct := testenv.PostgresDatabase(t)
		return pooled(t, through(t, pooler, direct), direct)
	})
}

// TestLongPgBouncerEndsStatements: a statement that takes too long ends, in the engine too.
func TestLongPgBouncerEndsStatements(t *testing.T) {
	pooler := testenv.StartPgBouncer(t).URL()
	direct := testenv.PostgresDatabase(t)
	_ = pooled(t, through(t, pooler, direct), direct)
	st, err := postgres.Open(t.Context(), postgres.Config{URL: through(t, pooler, direct), Pooled: true, StatementTimeout: 300 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	blocker, err := pgx.Connect(t.Context(), direct)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = blocker.Close(t.Context()) }()
	tx, err := blocker.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), "LOCK TABLE neurons"); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	if _, err := st.NeuronList(t.Context(), model.NeuronListParams{PageLimit: 1}); !errors.Is(err, model.ErrTimeout) {
		t.Errorf("a statement: %v, want a time-out", err)
	}
	err = st.InTx(t.Context(), func(ctx context.Context, tx model.Tx) error {
		_, err := tx.NeuronList(ctx, model.NeuronListParams{PageLimit: 1})
		return err
	})
	if !errors.Is(err, model.ErrTimeout) {
		t.Errorf("in a transaction: %v, want a time-out", err)
	}
	t.Logf("both ended after %s", time.Since(begin))
	testenv.Eventually(t, "the statements to end in the engine", func() bool {
		var waiting int
		if err := blocker.QueryRow(t.Context(), `SELECT count(*) FROM pg_stat_activity
			WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%neurons%'`).Scan(&waiting); err != nil {
			t.Fatal(err)
		}
		return waiting == 0
	})
}

// TestLongPgBouncerForgotten: who forgets the settings for a pooler is told of them.
func TestLongPgBouncerForgotten(t *testing.T) {
	direct := testenv.PostgresDatabase(t)
	url := through(t, testenv.StartPgBouncer(t).URL(), direct)
	_ = pooled(t, url, direct)
	const mend = "set database.pooler to transaction"
	st, err := postgres.Open(t.Context(), postgres.Config{URL: url})
	if err == nil {
		t.Error(errors.Join(errors.New("a server that prepares statements was opened"), st.Close()))
	} else if !strings.Contains(err.Error(), mend) {
		t.Errorf("a server is told %q, want %q", err, mend)
	}
	// The first leaves its statement behind, on one of three connections.
	for range 8 {
		m, openErr := schema.Open(t.Context(), url, schema.Options{})
		if err = openErr; err != nil {
			break
		}
		defer func() { _ = m.Close() }()
	}
	if !errors.Is(err, schema.ErrPooled) || !strings.Contains(err.Error(), mend) {
		t.Errorf("a migrator is told %v, want %q", err, mend)
	}
}
