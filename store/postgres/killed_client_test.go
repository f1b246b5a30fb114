package postgres_test

import (
	"errors"
	"testing"
	"time"

	"github.com/hal9-ai/hal9/internal/testenv"
	"github.com/hal9-ai/hal9/model"
	"github.com/hal9-ai/hal9/store/postgres"
)

// TestStatementOfAKilledServer has a server vanish whose write waits for a lock: it must
// not be stored when the lock is free, long after.
func TestStatementOfAKilledServer(t *testing.T) {
	t.Parallel()
	st, address := open(t)
	proxy := startCutter(t, address)
	killed := reopen(t, proxy.url(t, address), postgres.Config{MaxConnections: 1, StatementTimeout: time.Hour})
	other := connect(t, address)
	run(t, other, "BEGIN; LOCK TABLE neurons IN EXCLUSIVE MODE")
	failed := make(chan error, 1)
	go func() {
		_, err := killed.NeuronInsert(t.Context(), neuron("late"))
		failed <- err
	}()
	awaitWaiting(t, other, map[int]bool{})
	proxy.close()
	if err := <-failed; !errors.Is(err, model.ErrInterrupted) {
		t.Errorf("the write ended with %v, want %v", err, model.ErrInterrupted)
	}
	testenv.Eventually(t, "nobody to wait for the lock", func() bool {
		var waiting int
		if err := other.QueryRow(t.Context(), "SELECT count(*) FROM pg_locks WHERE NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())").Scan(&waiting); err != nil {
			t.Fatal(err)
		}
		return waiting == 0
	})
	run(t, other, "COMMIT")
	if _, err := st.NeuronGet(t.Context(), model.NeuronGetParams{ID: "late"}); !errors.Is(err, model.ErrNotFound) {
		t.Errorf("the write of a server that is gone: %v, want %v", err, model.ErrNotFound)
	}
}
