package gen

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/hal9-ai/hal9/internal/storegen/diag"
	"github.com/hal9-ai/hal9/internal/storegen/queryfile"
	"github.com/hal9-ai/hal9/internal/storegen/sqlcgo"
	"github.com/hal9-ai/hal9/internal/storegen/sqltext"
)

// cachePlan is what the decorator around the store is made of.
type cachePlan struct {
	caches []*cache // by name
	reads  []*cachedRead
	writes []*staleWrite
	hand   *handNotes
	byKey  map[string]*cache // by shape
}

// cache holds what one key pattern stands for.
type cache struct {
	name   string // neuron_state
	goName string // NeuronState
	key    queryfile.Key
	group  string
	// ifFound: the absence of a row is not remembered.
	ifFound bool
	readers []*cachedRead
	holes   []sqlcgo.Type // of the placeholders, in their order; nil at {*}
	// put: there is a write that returns what a read returns, so that its row can go
	// into the cache.
	put bool
}

func (c *cache) first() *cachedRead { return c.readers[0] }

// versioned tells whether its rows say which of two is the newer one.
func (c *cache) versioned() bool {
	m := c.first().m
	return m.row != nil && !m.result.Many && versionIn(m.row.fields)
}

func versionIn(fields []sqlcgo.Field) bool {
	return slices.ContainsFunc(fields, func(f sqlcgo.Field) bool { return f.Name == "Version" && f.Type.String() == "int64" })
}

// cachedRead is a query whose answer is cached.
type cachedRead struct {
	m     *method
	note  *queryfile.CacheNote
	cache *cache
	holes []string // Go fields of the parameters, in the order of the placeholders; "" at {*}
	// equal are Go fields that the key leaves out: a hit counts only if the row has them.
	equal []string
}

// staleWrite is a query that makes something stale.
type staleWrite struct {
	m       *method
	keys    []*staleKey
	groups  []string
	deletes bool
	version string // how the row that it returns says its version: "Version", "." for the row itself, "" for not at all
}

// staleKey is a key of a note `invalidates`.
type staleKey struct {
	cache *cache
	key   queryfile.Key
	// params and columns are the Go fields that go into the placeholders; nil where
	// that side does not have them all. A single column is called ".".
	params, columns []string
	put             bool // what the write returns is what the key stands for
}

// byRow tells whether the keys are known only from what the write returns.
func (w *staleWrite) byRow() bool {
	return slices.ContainsFunc(w.keys, func(k *staleKey) bool { return k.params == nil })
}

// makeCachePlan reads the notes on caching and refuses what would serve stale rows.
func makeCachePlan(in *input, p *plan, problems *diag.List) *cachePlan {
	c := &cachePlan{byKey: map[string]*cache{}, hand: in.hand}
	for _, e := range p.entities {
		for _, m := range e.methods {
			c.addRead(m, problems)
		}
	}
	for _, e := range engines {
		for _, s := range in.sides[e] {
			if n := s.Note(queryfile.NoteCache); n != nil && s.Only() == e {
				problems.Add(s.problem(n.Line, "a query of one engine alone is not cached: it is no part of the store that the cache stands around",
					"drop the note `-- cache: …`"))
			}
		}
	}
	c.finishReads(problems)
	for _, e := range p.entities {
		for _, m := range e.methods {
			c.addWrite(in, m, problems)
		}
	}
	c.checkVersions(problems)
	checkHand(in, p, c, problems)
	if len(*problems) == 0 { // a note that was refused may be what drops the group
		c.checkGroups(problems)
	}
	return c
}

// addRead takes in a query with a note `cache`.
func (c *cachePlan) addRead(m *method, problems *diag.List) {
	pg := m.sql[sqltext.Postgres]
	note := pg.Cache()
	if note == nil {
		return
	}
	before := len(*problems)
	refuse := func(message, mend string) { problems.Add(pg.problem(note.Line, message, mend)) }
	replica := pg.Note(queryfile.NoteRead)
	switch {
	case m.writes:
		refuse("a query that writes is not cached: it would not run", "drop the note; `-- invalidates: …` tells what a write makes stale")
	case replica != nil:
		problems.Add(withSee(pg.problem(note.Line, "what a replica answers may be old already, and would be cached as if it were new",
			"drop `-- cache: …` or `-- read: replica`"),
			pg.place(note.Line, ""), pg.place(replica.Line, "")))
	case pg.Command != ":one" && pg.Command != ":many":
		refuse("a query that is "+pg.Command+" returns nothing that could be cached", "drop the note")
	case note.IfFound && m.result.Many:
		refuse("a list is always found, an empty one too", "drop `if found`")
	}
	if len(*problems) > before {
		return
	}
	r := &cachedRead{m: m, note: note}
	if !c.readHoles(r, refuse) {
		return
	}
	c.join(r, pg, problems)
	c.reads = append(c.reads, r)
}

// readHoles finds the parameters that the key names, and makes sure that calls which
// may be answered differently have different keys.
func (c *cachePlan) readHoles(r *cachedRead, refuse func(message, mend string)) bool {
	m, key := r.m, r.note.Key
	seen := map[string]bool{}
	for _, hole := range key.Holes() {
		if hole == queryfile.AllParams {
			if m.params == nil {
				refuse("{*} stands for all parameters, and the query has none", "leave it out of the key")
				return false
			}
			r.holes = append(r.holes, "")
			continue
		}
		i := find(m.fields, hole)
		if i < 0 {
			mend := "a placeholder of a read is a parameter; the query has: " + names(m.fields)
			if near := diag.Near(hole, fieldNames(m.fields)); near != "" {
				mend = fmt.Sprintf("did you mean {%s}?", near)
			}
			refuse("the query has no parameter "+hole, mend)
			return false
		}
		if !keyable(m.fields[i].typ) {
			refuse(fmt.Sprintf("the parameter %s is %s, of which no key can be made", hole, m.fields[i].typ),
				"take text, a uuid, a whole number, a bool or a moment that is always given; or {*}, the digest of all parameters")
			return false
		}
		seen[queryfile.Fold(hole)] = true
		r.holes = append(r.holes, m.params.Fields[i].Name)
	}
	if key.HasAll() {
		return true
	}
	for i, f := range m.fields {
		if seen[queryfile.Fold(f.name)] {
			continue
		}
		goField := m.params.Fields[i].Name
		if r.note.IfFound && hasField(m, goField, f.typ) {
			r.equal = append(r.equal, goField)
			continue
		}
		refuse(fmt.Sprintf("the key leaves out the parameter %s: two calls that differ in it would share one answer", f.name),
			fmt.Sprintf("put {%s} into the key, or {*} for a digest of all parameters; of a row that is always the same one, write `if found` and return the column %s", f.name, f.name))
		return false
	}
	return true
}

func hasField(m *method, goField string, t sqlcgo.Type) bool {
	return m.row != nil && slices.ContainsFunc(m.row.fields, func(f sqlcgo.Field) bool { return f.Name == goField && f.Type.Equal(t) })
}

func fieldNames(list []field) []string {
	var out []string
	for _, f := range list {
		out = append(out, f.name)
	}
	return out
}

// keyable tells the types whose values can stand in a key.
func keyable(t sqlcgo.Type) bool {
	switch t.String() {
	case "string", "uuid.UUID", "int64", "bool", "time.Time":
		return true
	default:
		return false
	}
}

// join puts a read into the cache of its key, and makes it.
func (c *cachePlan) join(r *cachedRead, pg *side, problems *diag.List) {
	key := r.note.Key
	var holes []sqlcgo.Type
	for _, goField := range r.holes {
		var t sqlcgo.Type
		for _, f := range r.m.paramFields() {
			if f.Name == goField {
				t = f.Type
			}
		}
		holes = append(holes, t)
	}
	known := c.byKey[key.Shape()]
	if known == nil {
		known = &cache{name: key.Name(), goName: camel(key.Name()), key: key, group: r.note.Group, ifFound: r.note.IfFound, holes: holes}
		for _, other := range c.caches {
			if other.name == known.name {
				first := other.first()
				problems.Add(withSee(pg.problem(r.note.Line, "the words of the key are those of another one: metrics and settings call both "+known.name,
					"give one of them another word"),
					first.place(), pg.place(r.note.Line, "")))
				return
			}
		}
		c.byKey[key.Shape()] = known
		c.caches = append(c.caches, known)
	} else if first := known.first(); !sameAnswer(first.m, r.m) || known.group != r.note.Group || known.ifFound != r.note.IfFound || !sameTypes(known.holes, holes) {
		problems.Add(withSee(pg.problem(r.note.Line, "another query caches something else under this key",
			"reads that share a key return the same type, with the same group and `if found`; else give one another word"),
			first.place(), pg.place(r.note.Line, "")))
		return
	}
	r.cache = known
	known.readers = append(known.readers, r)
}

func (r *cachedRead) place() diag.Place {
	return r.m.sql[sqltext.Postgres].place(r.note.Line, r.m.name)
}

func (m *method) paramFields() []sqlcgo.Field {
	if m.params == nil {
		return nil
	}
	return m.params.Fields
}

func sameAnswer(a, b *method) bool {
	if a.result.Many != b.result.Many || a.row != b.row {
		return false
	}
	return a.row != nil || a.result.Type.Equal(b.result.Type)
}

func sameTypes(a, b []sqlcgo.Type) bool {
	return slices.EqualFunc(a, b, func(x, y sqlcgo.Type) bool {
		return x == y || x != (sqlcgo.Type{}) && y != (sqlcgo.Type{}) && x.Equal(y)
	})
}

// camel makes NeuronState of neuron_state.
func camel(name string) string {
	var b strings.Builder
	for word := range strings.SplitSeq(name, "_") {
		if word != "" {
			b.WriteString(strings.ToUpper(word[:1]) + word[1:])
		}
	}
	return b.String()
}

// finishReads puts the caches in order.
func (c *cachePlan) finishReads(problems *diag.List) {
	slices.SortFunc(c.caches, func(a, b *cache) int { return cmp.Compare(a.name, b.name) })
	for _, x := range c.caches {
		for _, y := range c.caches {
			if x.group == y.name && y.group != x.group {
				r := x.first()
				problems.Add(withSee(r.m.sql[sqltext.Postgres].problem(r.note.Line,
					fmt.Sprintf("the group %s bears the name of a cache that is no part of it", x.group), "give the group another name"),
					r.place(), y.first().place()))
			}
		}
	}
}

// checkVersions makes sure that a row which a write puts into the cache cannot come
// after, and over, the invalidation of a later write: that needs its version.
func (c *cachePlan) checkVersions(problems *diag.List) {
	for _, w := range c.writes {
		pg := w.m.sql[sqltext.Postgres]
		if w.version != "" || len(pg.Usage.Updates)+len(pg.Usage.Deletes) == 0 {
			continue
		}
		for _, k := range w.keys {
			if !k.cache.put {
				continue
			}
			problems.Add(withSee(pg.problem(pg.Line, fmt.Sprintf("it changes what %s stands for and does not tell the row's version: the row of an earlier write could be put into the cache after this one made it stale", k.cache.key.Text),
				"return the version, as in `RETURNING …, version`"),
				pg.place(pg.Line, ""), k.cache.first().place()))
		}
	}
}
