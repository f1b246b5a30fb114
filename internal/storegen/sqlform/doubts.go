package sqlform

import (
	"strings"

	"github.com/hal9-ai/hal9/internal/storegen/sqltext"
)

// Doubt is what stands in both files in the same words, and means something else on each
// engine.
type Doubt struct {
	Clause        string
	Node          *Node
	Message, Mend string
}

// Doubts are those of the statement.
func (s *Statement) Doubts() []Doubt {
	var out []Doubt
	for _, c := range s.root.Args {
		c.each(func(n *Node) {
			if message, mend := doubt(n); message != "" {
				out = append(out, Doubt{c.Name, n, message, mend})
			}
		})
	}
	return out
}

func doubt(n *Node) (message, mend string) {
	switch n.Op {
	case opCast:
		return castDoubt(n)
	case "/":
		for _, a := range n.Args {
			if a.is(opCall, "sum") && a.typ == typeWhole { // PostgreSQL's, that is not cast
				return "PostgreSQL keeps the fraction of a sum that is divided, and SQLite cuts it off", "cast the sum to bigint and INTEGER for whole numbers, or to float8 and REAL for the fraction"
			}
		}
	case opConst:
		if strings.HasPrefix(n.Name, "current_") {
			return strings.ToUpper(n.Name) + " is a text on SQLite, where moments are integers, and a clock that tests cannot set", "take the moment as a parameter"
		}
	case opCall:
		return callDoubt(n)
	}
	return "", ""
}

func castDoubt(n *Node) (message, mend string) {
	from := n.Args[0].typ
	switch n.Name {
	case typeInteger:
		if from != typeWhole && from != typeBoolean && from != typeTime {
			return "a cast to an integer rounds on PostgreSQL, and cuts off on SQLite", "say which by floor(…), ceil(…) or trunc(…) inside of the cast, in both files"
		}
	case typeText:
		switch from {
		case typeReal, typeWhole, typeBoolean, typeTime, typeJSON, typeBytes:
			return "as text, a " + from + " is written in another way by each engine", "return the value itself, and have the caller write it"
		}
	}
	return "", ""
}

func callDoubt(n *Node) (message, mend string) {
	switch n.Name {
	case "round":
		return "round() of a half goes to the even number on PostgreSQL, and away from zero on SQLite", "write floor(x + 0.5), or have the caller round"
	case "random", "now", "datetime", "strftime", "unixepoch", "julianday":
		return n.Name + "() is something else on each engine, or on one of them alone", "take the value as a parameter"
	case "substr":
		if len(n.Args) > 1 && n.Args[1].is("-", "unary") {
			return "substr() counts from the end on SQLite, and from before the beginning on PostgreSQL", "count from the beginning, as by length(x) - 2"
		}
	}
	return "", ""
}

// Statement is a statement in the form.
type Statement struct{ root *Node }

// New brings the statement in tokens into the form.
func New(e sqltext.Engine, tokens []sqltext.Token, schema Schema) *Statement {
	f := &former{engine: e, schema: schema}
	root := f.query(parse(e, tokens), nil)
	return &Statement{root}
}
