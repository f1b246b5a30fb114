package gen

import (
	"testing"

	"github.com/hal9-ai/hal9/internal/storegen/diag"
	"github.com/hal9-ai/hal9/internal/storegen/queryfile"
	"github.com/hal9-ai/hal9/internal/storegen/sqlform"
	"github.com/hal9-ai/hal9/internal/storegen/sqltext"
)

// FuzzMeaning: whatever a file holds, what is read out of a statement ends and stays
// within it.
func FuzzMeaning(f *testing.F) {
	for _, seed := range []string{
		"SELECT a::text[] AS b, (SELECT max(c) FILTER (WHERE d) FROM e) FROM f LEFT JOIN LATERAL (SELECT 1 AS x) AS g ON true WHERE (h, i) < (@j, +CAST(@k AS TEXT)) ORDER BY l DESC NULLS LAST, m LIMIT @n",
		"INSERT INTO a (b, c) VALUES (@b, sqlc.narg('c')) ON CONFLICT (b) DO UPDATE SET c = excluded.c WHERE a.b IS NOT NULL RETURNING CASE WHEN b THEN CASE WHEN c THEN 1 END END",
		"WITH a AS (SELECT lag(b) OVER w AS c FROM d WINDOW w AS (PARTITION BY e)) SELECT coalesce(c, nullif(c, 1)) FROM a UNION ALL SELECT count(*) OVER (ORDER BY f)",
		"SELECT CAST(", "SELECT CASE", "SELECT f(", "SELECT (", "SELECT ) FROM (", "ORDER BY", "INSERT INTO a (",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(_ *testing.T, src string) {
		for _, e := range engines {
			queries, _ := queryfile.Parse(e, "queries/a.sql", "-- name: A :many\n"+src)
			known := &schema{engines: map[sqltext.Engine]*tables{}}
			known.engines[e] = &tables{nullable: map[string]map[string]bool{}, types: map[string]map[string]string{}, locale: map[string]map[string]bool{}, unique: map[string][][]string{}, views: map[string]sqltext.Usage{}, functions: map[string]sqltext.Usage{}}
			for _, q := range queries {
				known.statements(e, known.engines[e], "schema/a.sql", q.Tokens)
				known.engines[e].expand(&q.Usage)
				uses(e, q.Tokens)
				s := &side{Query: q}
				form := s.form(&input{schema: known})
				form.Doubts()
				sqlform.Compare(form, s.form(&input{schema: known}))
				checkOrder(&input{schema: known}, s, new(diag.List))
				n := newNulls(&input{schema: known}, s, q.Tokens)
				for _, list := range q.Lists {
					for _, item := range list {
						n.item(item, false, false)
					}
				}
			}
		}
	})
}
