package sqltext_test

import (
	"strings"
	"testing"

	"github.com/hal9-ai/hal9/internal/storegen/sqltext"
)

const (
	both = ""
	pg   = sqltext.Postgres
	lite = sqltext.SQLite
)

func TestTables(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		engine sqltext.Engine // both unless the dialect matters
		sql    string
		reads  string
		writes string
		locks  bool
		calls  string
	}{
		{name: "plain select", sql: `SELECT id FROM neurons WHERE id = @id`, reads: "neurons"},
		{name: "no table", sql: `SELECT 1`},
		{name: "alias", sql: `SELECT n.id FROM neurons AS n`, reads: "neurons"},
		{name: "bare alias", sql: `SELECT n.id FROM neurons n WHERE n.id = 1`, reads: "neurons"},
		{name: "comma list", sql: `SELECT 1 FROM a, b x, c AS y WHERE a.i = x.i`, reads: "a b c"},
		{name: "joins", sql: `SELECT 1 FROM a JOIN b ON a.i = b.i LEFT OUTER JOIN c USING (i) NATURAL JOIN d CROSS JOIN e`, reads: "a b c d e"},
		{name: "comma after join", sql: `SELECT 1 FROM a JOIN b ON a.i = b.i AND b.k IN (1, 2), c`, reads: "a b c"},
		{name: "case in a join", sql: `SELECT 1 FROM a JOIN b ON CASE WHEN a.i = 1 THEN b.i ELSE 2 END = 1 JOIN c ON true`, reads: "a b c"},
		{name: "joins in parentheses", sql: `SELECT 1 FROM (a JOIN (b JOIN c ON true) ON true), d`, reads: "a b c d"},
		{name: "subquery in from", sql: `SELECT 1 FROM (SELECT i FROM a, b) x JOIN c ON true`, reads: "a b c"},
		{name: "subquery first in parentheses", sql: `SELECT 1 FROM ((SELECT i FROM a) x JOIN b ON true)`, reads: "a b"},
		{name: "subqueries in expressions", sql: `SELECT (SELECT max(i) FROM a), EXISTS (SELECT 1 FROM b) FROM c WHERE i IN (SELECT i FROM d) AND (i, k) > ((SELECT 1 FROM e), 2)`, reads: "a b c d e"},
		{name: "subquery in a join condition", sql: `SELECT 1 FROM a JOIN b ON a.i = (SELECT i FROM c, d) JOIN e ON true`, reads: "a b c d e"},
		{name: "union", sql: `SELECT i FROM a UNION ALL SELECT i FROM b EXCEPT (SELECT i FROM c INTERSECT SELECT i FROM d)`, reads: "a b c d"},
		{name: "union in parentheses", sql: `SELECT i FROM ((SELECT i FROM a) UNION (SELECT i FROM b)) x`, reads: "a b"},
		{name: "from inside functions", sql: `SELECT substring(name FROM 2), count(*) FROM a`, reads: "a"},
		{name: "extract from a column", engine: pg, sql: `SELECT extract(epoch FROM created_at), trim(both 'x' FROM note) FROM a`, reads: "a"},
		{name: "is distinct from", sql: `SELECT 1 FROM a WHERE x IS NOT DISTINCT FROM y AND p IS DISTINCT FROM q`, reads: "a"},
		{name: "select list after order by is no table", sql: `SELECT i FROM a ORDER BY x, y LIMIT 1`, reads: "a"},
		{name: "group by list", sql: `SELECT i, k FROM a GROUP BY i, k HAVING count(*) > 1`, reads: "a"},
		{name: "window", sql: `SELECT row_number() OVER (PARTITION BY i ORDER BY k) FROM a WINDOW w AS (ORDER BY k), v AS (ORDER BY i)`, reads: "a"},

		{name: "schema", sql: `SELECT 1 FROM audit.log, public.a`, engine: pg, reads: "a audit.log"},
		{name: "main schema", sql: `SELECT 1 FROM main.a JOIN temp.b ON 1`, engine: lite, reads: "a temp.b"},
		{name: "case folds", sql: `SELECT 1 FROM Neurons`, reads: "neurons"},
		{name: "quoted", sql: `SELECT 1 FROM "Order ""x""" o, "public"."a"`, engine: pg, reads: `Order "x" a`},
		{name: "quoted with brackets and backquotes", sql: "SELECT 1 FROM [Order], `Group`", engine: lite, reads: "group order"},
		{name: "only", engine: pg, sql: `SELECT 1 FROM ONLY a, ONLY (b) JOIN ONLY c ON true`, reads: "a b c"},
		{name: "indexed by", engine: lite, sql: `SELECT 1 FROM a INDEXED BY a_i, b NOT INDEXED`, reads: "a b"},

		{name: "table functions", sql: `SELECT value FROM json_each(@ids), a`, reads: "a"},
		{name: "unnest with ordinality", engine: pg, sql: `SELECT 1 FROM unnest(@ids::uuid[]) WITH ORDINALITY AS u(id, n), a JOIN pg_catalog.generate_series(1, 2) g ON true`, reads: "a"},
		{name: "rows from", engine: pg, sql: `SELECT 1 FROM ROWS FROM (unnest(@a::text[]), unnest(@b::text[])) AS u, a`, reads: "a"},
		{name: "lateral", engine: pg, sql: `SELECT 1 FROM a, LATERAL (SELECT 1 FROM b WHERE b.i = a.i) x, LATERAL unnest(a.l) y`, reads: "a b"},
		{name: "subquery in a function in from", sql: `SELECT 1 FROM json_each((SELECT v FROM a))`, reads: "a"},
		{name: "tablesample", engine: pg, sql: `SELECT 1 FROM a TABLESAMPLE system (1), b`, reads: "a b"},

		{name: "with", sql: `WITH x AS (SELECT i FROM a), y (i) AS (SELECT i FROM x, b) SELECT 1 FROM x JOIN y ON true, c`, reads: "a b c"},
		{name: "with recursive", sql: `WITH RECURSIVE x AS (SELECT i FROM a UNION ALL SELECT x.i FROM x JOIN b ON true) SELECT i FROM x`, reads: "a b"},
		{name: "recursive by nature", engine: lite, sql: `WITH x AS (SELECT i FROM y), y AS (SELECT i FROM x) SELECT i FROM x`, reads: ""},
		{name: "a name hides a table only behind it", engine: pg, sql: `WITH a AS (SELECT i FROM a) SELECT i FROM a`, reads: "a"},
		{name: "a name hides no qualified table", engine: pg, sql: `WITH a AS (SELECT 1) SELECT 1 FROM a, public.a`, reads: "a"},
		{name: "with in a subquery", sql: `SELECT 1 FROM (WITH x AS (SELECT 1 FROM a) SELECT 1 FROM x) s, x`, reads: "a x"},
		{name: "materialized", engine: pg, sql: `WITH x AS NOT MATERIALIZED (SELECT 1 FROM a), y AS MATERIALIZED (SELECT 1 FROM b) SELECT 1 FROM x, y`, reads: "a b"},
		{name: "search and cycle", engine: pg, sql: `WITH RECURSIVE x AS (SELECT i FROM a) SEARCH DEPTH FIRST BY i, k SET o CYCLE i, k SET c USING p, y AS (SELECT 1 FROM x) SELECT 1 FROM y`, reads: "a"},

		{name: "insert", sql: `INSERT INTO a (i, k) VALUES (@i, @k)`, writes: "a"},
		{name: "insert from select", sql: `INSERT INTO a (i) SELECT i FROM b WHERE true`, reads: "b", writes: "a"},
		{name: "insert with subquery", sql: `INSERT INTO a (i) VALUES ((SELECT max(i) FROM b)) RETURNING i, k`, reads: "b", writes: "a"},
		{name: "insert default values", sql: `INSERT INTO a DEFAULT VALUES`, writes: "a"},
		{name: "upsert", sql: `INSERT INTO a (i) VALUES (1) ON CONFLICT (i) DO UPDATE SET i = excluded.i, k = 2 WHERE a.i < 2 RETURNING i`, writes: "a"},
		{name: "upsert from select", engine: pg, sql: `INSERT INTO a AS t (i) SELECT i FROM b ON CONFLICT (i) DO UPDATE SET i = excluded.i, k = (SELECT k FROM c)`, reads: "b c", writes: "a"},
		{name: "upsert does nothing", sql: `INSERT INTO a (i) VALUES (1) ON CONFLICT DO NOTHING`, writes: "a"},
		{name: "insert or replace", engine: lite, sql: `INSERT OR REPLACE INTO a (i) VALUES (1)`, writes: "a"},
		{name: "replace", engine: lite, sql: `REPLACE INTO a (i) SELECT replace(i, 'x', 'y') FROM b`, reads: "b", writes: "a"},
		{name: "update", sql: `UPDATE a SET i = 1, k = (SELECT k FROM b) WHERE i = 2 RETURNING i`, reads: "b", writes: "a"},
		{name: "update from", sql: `UPDATE a SET i = b.i FROM b JOIN c ON true, d WHERE a.i = b.i`, reads: "b c d", writes: "a"},
		{name: "update only", engine: pg, sql: `UPDATE ONLY public.a AS x SET i = 1`, writes: "a"},
		{name: "update or", engine: lite, sql: `UPDATE OR IGNORE a SET i = 1`, writes: "a"},
		{name: "delete", sql: `DELETE FROM a WHERE i IN (SELECT i FROM b)`, reads: "b", writes: "a"},
		{name: "delete only", engine: pg, sql: `DELETE FROM ONLY a`, writes: "a"},
		{name: "delete using", engine: pg, sql: `DELETE FROM a x USING b, c JOIN d USING (i) WHERE x.i = b.i`, reads: "b c d", writes: "a"},
		{name: "merge", engine: pg, sql: `MERGE INTO a USING b ON a.i = b.i WHEN MATCHED THEN UPDATE SET i = 1, k = 2 WHEN NOT MATCHED THEN INSERT (i) VALUES (1)`, reads: "b", writes: "a"},
		{name: "truncate", engine: pg, sql: `TRUNCATE TABLE ONLY a, b *, public.c CASCADE`, writes: "a b c"},
		{name: "writes in with", engine: pg, sql: `WITH x AS (DELETE FROM a USING b WHERE true RETURNING i), y AS (UPDATE c SET i = 1 FROM x RETURNING 1) INSERT INTO d SELECT i FROM x, y, e`, reads: "b e", writes: "a c d"},
		{name: "with before a write", sql: `WITH x AS (SELECT i FROM b) DELETE FROM a WHERE i IN (SELECT i FROM x)`, reads: "b", writes: "a"},
		{name: "a name of with is no target", sql: `WITH a AS (SELECT 1 FROM b) INSERT INTO a SELECT 1 FROM a`, reads: "b", writes: "a"},
		{name: "select into", engine: pg, sql: `SELECT i INTO TEMPORARY TABLE a FROM b`, reads: "b", writes: "a"},

		{name: "for update", engine: pg, sql: `SELECT i FROM a, b WHERE true FOR NO KEY UPDATE OF a, b SKIP LOCKED`, reads: "a b", locks: true},
		{name: "for share", engine: pg, sql: `SELECT i FROM a ORDER BY i LIMIT 1 FOR KEY SHARE NOWAIT`, reads: "a", locks: true},
		{name: "lock table", engine: pg, sql: `LOCK TABLE a IN SHARE MODE`, locks: true},
		{name: "nextval", engine: pg, sql: `SELECT nextval('version_seq')`, calls: "nextval"},
		{name: "qualified call", engine: pg, sql: `SELECT (1 + pg_catalog.setval('s', 1)) FROM a`, reads: "a", calls: "setval"},
		{name: "call in from", engine: pg, sql: `SELECT v FROM pg_catalog.nextval('s') v`, calls: "nextval"},
		{name: "advisory lock", engine: pg, sql: `SELECT pg_try_advisory_xact_lock(@key::bigint)`, calls: "pg_try_advisory_xact_lock"},
		{name: "harmless call", sql: `SELECT count(*), lower(x) FROM a`, reads: "a"},

		{name: "comments are not read", sql: "SELECT 1 -- FROM x\n/* FROM y; DELETE FROM z */ FROM a", reads: "a"},
		{name: "nested comment", engine: pg, sql: "SELECT 1 /* /* */ FROM x */ FROM a", reads: "a"},
		{name: "comment that does not nest", engine: lite, sql: "SELECT 1 /* /* */ FROM a", reads: "a"},
		{name: "strings are not read", sql: `SELECT ' FROM x; it''s ', "FROM y" FROM a WHERE k = 'DELETE FROM z'`, reads: "a"},
		{name: "escape string", engine: pg, sql: `SELECT E'it\' FROM x' FROM a`, reads: "a"},
		{name: "plain string ends at the quote", engine: pg, sql: `SELECT 'it\' FROM a`, reads: "a"},
		{name: "dollar quotes", engine: pg, sql: `SELECT $$ FROM x $$, $q$ FROM $$ y $q$ FROM a WHERE i = $1`, reads: "a"},
		{name: "columns named as keywords", sql: `SELECT a.delete, a.from, a.update FROM a WHERE a.join = 1`, reads: "a"},
		{name: "json operators", engine: pg, sql: `SELECT state #>> '{a,b}', state @> @x, state ? 'FROM x' FROM a`, reads: "a"},
		{name: "full text table", engine: lite, sql: `SELECT m.id FROM memories_fts JOIN memories m ON m.pk = memories_fts.rowid WHERE memories_fts MATCH CAST(@q AS TEXT)`, reads: "memories memories_fts"},
	}
	for _, tt := range tests {
		engines := []sqltext.Engine{tt.engine}
		if tt.engine == both {
			engines = []sqltext.Engine{pg, lite}
		}
		for _, engine := range engines {
			t.Run(tt.name+"/"+string(engine), func(t *testing.T) {
				t.Parallel()
				text, err := sqltext.Scan(engine, tt.sql)
				if err != nil {
					t.Fatalf("scan: %v", err)
				}
				got := sqltext.Tables(engine, text.Tokens)
				equal(t, "reads", strings.Join(got.Reads, " "), tt.reads)
				equal(t, "writes", strings.Join(got.Writes, " "), tt.writes)
				equal(t, "calls", strings.Join(got.Calls, " "), tt.calls)
				equal(t, "locks", got.Locks, tt.locks)
				equal(t, "mutates", got.Mutates(), tt.writes != "" || tt.locks || tt.calls != "")
			})
		}
	}
}

func equal[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// TestUpdatesAndDeletes tells what of the written tables may lose or change rows.
func TestUpdatesAndDeletes(t *testing.T) {
	t.Parallel()
	tests := []struct {
		engine           sqltext.Engine
		sql              string
		updates, deletes string
	}{
		{pg, `INSERT INTO a (i) VALUES (1) ON CONFLICT DO NOTHING`, "", ""},
		{pg, `INSERT INTO a (i) SELECT i FROM b ON CONFLICT (i) DO UPDATE SET i = excluded.i`, "a", ""},
		{pg, `UPDATE a SET i = 1 FROM b WHERE a.i = b.i`, "a", ""},
		{pg, `DELETE FROM ONLY a USING b`, "", "a"},
		{pg, `WITH gone AS (DELETE FROM a RETURNING i), put AS (INSERT INTO b SELECT i FROM gone) UPDATE c SET i = 1`, "c", "a"},
		{pg, `TRUNCATE a, b`, "", "a b"},
		{pg, `MERGE INTO a USING b ON a.i = b.i WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT VALUES (1)`, "a", "a"},
		{pg, `SELECT i FROM a FOR UPDATE`, "", ""},
		{lite, `REPLACE INTO a (i) VALUES (1)`, "a", "a"},
		{lite, `INSERT OR REPLACE INTO a (i) VALUES (1)`, "a", "a"},
		{lite, `INSERT OR IGNORE INTO a (i) VALUES (1)`, "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.sql, func(t *testing.T) {
			t.Parallel()
			text, err := sqltext.Scan(tt.engine, tt.sql)
			if err != nil {
				t.Fatal(err)
			}
			u := sqltext.Tables(tt.engine, text.Tokens)
			if got := strings.Join(u.Updates, " "); got != tt.updates {
				t.Errorf("updates %q, want %q", got, tt.updates)
			}
			if got := strings.Join(u.Deletes, " "); got != tt.deletes {
				t.Errorf("deletes %q, want %q", got, tt.deletes)
			}
		})
	}
}
