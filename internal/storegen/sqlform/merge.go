package sqlform

import "strings"

// merge takes apart subqueries that change nothing: one of all columns of which no other
// clause stands outside, as SQLite needs around a SELECT with a limit in a UNION; and a
// fence, OFFSET 0, by which PostgreSQL's planner is told what comes first.
func merge(n *Node) {
	for changed := true; changed; {
		changed = false
		n.each(func(m *Node) {
			if m.Op == opSelect && (unwrap(m) || unfence(m)) {
				changed = true
			}
		})
	}
}

// derivedOf is the subquery that alone stands in FROM, with the names that the list outside
// asks it for; nil if the list holds anything else.
func derivedOf(n *Node) (from *Node, names []string) {
	c, list := n.Clause("FROM"), n.Clause("SELECT")
	if c == nil || list == nil || len(c.Args) != 1 || c.Args[0].Op != opDerived || len(c.Args[0].Args) != 1 || strings.Contains(c.Args[0].Name, "as ") {
		return nil, nil
	}
	for _, item := range list.Args {
		name, ok := plainColumn(item, c.Args[0].alias)
		if !ok {
			return nil, nil
		}
		names = append(names, name)
	}
	return c.Args[0], names
}

// plainColumn is the name of an item that is a column as it stands.
func plainColumn(item *Node, alias string) (string, bool) {
	if item.Op != opItem || item.Args[0].Op != opColumn {
		return "", false
	}
	name := item.Args[0].Name
	if q, column, ok := strings.Cut(name, "."); ok {
		if alias != "" && q != alias {
			return "", false
		}
		name = column
	}
	return name, item.alias == "" || item.alias == name
}

// outputs are the names of the columns of a query.
func outputs(n *Node) []string {
	list := n.Clause("SELECT")
	if list == nil {
		return nil
	}
	var out []string
	for _, item := range list.Args {
		switch {
		case item.Op != opItem:
			return nil
		case item.alias != "":
			out = append(out, item.alias)
		case item.Args[0].Op == opColumn:
			out = append(out, item.Args[0].Name[strings.LastIndexByte(item.Args[0].Name, '.')+1:])
		default:
			return nil
		}
	}
	return out
}

func unwrap(n *Node) bool {
	from, names := derivedOf(n)
	if from == nil || len(n.Args) != 2 || strings.Join(outputs(from.Args[0]), " ") != strings.Join(names, " ") {
		return false
	}
	n.Args = from.Args[0].Args
	return true
}

func unfence(n *Node) bool {
	from, _ := derivedOf(n)
	if from == nil {
		return false
	}
	inner := from.Args[0]
	offset, table := inner.Clause("OFFSET"), inner.Clause("FROM")
	if offset == nil || !offset.Args[0].is(opConst, "0") || table == nil || len(table.Args) != 1 || table.Args[0].Op != opTable {
		return false
	}
	for _, c := range inner.Args {
		if c.Name != "SELECT" && c.Name != "FROM" && c.Name != "WHERE" && c.Name != "OFFSET" {
			return false
		}
	}
	for _, item := range inner.Clause("SELECT").Args {
		if _, ok := plainColumn(item, table.Args[0].alias); !ok {
			return false
		}
	}
	bare := func(of *Node, alias string) {
		of.each(func(c *Node) {
			if q, name, ok := strings.Cut(c.Name, "."); ok && c.Op == opColumn && q == alias && alias != "" {
				c.Name = name
			}
		})
	}
	where := inner.Clause("WHERE")
	if where != nil {
		bare(where, table.Args[0].alias)
	}
	bare(n, from.alias)
	table.Args[0].alias = ""
	n.setClause(table)
	if where != nil {
		if outer := n.Clause("WHERE"); outer != nil {
			where.Args = []*Node{{Op: opAnd, Args: []*Node{outer.Args[0], where.Args[0]}, Tokens: where.Tokens}}
		}
		n.setClause(where)
	}
	return true
}
