package postgres_test

import (
	"context"
	"syscall"
	"testing"
	"time"

	"github.com/hal9-ai/hal9/internal/testenv"
	"github.com/hal9-ai/hal9/model"
	"github.com/hal9-ai/hal9/store/postgres"
)

// TestLookUpsGoOn: look-ups whose connections are silent hold up themselves and no others.
func TestLookUpsGoOn(t *testing.T) {
	t.Parallel()
	_, address := open(t)
	st := reopen(t, address, postgres.Config{MaxConnections: 8, AcquireTimeout: time.Minute, StatementTimeout: time.Minute})
	signal := model.SignalInsertParams{
		ID: model.NewIDGenerator(time.Now).New(), FromNeuron: "a", ToNeuron: "b", LayerFrom: "L1", LayerTo: "L2",
		PropagationType: "forward", Content: "found", Metadata: model.EmptyObject(), Timestamp: time.Now(),
	}
	if _, err := st.SignalInsert(t.Context(), signal); err != nil {
		t.Fatal(err)
	}
	get := func(ctx context.Context) error {
		_, err := st.SignalGet(ctx, model.SignalGetParams{ID: signal.ID, Timestamp: signal.Timestamp})
		return err
	}
	stuck, let := context.WithCancel(t.Context())
	defer let()
	ended := make(chan error, 2)
	for n := range cap(ended) {
		var pid int
		if err := st.Pool().QueryRow(t.Context(), "SELECT pg_backend_pid()").Scan(&pid); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
			t.Skipf("the server's processes are not ours: %v", err)
		}
		defer func() { _ = syscall.Kill(pid, syscall.SIGCONT) }()
		go func() { ended <- get(stuck) }() // on the connection that was given back last
		testenv.Eventually(t, "the look-up to take the silent connection", func() bool { return st.PoolStats().InUse == n+1 })
	}
	others, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	waits := make(chan error, 1)
	go func() { waits <- get(others) }() // it may come before their time is over, and wait
	testenv.Eventually(t, "a look-up that is answered", func() bool {
		one, cancel := context.WithTimeout(others, 100*time.Millisecond)
		defer cancel()
		return get(one) == nil || others.Err() != nil
	})
	if err := <-waits; err != nil {
		t.Errorf("a look-up waits for others: %v", err)
	}
	let()
	for range cap(ended) {
		if err := <-ended; err == nil {
			t.Error("a look-up on a silent connection was answered")
		}
	}
}
