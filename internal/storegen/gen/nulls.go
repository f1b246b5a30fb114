package gen

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hal9-ai/hal9/internal/storegen/diag"
	"github.com/hal9-ai/hal9/internal/storegen/queryfile"
	"github.com/hal9-ai/hal9/internal/storegen/sqltext"
)

// checkNulls refuses columns that the engine may return as NULL in a Go type that has no
// NULL. sqlc takes whatever is cast for NOT NULL, and a subquery, and of a UNION looks at
// the first SELECT alone: such a query fails, on both engines, once there is no row.
func checkNulls(in *input, s *side, problems *diag.List) {
	if s.code == nil || s.code.Result.None || s.Command == ":execrows" || len(s.Lists) == 0 {
		return
	}
	for i, col := range columns(s) {
		if holdsNull(col.typ.String()) {
			continue
		}
		for arm, list := range s.Lists {
			if i >= len(list) {
				continue
			}
			n := newNulls(in, s, s.Tokens)
			why := n.item(list[i], arm == 0, grouped(s.Tokens))
			if why == "" {
				continue
			}
			label := "column"
			if col.name != "the column" {
				label += " " + col.name
			}
			problems.Add(s.problem(list[i].Tokens[0].Line,
				fmt.Sprintf("the %s may be NULL, which sqlc does not see and %s cannot hold: %s", label, col.typ, why),
				"make NULL impossible inside of the cast, as in coalesce(…, 0); or select the column itself, as by ORDER BY … LIMIT 1"))
			break
		}
	}
}

// holdsNull tells the Go types that NULL is read into.
func holdsNull(goType string) bool {
	return strings.HasPrefix(goType, "*") || strings.HasPrefix(goType, "[]") || goType == "model.JSON" || strings.Contains(goType, "interface{}")
}

// checkOrder refuses an order in which the engines put NULL at opposite ends.
func checkOrder(in *input, s *side, problems *diag.List) {
	if s.Only() != "" {
		return
	}
	n := newNulls(in, s, s.Tokens)
	for i, t := range s.Tokens {
		if !t.Is("BY") || i == 0 || !s.Tokens[i-1].Is("ORDER") {
			continue
		}
		for _, item := range commas(s.Tokens[i+1 : orderEnd(s.Tokens, i+1)]) {
			if expression := s.aliased(item); expression != nil { // what its name stands for
				if why := n.expression(expression, grouped(s.Tokens)); why != "" {
					n.refuseOrder(s, item, why, problems)
				}
				continue
			}
			n.checkLocale(s, item, problems)
			if slices.ContainsFunc(item, func(t sqltext.Token) bool { return t.Is("NULLS") }) {
				continue
			}
			if why := n.column(direction(item)); why != "" {
				n.refuseOrder(s, item, why, problems)
			}
		}
	}
}

func (n *nulls) refuseOrder(s *side, item []sqltext.Token, why string, problems *diag.List) {
	if slices.ContainsFunc(item, func(t sqltext.Token) bool { return t.Is("NULLS") }) {
		return
	}
	problems.Add(s.problem(item[0].Line, "NULL comes last on PostgreSQL and first on SQLite, and "+why,
		"say where it is to stand by NULLS FIRST or NULLS LAST in both files, or leave NULL out by WHERE … IS NOT NULL"))
}

// direction is the item of an ORDER BY without its direction.
func direction(item []sqltext.Token) []sqltext.Token {
	for len(item) > 0 && item[len(item)-1].IsAny("ASC", "DESC", "NULLS", "FIRST", "LAST") {
		item = item[:len(item)-1]
	}
	return item
}

// aliased is the expression that a list of the outermost SELECT gives the name that an
// order is by; nil where the name is a column's.
func (s *side) aliased(item []sqltext.Token) []sqltext.Token {
	item = direction(item)
	if len(item) != 1 || len(s.Lists) != 1 {
		return nil
	}
	for _, c := range s.Lists[0] {
		if c.Name != "" && strings.EqualFold(c.Name, item[0].Name(s.Engine)) && !isColumn(c.Tokens) {
			return unaliased(c.Tokens)
		}
	}
	return nil
}

// checkLocale refuses text in an order that is the database's own on PostgreSQL.
func (n *nulls) checkLocale(s *side, item []sqltext.Token, problems *diag.List) {
	item = direction(item)
	if len(item) == 0 || !isColumn(item) {
		return
	}
	name, of := item[len(item)-1].Name(n.engine), n.of
	if len(item) > 1 {
		of = n.aliases[item[len(item)-3].Name(n.engine)]
	}
	if slices.ContainsFunc(of, func(table string) bool { return n.tables.locale[table][name] }) {
		problems.Add(s.problem(item[0].Line, fmt.Sprintf("PostgreSQL orders %s by the database's locale, and SQLite by bytes", name),
			`declare the column with COLLATE "C" in the schema of PostgreSQL`))
	}
}

// orderEnd is the index behind the list of an ORDER BY or GROUP BY that begins at i.
func orderEnd(tokens []sqltext.Token, i int) int {
	depth := 0
	for ; i < len(tokens); i++ {
		switch t := tokens[i]; {
		case t.IsPunct("("):
			depth++
		case t.IsPunct(")"):
			if depth--; depth < 0 {
				return i
			}
		case depth == 0 && (t.IsAny("HAVING", "WINDOW", "ORDER", "LIMIT", "OFFSET", "FETCH", "FOR", "UNION", "INTERSECT", "EXCEPT", "ROWS", "RANGE", "GROUPS", "RETURNING") || t.IsPunct(";")):
			return i
		}
	}
	return i
}

// nulls finds what may be NULL in one statement.
type nulls struct {
	tables  *tables
	engine  sqltext.Engine
	of      []string            // the tables that the statement names
	aliases map[string][]string // tables by the names that they bear in it
	outer   map[string]bool     // names whose rows an outer join may make up
	checked map[string]bool     // columns that WHERE asks something of, which NULL never meets
	derived map[string][]nested // by name, what subqueries in FROM and WITH return
}

// nested is a column of a subquery.
type nested struct {
	item    queryfile.Item
	grouped bool
}

func newNulls(in *input, s *side, tokens []sqltext.Token) *nulls {
	n := &nulls{
		tables: in.schema.engines[s.Engine], engine: s.Engine, of: tablesOf(s.Query),
		aliases: map[string][]string{}, outer: map[string]bool{}, checked: map[string]bool{}, derived: map[string][]nested{},
	}
	n.readNames(tokens)
	n.readChecks(tokens)
	n.readDerived(tokens)
	return n
}

// readNames finds what the tables are called, and which of them stand on the side of an
// outer join that may lack a row.
func (n *nulls) readNames(tokens []sqltext.Token) {
	var before []string // in this FROM
	for i, t := range tokens {
		switch {
		case t.Is("FROM"):
			before = nil
		case !t.Is("JOIN") && (!t.IsPunct(",") || len(before) == 0):
			continue
		}
		kind := ""
		for j := i - 1; j >= 0 && tokens[j].IsAny("OUTER", "LEFT", "RIGHT", "FULL"); j-- {
			kind = strings.ToUpper(tokens[j].Text)
		}
		j := i + 1
		for j < len(tokens) && tokens[j].IsAny("LATERAL", "ONLY") {
			j++
		}
		table := ""
		if j < len(tokens) && tokens[j].IsPunct("(") {
			j = closing(tokens, j) + 1
		} else {
			table, j = tableName(n.engine, tokens, j)
		}
		if j < len(tokens) && tokens[j].Is("AS") {
			j++
		}
		name := table
		if j < len(tokens) && tokens[j].IsName() && !tokens[j].IsAny("ON", "USING", "WHERE", "JOIN", "LEFT", "RIGHT", "FULL", "INNER", "CROSS", "NATURAL", "ORDER", "GROUP", "LIMIT", "UNION", "SET", "RETURNING", "FOR", "HAVING", "OFFSET", "TABLESAMPLE", "INDEXED") {
			name = tokens[j].Name(n.engine)
		}
		if kind == "LEFT" || kind == "FULL" {
			n.outer[name] = true
		}
		if kind == "RIGHT" || kind == "FULL" {
			for _, other := range before {
				n.outer[other] = true
			}
		}
		before = append(before, name)
		if table != "" {
			n.aliases[name] = append(n.aliases[name], table)
		}
	}
}

// closing is the index of the parenthesis that closes the one at i; of the last token
// where none does.
func closing(tokens []sqltext.Token, i int) int {
	depth := 0
	for ; i < len(tokens); i++ {
		if tokens[i].IsPunct("(") {
			depth++
		} else if tokens[i].IsPunct(")") {
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return len(tokens) - 1
}

// readChecks finds the columns that are compared with something, or are IS NOT NULL.
func (n *nulls) readChecks(tokens []sqltext.Token) {
	compares := func(i int) bool {
		return i >= 0 && i < len(tokens) && tokens[i].Kind == sqltext.Op && slices.Contains([]string{"=", "<", ">", "<=", ">=", "@@", "@>", "<@"}, tokens[i].Text)
	}
	inWhere := false
	for i, t := range tokens {
		switch {
		case t.IsAny("WHERE", "ON", "HAVING"):
			inWhere = true
		case t.IsAny("SELECT", "SET", "RETURNING", "VALUES"):
			inWhere = false
		}
		if !inWhere || !t.IsName() {
			continue
		}
		isNotNull := i+3 < len(tokens) && tokens[i+1].Is("IS") && tokens[i+2].Is("NOT") && tokens[i+3].Is("NULL")
		from := i
		for from >= 2 && tokens[from-1].IsPunct(".") {
			from -= 2
		}
		if isNotNull || compares(i+1) || compares(from-1) || i+1 < len(tokens) && tokens[i+1].IsAny("IN", "BETWEEN") {
			n.checked[t.Name(n.engine)] = true
		}
	}
}

// readDerived finds the columns of the subqueries that stand for tables.
func (n *nulls) readDerived(tokens []sqltext.Token) {
	for i, t := range tokens {
		if !t.IsPunct("(") || i == 0 || i+1 >= len(tokens) || !tokens[i+1].Is("SELECT") || !tokens[i-1].IsAny("FROM", "JOIN", "LATERAL", "AS", "MATERIALIZED") && !tokens[i-1].IsPunct(",") {
			continue
		}
		body := tokens[i+1 : closing(tokens, i)]
		for _, list := range queryfile.Lists(body) {
			for _, item := range list {
				if item.Name != "" && !isColumn(item.Tokens) {
					n.derived[item.Name] = append(n.derived[item.Name], nested{item, grouped(body)})
				}
			}
		}
	}
}

// grouped tells whether a statement has a GROUP BY of its own: then its aggregates see
// a row at least.
func grouped(tokens []sqltext.Token) bool {
	for _, t := range sqltext.Outside(tokens) {
		if t.Is("GROUP") {
			return true
		}
	}
	return false
}
