// Package sqlform brings a statement into one form for both engines, so that two of them
// can be held against each other: a tree whose columns bear their tables, whose dialect is
// levelled by the short list in dialect.go, and whose order is fixed where it means
// nothing. It knows no equivalences beyond those: what is written otherwise is told apart.
package sqlform

import (
	"slices"
	"strings"

	"github.com/hal9-ai/hal9/internal/storegen/sqltext"
)

// Node is a piece of a statement.
type Node struct {
	Op   string // what kind of piece: a letter's case, a clause, a function, …
	Name string // of a column, a function, a clause; the text of a constant
	Args []*Node
	// Tokens are what was written.
	Tokens []sqltext.Token

	alias   string // of a table or an item of a list
	typ     string // as in types.go; "" where it is not known
	mayNull bool
}

// Kinds of nodes that more than one file speaks of.
const (
	opSelect   = "select" // Args are clauses
	opClause   = "clause"
	opItem     = "item" // of a list of columns
	opTable    = "table"
	opDerived  = "derived" // a subquery that stands for a table
	opCallRows = "rows"    // a function that stands for a table
	opColumn   = "column"
	opParam    = "param"
	opConst    = "constant"
	opCall     = "call"
	opCast     = "cast"
	opIsNull   = "is null"
	opNot      = "not"
	opAnd      = "and"
	opOr       = "or"
	opCase     = "case" // Args are conditions and values by turns, the last one what ELSE gives
	opRow      = "row"
	opIn       = "in"
	opRaw      = "raw"
	opSet      = "set" // a column and its value
)

// Key is the form as a text: two nodes mean the same if their keys are equal.
func (n *Node) Key() string {
	var b strings.Builder
	n.write(&b)
	return b.String()
}

func (n *Node) write(b *strings.Builder) {
	b.WriteString(n.Op)
	if n.Name != "" {
		b.WriteByte(' ')
		b.WriteString(n.Name)
	}
	if len(n.Args) == 0 {
		return
	}
	b.WriteByte('(')
	for i, a := range n.Args {
		if i > 0 {
			b.WriteString(", ")
		}
		a.write(b)
	}
	b.WriteByte(')')
}

// Line is where it begins, 0 if it was not written.
func (n *Node) Line() int {
	if n == nil || len(n.Tokens) == 0 {
		return 0
	}
	return n.Tokens[0].Line
}

// Clause is the clause of that name, or nil.
func (n *Node) Clause(name string) *Node {
	for _, c := range n.Args {
		if c.Op == opClause && c.Name == name {
			return c
		}
	}
	return nil
}

func (n *Node) setClause(c *Node) {
	for i, old := range n.Args {
		if old.Op == opClause && old.Name == c.Name {
			n.Args[i] = c
			return
		}
	}
	n.Args = append(n.Args, c)
}

func (n *Node) dropClause(name string) {
	n.Args = slices.DeleteFunc(n.Args, func(c *Node) bool { return c.Op == opClause && c.Name == name })
}

// small tells what may be repeated without making the form of a statement long.
func (n *Node) small() bool {
	count := 0
	n.each(func(*Node) { count++ })
	return count <= 40
}

func (n *Node) clone() *Node {
	out := *n
	out.Args = make([]*Node, len(n.Args))
	for i, a := range n.Args {
		out.Args[i] = a.clone()
	}
	return &out
}

func (n *Node) is(op, name string) bool { return n.Op == op && n.Name == name }

// each calls fn for the node and all below it.
func (n *Node) each(fn func(*Node)) {
	fn(n)
	for _, a := range n.Args {
		a.each(fn)
	}
}

// Text is what was written, without the breaks of lines and at most limit signs of it.
func (n *Node) Text(limit int) string {
	var b strings.Builder
	if n.Op == opSet && len(n.Tokens) > 0 && !strings.EqualFold(strings.Trim(n.Tokens[0].Text, "\"`[]"), n.Name) {
		b.WriteString(n.Name + " = ") // of VALUES, where the name stands further up
	}
	for i, t := range n.Tokens {
		if i > 0 && t.Pos > n.Tokens[i-1].End() {
			b.WriteByte(' ')
		}
		b.WriteString(strings.Join(strings.Fields(t.Text), " "))
	}
	text := []rune(b.String())
	if len(text) > limit {
		return string(text[:limit]) + " …"
	}
	return string(text)
}
