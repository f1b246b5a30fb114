package gen

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hal9-ai/hal9/internal/storegen/diag"
	"github.com/hal9-ai/hal9/internal/storegen/queryfile"
	"github.com/hal9-ai/hal9/internal/storegen/sqltext"
)

// compareMeaning holds against each other what types do not show: which tables are
// written, which columns the parameters are compared with and go into; and, where these
// agree, each clause. `-- differs: …` excuses clauses, and neither of the former.
func compareMeaning(in *input, p pair, problems *diag.List, differ differFunc) {
	before := len(*problems)
	compareTables(p, differ)
	compareUses(p, differ)
	if len(*problems) == before { // it would repeat that in other words
		compareForms(in, p, problems, differ)
	}
}

// compareTables holds the written tables against each other. Where rows are locked on one
// engine, the other may have nothing but an update for it.
func compareTables(p pair, differ differFunc) {
	a, b := p.pg.Usage, p.lite.Usage
	calls := func(u sqltext.Usage) bool { return len(u.Calls) > 0 && len(u.Writes) == 0 } // as nextval, for which SQLite has a row
	if a.Locks || b.Locks || calls(a) || calls(b) || p.pg.Note(queryfile.NoteWrites) != nil || p.lite.Note(queryfile.NoteWrites) != nil {
		return
	}
	if !slices.Equal(a.Writes, b.Writes) || !slices.Equal(a.Deletes, b.Deletes) || !slices.Equal(a.Updates, b.Updates) {
		differ(p.pg.Line, p.lite.Line, "the engines change different tables, or in different ways", "change the same ones on both; if one engine does so by a foreign key or a trigger, say `-- writes: yes` in its file", changes(a), changes(b))
	}
}

func changes(u sqltext.Usage) string {
	var out []string
	for _, table := range u.Writes {
		how := "inserts into "
		switch updates, deletes := slices.Contains(u.Updates, table), slices.Contains(u.Deletes, table); {
		case updates && deletes:
			how = "replaces in "
		case updates:
			how = "updates "
		case deletes:
			how = "deletes from "
		}
		out = append(out, how+table)
	}
	if len(out) == 0 {
		return "changes none"
	}
	return strings.Join(out, ", ")
}

// compareUses holds against each other what each parameter is compared with and goes
// into. Engines may say more in different ways: nothing in common is what is refused.
func compareUses(p pair, differ differFunc) {
	a, b := uses(p.pg.Engine, p.pg.Tokens), uses(p.lite.Engine, p.lite.Tokens)
	for _, name := range slices.Sorted(maps.Keys(a)) {
		if len(b[name]) == 0 || slices.ContainsFunc(a[name], func(use string) bool { return slices.Contains(b[name], use) }) {
			continue
		}
		differ(p.pg.ParamLine(name), p.lite.ParamLine(name), fmt.Sprintf("the parameter %s is used for something else on each engine", name),
			"compare it in the same way with the same column, or have it go into the same one, in both files", strings.Join(a[name], ", "), strings.Join(b[name], ", "))
	}
}

// comparisons are the operators by which uses are told, and what they are from the right.
//
//nolint:gochecknoglobals // a table that nothing changes
var comparisons = map[string]string{"=": "=", "<": ">", ">": "<", "<=": ">=", ">=": "<=", "==": "=", "<>": "<>", "!=": "<>"}

// uses tells for each parameter the columns that stand right beside it, as in
// `id = @id`, `(a, b) < (@a, @b)` and INSERT INTO t (a) VALUES (@a).
func uses(e sqltext.Engine, tokens []sqltext.Token) map[string][]string {
	plain := uncast(tokens)
	out := map[string][]string{}
	add := func(param, use string) {
		if param != "" && !slices.Contains(out[param], use) {
			out[param] = append(out[param], use)
		}
	}
	compare := func(left, right []sqltext.Token, op string) {
		if column := columnOf(e, left); column != "" {
			add(parameter(right), column+" "+comparisons[comparisons[op]])
		} else if column := columnOf(e, right); column != "" {
			add(parameter(left), column+" "+comparisons[op])
		}
	}
	for i, t := range plain {
		if t.Kind == sqltext.Op && comparisons[t.Text] != "" && i > 0 && i+1 < len(plain) {
			left, right := operandBefore(plain, i), operandBehind(plain, i+1)
			lefts, rights := rowOf(left), rowOf(right)
			if len(lefts) == len(rights) {
				for j := range lefts {
					compare(lefts[j], rights[j], t.Text)
				}
			}
		}
		if t.Is("INTO") && i > 0 && (plain[i-1].Is("INSERT") || plain[i-1].Is("REPLACE")) {
			inserted(e, plain[i+1:], add)
		}
	}
	for param, list := range out {
		for _, use := range list {
			if column, ok := strings.CutSuffix(use, " >="); ok && slices.Contains(list, column+" <=") {
				out[param] = append(out[param], column+" =")
			}
		}
	}
	return out
}

// inserted pairs the columns of an INSERT with its values.
func inserted(e sqltext.Engine, tokens []sqltext.Token, add func(param, use string)) {
	_, i := tableName(e, tokens, 0)
	if i >= len(tokens) || !tokens[i].IsPunct("(") {
		return
	}
	names := listed(tokens[i:])
	i = closing(tokens, i) + 1
	if i+1 >= len(tokens) || !tokens[i].Is("VALUES") {
		return
	}
	for j, value := range listed(tokens[i+1:]) {
		if j < len(names) {
			add(parameter(value), columnOf(e, names[j])+" :=")
		}
	}
}
