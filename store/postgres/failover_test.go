package postgres_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hal9-ai/hal9/internal/testenv"
	"github.com/hal9-ai/hal9/model"
	"github.com/hal9-ai/hal9/schema"
	"github.com/hal9-ai/hal9/store/postgres"
)

// execAt runs statements on a connection of their own.
func execAt(t *testing.T, url string, statements ...string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	for _, statement := range statements {
		if _, err := conn.Exec(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

func migrate(t *testing.T, url string) {
	t.Helper()
	m, err := schema.Open(t.Context(), url, schema.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = m.Close() }()
	if _, err := m.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// TestPromotion: when the replica takes over, the store goes on by itself, with all that
// was acknowledged and had arrived.
func TestPromotion(t *testing.T) {
	t.Parallel()
	r := testenv.StartReplication(t)
	execAt(t, r.Primary.URL("postgres"), "CREATE DATABASE hal9")
	migrate(t, r.Primary.URL("hal9"))
	url := fmt.Sprintf("postgres://postgres@127.0.0.1:%d,127.0.0.1:%d/hal9?sslmode=disable&target_session_attrs=read-write", r.Primary.Port, r.Replica.Port)
	st, err := postgres.Open(t.Context(), postgres.Config{URL: url, ReplicaURLs: []string{r.Replica.URL("hal9")}, ReplicaMaxLag: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	wait := func(what string, condition func() bool) {
		t.Helper()
		testenv.Eventually(t, what, condition)
	}
	if _, err := st.NeuronInsert(t.Context(), neuron("before")); err != nil {
		t.Fatal(err)
	}
	before, err := st.WritePosition(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	list := func(need model.Position) int {
		ctx := model.WithConsistency(t.Context(), model.NewConsistency(func(context.Context) (model.Position, bool) { return need, true }))
		rows, err := st.UserList(ctx, model.UserListParams{PageLimit: 1})
		if err != nil {
			t.Fatalf("list: %v", err)
		}
		return len(rows)
	}
	wait("the replica answers", func() bool { list(before); return st.ReplicaStats().Replicas[0].Reads > 0 })

	if err := r.Primary.Kill(); err != nil {
		t.Fatal(err)
	}
	execAt(t, r.Replica.URL("postgres"), "SELECT pg_promote(true, 60)")
	wait("a write", func() bool {
		_, err := st.NeuronInsert(t.Context(), model.NeuronInsertParams{ID: "after", Layer: "L1", Settings: model.EmptyObject(), State: model.StateIdle, Condition: model.ConditionRunning, CreatedAt: time.Now()})
		return err == nil
	})
	for _, id := range []string{"before", "after"} {
		if _, err := st.NeuronGet(t.Context(), model.NeuronGetParams{ID: id}); err != nil {
			t.Errorf("%s: %v", id, err)
		}
	}
	after, err := st.WritePosition(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if after.Timeline <= before.Timeline {
		t.Errorf("timeline %d after the promotion, %d before", after.Timeline, before.Timeline)
	}
	wait("the promoted replica is left out", func() bool { return !st.ReplicaStats().Replicas[0].Usable })
	list(after)
}
