package sqlform

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/hal9-ai/hal9/internal/storegen/sqltext"
)

// Schema tells of the columns of tables.
type Schema interface {
	// Column tells the declared type, and whether there may be NULL.
	Column(table, column string) (declared string, mayNull, ok bool)
}

// source is what a name before a column's stands for.
type source struct {
	alias, name string // as written, and in the form
	table       string
	rows        bool             // of a function
	columns     map[string]*Node // of a subquery, by their names
	outer       bool             // it may lack a row
}

type scope struct {
	sources []*source
	with    map[string]*source
	up      *scope
}

func (s *scope) lookup(fn func(*source) bool) *source {
	for ; s != nil; s = s.up {
		for _, src := range s.sources {
			if fn(src) {
				return src
			}
		}
	}
	return nil
}

// add takes in a source under a name that no other has here.
func (s *scope) add(src *source) {
	base := src.name
	for i := 2; s.lookup(func(other *source) bool { return other.name == src.name }) != nil; i++ {
		src.name = fmt.Sprintf("%s#%d", base, i)
	}
	s.sources = append(s.sources, src)
}

type former struct {
	engine sqltext.Engine
	schema Schema
}

// query forms a statement or a subquery, whose outer names up knows.
func (f *former) query(n *Node, up *scope) *Node {
	s := &scope{up: up, with: map[string]*source{}}
	merge(n)
	for _, c := range n.Args {
		switch {
		case strings.HasPrefix(c.Name, "WITH"):
			for _, cte := range c.Args {
				if c.Name == "WITH RECURSIVE" { // it may name itself
					s.with[cte.alias] = &source{name: "with " + cte.alias}
				}
				cte.Args[0] = f.query(cte.Args[0], s)
				names := strings.Fields(cte.Name)
				s.with[cte.alias] = &source{name: "with " + cte.alias, columns: columnsOf(cte.Args[0], names)}
				cte.Name = cte.alias
			}
		case isTarget(c):
			t := c.Args[0]
			src := &source{alias: t.alias, name: t.Name, table: t.Name}
			if t.alias == "" {
				src.alias = t.Name
			}
			s.add(src)
			if n.Clause("ON CONFLICT") != nil {
				s.add(&source{alias: "excluded", name: "excluded", table: t.Name})
			}
		case c.Name == "FROM":
			for i, item := range c.Args {
				c.Args[i] = f.from(item, s, false)
			}
		}
	}
	for _, c := range n.Args {
		f.clause(n, c, s)
	}
	return n
}

func isTarget(c *Node) bool {
	return c.Op == opClause && len(c.Args) == 1 && c.Args[0].Op == opTable && c.Name != "FROM"
}

// from forms an item of FROM, and takes in what it is called.
func (f *former) from(n *Node, s *scope, outer bool) *Node {
	src := &source{alias: n.alias, outer: outer}
	switch n.Op {
	case "join":
		left, right := outer, outer
		switch {
		case strings.Contains(n.Name, "left"):
			right = true
		case strings.Contains(n.Name, "right"):
			left = true
		case strings.Contains(n.Name, "full"):
			left, right = true, true
		}
		n.Args[0] = f.from(n.Args[0], s, left)
		n.Args[1] = f.from(n.Args[1], s, right)
		if len(n.Args) > 2 {
			n.Args[2] = f.expression(n.Args[2], s)
		}
		return n
	case opTable:
		src.name, src.table = n.Name, n.Name
		if src.alias == "" {
			src.alias = n.Name
		}
		for up := s; up != nil; up = up.up {
			if with := up.with[n.Name]; with != nil {
				src.name, src.table, src.columns = with.name, "", with.columns
				break
			}
		}
	case opDerived:
		n.Args[0] = f.query(n.Args[0], s)
		_, names, _ := strings.Cut(n.Name, "as ")
		src.name, src.columns = "subquery", columnsOf(n.Args[0], strings.Fields(names))
	case opCallRows:
		n.Args[0] = f.expression(n.Args[0], s)
		src.name, src.rows = n.Args[0].Name, true
		if src.alias == "" {
			src.alias = n.Args[0].Name
		}
	default:
		return n
	}
	s.add(src)
	n.Name = src.name
	return n
}

// columnsOf are those that a subquery has.
func columnsOf(n *Node, names []string) map[string]*Node {
	list := n.Clause("SELECT")
	for list == nil && len(n.Args) > 0 && n.Args[0].Op == opClause && len(n.Args[0].Args) == 3 { // UNION
		n = n.Args[0].Args[0]
		list = n.Clause("SELECT")
	}
	if list == nil {
		list = n.Clause("RETURNING")
	}
	if list == nil {
		return nil
	}
	out := map[string]*Node{}
	for i, item := range list.Args {
		if item.Op != opItem || len(item.Args) != 1 {
			continue
		}
		switch {
		case i < len(names):
			item.Name = names[i]
		case item.alias != "":
			item.Name = item.alias
		case item.Args[0].Op == opColumn:
			item.Name = item.Args[0].Name[strings.LastIndexByte(item.Args[0].Name, '.')+1:]
		}
		out[item.Name] = item.Args[0]
	}
	return out
}

// clause forms what stands in one clause.
func (f *former) clause(of, c *Node, s *scope) {
	switch {
	case c.Op != opClause, isTarget(c), strings.HasPrefix(c.Name, "WITH"), c.Name == "FROM":
	case c.Name == "ORDER BY", c.Name == "GROUP BY":
		for i, item := range c.Args {
			c.Args[i] = f.byAlias(of, item, c.Name == "ORDER BY", s)
		}
	default:
		for i, a := range c.Args {
			switch a.Op {
			case opSelect:
				c.Args[i] = f.query(a, &scope{with: s.with, up: s.up})
			case opClause:
				f.clause(of, a, s)
			case opSet:
				f.set(a, s)
			case opRow:
				for _, v := range a.Args {
					if v.Op == opSet {
						f.set(v, s)
					}
				}
				if len(a.Args) > 0 && a.Args[0].Op != opSet {
					c.Args[i] = f.expression(a, s)
				}
			default:
				c.Args[i] = f.expression(a, s)
			}
		}
	}
}

// set forms a value that goes into a column of the table that is written.
func (f *former) set(n *Node, s *scope) {
	n.Args[0] = f.expression(n.Args[0], s)
	if len(s.sources) == 0 {
		return
	}
	if declared, _, ok := f.schema.Column(s.sources[0].table, n.Name); ok {
		n.Args[0] = f.truth(typeOf(declared), n.Args[0])
	}
}

// byAlias forms an item of an order, which may be the name of an item of the list.
func (f *former) byAlias(of, item *Node, order bool, s *scope) *Node {
	inner := item
	if item.Op == "order" {
		inner = item.Args[0]
	}
	list := of.Clause("SELECT")
	if inner.Op == opColumn && !strings.Contains(inner.Name, ".") && list != nil && (order || f.column(inner, s) == nil) {
		for _, i := range list.Args {
			if i.Op == opItem && i.alias == inner.Name && i.Args[0].small() {
				value := i.Args[0]
				if item.Op != "order" {
					return value
				}
				item.Args[0] = value
				return item
			}
		}
	}
	if inner.Op == opConst && list != nil { // by its place
		for i, of := range list.Args {
			if inner.Name == strconv.Itoa(i+1) && item.Op == "order" && of.small() && of.Op == opItem {
				item.Args[0] = of.Args[0]
				return item
			}
		}
	}
	if item.Op == "order" {
		item.Args[0] = f.expression(inner, s)
		return item
	}
	return f.expression(inner, s)
}

// expression forms one, from its leaves up.
func (f *former) expression(n *Node, s *scope) *Node {
	switch n.Op {
	case opSelect:
		return f.query(n, s)
	case opColumn:
		if found := f.column(n, s); found != nil {
			return found
		}
		n.mayNull = true
		return n
	}
	for i, a := range n.Args {
		n.Args[i] = f.expression(a, s)
	}
	levelled := f.level(n)
	if levelled == n || levelled.typ == "" { // else it was known further down
		infer(f.engine, levelled)
	}
	return levelled
}

// column is a column with the name of its table in the form; nil where none is known.
func (f *former) column(n *Node, s *scope) *Node {
	alias, name, qualified := strings.Cut(n.Name, ".")
	if !qualified {
		alias, name = "", n.Name
	}
	out := &Node{Op: opColumn, Tokens: n.Tokens, mayNull: true}
	has := func(src *source) bool {
		switch {
		case qualified && src.alias != alias:
			return false
		case src.rows:
			if !qualified && src.alias == name {
				name = "value"
			}
			out.typ = typeText
			return qualified || name == "value" || name == "key"
		case src.columns != nil:
			col, ok := src.columns[name]
			if ok {
				out.typ, out.mayNull = col.typ, col.mayNull || src.outer
			}
			return ok
		}
		declared, mayNull, ok := f.schema.Column(src.table, name)
		if ok {
			out.typ, out.mayNull = typeOf(declared), mayNull || src.outer
		}
		return ok || qualified
	}
	found := s.lookup(func(src *source) bool { return src.name != "excluded" && has(src) || qualified && has(src) })
	if found == nil && !qualified && len(s.sources) == 1 {
		found = s.sources[0]
	}
	if found == nil {
		return nil
	}
	out.Name = found.name + "." + name
	return out
}
