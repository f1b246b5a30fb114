package gen

import (
	"maps"
	"slices"
	"strings"

	"github.com/hal9-ai/hal9/internal/storegen/queryfile"
	"github.com/hal9-ai/hal9/internal/storegen/sqltext"
)

// create takes in the columns of CREATE TABLE, whose list begins tokens.
func (k *tables) create(e sqltext.Engine, table string, tokens []sqltext.Token) {
	k.nullable[table], k.types[table] = map[string]bool{}, map[string]string{}
	if k.unique[table] == nil {
		k.unique[table] = [][]string{}
	}
	for _, item := range listed(tokens) {
		switch {
		case item[0].IsAny("CONSTRAINT", "CHECK", "UNIQUE", "FOREIGN", "EXCLUDE", "LIKE"), item[0].Is("PRIMARY"):
			k.constraint(e, table, item)
		case item[0].IsName():
			k.column(e, table, item)
		}
	}
}

// constraint takes in a primary key or what else is unique.
func (k *tables) constraint(e sqltext.Engine, table string, item []sqltext.Token) {
	if key := keyColumns(e, item, "PRIMARY"); key != nil {
		k.unique[table] = append(k.unique[table], key)
		if e == sqltext.Postgres { // where a primary key is never NULL
			for _, column := range key {
				delete(k.nullable[table], column)
			}
		}
	}
	if key := keyColumns(e, item, "UNIQUE"); key != nil {
		k.unique[table] = append(k.unique[table], key)
	}
}

// uniqueIndex takes in CREATE UNIQUE INDEX, if it holds for all rows.
func (k *tables) uniqueIndex(e sqltext.Engine, tokens []sqltext.Token) {
	on := slices.IndexFunc(tokens, func(t sqltext.Token) bool { return t.Is("ON") })
	if on < 0 || slices.ContainsFunc(tokens, func(t sqltext.Token) bool { return t.Is("WHERE") }) {
		return
	}
	table, i := tableName(e, tokens, on+1)
	var key []string
	for _, column := range listed(tokens[i:]) {
		if !isColumn(column) {
			return
		}
		key = append(key, columnOf(e, column))
	}
	k.unique[table] = append(k.unique[table], key)
}

// column takes in the definition of a column.
func (k *tables) column(e sqltext.Engine, table string, item []sqltext.Token) {
	name := item[0].Name(e)
	if k.nullable[table] == nil {
		k.nullable[table] = map[string]bool{}
	}
	k.nullable[table][name] = true
	if k.types[table] == nil {
		k.types[table] = map[string]string{}
	}
	k.types[table][name] = typeName(item)
	if k.locale[table] == nil {
		k.locale[table] = map[string]bool{}
	}
	k.locale[table][name] = e == sqltext.Postgres && len(item) > 1 && item[1].IsAny("text", "varchar", "char", "character", "citext") &&
		!slices.ContainsFunc(item, func(t sqltext.Token) bool { return t.Text == `"C"` || t.Text == `"POSIX"` || t.Is("ucs_basic") })
	for i, t := range sqltext.Outside(item) {
		switch {
		case i == 0:
		case t.Is("UNIQUE"), t.Is("PRIMARY"):
			k.unique[table] = append(k.unique[table], []string{name})
			if t.Is("PRIMARY") && (e == sqltext.Postgres || item[1].Is("INTEGER")) {
				delete(k.nullable[table], name)
			}
		case t.Is("NULL") && item[i-1].Is("NOT"), t.IsAny("serial", "bigserial", "IDENTITY"):
			delete(k.nullable[table], name)
		}
	}
}

// keyColumns are those of a constraint PRIMARY KEY or UNIQUE.
func keyColumns(e sqltext.Engine, item []sqltext.Token, word string) []string {
	i := slices.IndexFunc(item, func(t sqltext.Token) bool { return t.Is(word) })
	if i < 0 {
		return nil
	}
	var out []string
	for _, column := range listed(item[i:]) {
		out = append(out, column[0].Name(e))
	}
	return out
}

// listed splits the first list in parentheses at its outer commas.
func listed(tokens []sqltext.Token) [][]sqltext.Token {
	open := slices.IndexFunc(tokens, func(t sqltext.Token) bool { return t.IsPunct("(") })
	if open < 0 {
		return nil
	}
	end := closing(tokens, open)
	empty := func(item []sqltext.Token) bool { return len(item) == 0 }
	return slices.DeleteFunc(commas(tokens[min(open+1, end):end]), empty)
}

// alter takes in what ALTER TABLE does to columns and names.
func (s *schema) alter(e sqltext.Engine, k *tables, table string, tokens []sqltext.Token) {
	if len(tokens) > 2 && tokens[0].Is("RENAME") && tokens[1].Is("TO") {
		s.rename(k, table, tokens[2].Name(e))
		return
	}
	for _, action := range commas(tokens) {
		var words []sqltext.Token
		for _, t := range action {
			if !t.IsAny("COLUMN", "IF", "EXISTS") {
				words = append(words, t)
			}
		}
		at := func(i int, keyword string) bool { return i < len(words) && words[i].Is(keyword) }
		switch {
		case len(words) < 2 || !words[1].IsName():
		case at(0, "ADD") && !words[1].IsAny("CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN"):
			if at(1, "NOT") { // ADD COLUMN IF NOT EXISTS name
				words = words[1:]
			}
			k.column(e, table, words[1:])
		case at(0, "ADD"):
			k.constraint(e, table, words)
		case at(0, "ALTER") && at(2, "SET") && at(3, "NOT"):
			delete(k.nullable[table], words[1].Name(e))
		case at(0, "ALTER") && at(2, "DROP") && at(3, "NOT") && k.nullable[table] != nil:
			k.nullable[table][words[1].Name(e)] = true
		case at(0, "RENAME") && at(2, "TO") && len(words) > 3:
			from, to := words[1].Name(e), words[3].Name(e)
			if k.nullable[table][from] {
				k.nullable[table][to] = true
			}
			if typ, ok := k.types[table][from]; ok {
				k.types[table][to] = typ
			}
		}
	}
}

// commas splits tokens at commas that stand in no parentheses.
func commas(tokens []sqltext.Token) [][]sqltext.Token {
	var out [][]sqltext.Token
	begin := 0
	for i, t := range sqltext.Outside(tokens) {
		if t.IsPunct(",") {
			out = append(out, tokens[begin:i])
			begin = i + 1
		}
	}
	return append(out, tokens[begin:])
}

// rename gives a table that was made aside the name of the one that it replaces, as
// SQLite's changes of constraints are made. What was known of the old name stays known:
// too much is told then, and nothing is missed.
func (s *schema) rename(k *tables, from, to string) {
	for _, f := range slices.Clone(s.follows) {
		if f.from != from && f.to != from {
			continue
		}
		if f.from == from {
			f.from = to
		}
		if f.to == from {
			f.to = to
		}
		s.follows = append(s.follows, f)
	}
	for i, t := range k.triggers {
		if t.table == from {
			k.triggers[i].table = to
		}
	}
	k.unique[to] = slices.Clone(k.unique[from])
	k.nullable[to], k.locale[to], k.types[to] = maps.Clone(k.nullable[from]), maps.Clone(k.locale[from]), maps.Clone(k.types[from])
	if usage, ok := k.views[from]; ok {
		k.views[to] = usage
	}
	for name, usage := range k.views {
		if slices.Contains(usage.Reads, from) {
			usage.Reads = append(slices.Clone(usage.Reads), to)
			k.views[name] = usage
		}
	}
}

// typeName is the type of a column, in the words of its definition.
func typeName(item []sqltext.Token) string {
	if len(item) < 2 || !item[1].IsName() {
		return ""
	}
	words := []string{strings.Trim(item[1].Text, "\"`[]")}
	for _, t := range item[2:] {
		if !t.IsAny("PRECISION", "VARYING", "WITH", "TIME", "ZONE") {
			break
		}
		words = append(words, t.Text)
	}
	return strings.Join(words, " ")
}

// Column tells the type of a column, and whether it may be NULL.
func (k *tables) Column(table, column string) (typ string, mayNull, ok bool) {
	typ, ok = k.types[table][column]
	return typ, k.nullable[table][column], ok
}

// mayBeNull tells whether a column of that name may be NULL in one of the tables.
func (k *tables) mayBeNull(of []string, column string) bool {
	return slices.ContainsFunc(of, func(table string) bool { return k.nullable[table][column] })
}

// tablesOf are the tables that a statement names.
func tablesOf(q *queryfile.Query) []string { return slices.Concat(q.Usage.Reads, q.Usage.Writes) }
