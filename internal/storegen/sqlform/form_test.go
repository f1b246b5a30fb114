package sqlform_test

import (
	"strings"
	"testing"

	"github.com/hal9-ai/hal9/internal/storegen/sqlform"
	"github.com/hal9-ai/hal9/internal/storegen/sqltext"
)

// table is a schema of one table, whose columns may all be NULL but for id.
type table map[string]string

func (s table) Column(of, column string) (declared string, mayNull, ok bool) {
	declared, ok = s[column]
	return declared, column != "id" && column != "done" && column != "n", ok && (of == "t" || of == "u")
}

var known = map[sqltext.Engine]table{
	sqltext.Postgres: {"id": "uuid", "n": "bigint", "w": "double precision", "done": "boolean", "name": "text", "at": "timestamptz", "doc": "jsonb"},
	sqltext.SQLite:   {"id": "UUID_TEXT", "n": "INTEGER", "w": "REAL", "done": "BOOLEAN", "name": "TEXT", "at": "DATETIME", "doc": "JSON_TEXT"},
}

func form(t *testing.T, e sqltext.Engine, src string) *sqlform.Statement {
	t.Helper()
	text, err := sqltext.Scan(e, src)
	if err != nil {
		t.Fatal(err)
	}
	return sqlform.New(e, text.Tokens, known[e])
}

// clauses lists what differs, as `WHERE: a / b`.
func clauses(t *testing.T, postgres, sqlite string) string {
	t.Helper()
	var out []string
	tell := func(n *sqlform.Node) string {
		if n == nil {
			return "nothing"
		}
		return n.Text(200)
	}
	for _, d := range sqlform.Compare(form(t, sqltext.Postgres, postgres), form(t, sqltext.SQLite, sqlite)) {
		out = append(out, d.Clause+": "+tell(d.A)+" / "+tell(d.B))
	}
	return strings.Join(out, "\n")
}

// TestSame: what the engines spell in two ways, and what an order of writing or a name
// makes no difference to.
func TestSame(t *testing.T) {
	t.Parallel()
	for _, pair := range [][2]string{
		{"SELECT n::bigint FROM t WHERE id = @id::uuid", "SELECT CAST(n AS INTEGER) FROM t WHERE id = CAST(@id AS UUID_TEXT)"},
		{"SELECT id::text FROM t", "SELECT id FROM t"},
		{"SELECT id FROM t WHERE (at, id) < (@a::timestamptz, @b::uuid)", "SELECT id FROM t WHERE (+at, id) < (CAST(@a AS DATETIME), +CAST(@b AS UUID_TEXT))"},
		{"SELECT id FROM t WHERE at >= @a AND n <> 1", "SELECT id FROM t WHERE 1 != n AND @a <= at"},
		{"SELECT id FROM t WHERE n BETWEEN 1 AND 2", "SELECT id FROM t WHERE n <= 2 AND n >= 1"},
		{"SELECT id FROM t WHERE n >= @n AND n <= @n", "SELECT id FROM t WHERE n = @n"},
		{"SELECT id FROM t WHERE done", "SELECT id FROM t WHERE done = 1"},
		{"SELECT id FROM t WHERE NOT done", "SELECT id FROM t WHERE done = false"},
		{"SELECT id FROM t WHERE name IS NOT DISTINCT FROM sqlc.narg('x')", "SELECT id FROM t WHERE name IS sqlc.narg('x')"},
		{"SELECT id FROM t WHERE name IS NOT NULL", "SELECT id FROM t WHERE name NOTNULL"},
		{"SELECT id FROM t WHERE CASE WHEN sqlc.narg('x')::text IS NULL THEN true ELSE name = sqlc.narg('x')::text END", "SELECT id FROM t WHERE (name = sqlc.narg('x') OR sqlc.narg('x') IS NULL)"},
		{"SELECT id FROM t WHERE id = ANY (ARRAY(SELECT CAST(v AS uuid) FROM jsonb_array_elements_text(@ids::jsonb) AS v))", "SELECT id FROM t WHERE id IN (SELECT value FROM json_each(CAST(@ids AS JSON_TEXT)))"},
		{"SELECT id FROM t WHERE strpos(name, @part) > 0 AND n IN (2, 1)", "SELECT id FROM t WHERE instr(name, @part) > 0 AND n IN (1, 2)"},
		{"SELECT id FROM t WHERE doc ->> 'a' = 'x'", "SELECT id FROM t WHERE json_extract(doc, '$.a') = 'x'"},
		{"SELECT CASE WHEN done THEN 1 ELSE 0 END FROM t", "SELECT iif(done, 1, 0) FROM t"},
		{"SELECT CASE n WHEN 1 THEN 'a' END FROM t", "SELECT CASE WHEN n = 1 THEN 'a' ELSE NULL END FROM t"},
		{"SELECT greatest(n, 1) FROM t", "SELECT max(1, n) FROM t"},
		{"SELECT coalesce(name, '') FROM t", "SELECT ifnull(name, '') FROM t"},
		{"SELECT a.id FROM t AS a JOIN u AS b ON b.id = a.id", "SELECT t.id FROM t INNER JOIN u ON t.id = u.id"},
		{"SELECT id, n + 1 AS next FROM t ORDER BY next ASC", "SELECT id, n + 1 AS more FROM t ORDER BY n + 1"},
		{"SELECT id, n FROM (SELECT id, n FROM t WHERE done OFFSET 0) AS f ORDER BY f.n LIMIT 1", "SELECT id, n FROM t WHERE done ORDER BY n LIMIT 1"},
		{"(SELECT id FROM t LIMIT 1) UNION ALL (SELECT id FROM u LIMIT 1)", "SELECT id FROM (SELECT id FROM t LIMIT 1) UNION ALL SELECT id FROM (SELECT id FROM u LIMIT 1)"},
		{"SELECT id FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.id = t.id)", "SELECT id FROM t WHERE EXISTS (SELECT u.n FROM u WHERE u.id = t.id)"},
		{"SELECT id FROM t WHERE id = @id FOR UPDATE SKIP LOCKED", "SELECT id FROM t NOT INDEXED WHERE id = @id"},
		{"INSERT INTO t (id, n, done) VALUES (@id, nextval('row_version_seq'), true)", "INSERT INTO t (n, id, done) VALUES ((SELECT value + 1 FROM row_version), @id, 1)"},
		{"UPDATE t SET n = @n, done = false WHERE t.id = @id", "UPDATE t SET done = 0, n = @n WHERE id = @id"},
		{"UPDATE t SET (n, name) = (1, 'a')", "UPDATE t SET name = 'a', n = 1"},
		{"SELECT name FROM t ORDER BY name COLLATE \"C\"", "SELECT name FROM t ORDER BY name COLLATE BINARY"},
		{"SELECT sum(n)::bigint FROM t", "SELECT sum(n) FROM t"},
		{"SELECT sum(n)::bigint / count(*) FROM t", "SELECT CAST(sum(n) AS INTEGER) / count(*) FROM t"},
	} {
		if d := clauses(t, pair[0], pair[1]); d != "" {
			t.Errorf("%s\n%s\n\t%s", pair[0], pair[1], d)
		}
	}
}

// TestDiffers: what looks alike and is not, and how small the part is that is told.
func TestDiffers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ postgres, sqlite, want string }{
		{"SELECT id FROM t WHERE n = 1 AND done", "SELECT id FROM t WHERE n = 1", "WHERE: done / nothing"},
		{"SELECT id FROM t WHERE n < 1", "SELECT id FROM t WHERE n <= 1", "WHERE: n < 1 / n <= 1"},
		{"SELECT id FROM t WHERE done OR n = 1 AND w > 1", "SELECT id FROM t WHERE (done OR n = 1) AND w > 1", "WHERE: done OR n = 1 AND w > 1 / (done OR n = 1) AND w > 1"},
		{"SELECT id FROM t WHERE NOT (done AND n = 1)", "SELECT id FROM t WHERE NOT done AND n = 1", "WHERE: NOT (done AND n = 1) / NOT done AND n = 1"},
		{"SELECT id FROM t WHERE n = 1 AND n = 2", "SELECT id FROM t WHERE n = 1 OR n = 2", "WHERE: n = 1 AND n = 2 / n = 1 OR n = 2"},
		{"SELECT id FROM t WHERE name = sqlc.narg('x')", "SELECT id FROM t WHERE name IS sqlc.narg('x')", "WHERE: name = sqlc.narg('x') / name IS sqlc.narg('x')"},
		{"SELECT 'a' || name || n + 1 FROM t", "SELECT 'a' || name || n + 1 FROM t", "SELECT: 'a' || name || n + 1 / 'a' || name || n + 1"},
		{"SELECT greatest(w, 1) FROM t", "SELECT max(w, 1) FROM t", "SELECT: greatest(w, 1) / max(w, 1)"},
		{"SELECT a.n FROM t AS a JOIN u AS b ON b.id = a.id", "SELECT b.n FROM t AS a JOIN u AS b ON b.id = a.id", "SELECT: a.n / b.n"},
		{"SELECT a.id FROM t AS a JOIN t AS b ON b.n = a.n WHERE a.done", "SELECT a.id FROM t AS a JOIN t AS b ON b.n = a.n WHERE b.done", "WHERE: WHERE a.done / WHERE b.done"},
		{"SELECT d.a FROM (SELECT n AS a, w AS b FROM t) AS d", "SELECT d.a FROM (SELECT w AS a, n AS b FROM t) AS d", "FROM: n AS a / w AS a"},
		{"SELECT id FROM (SELECT id, n FROM t WHERE done OFFSET 1) AS f", "SELECT id FROM t WHERE done", "SELECT: "},
		{"SELECT id FROM (SELECT DISTINCT id FROM t) AS f WHERE id = @id", "SELECT id FROM t WHERE id = @id", "SELECT: "},
		{"SELECT count(*) FROM t", "SELECT count(DISTINCT id) FROM t", "SELECT: count(*) / count(DISTINCT id)"},
		{"SELECT count(*) FILTER (WHERE done) FROM t", "SELECT count(*) FROM t", "SELECT: FILTER (WHERE done / nothing"},
		{"SELECT w::bigint FROM t", "SELECT w FROM t", "SELECT: w::bigint / w"},
		{"SELECT id FROM t EXCEPT SELECT id FROM u", "SELECT id FROM u EXCEPT SELECT id FROM t", "EXCEPT: "},
		{"SELECT id FROM t LIMIT 1", "SELECT id FROM t LIMIT 2", "LIMIT: LIMIT 1 / LIMIT 2"},
		{"INSERT INTO t (id) VALUES (@id) ON CONFLICT (id) DO NOTHING", "INSERT INTO t (id) VALUES (@id) ON CONFLICT (name) DO NOTHING", "ON CONFLICT: (id) / (name)"},
		{"INSERT INTO t (id) VALUES (@id) ON CONFLICT (id) DO NOTHING", "INSERT OR IGNORE INTO t (id) VALUES (@id)", "INSERT INTO: "},
		{"INSERT INTO t (id, n) VALUES (@id, 1)", "INSERT INTO t (id, n) VALUES (@id, 2)", "VALUES: n = 1 / n = 2"},
		{"INSERT INTO t (id, n) SELECT id, n FROM u", "INSERT INTO t (n, id) SELECT id, n FROM u", "SELECT: "},
		{"DELETE FROM t WHERE id = @id RETURNING id, n", "DELETE FROM t WHERE id = @id RETURNING id, w", "RETURNING: n / w"},
		{"DELETE FROM t USING u WHERE u.id = t.id", "DELETE FROM t WHERE id = @id", "FROM: "},
		{"SELECT id FROM t WHERE nextval('other_seq') = n", "SELECT id FROM t WHERE (SELECT value + 1 FROM row_version) = n", "WHERE: nextval('other_seq') = n / (SELECT value + 1 FROM row_version) = n"},
	} {
		got := clauses(t, c.postgres, c.sqlite)
		if got != c.want && (!strings.HasSuffix(c.want, ": ") || !strings.HasPrefix(got, c.want)) {
			t.Errorf("%s\n%s\n\t got %q\n\twant %q", c.postgres, c.sqlite, got, c.want)
		}
	}
}

// TestDoubts: what is right is not doubted.
func TestDoubts(t *testing.T) {
	t.Parallel()
	for src, doubted := range map[string]bool{
		"SELECT CAST(w AS INTEGER) FROM t":                                true,
		"SELECT CAST(floor(w) AS INTEGER), CAST(n AS INTEGER) FROM t":     false,
		"SELECT CAST(coalesce(max(n), 0) AS INTEGER) FROM t":              false,
		"SELECT CAST(coalesce(max(w), 0) AS INTEGER) FROM t":              true,
		"SELECT CAST(done AS INTEGER) FROM t":                             false,
		"SELECT CAST(CASE WHEN done THEN n ELSE 0 END AS INTEGER) FROM t": false,
		"SELECT CAST(CASE WHEN done THEN n ELSE w END AS INTEGER) FROM t": true,
		"SELECT CAST(sum(n) AS INTEGER) / count(*) FROM t":                false,
		"SELECT sum(n) / count(*) FROM t":                                 true,
		"SELECT n / 2 FROM t":                                             false,
		"SELECT CAST(id AS TEXT) FROM t":                                  false,
		"SELECT CAST(w AS TEXT) FROM t":                                   true,
		"SELECT substr(name, 1, 2) FROM t":                                false,
		"SELECT substr(name, -2) FROM t":                                  true,
		"SELECT id FROM t WHERE n IN (SELECT round(u.w) FROM u)":          true,
		"UPDATE t SET at = CURRENT_TIMESTAMP":                             true,
	} {
		// The types of one engine show what the other's cannot.
		if got := append(form(t, sqltext.Postgres, src).Doubts(), form(t, sqltext.SQLite, src).Doubts()...); (len(got) > 0) != doubted {
			t.Errorf("%s: %v", src, got)
		}
	}
}
