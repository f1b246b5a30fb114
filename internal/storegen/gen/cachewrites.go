package gen

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hal9-ai/hal9/internal/storegen/diag"
	"github.com/hal9-ai/hal9/internal/storegen/queryfile"
	"github.com/hal9-ai/hal9/internal/storegen/sqlcgo"
	"github.com/hal9-ai/hal9/internal/storegen/sqltext"
)

// addWrite takes in what a query makes stale, and refuses a write that leaves stale
// what a cached read selects.
func (c *cachePlan) addWrite(in *input, m *method, problems *diag.List) {
	pg := m.sql[sqltext.Postgres]
	notes := pg.Invalidates()
	if !m.writes {
		if len(notes) > 0 {
			problems.Add(pg.problem(notes[0].Line, "a query that only reads makes nothing stale",
				"drop the note; if it writes by a function that it calls, add `-- writes: yes`"))
		}
		return
	}
	w := &staleWrite{m: m, deletes: len(pg.Usage.Deletes) > 0, version: versionOf(m, columns(pg))}
	named, exempt := map[string]bool{}, map[string]bool{} // by shape, groups as "group x"
	all := false
	for _, n := range notes {
		switch {
		case n.Nothing && len(n.Of) == 0:
			all = true
			if len(notes) > 1 {
				problems.Add(pg.problem(n.Line, "another note names what the query makes stale", "drop one of them, or say `nothing of KEY, because …`"))
				return
			}
		case n.Nothing:
			for _, key := range n.Of {
				if known := c.byKey[key.Shape()]; known != nil {
					exempt[key.Shape()] = true
				} else {
					problems.Add(c.unknownKey(pg, n.Line, key))
				}
			}
		default:
			before := len(*problems)
			c.addStale(w, &n, named, problems)
			if len(*problems) > before {
				return
			}
		}
	}
	// An UPDATE may lock rows and change nothing, whatever is cached. What inserts or deletes
	// says of which key that is nothing: another read of the table, cached one day, is asked for.
	if !all || movesRows(pg.Usage) {
		c.checkComplete(in, m, notes, named, exempt, problems)
	}
	c.checkKeys(in, w, problems)
	if len(w.keys)+len(w.groups) > 0 {
		c.writes = append(c.writes, w)
	}
}

// movesRows tells whether a statement inserts or deletes.
func movesRows(u sqltext.Usage) bool {
	return len(u.Deletes) > 0 || slices.ContainsFunc(u.Writes, func(table string) bool { return !slices.Contains(u.Updates, table) })
}

// addStale takes in the keys and groups of one note.
func (c *cachePlan) addStale(w *staleWrite, n *queryfile.Invalidation, named map[string]bool, problems *diag.List) {
	pg := w.m.sql[sqltext.Postgres]
	for _, key := range n.Keys {
		known := c.byKey[key.Shape()]
		switch {
		case known == nil:
			problems.Add(c.unknownKey(pg, n.Line, key))
			continue
		case known.group != "":
			problems.Add(withSee(pg.problem(n.Line, key.Text+" is dropped with its group, not by itself",
				"write `group "+known.group+"`"), pg.place(n.Line, ""), known.first().place()))
			continue
		}
		k := &staleKey{cache: known, key: key}
		if mend := w.resolve(k); mend != "" {
			problems.Add(withSee(pg.problem(n.Line, "the write does not know the key "+key.Text, mend),
				pg.place(n.Line, ""), known.first().place()))
			continue
		}
		named[key.Shape()] = true
		w.keys = append(w.keys, k)
		known.put = known.put || k.put
	}
	for _, group := range n.Groups {
		if !slices.ContainsFunc(c.caches, func(x *cache) bool { return x.group == group }) {
			var groups []string
			for _, x := range c.caches {
				if x.group != "" && !slices.Contains(groups, x.group) {
					groups = append(groups, x.group)
				}
			}
			problems.Add(pg.problem(n.Line, "no cached read is in a group "+group, "the groups are: "+orNone(groups)))
			continue
		}
		named["group "+group] = true
		if !slices.Contains(w.groups, group) {
			w.groups = append(w.groups, group)
		}
	}
}

func orNone(list []string) string {
	if len(list) == 0 {
		return "none"
	}
	return strings.Join(list, ", ")
}

// unknownKey is the problem of a key that no read caches.
func (c *cachePlan) unknownKey(pg *side, line int, key queryfile.Key) diag.Problem {
	shapes := slices.Sorted(maps.Keys(c.byKey))
	mend := "the cached keys are: "
	var known []string
	for _, s := range shapes {
		known = append(known, c.byKey[s].key.Text)
	}
	mend += orNone(known)
	if near := diag.Near(key.Shape(), shapes); near != "" {
		mend = fmt.Sprintf("did you mean %s?", c.byKey[near].key.Text)
	}
	return pg.problem(line, "no read is cached under "+key.Text, mend)
}

// resolve finds what goes into the placeholders; mend is "" or says what is missing.
// A name that is both a parameter and a column is taken from both: they differ where
// the write changes it.
func (w *staleWrite) resolve(k *staleKey) (mend string) {
	m := w.m
	cols := columns(m.sql[sqltext.Postgres])
	byParam, byColumn, someColumn := true, true, false
	var params, cells []string
	for i, hole := range k.key.Holes() {
		if hole == queryfile.AllParams {
			return "{*} is the digest of the read's parameters: only a group drops such keys; put the read into one, as in `-- cache: " + k.cache.key.Text + " group …`"
		}
		want := k.cache.holes[i]
		p, pType := lookUp(m.fields, hole)
		col, cType := lookUp(cols, hole)
		switch {
		case p >= 0 && !pType.Equal(want):
			return fmt.Sprintf("the parameter %s is %s, the read's is %s: the keys would differ; make them the same type", hole, pType, want)
		case p < 0 && col >= 0 && !cType.Equal(want):
			return fmt.Sprintf("the column %s is %s, the read's parameter is %s: the keys would differ; make them the same type", hole, cType, want)
		case p < 0 && col < 0:
			return fmt.Sprintf("%s is neither a parameter nor a column of RETURNING; return it, or drop a group instead.\nparameters: %s; columns: %s", hole, names(m.fields), names(cols))
		}
		if p >= 0 {
			params = append(params, "arg."+m.params.Fields[p].Name)
		} else {
			byParam = false
		}
		switch {
		case col >= 0 && cType.Equal(want):
			cells, someColumn = append(cells, m.cell(col)), true
		case p >= 0:
			cells, byColumn = append(cells, "arg."+m.params.Fields[p].Name), false
		}
	}
	if byParam {
		k.params = params
		if params == nil {
			k.params = []string{}
		}
	}
	if someColumn {
		k.columns = cells
	}
	k.put = byColumn && someColumn && !w.deletes && w.versions(k.cache) && sameAnswer(k.cache.first().m, m)
	return ""
}

// cell is how Go reads the i-th column of what the method returns, as row.
func (m *method) cell(i int) string {
	if m.row == nil {
		return "row"
	}
	return "row." + m.row.fields[i].Name
}

func lookUp(list []field, name string) (int, sqlcgo.Type) {
	i := find(list, name)
	if i < 0 {
		return i, sqlcgo.Type{}
	}
	return i, list[i].typ
}

// versionOf is how Go reads the version that the method returns, or "".
func versionOf(m *method, cols []field) string {
	i, t := lookUp(cols, "version")
	if i < 0 || t.String() != "int64" {
		return ""
	}
	return m.cell(i)
}

// checkComplete refuses a write that touches a table which a cached read selects
// from and does not say what becomes of that read's key.
func (c *cachePlan) checkComplete(in *input, m *method, notes []queryfile.Invalidation, named, exempt map[string]bool, problems *diag.List) {
	pg := m.sql[sqltext.Postgres]
	var forgotten []string
	var see []diag.Place
	for _, t := range reach(in.schema.follows, pg, m.sql[sqltext.SQLite]) {
		for _, r := range c.reads {
			if r.cache == nil || !r.selects(t.table) {
				continue
			}
			shape, say := r.cache.key.Shape(), r.cache.key.Text
			if r.cache.group != "" {
				say = "group " + r.cache.group
				if named[say] {
					continue
				}
			}
			if named[shape] || exempt[shape] || slices.Contains(forgotten, say) {
				continue
			}
			forgotten = append(forgotten, say)
			place := r.place()
			place.Note = fmt.Sprintf("%s selects from %s", r.m.name, t.table)
			if t.because != nil {
				cause := t.because.at
				cause.Note = fmt.Sprintf("%s: %s follows %s", t.because.how, t.because.to, t.because.from)
				see = append(see, cause)
			}
			see = append(see, place)
		}
	}
	if len(forgotten) == 0 {
		return
	}
	list := strings.Join(forgotten, ", ")
	message := "the write does not say what it makes stale"
	mend := fmt.Sprintf("write `-- invalidates: %s`, with its own parameters or RETURNING columns in the braces;\nor `-- invalidates: nothing, because …` if no answer changes by it", list)
	line, keys := pg.Line, strings.Join(keysOf(c, forgotten), " and ")
	switch {
	case len(notes) == 0:
	case notes[0].Nothing && len(notes[0].Of) == 0:
		line, message = notes[0].Line, "rows come or go, and the note does not say which cached answers stay right"
		mend = fmt.Sprintf("write `-- invalidates: nothing of %s, because …`; or `-- invalidates: %s`", keys, list)
	default:
		message = "the write says nothing of " + list
		mend = fmt.Sprintf("add it to the note; or write `-- invalidates: nothing of %s, because …`", keys)
	}
	problems.Add(withSee(pg.problem(line, message, mend), append([]diag.Place{pg.place(line, "")}, see...)...))
}

// keysOf replaces groups by a key that is in them.
func keysOf(c *cachePlan, list []string) []string {
	var out []string
	for _, say := range list {
		if group, ok := strings.CutPrefix(say, "group "); ok {
			for _, x := range c.caches {
				if x.group == group {
					say = x.key.Text
					break
				}
			}
		}
		out = append(out, say)
	}
	return out
}

// selects tells whether the read's answer depends on a table, on either engine.
func (r *cachedRead) selects(table string) bool {
	for _, e := range engines {
		if slices.Contains(r.m.sql[e].Usage.Reads, table) {
			return true
		}
	}
	return false
}
