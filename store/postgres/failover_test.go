package postgres_test

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
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
	var log testenv.Log
	st, err := postgres.Open(t.Context(), postgres.Config{
		URL: url, ReplicaURLs: []string{r.Replica.URL("hal9"), "postgres://hal9:s3cret@127.0.0.1:1/hal9"}, ReplicaMaxLag: time.Minute,
		Logger: slog.New(slog.NewJSONHandler(&log, nil)),
	})
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
	wait("the other is told of", func() bool { return strings.Contains(log.String(), "nobody listens there") })
	if strings.Contains(log.String(), strconv.Itoa(r.Replica.Port)) {
		t.Errorf("a replica that answers is warned of: %s", log.String())
	}

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
	wait("that is told", func() bool { return strings.Contains(log.String(), "the server is no replica: it takes writes") })
	if n := strings.Count(log.String(), "nobody listens there"); n != 1 || strings.Contains(log.String(), "s3cret") {
		t.Errorf("it is told %d times that nobody listens, or with the password: %s", n, log.String())
	}
	list(after)
}

// TestReplicaLagIsTold: a replica that stands still is told of by how long, well after that
// is more than reads may miss.
func TestReplicaLagIsTold(t *testing.T) {
	t.Parallel()
	r := testenv.StartReplication(t)
	execAt(t, r.Primary.URL("postgres"), "CREATE DATABASE hal9")
	migrate(t, r.Primary.URL("hal9"))
	st, err := postgres.Open(t.Context(), postgres.Config{
		URL: r.Primary.URL("hal9"), ReplicaURLs: []string{r.Replica.URL("hal9")}, ReplicaMaxLag: 200 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	replica := func() model.ReplicaStat { return st.ReplicaStats().Replicas[0] }
	testenv.Eventually(t, "the replica answers", func() bool { return replica().Usable })
	execAt(t, r.Replica.URL("postgres"), "SELECT pg_wal_replay_pause()")
	began := time.Now()
	if _, err := st.NeuronInsert(t.Context(), neuron("unseen")); err != nil {
		t.Fatal(err)
	}
	testenv.Eventually(t, "a lag of 2 s", func() bool { return replica().Lag > 2*time.Second })
	if now := replica(); now.Usable || !now.LagKnown || now.Lag > time.Since(began)+time.Second {
		t.Errorf("it stands still for %s, and is told as %+v", time.Since(began), now)
	}
	execAt(t, r.Replica.URL("postgres"), "SELECT pg_wal_replay_resume()")
	testenv.Eventually(t, "no lag", func() bool { return replica().Usable && replica().Lag == 0 })
}
