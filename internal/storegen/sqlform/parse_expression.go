package sqlform

import (
	"strings"

	"github.com/hal9-ai/hal9/internal/storegen/queryfile"
	"github.com/hal9-ai/hal9/internal/storegen/sqltext"
)

// How strongly operators bind, by each engine's own rules.
const (
	bindOr = iota + 1
	bindAnd
	bindNot
	bindIs
	bindCompare
	bindIn
	bindOther
	bindPlus
	bindTimes
	bindJoin // what SQLite's || and -> have alone
	bindUnary
)

func (p *parser) binding(t sqltext.Token) int {
	lite := p.engine == sqltext.SQLite
	if t.Kind == sqltext.Op {
		switch t.Text {
		case "=", "==", "<>", "!=":
			if lite {
				return bindIs
			}
			return bindCompare
		case "<", ">", "<=", ">=":
			return bindCompare
		case "+", "-":
			return bindPlus
		case "*", "/", "%":
			return bindTimes
		case "||", "->", "->>":
			if lite {
				return bindJoin
			}
		case "::":
			return 0 // behind an operand
		}
		return bindOther
	}
	switch {
	case t.Is("OR"):
		return bindOr
	case t.Is("AND"):
		return bindAnd
	case t.IsAny("IS", "ISNULL", "NOTNULL"):
		return bindIs
	case t.IsAny("IN", "BETWEEN", "LIKE", "ILIKE", "SIMILAR", "GLOB", "MATCH", "REGEXP"):
		if lite {
			return bindIs
		}
		return bindIn
	}
	return 0
}

func (p *parser) expression() *Node { return p.binary(bindOr) }

// binary reads operators that bind as strongly as least at least.
func (p *parser) binary(least int) *Node {
	from := p.pos
	if p.depth++; p.depth > maxDepth {
		defer func() { p.depth-- }()
		return p.rest()
	}
	defer func() { p.depth-- }()
	var left *Node
	if least <= bindNot && p.take("NOT") {
		left = p.node(opNot, "", from, p.binary(bindNot))
		left.Tokens = p.toks[from:p.pos]
	} else {
		left = p.unary()
	}
	for {
		t := p.peek(0)
		not := t.Is("NOT") && p.binding(p.peek(1)) > bindAnd
		isNotNull := t.Is("NOT") && p.peek(1).Is("NULL")
		if not {
			t = p.peek(1)
		}
		bind := p.binding(t)
		if isNotNull {
			bind = bindIs
		}
		if bind == 0 || bind < least {
			return left
		}
		begin := p.pos
		if not {
			p.pos++
		}
		left = p.operator(left, t, bind)
		if not {
			left = p.node(opNot, "", from, left)
		}
		left.Tokens = p.toks[from:p.pos]
		if p.pos == begin {
			return left
		}
	}
}

func (p *parser) operator(left *Node, t sqltext.Token, bind int) *Node {
	from := p.pos
	p.pos++
	switch {
	case t.Is("OR"):
		return p.node(opOr, "", from, left, p.binary(bind+1))
	case t.Is("AND"):
		return p.node(opAnd, "", from, left, p.binary(bind+1))
	case t.Is("ISNULL"):
		return p.node(opIsNull, "", from, left)
	case t.Is("NOTNULL"):
		return p.node(opNot, "", from, p.node(opIsNull, "", from, left))
	case t.Is("NOT"): // NOT NULL
		p.pos++
		return p.node(opNot, "", from, p.node(opIsNull, "", from, left))
	case t.Is("IS"):
		return p.is(left)
	case t.Is("BETWEEN"):
		p.take("ASYMMETRIC")
		low := p.binary(bindOther)
		p.take("AND")
		high := p.binary(bindOther)
		if !left.small() {
			return p.node("between", "", from, left, low, high)
		}
		return p.node(opAnd, "", from, p.node("<=", "", from, low, left.clone()), p.node("<=", "", from, left, high))
	case t.Is("IN"):
		return p.in(left, from)
	case t.Kind == sqltext.Word:
		p.take("TO") // SIMILAR TO
		n := p.node(strings.ToLower(t.Text), "", from, left, p.binary(bind+1))
		if p.take("ESCAPE") {
			n.Args = append(n.Args, p.binary(bind+1))
		}
		return n
	case p.peek(0).IsAny("ANY", "SOME", "ALL") && p.peek(1).IsPunct("("):
		return p.any(left, t, from)
	}
	return p.node(t.Text, "", from, left, p.binary(bind+1))
}

func (p *parser) is(left *Node) *Node {
	from := p.pos
	not := p.take("NOT")
	var n *Node
	switch {
	case p.take("NULL"):
		n = p.node(opIsNull, "", from, left)
	case p.take("TRUE"), p.take("FALSE"), p.take("UNKNOWN"):
		n = p.node("is "+strings.ToLower(p.peek(-1).Text), "", from, left)
	case p.take("DISTINCT", "FROM"):
		n = p.node(opNot, "", from, p.node("same", "", from, left, p.binary(bindCompare)))
	default: // SQLite's
		n = p.node("same", "", from, left, p.binary(bindCompare))
	}
	if not {
		return p.node(opNot, "", from, n)
	}
	return n
}

func (p *parser) in(left *Node, from int) *Node {
	if !p.punct("(") {
		return p.node(opIn, "", from, left, p.unary())
	}
	n := p.node(opIn, "", from, left)
	if p.startsQuery() {
		n.Args = append(n.Args, p.statement())
	} else if !p.peek(0).IsPunct(")") {
		n.Args = append(n.Args, p.list(p.expression)...)
	}
	p.punct(")")
	return n
}

// any reads `= ANY (…)`; with a subquery, or an array that is one, it is IN.
func (p *parser) any(left *Node, op sqltext.Token, from int) *Node {
	all := p.peek(0).Is("ALL")
	p.pos += 2
	var of *Node
	if p.startsQuery() {
		of = p.statement()
	} else {
		of = p.expression()
	}
	p.punct(")")
	if of.is(opCall, "array") && len(of.Args) == 1 {
		of = of.Args[0]
	}
	if op.Text == "=" && !all && of.Op == opSelect {
		return p.node(opIn, "", from, left, of)
	}
	name := "any"
	if all {
		name = "all"
	}
	return p.node(op.Text+" "+name, "", from, left, of)
}

// unary reads a sign or a ~, and what stands behind an operand: casts, subscripts, COLLATE.
func (p *parser) unary() *Node {
	from := p.pos
	if t := p.peek(0); t.Kind == sqltext.Op && (t.Text == "+" || t.Text == "-" || t.Text == "~") && p.depth < maxDepth {
		p.pos++
		p.depth++
		arg := p.unary()
		p.depth--
		if t.Text == "+" { // says nothing; SQLite takes no index then
			return arg
		}
		return p.node(t.Text, "unary", from, arg)
	}
	n := p.primary()
	for {
		switch t := p.peek(0); {
		case t.Kind == sqltext.Op && t.Text == "::":
			p.pos++
			n = p.node(opCast, p.typeName(), from, n)
		case t.IsPunct("["):
			p.pos++
			n = p.node("[]", "", from, n, p.expression())
			p.punct("]")
		case t.Is("COLLATE"):
			p.pos++
			name := strings.ToLower(strings.Trim(p.peek(0).Text, `"`))
			p.pos = min(p.pos+1, len(p.toks))
			if name != "c" && name != "binary" { // by bytes, which is our order anyway
				n = p.node("collate", name, from, n)
			}
		case p.take("AT", "TIME", "ZONE"):
			n = p.node("at time zone", "", from, n, p.primary())
		default:
			return n
		}
	}
}

// typeName reads the name of a type.
func (p *parser) typeName() string {
	var words []string
	for p.peek(0).IsName() || p.peek(0).IsPunct(".") {
		if t := p.peek(0); len(words) > 0 && !p.peek(-1).IsPunct(".") && !t.IsPunct(".") && !t.IsAny("PRECISION", "VARYING", "WITH", "WITHOUT", "TIME", "ZONE") {
			break
		}
		words = append(words, p.peek(0).Name(p.engine))
		p.pos++
	}
	if p.peek(0).IsPunct("(") {
		from := p.pos
		p.pos++
		p.rest()
		p.punct(")")
		if p.pos > from { // of a length: another type
			for _, t := range p.toks[from:p.pos] {
				words = append(words, t.Text)
			}
		}
	}
	name := strings.TrimPrefix(strings.Join(words, " "), "pg_catalog . ")
	dimensions := 0
	for p.peek(0).IsPunct("[") && p.peek(1).IsPunct("]") {
		p.pos += 2
		dimensions++
	}
	return typeOf(name + strings.Repeat("[]", dimensions))
}

func (p *parser) primary() *Node {
	from := p.pos
	t := p.peek(0)
	if name, length, ok := queryfile.MacroAt(p.toks, p.pos); ok {
		n := &Node{Op: opParam, Name: strings.ToLower(name), mayNull: p.peek(2).Is("narg")}
		p.pos += length
		n.Tokens = p.toks[from:p.pos]
		return n
	}
	switch {
	case t.Kind == sqltext.Param:
		p.pos++
		return p.node(opParam, strings.ToLower(t.Text[1:]), from)
	case t.Kind == sqltext.String, t.Kind == sqltext.Number:
		p.pos++
		return p.node(opConst, t.Text, from)
	case t.IsPunct("("):
		return p.parentheses()
	case t.IsName() && !reserved(t):
		return p.named(t)
	}
	return p.node(opRaw, "", from) // nothing: what is here ends the expression
}

func (p *parser) parentheses() *Node {
	from := p.pos
	p.pos++
	if p.startsQuery() {
		n := p.statement()
		p.punct(")")
		return p.node("subquery", "", from, n)
	}
	list := p.list(p.expression)
	if !p.punct(")") {
		list = append(list, p.rest())
		p.punct(")")
	}
	if len(list) == 1 {
		return list[0]
	}
	return p.node(opRow, "", from, list...)
}

// named reads what begins with a name.
func (p *parser) named(t sqltext.Token) *Node {
	from := p.pos
	switch {
	case t.Kind == sqltext.Word && t.IsAny("NULL", "TRUE", "FALSE", "CURRENT_TIMESTAMP", "CURRENT_DATE", "CURRENT_TIME"):
		p.pos++
		return p.node(opConst, strings.ToLower(t.Text), from)
	case t.Is("CASE"):
		return p.caseOf()
	case t.Is("CAST") && p.peek(1).IsPunct("("):
		p.pos += 2
		arg := p.expression()
		p.take("AS")
		name := p.typeName()
		p.punct(")")
		return p.node(opCast, name, from, arg)
	case t.IsAny("EXISTS", "ARRAY") && p.peek(1).IsPunct("("):
		p.pos += 2
		n := p.statement()
		p.punct(")")
		return p.node(opCall, strings.ToLower(t.Text), from, n)
	case t.Is("ARRAY") && p.peek(1).IsPunct("["):
		p.pos += 2
		n := p.node(opCall, "array of", from, p.list(p.expression)...)
		p.punct("]")
		return n
	case t.Kind == sqltext.Word && p.peek(1).Kind == sqltext.String: // as in interval '1 day'
		p.pos += 2
		return p.node(opCast, typeOf(strings.ToLower(t.Text)), from, &Node{Op: opConst, Name: p.peek(-1).Text})
	}
	names := []string{t.Name(p.engine)}
	p.pos++
	for p.peek(0).IsPunct(".") && p.peek(1).IsName() {
		names = append(names, p.peek(1).Name(p.engine))
		p.pos += 2
	}
	if p.punct("(") {
		n := p.node(opCall, names[len(names)-1], from, p.arguments()...)
		p.punct(")")
		p.window(n)
		n.Tokens = p.toks[from:p.pos]
		return n
	}
	return p.node(opColumn, strings.Join(names[max(0, len(names)-2):], "."), from)
}

// arguments reads those of a function, to the parenthesis.
func (p *parser) arguments() []*Node {
	var out []*Node
	if p.peek(0).IsPunct(")") {
		return nil
	}
	from := p.pos
	if p.take("DISTINCT") {
		out = append(out, p.node(opRaw, "distinct", from))
	}
	for {
		from = p.pos
		switch {
		case p.peek(0).Kind == sqltext.Op && p.peek(0).Text == "*":
			p.pos++
			out = append(out, p.node(opRaw, "*", from))
		case p.startsQuery():
			out = append(out, p.statement())
		default:
			out = append(out, p.expression())
		}
		if p.take("ORDER", "BY") {
			out = append(out, p.node("ordered", "", from, p.list(p.orderItem)...))
		}
		if !p.punct(",") {
			break
		}
	}
	if !p.peek(0).IsPunct(")") { // as in extract(epoch FROM x)
		if p.take("FROM") {
			out = append(out, p.expression())
		}
		if !p.peek(0).IsPunct(")") && p.pos < len(p.toks) {
			out = append(out, p.rest())
		}
	}
	return out
}

// window reads FILTER and OVER behind a call.
func (p *parser) window(n *Node) {
	from := p.pos
	if p.peek(0).Is("FILTER") && p.peek(1).IsPunct("(") {
		p.pos += 2
		p.take("WHERE")
		n.Args = append(n.Args, p.node("filter", "", from, p.expression()))
		p.punct(")")
	}
	from = p.pos
	switch {
	case !p.peek(0).Is("OVER"):
	case p.peek(1).IsPunct("("):
		p.pos += 2
		over := p.node("over", "", from)
		if p.take("PARTITION", "BY") {
			over.Args = append(over.Args, p.node("partition", "", from, p.list(p.expression)...))
		}
		if p.take("ORDER", "BY") {
			over.Args = append(over.Args, p.node("ordered", "", from, p.list(p.orderItem)...))
		}
		if !p.peek(0).IsPunct(")") {
			over.Args = append(over.Args, p.rest())
		}
		p.punct(")")
		n.Args = append(n.Args, over)
	case p.peek(1).IsName():
		p.pos += 2
		n.Args = append(n.Args, p.node("over", strings.ToLower(p.peek(-1).Text), from))
	}
}

func (p *parser) caseOf() *Node {
	from := p.pos
	p.pos++
	var of *Node
	if !p.peek(0).Is("WHEN") {
		of = p.expression()
	}
	n := p.node(opCase, "", from)
	if of != nil && !of.small() {
		n = p.node("case of", "", from, of)
		of = nil
	}
	for p.take("WHEN") {
		when := p.expression()
		if of != nil {
			when = p.node("=", "", from, of.clone(), when)
		}
		p.take("THEN")
		n.Args = append(n.Args, when, p.expression())
	}
	if p.take("ELSE") {
		n.Args = append(n.Args, p.expression())
	} else {
		n.Args = append(n.Args, &Node{Op: opConst, Name: "null"})
	}
	p.take("END")
	n.Tokens = p.toks[from:p.pos]
	return n
}
