package sqlform

import "strings"

// from reads a list of tables, whose joins nest to the left.
func (p *parser) from() []*Node {
	return p.list(p.joined)
}

func (p *parser) joined() *Node {
	from := p.pos
	n := p.table()
	for {
		kind := ""
		begin := p.pos
		if p.take("NATURAL") {
			kind = "natural "
		}
		if word, ok := p.takeAny("LEFT", "RIGHT", "FULL", "INNER", "CROSS"); ok {
			kind += strings.ToLower(word)
		}
		p.take("OUTER")
		if !p.take("JOIN") {
			p.pos = begin
			return n
		}
		if kind == "inner" || kind == "cross" { // that has no condition
			kind = ""
		}
		n = p.node("join", kind, from, n, p.table())
		switch {
		case p.take("ON"):
			n.Args = append(n.Args, p.expression())
		case p.peek(0).Is("USING") && p.peek(1).IsPunct("("):
			p.pos++
			n.Name += " using " + strings.Join(p.names(), " ")
		}
		n.Tokens = p.toks[from:p.pos]
	}
}

// table reads one table, subquery or function, with its alias.
func (p *parser) table() *Node {
	from := p.pos
	if !p.take("LATERAL") {
		p.take("ONLY")
	}
	var n *Node
	switch t := p.peek(0); {
	case t.IsPunct("(") && p.peek(1).IsAny("SELECT", "VALUES", "WITH"), t.IsPunct("(") && p.peek(1).IsPunct("("):
		p.pos++
		n = p.node(opDerived, "", from, p.statement())
		p.punct(")")
	case t.IsPunct("("):
		p.pos++
		n = p.joined()
		p.punct(")")
		if p.pos == from+1 {
			p.pos = min(p.pos+1, len(p.toks))
		}
	case t.IsName():
		name := t.Name(p.engine)
		p.pos++
		for p.peek(0).IsPunct(".") && p.peek(1).IsName() {
			name = p.peek(1).Name(p.engine)
			p.pos += 2
		}
		if p.punct("(") {
			call := p.node(opCall, name, from, p.arguments()...)
			p.punct(")")
			n = p.node(opCallRows, "", from, call)
			p.take("WITH", "ORDINALITY")
		} else {
			n = p.node(opTable, name, from)
		}
	default:
		return p.node(opRaw, "", from)
	}
	if alias := p.aliasHere(); alias != "" {
		n.alias = alias
		if names := p.names(); names != nil {
			n.Name = strings.TrimSpace(n.Name + " as " + strings.Join(names, " "))
		}
	}
	switch { // as the planner likes it
	case p.take("NOT", "INDEXED"):
	case p.take("INDEXED", "BY"):
		p.pos = min(p.pos+1, len(p.toks))
	}
	n.Tokens = p.toks[from:p.pos]
	return n
}
