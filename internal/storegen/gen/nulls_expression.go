package gen

import (
	"slices"
	"strings"

	"github.com/hal9-ai/hal9/internal/storegen/queryfile"
	"github.com/hal9-ai/hal9/internal/storegen/sqltext"
)

// Functions by what they make of NULL, of no row and of none that fits. All others are
// taken to be NULL where an argument is.
//
//nolint:gochecknoglobals // tables that nothing changes
var (
	neverNull = []string{
		"count", "exists", "row_number", "rank", "dense_rank", "percent_rank", "cume_dist", "ntile", "total", "now", "random",
		"concat", "concat_ws", "nextval", "json_object", "json_array", "jsonb_build_object", "jsonb_build_array", "json_build_object",
		"json_build_array", "json_group_array", "json_group_object", "array", "changes", "bm25", "unnest",
	}
	aggregates = []string{
		"max", "min", "sum", "avg", "string_agg", "group_concat", "array_agg", "json_agg", "jsonb_agg", "json_object_agg", "jsonb_object_agg",
		"bool_and", "bool_or", "every", "bit_and", "bit_or", "stddev", "variance", "percentile_cont", "percentile_disc", "mode", "any_value",
	}
	findsNothing = []string{"json_extract", "jsonb_extract_path", "jsonb_extract_path_text", "jsonb_path_query_first", "nth_value", "nullif"}
)

// item tells why a column of a list may be NULL where sqlc takes it for NOT NULL, or "".
// Of a column as it stands sqlc knows what the schema and outer joins say, in the first
// SELECT.
func (n *nulls) item(item queryfile.Item, first, grouped bool) string {
	tokens := unaliased(item.Tokens)
	if isColumn(tokens) && first {
		return n.ofSubquery(tokens)
	}
	return n.expression(tokens, grouped)
}

// ofSubquery looks at the subquery that a column comes of, if it does.
func (n *nulls) ofSubquery(column []sqltext.Token) string {
	name := column[len(column)-1].Name(n.engine)
	all := n.derived[name]
	delete(n.derived, name) // an expression there may use a column that bears its own name
	defer func() { n.derived[name] = all }()
	for _, from := range all {
		if why := n.expression(unaliased(from.item.Tokens), from.grouped); why != "" {
			return why
		}
	}
	return ""
}

// unaliased is the expression of an item without the name that it is given.
func unaliased(tokens []sqltext.Token) []sqltext.Token {
	last := len(tokens) - 1
	if last < 1 || !tokens[last].IsName() {
		return tokens
	}
	switch before := tokens[last-1]; {
	case before.Is("AS"):
		return tokens[:last-1]
	case before.IsPunct(")") && !tokens[last].Is("END"), before.Kind == sqltext.String, before.Kind == sqltext.Number, before.Kind == sqltext.Param:
		return tokens[:last]
	}
	return tokens
}

// isColumn tells a column as it stands.
func isColumn(tokens []sqltext.Token) bool {
	tokens = unaliased(tokens)
	for i, t := range tokens {
		if i%2 == 0 && !t.IsName() || i%2 == 1 && !t.IsPunct(".") {
			return false
		}
	}
	return len(tokens)%2 == 1 && (len(tokens) > 1 || !tokens[0].IsAny("NULL", "CURRENT_TIMESTAMP", "CURRENT_DATE", "true", "false"))
}

// column tells why a column as it stands may be NULL, or "".
func (n *nulls) column(tokens []sqltext.Token) string {
	if len(tokens) == 0 || !isColumn(tokens) {
		return ""
	}
	name := tokens[len(tokens)-1].Name(n.engine)
	if n.checked[name] {
		return ""
	}
	of := n.of
	if len(tokens) > 1 {
		alias := tokens[len(tokens)-3].Name(n.engine)
		if n.outer[alias] {
			return alias + " is there or not, by its outer join"
		}
		of = n.aliases[alias]
	}
	if n.tables.mayBeNull(of, name) {
		return name + " may be NULL by the schema"
	}
	return ""
}

// expression tells why an expression may be NULL, or "". Operators and casts are NULL
// where an operand is.
func (n *nulls) expression(tokens []sqltext.Token, grouped bool) string {
	if isTrueOrFalse(tokens) {
		return ""
	}
	for i := 0; i < len(tokens); i++ {
		t := tokens[i]
		why := ""
		switch {
		case t.Is("CASE"):
			why, i = n.caseOf(tokens, i, grouped)
		case t.Is("IN") && i+1 < len(tokens):
			i = closing(tokens, i+1)
		case t.Is("sqlc"):
			if _, length, ok := queryfile.MacroAt(tokens, i); ok {
				if tokens[i+2].Is("narg") {
					why = "the parameter may be"
				}
				i += length - 1
			}
		case t.IsName() && i+1 < len(tokens) && tokens[i+1].IsPunct("("):
			why, i = n.call(tokens, i, grouped)
		case t.IsPunct("("):
			end := closing(tokens, i)
			why = n.parentheses(tokens[min(i+1, end):end], grouped)
			i = end
		case t.Is("NULL") && (i == 0 || !tokens[i-1].Is("NOT")):
			why = "it is NULL itself"
		case t.Kind == sqltext.Op && slices.Contains([]string{"->", "->>", "#>", "#>>"}, t.Text):
			why = t.Text + " finds nothing where the JSON has no such field"
		case t.Kind == sqltext.Op && t.Text == "::":
			for i+1 < len(tokens) && (tokens[i+1].IsName() || tokens[i+1].IsPunct("[") || tokens[i+1].IsPunct("]")) && !tokens[i+1].IsAny("AND", "OR", "IS", "COLLATE", "AT") {
				i++
			}
		case t.IsName():
			end := i + 1
			for end+1 < len(tokens) && tokens[end].IsPunct(".") {
				end += 2
			}
			why = n.column(tokens[i:end])
			if why == "" {
				why = n.ofSubquery(tokens[i:end])
			}
			i = end - 1
		}
		if why != "" {
			return why
		}
	}
	return ""
}

// isTrueOrFalse tells an expression with IS, as in IS NULL and IS NOT DISTINCT FROM.
func isTrueOrFalse(tokens []sqltext.Token) bool {
	for i := 0; i < len(tokens); i++ {
		switch {
		case tokens[i].IsPunct("("):
			i = closing(tokens, i)
		case tokens[i].Is("IS"):
			return true
		case tokens[i].Is("CASE"):
			return false
		}
	}
	return false
}

// parentheses looks into a pair of them: a subquery, or expressions.
func (n *nulls) parentheses(inner []sqltext.Token, isGrouped bool) string {
	if len(inner) == 0 || !inner[0].Is("SELECT") {
		return n.expression(inner, isGrouped)
	}
	lists := queryfile.Lists(inner)
	if len(lists) != 1 || len(lists[0]) != 1 || grouped(inner) || !n.aggregates(lists[0][0].Tokens) {
		return "a subquery that finds no row is NULL"
	}
	return n.expression(unaliased(lists[0][0].Tokens), false)
}

// aggregates tells whether there is one row, whatever is found.
func (n *nulls) aggregates(tokens []sqltext.Token) bool {
	for i, t := range tokens {
		if i+1 < len(tokens) && tokens[i+1].IsPunct("(") && (t.Is("count") || t.Is("total") || isOneOf(t, aggregates)) {
			end := closing(tokens, i+1)
			return end+1 >= len(tokens) || !tokens[end+1].Is("OVER")
		}
	}
	return false
}

func isOneOf(t sqltext.Token, names []string) bool {
	return t.Kind == sqltext.Word && slices.Contains(names, strings.ToLower(t.Text))
}

// call looks at the function that stands at i, and returns the index of its last token.
func (n *nulls) call(tokens []sqltext.Token, i int, grouped bool) (why string, end int) {
	name := strings.ToLower(tokens[i].Text)
	end = closing(tokens, i+1)
	args := tokens[min(i+2, end):end]
	over, filtered := false, false
	for end+1 < len(tokens) && tokens[end+1].IsAny("FILTER", "OVER", "WITHIN") {
		over, filtered = over || tokens[end+1].Is("OVER"), filtered || tokens[end+1].Is("FILTER")
		end++
		for end+1 < len(tokens) && !tokens[end].IsPunct("(") && (!over || !tokens[end].IsName() || tokens[end].Is("OVER")) {
			end++
		}
		if tokens[end].IsPunct("(") {
			end = closing(tokens, end)
		}
	}
	list := commas(args)
	anyOf := func(list [][]sqltext.Token) string {
		for _, arg := range list {
			if why := n.expression(arg, grouped); why != "" {
				return why
			}
		}
		return ""
	}
	switch {
	case isOneOf(tokens[i], neverNull):
	case name == "cast":
		if as := slices.IndexFunc(args, func(t sqltext.Token) bool { return t.Is("AS") }); as >= 0 {
			why = n.expression(args[:as], grouped)
		}
	case name == "coalesce" || name == "ifnull" || name == "greatest" || name == "least":
		for _, arg := range list {
			if why = n.expression(arg, grouped); why == "" {
				return "", end
			}
		}
	case isOneOf(tokens[i], findsNothing):
		why = name + "() may find nothing"
	case (name == "lag" || name == "lead") && len(list) < 3:
		why = name + "() finds nothing at the end of the rows"
	case isOneOf(tokens[i], aggregates) && (name != "max" && name != "min" || len(list) == 1):
		if why = anyOf(list); why == "" && !over && (!grouped || filtered) {
			why = name + "() over no rows is NULL"
		}
	default:
		why = anyOf(list)
	}
	return why, end
}

// caseOf looks at the results of the CASE that stands at i, and returns the index of its
// END.
func (n *nulls) caseOf(tokens []sqltext.Token, i int, grouped bool) (why string, end int) {
	depth, begin, hasElse := 0, -1, false
	for end = i; end < len(tokens); end++ {
		t := tokens[end]
		switch {
		case t.IsPunct("("):
			end = closing(tokens, end)
			continue
		case t.Is("CASE"):
			depth++
			continue
		case t.Is("END") && depth > 1:
			depth--
			continue
		case depth != 1 || !t.IsAny("WHEN", "THEN", "ELSE", "END"):
			continue
		}
		if begin >= 0 && why == "" {
			why = n.expression(tokens[begin:end], grouped)
		}
		begin = -1
		if t.IsAny("THEN", "ELSE") {
			begin = end + 1
		}
		hasElse = hasElse || t.Is("ELSE")
		if t.Is("END") {
			if why == "" && !hasElse {
				why = "CASE without ELSE is NULL where nothing fits"
			}
			return why, end
		}
	}
	return why, len(tokens) - 1
}
