package store_test

import (
	"database/sql"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"modernc.org/sqlite"
)

// litePlan is what EXPLAIN QUERY PLAN says, a line for each step.
type litePlan []string

func (p litePlan) String() string { return strings.Join(p, "\n") }

var (
	liteIndex = regexp.MustCompile(`INDEX (\w+)`)
	// A scan of a table. Those of the text index, of a JSON array and of a subquery
	// that has read its page already are none.
	liteScan = regexp.MustCompile(`^SCAN (\w+)(?: USING .*)?$`)
)

func liteExplain(t *testing.T, db *sql.DB, q query) litePlan {
	t.Helper()
	args := make([]any, len(q.args)) // the planner does not look at them
	rows, err := db.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+strings.ReplaceAll(q.text, "$1", "?1"), args...)
	if err != nil {
		t.Fatalf("%s: %v", q.name, err)
	}
	defer func() {
		if err := rows.Close(); err != nil {
			t.Error(err)
		}
	}()
	var plan litePlan
	for rows.Next() {
		var id, parent, unused int
		var detail string
		if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
			t.Fatal(err)
		}
		plan = append(plan, detail)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return plan
}

func (p litePlan) indexes() []string {
	used := map[string]bool{}
	for _, step := range p {
		for _, m := range liteIndex.FindAllStringSubmatch(step, -1) {
			used[m[1]] = true
		}
	}
	return slices.Sorted(maps.Keys(used))
}

// scans are the tables of which a plan reads all.
func (p litePlan) scans() []string {
	var tables []string
	for _, step := range p {
		if m := liteScan.FindStringSubmatch(step); m != nil && !slices.Contains(p, "CO-ROUTINE "+m[1]) && !slices.Contains(p, "MATERIALIZE "+m[1]) {
			tables = append(tables, m[1])
		}
	}
	return tables
}

// TestPlansSQLite explains twice: as a file is that was never analysed, and as one is
// after ANALYZE.
//
//nolint:tparallel // the subtests share a file
func TestPlansSQLite(t *testing.T) {
	t.Parallel()
	path := t.TempDir() + "/hal9.db"
	open(t, "sqlite://"+path)
	db := liteOpen(t, path)
	seedSQLite(t, db)
	t.Run("not analysed", func(t *testing.T) { checkLitePlans(t, db) })
	liteExec(t, db, "ANALYZE")
	t.Run("analysed", func(t *testing.T) { checkLitePlans(t, db) })
}

func checkLitePlans(t *testing.T, db *sql.DB) {
	t.Helper()
	queries := queryTexts(t, "sqlitedb")
	plans, used := map[string]litePlan{}, map[string][]string{}
	for _, name := range explained(queries) {
		plans[name] = liteExplain(t, db, queries[name])
		used[name] = plans[name].indexes()
	}
	used[cascadeFromSessions] = liteExplain(t, db, cascadeQuery).indexes()
	checkIndexes(t, indexesOf(t, "sqlite", queries), used)
	for _, name := range reads(queries) {
		if scans := plans[name].scans(); len(scans) > 0 {
			t.Errorf("%s reads all of %v:\n%v", name, scans, plans[name])
		}
	}
	for _, name := range keysetPages() {
		if slices.Contains(plans[name], "USE TEMP B-TREE FOR ORDER BY") {
			t.Errorf("%s sorts more than a page:\n%v", name, plans[name])
		}
	}
	for name, times := range map[string]int{"MemoryList": 1, "MemoryListByNeuron": 1, "AuditList": 1} {
		if got := strings.Count(plans[name].String(), ",id)<(?,?)"); got != times {
			t.Errorf("%s starts %d times at the cursor, want %d:\n%v", name, got, times, plans[name])
		}
	}
	checkSignalPages(t, db, queries)
}

// checkSignalPages counts the pages of the file that a page of signals is read from:
// it starts at the cursor or at the end of the range of time, whichever comes first,
// and walks over nothing.
func checkSignalPages(t *testing.T, db *sql.DB, queries map[string]query) {
	t.Helper()
	first, end := planSpan()
	early := first.AddDate(0, 1, 0)
	for name, bounds := range map[string][2]time.Time{
		"far behind the end of the range": {end.AddDate(5, 0, 0), early},
		"far behind the first page":       {early, end.AddDate(5, 0, 0)},
	} {
		for _, list := range []string{"SignalList", "SignalListByNeuron"} {
			q := queries[list]
			args := make([]any, len(q.args))
			for i, arg := range q.args {
				switch arg {
				case "Since":
					args[i] = int64(0)
				case "CursorID":
					args[i] = "ffffffff-ffff-ffff-ffff-ffffffffffff"
				case "Until":
					args[i] = bounds[0].UnixMicro()
				case "CursorTimestamp":
					args[i] = bounds[1].UnixMicro()
				case "PageLimit":
					args[i] = 20
				case "NeuronID":
					args[i] = "n7"
				}
			}
			// Twenty rows, each looked up in the table; a walk would
			// touch a page for each row that it passes over.
			if touched := pagesTouched(t, db, q.text, args); touched > 100 {
				t.Errorf("%s %s touches %d pages of the file", list, name, touched)
			}
		}
	}
}

func pagesTouched(t *testing.T, db *sql.DB, text string, args []any) int {
	t.Helper()
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	}()
	count := func() (sum int) {
		err := conn.Raw(func(driver any) error {
			status, ok := driver.(sqlite.DBStatus)
			if !ok {
				return fmt.Errorf("%T tells no status", driver)
			}
			for _, op := range []sqlite.DBStatusOp{sqlite.DBStatusCacheHit, sqlite.DBStatusCacheMiss} {
				n, _, err := status.Status(op, true)
				if err != nil {
					return err
				}
				sum += n
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return sum
	}
	count()
	rows, err := conn.QueryContext(t.Context(), text, args...)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := rows.Close(); err != nil {
			t.Error(err)
		}
	}()
	found := 0
	for rows.Next() {
		found++
	}
	if err := rows.Err(); err != nil || found == 0 {
		t.Fatalf("%d rows, %v", found, err)
	}
	return count()
}

// seedSQLite fills the tables in the same measure as seedPostgres.
func seedSQLite(t *testing.T, db *sql.DB) {
	t.Helper()
	const id = `lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-7' || substr(hex(randomblob(2)), 2) || '-8' || substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6)))`
	const reference = `CASE WHEN i % 50 = 0 THEN json_object('signal_id', ` + id + `) WHEN i % 50 = 1 THEN json_object('parent_id', ` + id + `) ELSE '{}' END`
	first, _ := planSpan()
	start := first.UnixMicro()
	series := func(n string) string {
		return ` FROM (WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < ` + n + `) SELECT i FROM s)`
	}
	hour := time.Hour.Microseconds()
	liteExec(t, db, `BEGIN`)
	liteExec(t, db, `INSERT INTO signals SELECT `+id+`, 'n' || abs(random() % 50), 'n' || abs(random() % 50), 'L1', 'L' || (i % 4 + 1), 'forward', 'text', `+reference+`, ? + i / 20 * ?`+series("8000"), start, 24*hour)
	liteExec(t, db, `INSERT INTO neurons (id, layer, running_since, created_at, updated_at, version) SELECT 'n' || i, 'L1', 0, 0, 0, i`+series("1500"))
	liteExec(t, db, `INSERT INTO neuron_activity (neuron_id) SELECT id FROM neurons WHERE id LIKE 'n_'`)
	liteExec(t, db, `INSERT INTO memories (id, neuron_id, layer, content, metadata, created_at, updated_at, version, search_text)
		SELECT `+id+`, 'n' || i % 8, 'L1', 'text', `+reference+`, ? + i * ?, 0, i, 'word' || i % 997 || ' fox' || i % 501`+series("1500"), start, hour)
	liteExec(t, db, `INSERT INTO users (id, username, email, password_hash, created_at, updated_at, version) SELECT `+id+`, 'u' || i, 'u' || i || '@example.org', 'h', 0, 0, i`+series("500"))
	liteExec(t, db, `INSERT INTO sessions SELECT `+id+`, id, 's' || username, NULL, NULL, ? + abs(random() % 900) * ?, 0, 1 FROM users`, start, 24*hour)
	liteExec(t, db, `INSERT INTO refresh_tokens SELECT `+id+`, id, 'r' || token_hash, expires_at, 0, NULL FROM sessions`)
	liteExec(t, db, `INSERT INTO api_keys (id, user_id, name, key_hash, created_at, version) SELECT `+id+`, id, 'k', 'k' || username, 0, 1 FROM users`)
	liteExec(t, db, `INSERT INTO metrics_aggregate SELECT `+id+`, 'm' || i % 20, NULL, 1.0, '{}', ? + i * ?`+series("1500"), start, 2*hour)
	liteExec(t, db, `INSERT INTO audit_log (id, action, resource_type, created_at) SELECT `+id+`, 'a', 'r', ? + i * ?`+series("1500"), start, 2*hour)
	liteExec(t, db, `INSERT INTO idempotency_keys (id, fingerprint, seed, holder, created_at, locked_until, expires_at) SELECT 'k' || i, 'f', `+id+`, `+id+`, 0, 0, ? + i * ?`+series("1500"), start, 2*hour)
	liteExec(t, db, `COMMIT`)
}
