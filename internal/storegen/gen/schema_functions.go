package gen

import (
	"slices"
	"strings"

	"github.com/hal9-ai/hal9/internal/storegen/diag"
	"github.com/hal9-ai/hal9/internal/storegen/sqltext"
)

// view takes in CREATE VIEW, from its name on.
func (k *tables) view(e sqltext.Engine, tokens []sqltext.Token) {
	for len(tokens) > 0 && tokens[0].IsAny("IF", "NOT", "EXISTS") {
		tokens = tokens[1:]
	}
	name, i := tableName(e, tokens, 0)
	for i < len(tokens) && !tokens[i].Is("AS") {
		i++
	}
	if name != "" && i < len(tokens) {
		k.views[name] = sqltext.Tables(e, tokens[i+1:])
	}
}

// function takes in CREATE FUNCTION, from its arguments on. Its body is a string, or
// stands there as it is.
func (k *tables) function(e sqltext.Engine, name string, tokens []sqltext.Token) {
	as := slices.IndexFunc(tokens, func(t sqltext.Token) bool { return t.Is("AS") })
	body := tokens
	if as >= 0 && as+1 < len(tokens) && tokens[as+1].Kind == sqltext.String {
		text, err := sqltext.Scan(e, unquoted(tokens[as+1].Text))
		if err != nil {
			return // PostgreSQL refuses it, if it is SQL at all
		}
		body = text.Tokens
	}
	usage := sqltext.Tables(e, body)
	// INTO names a variable in a function.
	isTable := func(table string) bool { return k.nullable[table] != nil }
	keep := func(list []string) []string {
		return slices.DeleteFunc(slices.Clone(list), func(table string) bool { return !isTable(table) })
	}
	k.functions[name] = sqltext.Usage{
		Reads: keep(usage.Reads), Writes: keep(usage.Writes), Updates: keep(usage.Updates), Deletes: keep(usage.Deletes),
		Calls: usage.Calls, Functions: usage.Functions,
	}
}

// unquoted is the text of a string constant.
func unquoted(text string) string {
	if strings.HasPrefix(text, "$") {
		n := strings.IndexByte(text[1:], '$') + 2
		return text[n : len(text)-n]
	}
	i := strings.IndexByte(text, '\'')
	return strings.ReplaceAll(text[i+1:len(text)-1], "''", "'")
}

// expand adds what a statement reads by views, and does by functions of the schema.
func (k *tables) expand(u *sqltext.Usage) {
	for changed := true; changed; {
		changed = false
		add := func(list *[]string, more []string) {
			for _, name := range more {
				if !slices.Contains(*list, name) {
					*list = append(slices.Clone(*list), name)
					slices.Sort(*list)
					changed = true
				}
			}
		}
		for _, name := range u.Reads {
			add(&u.Reads, k.views[name].Reads)
			add(&u.Functions, k.views[name].Functions)
		}
		for _, name := range u.Functions {
			f := k.functions[name]
			add(&u.Reads, f.Reads)
			add(&u.Writes, f.Writes)
			add(&u.Updates, f.Updates)
			add(&u.Deletes, f.Deletes)
			add(&u.Functions, f.Functions)
			add(&u.Calls, f.Calls)
		}
	}
}

// readTrigger reads CREATE TRIGGER of PostgreSQL, from its word TRIGGER on.
func readTrigger(e sqltext.Engine, file string, tokens []sqltext.Token) pgTrigger {
	out := pgTrigger{at: diag.Place{File: file, Line: tokens[0].Line}}
	for i, t := range tokens {
		switch {
		case t.Is("ON") && out.table == "":
			out.table, _ = tableName(e, tokens, i+1)
		case t.IsAny("FUNCTION", "PROCEDURE") && i > 0 && tokens[i-1].Is("EXECUTE"):
			out.function, _ = tableName(e, tokens, i+1)
		}
	}
	return out
}
