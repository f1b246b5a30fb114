package queryfile_test

import (
	"testing"

	"github.com/hal9-ai/hal9/internal/storegen/queryfile"
	"github.com/hal9-ai/hal9/internal/storegen/sqltext"
)

// FuzzParse: whatever a file holds, the reader ends and stays within it.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"-- name: A :one\n-- cache: a:{id}\nSELECT DISTINCT ON (a) a, b AS c FROM d WHERE e = sqlc.narg('f');",
		"-- name: A :exec\nWITH RECURSIVE a (b) AS (DELETE FROM c USING d) SEARCH DEPTH FIRST BY e SET f CYCLE g SET h USING i INSERT OR REPLACE INTO j",
		"-- name: A :exec\nTRUNCATE a *, \"b\"\"c\"; MERGE INTO [d] USING `e` ON 1; LOCK TABLE f",
		"E'a\\'' $q$ x $q$ /* /* */ */ U&\"d\" ?1 :a @b $c =@d ((SELECT (1) FROM a.b.c",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, src string) {
		for _, e := range []sqltext.Engine{sqltext.Postgres, sqltext.SQLite} {
			queries, _ := queryfile.Parse(e, "queries/a.sql", src)
			for _, q := range queries {
				if q.Name == "" || len(q.Tokens) == 0 {
					t.Errorf("%s: a query without name or statement: %+v", e, q)
				}
				for _, token := range q.Tokens {
					if src[token.Pos:token.End()] != token.Text {
						t.Errorf("%s: the token %q is not at %d", e, token.Text, token.Pos)
					}
				}
			}
		}
	})
}
