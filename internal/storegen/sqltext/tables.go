package sqltext

import (
	"maps"
	"slices"
	"strings"
)

// Usage is what a statement does to the database.
type Usage struct {
	Reads  []string // tables that it selects from, sorted
	Writes []string // tables that it changes, sorted
	// Updates and Deletes are those of Writes whose rows it may change in place or
	// take away; MERGE, and SQLite's REPLACE, may do either.
	Updates, Deletes []string
	Locks            bool     // it locks rows or tables: FOR UPDATE and its kin
	Calls            []string // functions it calls that are known to write, sorted
	Functions        []string // all functions that it calls, sorted
}

// Mutates tells whether the statement needs a connection that may write.
func (u Usage) Mutates() bool { return len(u.Writes) > 0 || u.Locks || len(u.Calls) > 0 }

// Tables finds what the statement in tokens reads and writes: in common table
// expressions, subqueries, joins and comma lists too. Names of common table
// expressions and functions in FROM are no tables. Names are written as the
// engine folds them, without the schemas public and main.
func Tables(engine Engine, tokens []Token) Usage {
	w := walker{
		engine: engine, toks: tokens,
		reads: map[string]bool{}, writes: map[string]bool{}, calls: map[string]bool{},
		updates: map[string]bool{}, deletes: map[string]bool{}, functions: map[string]bool{},
	}
	for w.pos < len(w.toks) { // a stray closing parenthesis ends a statement: go on behind it
		w.statement(nil, clause{})
		w.pos++
	}
	return Usage{
		Reads:   slices.Sorted(maps.Keys(w.reads)),
		Writes:  slices.Sorted(maps.Keys(w.writes)),
		Updates: slices.Sorted(maps.Keys(w.updates)),
		Deletes: slices.Sorted(maps.Keys(w.deletes)),
		Locks:   w.locks,
		Calls:   slices.Sorted(maps.Keys(w.calls)),

		Functions: slices.Sorted(maps.Keys(w.functions)),
	}
}

// scope holds the names of common table expressions that are visible.
type scope struct {
	names map[string]bool
	outer *scope
}

func (s *scope) has(name string) bool {
	for ; s != nil; s = s.outer {
		if s.names[name] {
			return true
		}
	}
	return false
}

// clause tells where in its statement the walker stands.
type clause struct {
	inFrom      bool // in a list of tables
	expectTable bool // the next name is a table
	usingIsFrom bool // USING opens a list of tables, as in DELETE and MERGE
}

type walker struct {
	engine               Engine
	toks                 []Token
	pos                  int
	reads, writes, calls map[string]bool
	updates, deletes     map[string]bool
	functions            map[string]bool
	inserted             string // the table of the latest INSERT, for ON CONFLICT DO UPDATE
	locks                bool
}

// at is the token that stands off tokens from here; beyond the ends it is an
// empty mark that equals nothing.
func (w *walker) at(off int) Token {
	if i := w.pos + off; i >= 0 && i < len(w.toks) {
		return w.toks[i]
	}
	return Token{Kind: Punct}
}

// skip steps over the keywords that stand here.
func (w *walker) skip(keywords ...string) {
	for w.at(0).IsAny(keywords...) {
		w.pos++
	}
}

// statement walks to the closing parenthesis of the statement or to the end.
func (w *walker) statement(visible *scope, c clause) {
	for w.pos < len(w.toks) {
		t := w.at(0)
		switch {
		case t.IsPunct(")"):
			return
		case t.IsPunct("("):
			w.pos++
			if c.expectTable {
				w.statement(visible, clause{inFrom: true, expectTable: true})
			} else {
				w.expression(visible)
			}
			c.expectTable = false
			w.pos++
		case t.IsPunct(";"):
			w.pos++
			c = clause{}
		case t.IsPunct(","):
			w.pos++
			c.expectTable = c.inFrom
		case !t.IsName():
			w.pos++
		case w.at(-1).IsPunct("."):
			w.call(t)
			w.pos++
		case t.Is("WITH") && w.startsStatement():
			visible = w.with(visible)
		case t.IsAny("SELECT", "VALUES") && (t.Is("SELECT") || w.at(1).IsPunct("(")):
			w.pos++
			c = clause{}
		case c.expectTable:
			c.expectTable = w.tableItem(visible)
		default:
			c = w.keyword(t, visible, c)
		}
	}
}

// startsStatement tells WITH that opens a statement from WITH ORDINALITY,
// WITH TIES and WITH TIME ZONE.
func (w *walker) startsStatement() bool {
	return !w.at(1).IsAny("ORDINALITY", "TIES", "TIME") && w.at(1).IsName()
}

// keyword handles one word outside a table's place.
func (w *walker) keyword(t Token, visible *scope, c clause) clause {
	prev := w.at(-1)
	w.pos++
	switch {
	case t.Is("FROM"):
		if prev.Is("DISTINCT") && w.at(-3).IsAny("IS", "NOT") {
			return c
		}
		return clause{inFrom: true, expectTable: true}
	case t.Is("JOIN"):
		c.expectTable = c.inFrom
	case t.Is("USING"):
		if c.usingIsFrom && !c.inFrom {
			return clause{inFrom: true, expectTable: true}
		}
	case t.Is("ON"):
		if w.at(0).Is("CONFLICT") {
			return clause{}
		}
	case t.Is("FOR"):
		w.locking()
		return clause{}
	case t.Is("INSERT") && !prev.Is("THEN"), t.Is("REPLACE") && w.at(0).Is("INTO"),
		t.Is("MERGE") && w.at(0).Is("INTO"):
		into := []map[string]bool{}
		if !t.Is("INSERT") || w.at(0).Is("OR") && w.at(1).Is("REPLACE") {
			into = append(into, w.updates, w.deletes)
		}
		if w.at(0).Is("OR") {
			w.pos += 2
		}
		w.skip("INTO", "ONLY")
		w.inserted = w.write(into...)
		return clause{usingIsFrom: t.Is("MERGE")}
	case t.Is("UPDATE") && prev.Is("DO"):
		if w.inserted != "" {
			w.updates[w.inserted] = true
		}
	case t.Is("UPDATE") && !prev.Is("THEN"):
		if w.at(0).Is("OR") {
			w.pos += 2
		}
		w.skip("ONLY")
		w.write(w.updates)
		return clause{}
	case t.Is("DELETE") && !prev.Is("THEN"):
		w.skip("FROM", "ONLY")
		w.write(w.deletes)
		return clause{usingIsFrom: true}
	case t.Is("TRUNCATE") && w.at(0).IsName():
		w.truncate()
		return clause{}
	case t.Is("LOCK") && w.at(0).IsName():
		w.skip("TABLE")
		w.locks = true
	case t.Is("INTO"): // SELECT … INTO makes a table
		w.skip("TEMPORARY", "TEMP", "UNLOGGED", "TABLE")
		w.write()
	case t.Is("TABLE") && w.at(0).IsName():
		w.tableItem(visible)
	case t.IsAny("WHERE", "GROUP", "HAVING", "ORDER", "LIMIT", "OFFSET", "FETCH", "WINDOW",
		"UNION", "INTERSECT", "EXCEPT", "RETURNING", "SET"):
		return clause{usingIsFrom: c.usingIsFrom}
	default:
		w.pos--
		w.call(t)
		w.pos++
	}
	return c
}

// expression walks to the closing parenthesis of what has just been opened:
// a subquery, or an expression that may hold some. FROM in an expression, as
// in EXTRACT(year FROM at), names no table.
func (w *walker) expression(visible *scope) {
	i := w.pos
	for i < len(w.toks) && w.toks[i].IsPunct("(") {
		i++
	}
	if i < len(w.toks) && w.toks[i].IsAny("SELECT", "WITH", "VALUES", "INSERT", "UPDATE", "DELETE", "MERGE", "TABLE") {
		w.statement(visible, clause{})
		return
	}
	for w.pos < len(w.toks) {
		t := w.at(0)
		switch {
		case t.IsPunct(")"):
			return
		case t.IsPunct("("):
			w.pos++
			w.expression(visible)
		case t.IsName():
			w.call(t)
		}
		w.pos++
	}
}

// tableItem reads what stands in a table's place and tells whether a table is
// still expected behind it.
func (w *walker) tableItem(visible *scope) bool {
	switch t := w.at(0); {
	case t.IsAny("LATERAL", "ONLY"):
		w.pos++
		return true
	case t.Is("ROWS") && w.at(1).Is("FROM"):
		w.pos += 2
		return false
	}
	name, qualified := w.name()
	if w.at(0).IsPunct("(") {
		w.pos--
		w.call(w.at(0))
		w.pos++
		return false
	}
	if qualified || !visible.has(name) {
		w.reads[name] = true
	}
	return false
}

// write notes the table that stands here as written, and in the further sets.
func (w *walker) write(also ...map[string]bool) (table string) {
	if !w.at(0).IsName() {
		return ""
	}
	table, _ = w.name()
	w.writes[table] = true
	for _, set := range also {
		set[table] = true
	}
	return table
}

func (w *walker) truncate() {
	w.skip("TABLE")
	for {
		w.skip("ONLY")
		w.write(w.deletes)
		if w.at(0).Kind == Op { // TRUNCATE a *, b
			w.pos++
		}
		if !w.at(0).IsPunct(",") {
			return
		}
		w.pos++
	}
}

// locking reads what stands behind FOR.
func (w *walker) locking() {
	i := 0
	for w.at(i).IsAny("NO", "KEY") {
		i++
	}
	if w.at(i).IsAny("UPDATE", "SHARE") {
		w.locks = true
		w.pos += i + 1
	}
}

// name reads a name with its schema.
func (w *walker) name() (name string, qualified bool) {
	parts := []string{w.at(0).Name(w.engine)}
	w.pos++
	for w.at(0).IsPunct(".") && w.at(1).IsName() {
		parts = append(parts, w.at(1).Name(w.engine))
		w.pos += 2
	}
	if len(parts) == 2 && (parts[0] == "public" || parts[0] == "main") {
		return parts[1], true
	}
	return strings.Join(parts, "."), len(parts) > 1
}

// call notes the function named t, which stands here, and whether it writes.
func (w *walker) call(t Token) {
	if !w.at(1).IsPunct("(") {
		return
	}
	name := t.Name(w.engine)
	w.functions[name] = true
	if name == "nextval" || name == "setval" || name == "pg_notify" ||
		strings.HasPrefix(name, "pg_advisory_") || strings.HasPrefix(name, "pg_try_advisory_") {
		w.calls[name] = true
	}
}
