package gen

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hal9-ai/hal9/internal/storegen/diag"
	"github.com/hal9-ai/hal9/internal/storegen/sqltext"
)

// checkKeys refuses a write whose keys are not those of all rows that it changes: of a row
// whose key it changes the old one is stale as well, and of several rows a query that is
// :one returns the first.
func (c *cachePlan) checkKeys(in *input, w *staleWrite, problems *diag.List) {
	pg := w.m.sql[sqltext.Postgres]
	changed := slices.Concat(pg.Usage.Updates, pg.Usage.Deletes)
	if len(changed) == 0 {
		return
	}
	if pg.Command == ":one" && w.byRow() && !in.schema.engines[sqltext.Postgres].findsOne(pg, changed) {
		problems.Add(pg.problem(pg.Line, "it may change several rows, and of those that it does not return nobody knows the keys",
			"choose the row by what is unique, or make it :many"))
	}
	set := assigned(pg.Engine, pg.Tokens)
	told := map[*cache]bool{}
	for _, k := range w.keys {
		if told[k.cache] {
			continue
		}
		told[k.cache] = true
		for _, r := range k.cache.readers {
			column := c.movedBy(w, k.cache, r, set)
			if column == "" {
				continue
			}
			problems.Add(withSee(pg.problem(pg.Line, fmt.Sprintf("it changes %s, by which %s is found, and leaves the key of the old value in the cache", column, k.cache.key.Text),
				fmt.Sprintf("name the key twice, of the new value and of the old one, with a parameter that WHERE compares: `AND %s = @old_%s`", column, column)),
				pg.place(pg.Line, ""), r.place()))
			break
		}
	}
}

// movedBy is the column that the write sets and the read's key is made of, if the note names
// one key of that pattern only.
func (c *cachePlan) movedBy(w *staleWrite, x *cache, r *cachedRead, set []string) string {
	read := r.m.sql[sqltext.Postgres]
	touches := func(table string) bool { return slices.Contains(w.m.sql[sqltext.Postgres].Usage.Updates, table) }
	if !slices.ContainsFunc(read.Usage.Reads, touches) {
		return ""
	}
	compared := uses(read.Engine, read.Tokens)
	for i, hole := range r.note.Key.Holes() {
		for _, use := range compared[hole] {
			column, ok := strings.CutSuffix(use, " =")
			if !ok || !slices.Contains(set, column) {
				continue
			}
			var names []string
			for _, k := range w.keys {
				if name := k.key.Holes()[i]; k.cache == x && !slices.Contains(names, name) {
					names = append(names, name)
				}
			}
			if len(names) < 2 {
				return column
			}
		}
	}
	return ""
}

// assigned are the columns that an UPDATE sets to something else than what they are.
func assigned(e sqltext.Engine, tokens []sqltext.Token) []string {
	var out []string
	inSet := false
	for i, t := range sqltext.Outside(tokens) {
		switch {
		case t.Is("SET"):
			inSet = true
		case t.IsAny("WHERE", "FROM", "RETURNING"):
			inSet = false
		}
		begins := inSet && i > 0 && (tokens[i-1].Is("SET") || tokens[i-1].IsPunct(","))
		if begins && i+2 < len(tokens) && t.IsName() && tokens[i+1].Text == "=" {
			own := tokens[i+2].IsName() && tokens[i+2].Name(e) == t.Name(e) && (i+3 == len(tokens) || tokens[i+3].IsPunct(",") || tokens[i+3].Is("WHERE"))
			if !own {
				out = append(out, t.Name(e))
			}
		}
	}
	return out
}

// findsOne tells whether WHERE compares all columns of a unique key of one of the tables
// with something. Of a table that the schema does not tell of, it is believed.
func (k *tables) findsOne(s *side, changed []string) bool {
	where := slices.IndexFunc(s.Tokens, func(t sqltext.Token) bool { return t.Is("WHERE") })
	if where < 0 {
		where = len(s.Tokens)
	}
	equal := func(column string) bool {
		for i := where; i < len(s.Tokens); i++ {
			t := s.Tokens[i]
			if !t.IsName() || t.Name(s.Engine) != column {
				continue
			}
			from := i
			for from >= 2 && s.Tokens[from-1].IsPunct(".") {
				from -= 2
			}
			if s.Tokens[from-1].Text == "=" || i+1 < len(s.Tokens) && s.Tokens[i+1].Text == "=" {
				return true
			}
		}
		return false
	}
	return slices.ContainsFunc(changed, func(table string) bool {
		keys, known := k.unique[table]
		return !known || slices.ContainsFunc(keys, func(key []string) bool {
			return !slices.ContainsFunc(key, func(column string) bool { return !equal(column) })
		})
	})
}
