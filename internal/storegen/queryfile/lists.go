package queryfile

import (
	"strings"

	"github.com/hal9-ai/hal9/internal/storegen/sqltext"
)

// params lists the named parameters in the order of their first appearance:
// @name, sqlc.arg(name) and sqlc.narg(name).
func params(tokens []sqltext.Token) []Named {
	var out []Named
	seen := map[string]bool{}
	for i, t := range tokens {
		name := ""
		if t.Kind == sqltext.Param && len(t.Text) > 1 && (t.Text[0] == '@' || t.Text[0] == ':') {
			name = t.Text[1:]
		} else if arg, _, ok := MacroAt(tokens, i); ok {
			name = arg
		}
		if name != "" && !seen[name] {
			seen[name] = true
			out = append(out, Named{Name: name, Line: t.Line})
		}
	}
	return out
}

// MacroAt reads sqlc.arg(name) or sqlc.narg(name) at the i-th token: the
// parameter's name and how many tokens the macro takes.
func MacroAt(tokens []sqltext.Token, i int) (name string, length int, ok bool) {
	if i+5 >= len(tokens) || !tokens[i].Is("sqlc") || !tokens[i+1].IsPunct(".") ||
		!tokens[i+2].IsAny("arg", "narg") || !tokens[i+3].IsPunct("(") || !tokens[i+5].IsPunct(")") {
		return "", 0, false
	}
	return strings.Trim(tokens[i+4].Text, `'"`), 6, true
}

// Lists are the lists of columns that a statement returns: that of RETURNING, else one
// for each SELECT that stands in no parentheses, of which the first gives the names.
func Lists(tokens []sqltext.Token) [][]Item {
	var out [][]Item
	for i, t := range sqltext.Outside(tokens) {
		switch {
		case t.Is("RETURNING"):
			return [][]Item{items(tokens[i+1:], true)}
		case t.Is("SELECT"):
			out = append(out, items(tokens[i+1:], false))
		}
	}
	return out
}

// columns are the names and lines of a list.
func columns(lists [][]Item) []Named {
	if len(lists) == 0 {
		return nil
	}
	var out []Named
	for _, item := range lists[0] {
		out = append(out, Named{Name: item.Name, Line: item.Tokens[0].Line})
	}
	return out
}

// items splits the list that begins tokens at its outer commas.
func items(tokens []sqltext.Token, returning bool) []Item {
	tokens = skipDistinct(tokens)
	var out []Item
	depth, begin := 0, 0
	flush := func(end int) {
		if begin < end {
			out = append(out, Item{Name: itemName(tokens[begin:end]), Tokens: tokens[begin:end]})
		}
		begin = end + 1
	}
	for i, t := range tokens {
		switch {
		case t.IsPunct("("), t.IsPunct("["):
			depth++
		case t.IsPunct(")") && depth == 0: // of the parentheses around a SELECT
			flush(i)
			return out
		case t.IsPunct(")"), t.IsPunct("]"):
			depth--
		case depth > 0:
		case t.IsPunct(","):
			flush(i)
		case !returning && endsList(tokens, i):
			flush(i)
			return out
		}
	}
	flush(len(tokens))
	return out
}

// skipDistinct steps over what may stand between SELECT and its list.
func skipDistinct(tokens []sqltext.Token) []sqltext.Token {
	for len(tokens) > 0 && tokens[0].IsAny("ALL", "DISTINCT") {
		tokens = tokens[1:]
	}
	if len(tokens) == 0 || !tokens[0].Is("ON") {
		return tokens
	}
	depth := 0
	for i, t := range tokens {
		if t.IsPunct("(") {
			depth++
		} else if t.IsPunct(")") {
			if depth--; depth == 0 {
				return tokens[i+1:]
			}
		}
	}
	return nil
}

func endsList(tokens []sqltext.Token, i int) bool {
	if tokens[i].Is("FROM") {
		return i < 2 || !tokens[i-1].Is("DISTINCT") || !tokens[i-2].IsAny("IS", "NOT")
	}
	return tokens[i].IsAny("WHERE", "GROUP", "HAVING", "WINDOW", "ORDER", "LIMIT", "OFFSET",
		"UNION", "INTERSECT", "EXCEPT", "FOR")
}

// itemName is the name that SQL gives an item: its alias or its column.
func itemName(item []sqltext.Token) string {
	last := item[len(item)-1]
	if !last.IsName() || last.Is("END") {
		return ""
	}
	return strings.Trim(last.Text, "\"`[]")
}
