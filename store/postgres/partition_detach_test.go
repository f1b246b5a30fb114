package postgres_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/hal9-ai/hal9/model"
	"github.com/hal9-ai/hal9/store/postgres"
)

// While signals of a month come in without a pause the month is detached and attached,
// again and again, and a server would make it anew in between: none is refused, and in the
// end each is there once.
func TestDetachAndAttachUnderInserts(t *testing.T) {
	t.Parallel()
	st, url := open(t)
	conn := connect(t, url)
	march := time.Date(2001, 3, 1, 0, 0, 0, 0, time.UTC)
	if _, err := st.SignalPartitionEnsure(t.Context(), march); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var stored [3]int
	var writers sync.WaitGroup
	for w := range stored {
		writers.Go(func() {
			for ctx.Err() == nil {
				at := march.Add(time.Duration(w*1_000_000+stored[w]) * time.Microsecond)
				n, err := st.SignalInsert(context.WithoutCancel(ctx), model.SignalInsertParams{
					ID: uuid.New(), FromNeuron: "a", ToNeuron: "b", LayerFrom: "L1", LayerTo: "L2", PropagationType: "forward",
					Content: "c", Metadata: model.JSON(`{}`), Timestamp: at,
				})
				if err != nil || n != 1 {
					t.Errorf("insert: %d, %v", n, err)
					return
				}
				stored[w]++
			}
		})
	}
	moved := int64(0)
	const rounds = 8
	for round := range rounds {
		if _, err := st.SignalPartitionDetach(t.Context(), march); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		if round%2 == 1 {
			if _, err := st.SignalPartitionEnsure(t.Context(), march); err != nil {
				t.Fatalf("round %d: %v", round, err)
			}
		}
		a, err := st.SignalPartitionAttach(t.Context(), march)
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		moved += a.Moved
	}
	stop()
	writers.Wait()
	total := stored[0] + stored[1] + stored[2]
	if n := count(t, conn, "signals_y2001m03"); n != total {
		t.Errorf("%d signals are in the month, %d were acknowledged", n, total)
	}
	if n := count(t, conn, "signals_default"); n != 0 {
		t.Errorf("%d are left in the default partition", n)
	}
	t.Logf("%d rounds beside %d inserts, of which %d came while the month was detached: 0 lost", rounds, total, moved)
	// The month is as it was: a conflict names its field, and it can be dropped.
	run(t, conn, "CREATE TEMP TABLE one AS SELECT * FROM signals LIMIT 1")
	if _, err := conn.Exec(t.Context(), "INSERT INTO signals SELECT * FROM one"); err == nil {
		t.Error("a signal is stored twice")
	}
	if gone, err := st.SignalPartitionDrop(t.Context(), march.AddDate(0, 1, 0)); err != nil || len(gone) != 1 {
		t.Errorf("dropped %v, %v", gone, err)
	}
}

// Who does not own the tables cannot take a month out of them.
func TestDetachNeedsTheOwner(t *testing.T) {
	t.Parallel()
	st, url := open(t)
	march := time.Date(2001, 3, 1, 0, 0, 0, 0, time.UTC)
	if _, err := st.SignalPartitionEnsure(t.Context(), march); err != nil {
		t.Fatal(err)
	}
	conn := connect(t, url)
	role := "hal9_test_" + uuid.NewString()[:8]
	run(t, conn, `CREATE ROLE "`+role+`"`)
	t.Cleanup(func() {
		_, _ = conn.Exec(context.WithoutCancel(t.Context()), `RESET ROLE; DROP OWNED BY "`+role+`"; DROP ROLE "`+role+`"`)
	})
	run(t, conn, `GRANT SELECT, INSERT, DELETE ON signals TO "`+role+`"; SET ROLE "`+role+`"`)
	_, err := postgres.PartitionDetach(t.Context(), conn, march)
	if !postgres.Denied(err) {
		t.Errorf("got %v", err)
	}
	run(t, conn, "RESET ROLE")
	if _, err := st.SignalPartitionDetach(t.Context(), march); err != nil {
		t.Error(err)
	}
	if _, err := st.SignalPartitionDetach(t.Context(), time.Now()); !errors.Is(err, model.ErrInvalid) {
		t.Errorf("this month: %v", err)
	}
}
