package sqlform

import (
	"slices"
	"strings"

	"github.com/hal9-ai/hal9/internal/storegen/sqltext"
)

// What each engine calls by a name of its own, and the name in the form. This list, and
// what level does, are all that the generator takes for the same; docs/decisions/0034 has it
// in words.
//
//nolint:gochecknoglobals // tables that nothing changes
var functions = map[sqltext.Engine]map[string]string{
	sqltext.Postgres: {
		"strpos": "find text", "char_length": "length", "character_length": "length", "ceiling": "ceil",
		"jsonb_array_elements_text": "json elements", "jsonb_array_length": "json length",
	},
	sqltext.SQLite: {
		"instr": "find text", "ifnull": "coalesce", "ceiling": "ceil",
		"json_each": "json elements", "json_array_length": "json length", "group_concat": "string_agg",
	},
}

// Operators of which the other one, with its sides exchanged, says the same.
//
//nolint:gochecknoglobals // a table that nothing changes
var turned = map[string]string{">": "<", ">=": "<="}

// level brings a node whose parts are in the form into it.
func (f *former) level(n *Node) *Node {
	switch n.Op {
	case "==":
		n.Op = "="
	case "!=":
		n.Op = "<>"
	case ">", ">=":
		n.Op = turned[n.Op]
		slices.Reverse(n.Args)
	}
	switch n.Op {
	case "=", "<>", "same":
		if n.Op == "=" {
			if bare := f.compareTruth(n); bare != nil {
				return bare
			}
		}
		sortArgs(n.Args)
	case opAnd, opOr:
		return flatten(n)
	case opNot:
		if n.Args[0].Op == opNot {
			return n.Args[0].Args[0]
		}
	case opIn:
		if len(n.Args) > 1 && n.Args[1].Op != opSelect {
			sortArgs(n.Args[1:])
		}
	case opCast:
		return level(n)
	case "->>":
		return field(n.Args[0], n.Args[1], n)
	case opCase:
		// A filter that may be left out, as PostgreSQL's planner likes it.
		if len(n.Args) == 3 && n.Args[0].Op == opIsNull && n.Args[1].is(opConst, "true") {
			return flatten(&Node{Op: opOr, Args: []*Node{n.Args[0], n.Args[2]}, Tokens: n.Tokens})
		}
	case "subquery":
		if table := nextOf(n.Args[0]); table != "" {
			return &Node{Op: "next", Name: table, Tokens: n.Tokens}
		}
	case opCall:
		return f.call(n)
	}
	return n
}

// level leaves out a cast that only tells sqlc what a parameter is, or gives what is there
// already. Ids are text on SQLite.
func level(n *Node) *Node {
	arg := n.Args[0]
	texts := func(t string) bool { return t == typeText || t == typeUUID }
	switch {
	case arg.Op == opParam && arg.typ == "":
		arg.typ = n.Name
		return arg
	case arg.typ == n.Name, texts(arg.typ) && texts(n.Name),
		arg.is(opCall, "sum") && arg.typ == typeWhole && n.Name == typeInteger:
		if arg.typ == typeWhole {
			arg.typ = typeInteger
		}
		return arg
	}
	return n
}

func (f *former) call(n *Node) *Node {
	if name := functions[f.engine][n.Name]; name != "" {
		n.Name = name
	}
	switch {
	case n.Name == "nextval" && len(n.Args) == 1:
		if table, ok := strings.CutSuffix(strings.Trim(n.Args[0].Name, "'"), "_seq"); ok {
			return &Node{Op: "next", Name: table, Tokens: n.Tokens}
		}
	case n.Name == "json_extract" && len(n.Args) == 2 && strings.HasPrefix(n.Args[1].Name, "'$."):
		return field(n.Args[0], &Node{Op: opConst, Name: "'" + strings.TrimPrefix(n.Args[1].Name, "'$.")}, n)
	case n.Name == "length" && len(n.Args) == 1 && n.Args[0].is(opCast, typeBytes) && n.Args[0].Args[0].typ == typeText:
		return &Node{Op: opCall, Name: "octet_length", Args: n.Args[0].Args, Tokens: n.Tokens}
	case n.Name == "iif" && len(n.Args) == 3:
		return &Node{Op: opCase, Args: n.Args, Tokens: n.Tokens}
	case n.Name == "exists" && len(n.Args) == 1:
		n.Args[0].dropClause("SELECT") // nobody sees it
	case f.engine == sqltext.SQLite && (n.Name == "max" || n.Name == "min") && len(n.Args) > 1:
		// Of a NULL among them they are NULL, where PostgreSQL's pass it over.
		if !slices.ContainsFunc(n.Args, func(a *Node) bool { return a.mayNull }) {
			n.Name = map[string]string{"max": "greatest", "min": "least"}[n.Name]
		}
	}
	if n.Name == "greatest" || n.Name == "least" {
		sortArgs(n.Args)
	}
	return n
}

// field is what a JSON object has under a name.
func field(of, name, n *Node) *Node {
	return &Node{Op: "json field", Args: []*Node{of, name}, Tokens: n.Tokens}
}

// nextOf is the table whose next number a subquery takes, as a sequence's on PostgreSQL.
func nextOf(n *Node) string {
	list, from := n.Clause("SELECT"), n.Clause("FROM")
	if len(n.Args) != 2 || list == nil || from == nil || len(list.Args) != 1 || len(from.Args) != 1 || from.Args[0].Op != opTable {
		return ""
	}
	table := from.Args[0].Name
	if list.Args[0].Args[0].Key() != "+(column "+table+".value, constant 1)" {
		return ""
	}
	return table
}

// compareTruth is a boolean that is compared with true or false, without that.
func (f *former) compareTruth(n *Node) *Node {
	for i, a := range n.Args {
		if a.typ != typeBoolean || a.Op == opConst {
			continue
		}
		switch value := f.truth(typeBoolean, n.Args[1-i]); {
		case value.is(opConst, "true"):
			return a
		case value.is(opConst, "false"):
			return &Node{Op: opNot, Args: []*Node{a}, Tokens: n.Tokens}
		}
	}
	return nil
}

// truth is SQLite's 1 or 0 as what it means in a boolean.
func (f *former) truth(typ string, n *Node) *Node {
	if f.engine == sqltext.SQLite && typ == typeBoolean && n.Op == opConst && (n.Name == "1" || n.Name == "0") {
		return &Node{Op: opConst, Name: map[string]string{"1": "true", "0": "false"}[n.Name], Tokens: n.Tokens, typ: typeBoolean}
	}
	return n
}

// flatten joins what AND or OR join further down, once each and in an order of its own.
func flatten(n *Node) *Node {
	var args []*Node
	for _, a := range n.Args {
		if a.Op == n.Op {
			args = append(args, a.Args...)
		} else {
			args = append(args, a)
		}
	}
	if n.Op == opAnd {
		args = pinned(args)
	}
	sortArgs(args)
	n.Args = slices.CompactFunc(args, func(a, b *Node) bool { return a.Key() == b.Key() })
	if len(n.Args) == 1 {
		return n.Args[0]
	}
	return n
}

// pinned makes one of what is neither more nor less than another, as PostgreSQL's planner is
// kept from what it knows of a column's average.
func pinned(args []*Node) []*Node {
	var out []*Node
	for _, a := range args {
		i := slices.IndexFunc(out, func(b *Node) bool {
			return a.Op == "<=" && b.Op == "<=" && a.Args[0].Key() == b.Args[1].Key() && a.Args[1].Key() == b.Args[0].Key()
		})
		if i < 0 {
			out = append(out, a)
			continue
		}
		out[i] = &Node{Op: "=", Args: slices.Clone(a.Args), Tokens: a.Tokens, typ: typeBoolean, mayNull: a.mayNull}
		sortArgs(out[i].Args)
	}
	return out
}

func sortArgs(args []*Node) {
	slices.SortStableFunc(args, func(a, b *Node) int { return strings.Compare(a.Key(), b.Key()) })
}
