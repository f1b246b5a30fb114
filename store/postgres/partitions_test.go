package postgres_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/hal9-ai/hal9/internal/testenv/migrated"
	"github.com/hal9-ai/hal9/model"
	"github.com/hal9-ai/hal9/store"
)

// open makes a migrated database.
func open(tb testing.TB) (st model.Store, url string) {
	tb.Helper()
	url = migrated.PostgresDatabase(tb)
	st, err := store.Open(tb.Context(), store.Config{URL: url, MaxConnections: 4})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := st.Close(); err != nil {
			tb.Errorf("close: %v", err)
		}
	})
	return st, url
}

func connect(tb testing.TB, url string) *pgx.Conn {
	tb.Helper()
	conn, err := pgx.Connect(tb.Context(), url)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := conn.Close(context.WithoutCancel(tb.Context())); err != nil {
			tb.Errorf("close: %v", err)
		}
	})
	return conn
}

func run(tb testing.TB, conn *pgx.Conn, query string) {
	tb.Helper()
	if _, err := conn.Exec(tb.Context(), query); err != nil {
		tb.Fatalf("%s: %v", query, err)
	}
}

func count(tb testing.TB, conn *pgx.Conn, table string) (n int) {
	tb.Helper()
	if err := conn.QueryRow(tb.Context(), "SELECT count(*) FROM "+table).Scan(&n); err != nil {
		tb.Fatal(err)
	}
	return n
}

func insertSignals(tb testing.TB, st model.Store, n int, first time.Time) {
	tb.Helper()
	batch := make([]model.SignalInsertParams, n)
	for i := range batch {
		batch[i] = model.SignalInsertParams{
			ID: uuid.New(), FromNeuron: "a", ToNeuron: "b", LayerFrom: "L1", LayerTo: "L2", PropagationType: "forward",
			Content: "c", Metadata: model.JSON(`{}`), Timestamp: first.Add(time.Duration(i) * time.Microsecond),
		}
	}
	result, err := st.SignalInsertMany(tb.Context(), batch)
	if err != nil || result.Inserted != n {
		tb.Fatalf("insert: %d of %d, %v", result.Inserted, n, err)
	}
}

// Ensuring and dropping outlast a transaction that is in their way for a while.
func TestPartitionsWaitPatiently(t *testing.T) {
	t.Parallel()
	march := time.Date(2001, 3, 1, 0, 0, 0, 0, time.UTC)
	for name, change := range map[string]func(*testing.T, model.Store) error{
		"ensure": func(t *testing.T, st model.Store) error {
			t.Helper()
			made, err := st.SignalPartitionEnsure(t.Context(), march)
			if err == nil && !made {
				err = errors.New("not made")
			}
			return err
		},
		"drop": func(t *testing.T, st model.Store) error {
			t.Helper()
			_, err := st.SignalPartitionDrop(t.Context(), march)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			st, url := open(t)
			reader := connect(t, url)
			// A month for the drop to drop.
			if _, err := st.SignalPartitionEnsure(t.Context(), march.AddDate(0, -1, 0)); err != nil {
				t.Fatal(err)
			}
			run(t, reader, "BEGIN")
			run(t, reader, "SELECT count(*) FROM signals")
			done := make(chan error, 1)
			go func() { done <- change(t, st) }()
			// Longer than one attempt waits.
			run(t, reader, "SELECT pg_sleep(2.5)")
			select {
			case err := <-done:
				t.Fatalf("done while a reader was in the way: %v", err)
			default:
			}
			run(t, reader, "COMMIT")
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	}
}

func TestPartitionDropEmptiesTheDefaultPartition(t *testing.T) {
	t.Parallel()
	st, url := open(t)
	conn := connect(t, url)
	march := time.Date(2001, 3, 1, 0, 0, 0, 0, time.UTC)
	if _, err := st.SignalPartitionEnsure(t.Context(), march.AddDate(0, -1, 0)); err != nil {
		t.Fatal(err)
	}
	insertSignals(t, st, 20, march.AddDate(0, -1, 3)) // in a partition
	insertSignals(t, st, 5003, march.AddDate(0, -3, 0))
	insertSignals(t, st, 7, march)
	if n := count(t, conn, "signals_default"); n != 5010 {
		t.Fatalf("%d rows in the default partition", n)
	}
	// In the middle of March: whole months go, and March stays.
	gone, err := st.SignalPartitionDrop(t.Context(), march.AddDate(0, 0, 14))
	if err != nil {
		t.Fatal(err)
	}
	if len(gone) != 2 || gone[0].Name != "signals_y2001m02" || !gone[1].IsDefault || gone[1].Rows != 5003 {
		t.Errorf("gone: %+v", gone)
	}
	if n := count(t, conn, "signals"); n != 7 {
		t.Errorf("%d rows are left", n)
	}
}
