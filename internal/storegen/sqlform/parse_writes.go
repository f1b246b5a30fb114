package sqlform

import (
	"slices"
	"strings"
)

// target reads the table that is written, with the name that it is given.
func (p *parser) target(name string, from int) *Node {
	p.take("ONLY")
	begin, table := p.pos, ""
	for p.peek(0).IsName() {
		table = p.peek(0).Name(p.engine)
		p.pos++
		if !p.punct(".") {
			break
		}
	}
	n := p.node(opTable, table, begin)
	n.alias = p.aliasHere()
	return p.clause(name, from, n)
}

func (p *parser) insert() *Node {
	from := p.pos
	word, _ := p.takeAny("INSERT", "REPLACE")
	if p.take("OR") {
		how, _ := p.takeAny("REPLACE", "IGNORE", "ABORT", "FAIL", "ROLLBACK")
		word += " OR " + how
	}
	p.take("INTO")
	n := &Node{Op: opSelect, Args: []*Node{p.target(word+" INTO", from)}}
	columns := p.names()
	begin := p.pos
	switch {
	case p.take("VALUES"):
		var rows []*Node
		for {
			row := p.pos
			if !p.punct("(") {
				break
			}
			values := p.list(p.expression)
			p.punct(")")
			rows = append(rows, p.node(opRow, "", row, pairs(columns, values)...))
			if !p.punct(",") {
				break
			}
		}
		n.Args = append(n.Args, p.clause("VALUES", begin, rows...))
	case p.take("DEFAULT", "VALUES"):
		n.Args = append(n.Args, p.clause("VALUES", begin))
	case p.startsQuery() || p.peek(0).IsPunct("("):
		body := p.statement()
		n.Args = append(n.Args, p.clause("SELECT", begin, &Node{Op: opRaw, Name: strings.Join(columns, " ")}, body))
	}
	begin = p.pos
	if p.take("ON", "CONFLICT") {
		n.Args = append(n.Args, p.conflict(begin))
	}
	p.clauses(n) // RETURNING
	return n
}

// pairs gives values their columns, in an order of its own: the one of writing means nothing.
func pairs(columns []string, values []*Node) []*Node {
	if len(columns) != len(values) {
		return values
	}
	out := make([]*Node, 0, len(values))
	for i, v := range values {
		out = append(out, &Node{Op: opSet, Name: columns[i], Args: []*Node{v}, Tokens: v.Tokens})
	}
	return sorted(out)
}

func sorted(nodes []*Node) []*Node {
	slices.SortStableFunc(nodes, func(a, b *Node) int { return strings.Compare(a.Name, b.Name) })
	return nodes
}

func (p *parser) conflict(from int) *Node {
	c := p.clause("ON CONFLICT", from)
	begin := p.pos
	switch {
	case p.peek(0).IsPunct("("):
		p.pos++
		columns := p.list(p.expression)
		p.punct(")")
		c.Args = append(c.Args, p.node("target", "", begin, columns...))
		if p.take("WHERE") {
			c.Args = append(c.Args, p.expression())
		}
	case p.take("ON", "CONSTRAINT"):
		p.pos++
		c.Args = append(c.Args, p.node("target", strings.ToLower(p.peek(-1).Text), begin))
	}
	begin = p.pos
	p.take("DO")
	if p.take("NOTHING") {
		c.Args = append(c.Args, p.node("nothing", "", begin))
	} else if p.take("UPDATE") {
		begin = p.pos
		if p.take("SET") {
			c.Args = append(c.Args, p.clause("SET", begin, p.sets()...))
		}
		begin = p.pos
		if p.take("WHERE") {
			c.Args = append(c.Args, p.clause("WHERE", begin, p.expression()))
		}
	}
	c.Tokens = p.toks[from:min(p.pos, len(p.toks))]
	return c
}

// sets reads what columns are set to.
func (p *parser) sets() []*Node {
	var out []*Node
	for {
		from := p.pos
		if p.peek(0).IsPunct("(") { // (a, b) = (…)
			columns := p.names()
			p.pos++ // =
			value := p.expression()
			if value.Op == opRow {
				out = append(out, pairs(columns, value.Args)...)
			} else {
				out = append(out, p.node(opSet, strings.Join(columns, " "), from, value))
			}
		} else {
			name := ""
			for p.peek(0).IsName() {
				name = p.peek(0).Name(p.engine)
				p.pos++
				if !p.punct(".") {
					break
				}
			}
			p.pos = min(p.pos+1, len(p.toks)) // =
			out = append(out, p.node(opSet, name, from, p.expression()))
			out[len(out)-1].Tokens = p.toks[from:p.pos]
		}
		if !p.punct(",") {
			return sorted(out)
		}
	}
}

func (p *parser) update() *Node {
	from := p.pos
	p.pos++
	name := "UPDATE"
	if p.take("OR") {
		how, _ := p.takeAny("REPLACE", "IGNORE", "ABORT", "FAIL", "ROLLBACK")
		name += " OR " + how
	}
	n := &Node{Op: opSelect, Args: []*Node{p.target(name, from)}}
	begin := p.pos
	if p.take("SET") {
		n.Args = append(n.Args, p.clause("SET", begin, p.sets()...))
		n.Args[1].Tokens = p.toks[begin:p.pos]
	}
	p.clauses(n)
	n.Args = append(n.Args, p.tail()...)
	p.clauses(n)
	return n
}

func (p *parser) delete() *Node {
	from := p.pos
	p.pos++
	p.take("FROM")
	n := &Node{Op: opSelect, Args: []*Node{p.target("DELETE FROM", from)}}
	p.clauses(n)
	n.Args = append(n.Args, p.tail()...)
	p.clauses(n)
	return n
}
