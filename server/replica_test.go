package server_test

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/hal9-ai/hal9/cacheutil"
	"github.com/hal9-ai/hal9/internal/testenv"
	"github.com/hal9-ai/hal9/internal/testenv/servers"
	"github.com/hal9-ai/hal9/model"
	"github.com/hal9-ai/hal9/server"
	"github.com/hal9-ai/hal9/store"
)

const tokenHeader = "Hal9-Consistency-Token"

// replicated is a primary, a replica and servers on both.
type replicated struct {
	*servers.Replication

	t      *testing.T
	prefix string
}

func newReplicated(t *testing.T) *replicated {
	t.Helper()
	r := &replicated{Replication: testenv.StartReplication(t), t: t, prefix: "test-" + uuid.NewString() + ":"}
	r.run(r.Primary, "CREATE DATABASE hal9")
	return r
}

// run runs one statement on a node.
func (r *replicated) run(n *servers.PostgresNode, statement string) {
	r.t.Helper()
	conn, err := pgx.Connect(r.t.Context(), n.URL("postgres"))
	if err != nil {
		r.t.Fatalf("connect: %v", err)
	}
	defer func() { _ = conn.Close(r.t.Context()) }()
	if _, err := conn.Exec(r.t.Context(), statement); err != nil {
		r.t.Fatalf("%s: %v", statement, err)
	}
}

// serve starts a server; with Valkey it shares what sessions wrote with the others.
func (r *replicated) serve(cacheURL string, change ...func(*store.Config)) *harness {
	r.t.Helper()
	cfg := store.Config{
		URL: r.Primary.URL("hal9"), Migrate: true, MaxConnections: 8, AcquireTimeout: patience, StatementTimeout: patience,
		ReplicaURLs: []string{r.Replica.URL("hal9")}, ReplicaMaxLag: patience, ReplicaTimeout: patience,
		Cache: &store.Cache{Config: cacheutil.Config{URL: cacheURL, Prefix: r.prefix, CallTimeout: patience}},
	}
	for _, f := range change {
		f(&cfg)
	}
	st, err := store.Open(r.t.Context(), cfg)
	if err != nil {
		r.t.Fatalf("open the store: %v", err)
	}
	r.t.Cleanup(func() {
		if err := st.Close(); err != nil {
			r.t.Errorf("close the store: %v", err)
		}
	})
	h := newServerOn(r.t, st, func(d *server.Deps) { d.Consistency = store.ConsistencyOf(st) })
	eventually(r.t, func() bool { return h.replica().Usable })
	return h
}

func (h *harness) replica() model.ReplicaStat {
	return store.ConsistencyOf(h.store).Stats().Replicas[0]
}

func (h *harness) position(session string) (model.Position, bool) {
	return store.ConsistencyOf(h.store).Position(h.t.Context(), session)
}

// sendTo stores a signal to a neuron and returns its id and the token.
func (h *harness) sendTo(neuron string, headers ...string) (id, token string) {
	h.t.Helper()
	r := h.ask(http.MethodPost, "/api/v1/signals", `{"layer_to":"L4","content":"x","to_neuron":"`+neuron+`"}`, headers...).want(http.StatusCreated)
	token = r.header.Get(tokenHeader)
	if len(token) != model.TokenLength {
		h.t.Fatalf("the token is %q", token)
	}
	return data[struct{ ID string }](r).ID, token
}

func (h *harness) sees(neuron, id string, headers ...string) bool {
	h.t.Helper()
	return strings.Contains(h.ask(http.MethodGet, "/api/v1/signals?limit=1&neuron="+neuron, "", headers...).want(http.StatusOK).body, id)
}

// status is that of a GET, 0 if there is none; unlike ask it may be called from anywhere.
func (h *harness) status(path, header, value string) int {
	req, err := http.NewRequestWithContext(h.t.Context(), http.MethodGet, h.url+path, http.NoBody)
	if err != nil {
		return 0
	}
	req.Header.Set(header, value)
	resp, err := h.client.Do(req)
	if err != nil {
		return 0
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	return resp.StatusCode
}

// TestReplicas holds reads from a replica to what clients wrote, while that lags, dies,
// comes back and takes over.
func TestReplicas(t *testing.T) { //nolint:tparallel // its parts change the one replica in turn
	t.Parallel()
	r := newReplicated(t)
	a, b := r.serve(testenv.CacheURL(t)), r.serve(testenv.CacheURL(t))
	alone := r.serve("")
	login := bearer(a.login(a.user("ann", "admin")).AccessToken)

	t.Run("a client sees its own writes", func(t *testing.T) {
		for _, delay := range []string{"0", "'150ms'"} {
			r.run(r.Replica, "ALTER SYSTEM SET recovery_min_apply_delay = "+delay)
			r.run(r.Replica, "SELECT pg_reload_conf()")
			before := a.replica().Reads + b.replica().Reads + alone.replica().Reads
			for i := range 30 {
				neuron := uuid.NewString()
				id, token := a.sendTo(neuron)
				if !b.sees(neuron, id, tokenHeader, token) {
					t.Fatalf("round %d, delay %s: the token's write is not seen", i, delay)
				}
				neuron = uuid.NewString()
				id, _ = b.sendTo(neuron, login...)
				if !a.sees(neuron, id, login...) {
					t.Fatalf("round %d, delay %s: the session's write is not seen through another server", i, delay)
				}
				neuron = uuid.NewString()
				id, _ = alone.sendTo(neuron, login...)
				if !alone.sees(neuron, id, login...) {
					t.Fatalf("round %d, delay %s: the session's write is not seen without a cache server", i, delay)
				}
			}
			if reads := a.replica().Reads + b.replica().Reads + alone.replica().Reads - before; delay == "0" && reads == 0 {
				t.Errorf("no read went to the replica: %v", store.ConsistencyOf(a.store).Stats().Fallbacks)
			}
		}
	})
	t.Run("who waits for nothing may see less", func(t *testing.T) {
		r.run(r.Replica, "SELECT pg_wal_replay_pause()")
		id, token := a.sendTo("late")
		if a.sees("late", id, tokenHeader, "none") {
			t.Error("the replica that does not replay has it")
		}
		if !a.sees("late", id) || !a.sees("late", id, tokenHeader, token) {
			t.Error("the primary does not have it")
		}
		r.run(r.Replica, "SELECT pg_wal_replay_resume()")
	})
	t.Run("a lost position is not covered by one from before", func(*testing.T) {
		for name, h := range map[string]*harness{"with a cache server": a, "without": alone} {
			ctx, c, session := t.Context(), store.ConsistencyOf(h.store), "session:"+uuid.NewString()
			must := func(err error) {
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
			}
			before, err := c.Now(ctx)
			must(err)
			h.sendTo("lost") // its answer does not tell where
			after, err := c.Now(ctx)
			must(err)
			must(c.Forget(ctx, session))
			must(c.Keep(ctx, session, before)) // another request of the session, from before
			if p, known := c.Position(ctx, session); !known || !p.Covers(after) || after == before {
				t.Errorf("%s: the session's reads need %v (known: %v), want %v or later", name, p, known, after)
			}
			if p, known := b.position(session); name == "with a cache server" && (!known || !p.Covers(after)) {
				t.Errorf("another server: %v (known: %v)", p, known)
			}
			must(c.Keep(ctx, session, before))
			if p, _ := c.Position(ctx, session); !p.Covers(after) {
				t.Errorf("%s: the position moved back to %v", name, p)
			}
		}
	})
	t.Run("bad tokens", func(*testing.T) {
		for _, bad := range []string{"x", "None", strings.Repeat("p", 17) + "p", "p!!!!!!!!!!!!!!!!"} {
			a.ask(http.MethodGet, "/api/v1/signals", "", tokenHeader, bad).problem(http.StatusBadRequest, "HAL9-Consistency-Token")
		}
		// One of the far future is answered by the primary.
		a.sees("late", "x", tokenHeader, model.Position{Timeline: 9, LSN: 1 << 60}.Token())
	})
	t.Run("the replica is lost and comes back", func(t *testing.T) {
		var asked atomic.Int64
		stop := make(chan struct{})
		var readers sync.WaitGroup
		for range 4 {
			readers.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
						if status := a.status("/api/v1/signals?limit=1", tokenHeader, "none"); status != http.StatusOK {
							t.Errorf("a request was answered %d", status)
							return
						}
						asked.Add(1)
					}
				}
			})
		}
		from := func(n int64) func() bool { return func() bool { return asked.Load() > n } }
		eventually(t, from(20))
		if err := r.Replica.Kill(); err != nil {
			t.Fatal(err)
		}
		eventually(t, from(asked.Load()+50))
		if err := r.Replica.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		before := a.replica().Reads
		eventually(t, func() bool { return a.replica().Reads > before })
		close(stop)
		readers.Wait()
	})
	t.Run("metrics", func(*testing.T) {
		a.ask(http.MethodGet, "/metrics", "").want(http.StatusOK, "hal9_database_replica_lag_seconds{replica=", "hal9_database_replica_usable{",
			`hal9_database_replica_reads_total{target="primary"}`, `hal9_database_replica_fallbacks_total{reason="position_unknown"}`)
	})
}
