package store_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hal9-ai/hal9/internal/testenv/migrated"
)

// pgPlan is a node of what EXPLAIN (FORMAT JSON) says.
type pgPlan struct {
	NodeType  string   `json:"Node Type"`
	Relation  string   `json:"Relation Name"`
	Index     string   `json:"Index Name"`
	IndexCond string   `json:"Index Cond"`
	Removed   int      `json:"Subplans Removed"`
	Plans     []pgPlan `json:"Plans"`
}

func (p pgPlan) walk(visit func(pgPlan)) {
	visit(p)
	for _, child := range p.Plans {
		child.walk(visit)
	}
}

func (p pgPlan) String() string {
	lines := []string{strings.Join([]string{p.NodeType, p.Relation, p.Index, p.IndexCond}, " ")}
	for _, child := range p.Plans {
		lines = append(lines, strings.ReplaceAll(child.String(), "\n", "\n  "))
	}
	return strings.Join(lines, "\n  ")
}

// readsWhole are the great tables that a plan reads from one end to the other.
func (p pgPlan) readsWhole() (tables []string) {
	p.walk(func(n pgPlan) {
		great := strings.HasPrefix(n.Relation, "signals") || n.Relation == "memories"
		if great && (n.NodeType == "Seq Scan" || strings.HasPrefix(n.NodeType, "Index") && n.IndexCond == "") {
			tables = append(tables, n.Relation)
		}
	})
	return tables
}

// sortsAll tells whether a Sort takes its rows from anything but a Limit.
func (p pgPlan) sortsAll() bool {
	bad := false
	p.walk(func(n pgPlan) {
		if n.NodeType != "Sort" {
			return
		}
		limited := false
		n.walk(func(below pgPlan) { limited = limited || below.NodeType == "Limit" })
		bad = bad || !limited
	})
	return bad
}

// pgExplainer explains statements that are prepared.
type pgExplainer struct {
	conn    *pgx.Conn
	parents map[string]string // an index of a partition: the parent's index
	made    int
}

func (e *pgExplainer) explain(t *testing.T, q query) pgPlan {
	t.Helper()
	ctx := t.Context()
	e.made++
	name := fmt.Sprintf("plan_%d", e.made)
	if _, err := e.conn.Exec(ctx, "PREPARE "+name+" AS "+q.text); err != nil {
		t.Fatalf("%s: %v", q.name, err)
	}
	values := make([]string, len(q.args))
	for i, arg := range q.args {
		values[i] = "NULL"
		if value, ok := planArgument(q.name, arg); ok {
			values[i] = "'" + value + "'"
		}
	}
	execute := name
	if len(values) > 0 {
		execute += "(" + strings.Join(values, ", ") + ")"
	}
	var out []byte
	if err := e.conn.QueryRow(ctx, "EXPLAIN (FORMAT JSON) EXECUTE "+execute, pgx.QueryExecModeSimpleProtocol).Scan(&out); err != nil {
		t.Fatalf("%s: %v", q.name, err)
	}
	var plans []struct {
		Plan pgPlan `json:"Plan"`
	}
	if err := json.Unmarshal(out, &plans); err != nil {
		t.Fatal(err)
	}
	return plans[0].Plan
}

// indexes are those that a plan uses, by the names that the migrations gave them.
func (e *pgExplainer) indexes(p pgPlan) []string {
	used := map[string]bool{}
	p.walk(func(n pgPlan) {
		if n.Index == "" {
			return
		}
		name := n.Index
		if parent, ok := e.parents[name]; ok {
			name = parent
		}
		used[name] = true
	})
	return slices.Sorted(maps.Keys(used))
}

//nolint:tparallel // the subtests share a connection
func TestPlansPostgres(t *testing.T) {
	t.Parallel()
	address := migrated.PostgresDatabase(t)
	st := open(t, address)
	conn := pgConnect(t, address)
	first, end := planSpan()
	for month := first; month.Before(end); month = month.AddDate(0, 1, 0) {
		if _, err := st.SignalPartitionEnsure(t.Context(), month); err != nil {
			t.Fatal(err)
		}
	}
	seedPostgres(t, conn)
	queries := queryTexts(t, "pgdb")
	e := &pgExplainer{conn: conn, parents: pgIndexParents(t.Context(), t, conn)}
	// The store asks for one plan for all values; a URL may ask for others.
	for _, mode := range []string{"force_generic_plan", "force_custom_plan"} {
		pgExec(t, conn, "SET plan_cache_mode = "+mode)
		t.Run(mode, func(t *testing.T) { checkPostgresPlans(t, e, queries, mode) })
	}
	t.Run("a neuron that sent nothing", func(t *testing.T) {
		// One sender sends all, as in most deployments. The planner takes that for what
		// any neuron does, and would expect to find a page of the newest signals at once.
		pgExec(t, conn, "SET plan_cache_mode = force_generic_plan")
		pgExec(t, conn, "DELETE FROM signals")
		pgExec(t, conn, `INSERT INTO signals SELECT gen_random_uuid(), 'api-client', 'n' || i % 1000, 'API', 'L3', 'forward', 'Plan it and tell the others about it', '{}',
			$1::timestamptz + i * interval '25 s' FROM generate_series(1, 100000) AS i`, first)
		pgExec(t, conn, "VACUUM FULL ANALYZE signals")
		p := e.explain(t, queries["SignalListByNeuron"])
		if got := e.indexes(p); !slices.Equal(got, []string{"signals_from_neuron_idx", "signals_to_neuron_idx"}) {
			t.Errorf("SignalListByNeuron uses %v:\n%v", got, p)
		}
	})
	t.Run("a new month is found by id", func(t *testing.T) {
		pgExec(t, conn, "SET plan_cache_mode = force_generic_plan")
		if _, err := st.SignalPartitionEnsure(t.Context(), end.AddDate(0, 3, 0)); err != nil {
			t.Fatal(err)
		}
		e.parents = pgIndexParents(t.Context(), t, conn)
		for _, name := range []string{"SignalFind", "SignalListStoredIDs"} {
			p := e.explain(t, queries[name])
			if got := e.indexes(p); !slices.Equal(got, []string{"signals_pkey"}) {
				t.Errorf("%s uses %v:\n%v", name, got, p)
			}
		}
	})
}

// sortedPages are the keyset pages and the one that is merged from two.
func sortedPages() []string { return append(keysetPages(), "SignalListByNeuron") }

func checkPostgresPlans(t *testing.T, e *pgExplainer, queries map[string]query, mode string) {
	t.Helper()
	plans, used := map[string]pgPlan{}, map[string][]string{}
	for _, name := range explained(queries) {
		plans[name] = e.explain(t, queries[name])
		used[name] = e.indexes(plans[name])
	}
	used[cascadeFromSessions] = e.indexes(e.explain(t, cascadeQuery))

	checkIndexes(t, indexesOf(t, "postgres", queries), used)
	for _, name := range reads(queries) {
		if whole := plans[name].readsWhole(); len(whole) > 0 {
			t.Errorf("%s reads all of %v:\n%v", name, whole, plans[name])
		}
	}
	for _, name := range sortedPages() {
		if plans[name].sortsAll() {
			t.Errorf("%s sorts more than a page:\n%v", name, plans[name])
		}
	}
	checkOnePartition(t, e, plans["SignalGet"], mode)
	_, end := planSpan()
	newest := end.AddDate(0, -1, 0).Format("signals_y2006m01")
	for _, name := range []string{"SignalList", "SignalListByNeuron"} {
		plans[name].walk(func(n pgPlan) {
			if n.Relation == newest {
				t.Errorf("%s opens %s, which is newer than the cursor", name, n.Relation)
			}
		})
	}
}

func checkOnePartition(t *testing.T, e *pgExplainer, p pgPlan, mode string) {
	t.Helper()
	relations, removed := map[string]bool{}, 0
	p.walk(func(n pgPlan) {
		removed += n.Removed
		if n.Relation != "" {
			relations[n.Relation] = true
		}
	})
	if len(relations) != 1 || mode == "force_generic_plan" && removed < planMonths {
		t.Errorf("SignalGet looks at %v and leaves out %d partitions:\n%v", relations, removed, p)
	}
	if got := e.indexes(p); !slices.Equal(got, []string{"signals_pkey"}) {
		t.Errorf("SignalGet uses %v", got)
	}
}

func pgIndexParents(ctx context.Context, t *testing.T, conn *pgx.Conn) map[string]string {
	t.Helper()
	rows, err := conn.Query(ctx, `SELECT child.relname::text, parent.relname::text FROM pg_inherits
		JOIN pg_class child ON child.oid = inhrelid JOIN pg_class parent ON parent.oid = inhparent WHERE child.relkind = 'i'`)
	if err != nil {
		t.Fatal(err)
	}
	parents := map[string]string{}
	var child, parent string
	if _, err := pgx.ForEachRow(rows, []any{&child, &parent}, func() error { parents[child] = parent; return nil }); err != nil {
		t.Fatal(err)
	}
	return parents
}

// seedPostgres fills all tables and all partitions, so that no index is passed over
// because a table is small: a quarter of a day between moments, twenty signals each.
func seedPostgres(t *testing.T, conn *pgx.Conn) {
	t.Helper()
	first, end := planSpan()
	reference := `CASE WHEN i % 50 = 0 THEN jsonb_build_object('signal_id', gen_random_uuid()) WHEN i % 50 = 1 THEN jsonb_build_object('parent_id', gen_random_uuid()) ELSE '{}' END`
	signals := `INSERT INTO signals SELECT gen_random_uuid(), 'n' || (random() * 500)::int, 'n' || (random() * 500)::int, 'L1', 'L' || i % 4 + 1, 'forward', 'text', ` +
		reference + `, moment FROM generate_series($1::timestamptz, $2::timestamptz, '6 hours') AS moment, generate_series(1, 20) AS i`
	last := end.Add(-time.Second)
	pgExec(t, conn, signals, first, last)
	pgExec(t, conn, signals, first.AddDate(-1, 0, 0), first.AddDate(-1, 1, 0)) // in the default partition
	now := time.Now().UTC()
	thisMonth := time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, time.UTC)
	pgExec(t, conn, signals, thisMonth, thisMonth.AddDate(0, 4, -1)) // in the months that the migration made
	pgExec(t, conn, `INSERT INTO neurons (id, layer, running_since, created_at, updated_at) SELECT 'n' || i, 'L1', now(), now(), now() FROM generate_series(1, 3000) AS i`)
	pgExec(t, conn, `INSERT INTO neuron_activity SELECT id FROM neurons ON CONFLICT DO NOTHING`)
	pgExec(t, conn, `INSERT INTO memories (id, neuron_id, layer, content, metadata, created_at, updated_at, search_text)
		SELECT gen_random_uuid(), 'n' || i % 40, 'L1', 'text', `+reference+`, $1::timestamptz + i * interval '1 hour', now(), 'word' || i % 997 || ' fox' || i % 501 FROM generate_series(1, 30000) AS i`, first)
	pgExec(t, conn, `INSERT INTO users (id, username, email, password_hash, created_at, updated_at) SELECT gen_random_uuid(), 'u' || i, 'u' || i || '@example.org', 'h', now(), now() FROM generate_series(1, 2000) AS i`)
	pgExec(t, conn, `INSERT INTO sessions SELECT gen_random_uuid(), id, 's' || username, NULL, NULL, $1::timestamptz + random() * interval '900 days', now() FROM users`, first)
	pgExec(t, conn, `INSERT INTO legacy_details SELECT 'user', id, id, '{}', now() FROM users`)
	pgExec(t, conn, `INSERT INTO refresh_tokens SELECT gen_random_uuid(), id, 'r' || token_hash, expires_at, now() FROM sessions`)
	pgExec(t, conn, `INSERT INTO api_keys (id, user_id, name, key_hash, created_at) SELECT gen_random_uuid(), id, 'k', 'k' || username, now() FROM users`)
	pgExec(t, conn, `INSERT INTO metrics_aggregate SELECT gen_random_uuid(), 'm' || i % 20, NULL, 1, '{}', $1::timestamptz + i * interval '2 hours' FROM generate_series(1, 10000) AS i`, first)
	pgExec(t, conn, `INSERT INTO audit_log (id, action, resource_type, created_at) SELECT gen_random_uuid(), 'a', 'r', $1::timestamptz + i * interval '2 hours' FROM generate_series(1, 10000) AS i`, first)
	pgExec(t, conn, `INSERT INTO idempotency_keys SELECT 'k' || i, 'f', gen_random_uuid(), gen_random_uuid(), 201, '{}', NULL, t, t, t FROM (SELECT i, $1::timestamptz + i * interval '2 hours' AS t FROM generate_series(1, 10000) AS i) AS k`, first)
	pgExec(t, conn, "VACUUM ANALYZE")
}
