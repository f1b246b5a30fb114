package sqlform

import (
	"slices"
	"strings"

	"github.com/hal9-ai/hal9/internal/storegen/sqltext"
)

// maxDepth bounds how deep statements are read into: what is deeper is taken as it stands.
const maxDepth = 100

type parser struct {
	engine sqltext.Engine
	toks   []sqltext.Token
	pos    int
	depth  int
}

// parse reads one statement. What it does not understand becomes nodes of the words
// themselves, which are the same only where they are written the same.
func parse(e sqltext.Engine, tokens []sqltext.Token) *Node {
	p := &parser{engine: e, toks: tokens}
	n := p.statement()
	if p.pos < len(p.toks) {
		n.Args = append(n.Args, p.clause("rest", p.pos, p.raw(len(p.toks))))
	}
	return n
}

func (p *parser) peek(off int) sqltext.Token {
	if i := p.pos + off; i >= 0 && i < len(p.toks) {
		return p.toks[i]
	}
	return sqltext.Token{Kind: sqltext.Punct}
}

// take steps over the words, if they stand here.
func (p *parser) take(words ...string) bool {
	for i, w := range words {
		if !p.peek(i).Is(w) {
			return false
		}
	}
	p.pos += len(words)
	return true
}

func (p *parser) takeAny(words ...string) (string, bool) {
	if t := p.peek(0); t.IsAny(words...) {
		p.pos++
		return strings.ToUpper(t.Text), true
	}
	return "", false
}

func (p *parser) punct(mark string) bool {
	if p.peek(0).IsPunct(mark) {
		p.pos++
		return true
	}
	return false
}

// node makes a node of the tokens since from.
func (p *parser) node(op, name string, from int, args ...*Node) *Node {
	return &Node{Op: op, Name: name, Args: args, Tokens: p.toks[min(from, p.pos):p.pos]}
}

func (p *parser) clause(name string, from int, args ...*Node) *Node {
	return p.node(opClause, name, from, args...)
}

// raw takes the tokens up to end as they stand.
func (p *parser) raw(end int) *Node {
	from := p.pos
	p.pos = max(end, from)
	var words []string
	for _, t := range p.toks[from:p.pos] {
		if t.Kind == sqltext.String {
			words = append(words, t.Text)
		} else {
			words = append(words, strings.ToLower(t.Text))
		}
	}
	return p.node(opRaw, strings.Join(words, " "), from)
}

// rest takes what stands before the parenthesis that closes this one.
func (p *parser) rest() *Node {
	depth, end := 0, p.pos
	for ; end < len(p.toks); end++ {
		if p.toks[end].IsPunct("(") {
			depth++
		} else if p.toks[end].IsPunct(")") {
			if depth--; depth < 0 {
				break
			}
		}
	}
	return p.raw(end)
}

func (p *parser) startsQuery() bool { return p.peek(0).IsAny("SELECT", "VALUES", "WITH") }

func (p *parser) statement() *Node {
	from := p.pos
	var with *Node
	if p.peek(0).Is("WITH") {
		with = p.with()
	}
	var n *Node
	switch t := p.peek(0); {
	case t.Is("INSERT"), t.Is("REPLACE"):
		n = p.insert()
	case t.Is("UPDATE"):
		n = p.update()
	case t.Is("DELETE"):
		n = p.delete()
	case t.IsAny("SELECT", "VALUES"), t.IsPunct("("):
		n = p.query()
	default:
		n = &Node{Op: opSelect, Args: []*Node{p.clause("words", p.pos, p.rest())}}
	}
	if with != nil {
		n.Args = append([]*Node{with}, n.Args...)
	}
	n.Tokens = p.toks[from:p.pos]
	return n
}

func (p *parser) with() *Node {
	from := p.pos
	p.pos++
	name := "WITH"
	if p.take("RECURSIVE") {
		name = "WITH RECURSIVE"
	}
	c := p.clause(name, from)
	for p.peek(0).IsName() {
		begin := p.pos
		alias := p.peek(0).Name(p.engine)
		p.pos++
		names := p.names()
		if !p.take("AS") {
			break
		}
		p.take("NOT")
		p.take("MATERIALIZED") // as the planner likes it
		if !p.punct("(") {
			break
		}
		body := p.statement()
		p.punct(")")
		n := p.node(opDerived, strings.Join(names, " "), begin, body)
		n.alias = alias
		c.Args = append(c.Args, n)
		if !p.punct(",") {
			break
		}
	}
	c.Tokens = p.toks[from:p.pos]
	return c
}

// names reads a list of names in parentheses, if there is one.
func (p *parser) names() []string {
	if !p.peek(0).IsPunct("(") || !p.peek(1).IsName() {
		return nil
	}
	p.pos++
	var out []string
	for p.peek(0).IsName() {
		out = append(out, p.peek(0).Name(p.engine))
		p.pos++
		if !p.punct(",") {
			break
		}
	}
	p.punct(")")
	return out
}

// query reads SELECTs that UNION and its kin join, with the order and the limit of all.
func (p *parser) query() *Node {
	from := p.pos
	if p.depth++; p.depth > maxDepth {
		p.depth--
		return &Node{Op: opSelect, Args: []*Node{p.clause("words", from, p.rest())}}
	}
	defer func() { p.depth-- }()
	n := p.term()
	for {
		begin := p.pos
		word, ok := p.takeAny("UNION", "INTERSECT", "EXCEPT")
		if !ok {
			break
		}
		how := p.node("of", "distinct", begin)
		if p.take("ALL") {
			how.Name = "all"
		} else {
			p.take("DISTINCT")
		}
		c := p.clause(word, begin, n, p.term(), how)
		c.Tokens = p.toks[begin:p.pos]
		n = p.node(opSelect, "", from, c)
	}
	if tail := p.tail(); len(tail) > 0 {
		if n.Clause("ORDER BY") != nil || n.Clause("LIMIT") != nil || n.Clause("OFFSET") != nil { // of one in parentheses
			n = p.node(opSelect, "", from, p.clause("SELECT", from, n))
		}
		n.Args = append(n.Args, tail...)
	}
	n.Tokens = p.toks[from:p.pos]
	return n
}

// term is one SELECT, or a query in parentheses.
func (p *parser) term() *Node {
	from := p.pos
	switch {
	case p.punct("("):
		n := p.statement()
		p.punct(")")
		return n
	case p.take("VALUES"):
		return p.node(opSelect, "", from, p.clause("VALUES", from, p.list(p.expression)...))
	case !p.take("SELECT"):
		return p.node(opSelect, "", from, p.clause("words", from, p.rest()))
	}
	n := &Node{Op: opSelect}
	p.take("ALL")
	if p.take("DISTINCT") {
		c := p.clause("DISTINCT", from)
		if p.take("ON") && p.punct("(") {
			c = p.clause("DISTINCT ON", from, p.list(p.expression)...)
			p.punct(")")
		}
		n.Args = append(n.Args, c)
	}
	n.Args = append(n.Args, p.clause("SELECT", from, p.list(p.item)...))
	n.Args[len(n.Args)-1].Tokens = p.toks[from:p.pos]
	p.clauses(n)
	n.Tokens = p.toks[from:p.pos]
	return n
}

// clauses reads what stands between the list and the order.
func (p *parser) clauses(n *Node) {
	for {
		from := p.pos
		var c *Node
		switch {
		case p.take("FROM"), p.take("USING"):
			c = p.clause("FROM", from, p.from()...)
		case p.take("WHERE"):
			c = p.clause("WHERE", from, p.expression())
		case p.take("GROUP", "BY"):
			c = p.clause("GROUP BY", from, p.list(p.expression)...)
		case p.take("HAVING"):
			c = p.clause("HAVING", from, p.expression())
		case p.take("WINDOW"):
			c = p.clause("WINDOW", from, p.rest())
		case p.take("RETURNING"):
			c = p.clause("RETURNING", from, p.list(p.item)...)
		default:
			return
		}
		c.Tokens = p.toks[from:p.pos]
		n.Args = append(n.Args, c)
	}
}

// tail reads order, limit and locks; these keep others away on PostgreSQL, as the one
// writer of SQLite does.
func (p *parser) tail() []*Node {
	var out []*Node
	for {
		from := p.pos
		switch {
		case p.take("ORDER", "BY"):
			out = append(out, p.clause("ORDER BY", from, p.list(p.orderItem)...))
		case p.take("LIMIT"):
			out = append(out, p.clause("LIMIT", from, p.expression()))
		case p.take("OFFSET"):
			out = append(out, p.clause("OFFSET", from, p.expression()))
			if !p.take("ROWS") {
				p.take("ROW")
			}
		case p.take("FOR"):
			for p.peek(0).Kind == sqltext.Word && !p.peek(0).IsAny("UNION", "INTERSECT", "EXCEPT") || p.peek(0).IsPunct(",") {
				p.pos++
			}
			continue
		default:
			return out
		}
		out[len(out)-1].Tokens = p.toks[from:p.pos]
	}
}

// list reads what commas part.
func (p *parser) list(one func() *Node) []*Node {
	var out []*Node
	for {
		out = append(out, one())
		if !p.punct(",") {
			return out
		}
	}
}

func (p *parser) item() *Node {
	from := p.pos
	n := p.node(opItem, "", from, p.expression())
	n.alias = p.aliasHere()
	n.Tokens = p.toks[from:p.pos]
	return n
}

// aliasHere reads the name that is given to what was read, if it is.
func (p *parser) aliasHere() string {
	if p.take("AS") {
		if p.peek(0).IsName() {
			p.pos++
			return p.peek(-1).Name(p.engine)
		}
		return ""
	}
	if t := p.peek(0); t.IsName() && !reserved(t) {
		p.pos++
		return t.Name(p.engine)
	}
	return ""
}

func (p *parser) orderItem() *Node {
	from := p.pos
	n := p.node("order", "", from, p.expression())
	name := "ASC"
	if word, ok := p.takeAny("ASC", "DESC"); ok {
		name = word
	}
	if p.take("NULLS") {
		word, _ := p.takeAny("FIRST", "LAST")
		name += " NULLS " + word
	}
	n.Name = name
	n.Tokens = p.toks[from:p.pos]
	return n
}

// words that end an expression, and are no alias.
//
//nolint:gochecknoglobals // a table that nothing changes
var words = strings.Fields(`SELECT FROM WHERE GROUP HAVING WINDOW ORDER LIMIT OFFSET FETCH FOR UNION INTERSECT EXCEPT ON USING JOIN
	LEFT RIGHT FULL INNER CROSS NATURAL AS AND OR NOT IS IN BETWEEN LIKE ILIKE GLOB MATCH REGEXP SIMILAR ESCAPE COLLATE THEN ELSE WHEN
	END SET VALUES RETURNING DO ASC DESC NULLS ISNULL NOTNULL INDEXED TABLESAMPLE LATERAL FILTER OVER DEFAULT WITH INTO CONFLICT`)

func reserved(t sqltext.Token) bool {
	return t.Kind == sqltext.Word && slices.Contains(words, strings.ToUpper(t.Text))
}
