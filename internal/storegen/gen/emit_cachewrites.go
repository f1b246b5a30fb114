package gen

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/hal9-ai/hal9/internal/storegen/sqltext"
)

// write writes the methods of a query that makes something stale: of the store, of
// the transaction, and what they share.
func (e *cacheEmitter) write(s *source, m *method) {
	i := slices.IndexFunc(e.c.writes, func(w *staleWrite) bool { return w.m == m })
	if i < 0 {
		return
	}
	w := e.c.writes[i]
	e.storeWrite(s, w)
	e.txWrite(s, w)
	e.effects(s, w)
}

// results is how the results of a method are named: the value, or "" for none.
func (w *staleWrite) results() string {
	if w.m.result.None {
		return ""
	}
	return "out"
}

// happened is the condition, beside a nil error, under which a write changed
// something, or "".
func (w *staleWrite) happened() string {
	if w.m.sql[sqltext.Postgres].Command == ":execrows" {
		return " && out > 0"
	}
	return ""
}

// effectsCall writes the call of the shared part; row is "nil" where none is known.
func (w *staleWrite) effectsCall(c, row string) string {
	args := []string{c}
	if w.usesArg() {
		args = append(args, "&arg")
	}
	if w.usesRow() {
		args = append(args, row)
	}
	return w.effectsName() + "(" + strings.Join(args, ", ") + ")"
}

func (w *staleWrite) effectsName() string { return "after" + w.m.name }

func (w *staleWrite) usesArg() bool {
	return slices.ContainsFunc(w.keys, func(k *staleKey) bool {
		return len(k.params) > 0 || slices.ContainsFunc(k.columns, func(x string) bool { return strings.HasPrefix(x, "arg.") })
	})
}

// usesRow tells whether what the write returns says a key, a version or a row to put.
func (w *staleWrite) usesRow() bool {
	if w.m.result.None || w.m.sql[sqltext.Postgres].Command == ":execrows" {
		return false
	}
	return slices.ContainsFunc(w.keys, func(k *staleKey) bool { return k.columns != nil || w.versions(k.cache) })
}

func (w *staleWrite) rowArg() string {
	if w.m.result.Many {
		return "out"
	}
	return "&out"
}

func (e *cacheEmitter) storeWrite(s *source, w *staleWrite) {
	m := w.m
	s.printf("// %s answers model.Queries, and drops what it makes stale.\nfunc (s *Store) %s%s {\n", m.name, m.name, m.signature(s, e.p, "model."))
	out := w.results()
	list := strings.TrimPrefix(out+", err", ", ")
	if w.byRow() {
		// Without the row nobody knows the keys, and an error hides it.
		if out != "" {
			s.printf("var out %s\n", m.resultType(s, e.p, "", "model."))
		}
		s.printf("// Only the row says the keys. In a transaction it is known before the commit, and\n// so they are when the commit's outcome is not.\n")
		s.printf("err := s.InTx(ctx, func(ctx context.Context, tx model.Tx) error {\nvar err error\n%s = tx.%s(ctx%s)\nreturn err\n})\nreturn %s\n}\n\n", list, m.name, argOf(m), list)
		return
	}
	s.printf("%s := s.Store.%s(ctx%s)\n", list, m.name, argOf(m))
	nilRow := "nil"
	s.printf("switch {\ncase err == nil%s:\nc := changes{s: s}\n%s\nc.apply(ctx, true)\ncase uncertain(err):\nc := changes{s: s}\n%s\nc.apply(ctx, false)\n}\nreturn %s\n}\n\n",
		w.happened(), w.effectsCall("&c", w.rowArg()), w.effectsCall("&c", nilRow), list)
}

func (e *cacheEmitter) txWrite(s *source, w *staleWrite) {
	m := w.m
	s.printf("// %s answers model.Queries, and notes what it makes stale.\nfunc (t *Tx) %s%s {\n", m.name, m.name, m.signature(s, e.p, "model."))
	list := strings.TrimPrefix(w.results()+", err", ", ")
	s.printf("%s := t.Tx.%s(ctx%s)\nif err == nil%s {\n%s\n}\nreturn %s\n}\n\n", list, m.name, argOf(m), w.happened(), w.effectsCall("t.c", w.rowArg()), list)
}

// effects writes what a write makes stale.
func (e *cacheEmitter) effects(s *source, w *staleWrite) {
	m := w.m
	params := []string{"c *changes"}
	if w.usesArg() {
		params = append(params, "arg *model."+m.paramsType())
	}
	if w.usesRow() {
		t := m.resultType(s, e.p, "", "model.")
		name := "row *" + t
		if m.result.Many {
			name = "rows " + t
		}
		params = append(params, name)
	}
	s.printf("// %s notes what %s makes stale.\n", w.effectsName(), m.name)
	s.printf("func %s(%s) {\n", w.effectsName(), strings.Join(params, ", "))
	var byRow []string
	for _, k := range w.keys {
		in := "c.s." + k.cache.field()
		if k.params != nil {
			s.printf("stale(c, %s, %s, 0)\n", in, keyOf(k.cache, k.params))
		}
		version := "0"
		if w.versions(k.cache) {
			version = w.versionExpr()
		}
		switch {
		case k.put:
			byRow = append(byRow, fmt.Sprintf("fresh(c, %s, %s, *row, %s)\n", in, keyOf(k.cache, cells(k.columns)), version))
		case k.columns != nil:
			byRow = append(byRow, fmt.Sprintf("stale(c, %s, %s, %s)\n", in, keyOf(k.cache, cells(k.columns)), version))
		case w.versions(k.cache) && !m.result.Many:
			byRow = append(byRow, fmt.Sprintf("stale(c, %s, %s, %s)\n", in, keyOf(k.cache, k.params), version))
		}
	}
	for _, g := range w.groups {
		s.printf("c.group(%q)\n", g)
	}
	switch {
	case len(byRow) == 0 || !w.usesRow():
	case m.result.Many:
		s.printf("for i := range rows {\nrow := &rows[i]\n%s}\n", strings.Join(byRow, ""))
	default:
		s.printf("if row == nil {\nreturn\n}\n%s", strings.Join(byRow, ""))
	}
	s.printf("}\n\n")
}

// versions tells whether the version that the write returns orders what the cache
// holds: that of one row does for that row. A list has rows of which a later version
// may be committed before an earlier one.
func (w *staleWrite) versions(c *cache) bool {
	if w.version == "" || !c.versioned() {
		return false
	}
	for _, e := range engines {
		reads := c.first().m.sql[e].Usage.Reads
		if len(reads) != 1 || !slices.Contains(w.m.sql[e].Usage.Writes, reads[0]) {
			return false
		}
	}
	return true
}

// versionExpr is the version up to which a key is stale: that of the row, the last one of a
// row that was deleted. The next number may be that of a row that is made in its place.
func (w *staleWrite) versionExpr() string {
	if w.version == "row" {
		return "*row"
	}
	return w.version
}

// cells are the expressions of columns, of a single one by its pointer.
func cells(columns []string) []string {
	out := slices.Clone(columns)
	for i := range out {
		if out[i] == "row" {
			out[i] = "*row"
		}
	}
	return out
}

// handFile writes the methods that are written by hand on the engines.
func (e *cacheEmitter) handFile(out Output) error {
	h := e.c.hand
	if h == nil {
		return nil
	}
	s := newSource("context", e.p.module+"/"+modelDir)
	for _, level := range []struct{ iface, recv, inner string }{{"Store", "s *Store", "s.Store"}, {"Tx", "t *Tx", "t.Tx"}} {
		for _, m := range h.iface.methods(level.iface) {
			n := h.of(m.name)
			if n == nil || len(n.groups) == 0 {
				continue
			}
			signature, args, err := h.iface.signature(s, m)
			if err != nil {
				return err
			}
			variadic := strings.Join(args, ", ")
			s.printf("// %s drops what it makes stale.\nfunc (%s) %s%s {\n", m.name, level.recv, m.name, signature)
			results := "err"
			if m.fn.Results.NumFields() == 2 {
				results = "out, err"
			}
			s.printf("%s := %s.%s(%s)\n", results, level.inner, m.name, variadic)
			if level.iface == "Tx" {
				s.printf("if err == nil {\n%s}\n", groupCalls("t.c", n.groups))
			} else {
				s.printf("if err == nil || uncertain(err) {\nc := changes{s: s}\n%sc.apply(ctx, true)\n}\n", groupCalls("c", n.groups))
			}
			s.printf("return %s\n}\n\n", results)
		}
	}
	e.imports(s, h)
	if s.body.Len() == 0 {
		return nil
	}
	var err error
	out[path.Join(cacheDir, "handwritten.go")], err = s.file("", path.Base(cacheDir))
	return err
}

func groupCalls(c string, groups []string) string {
	var b strings.Builder
	for _, g := range groups {
		fmt.Fprintf(&b, "%s.group(%q)\n", c, g)
	}
	return b.String()
}

// imports writes the way of the imports that are sent together.
func (e *cacheEmitter) imports(s *source, h *handNotes) {
	if !slices.ContainsFunc(h.iface.methods("Tx"), func(m handMethod) bool { return m.name == "ImportMany" }) || !h.iface.has("Imports") {
		return
	}
	s.printf(`// ImportMany notes what its queries make stale.
func (t *Tx) ImportMany(ctx context.Context, n int, one func(ctx context.Context, q model.Imports, i int) (int64, error)) ([]int64, error) {
	return t.Tx.ImportMany(ctx, n, func(ctx context.Context, q model.Imports, i int) (int64, error) {
		return one(ctx, &imports{Imports: q, t: t}, i)
	})
}

// imports notes what each import makes stale, also where the engine does not tell yet
// how many rows it wrote.
type imports struct {
	model.Imports

	t *Tx
}

`)
	for _, hm := range h.iface.methods("Imports") {
		i := slices.IndexFunc(e.c.writes, func(w *staleWrite) bool { return w.m.name == hm.name })
		if i < 0 {
			continue
		}
		w := e.c.writes[i]
		s.printf("// %s answers model.Imports.\nfunc (q *imports) %s%s {\nout, err := q.Imports.%s(ctx%s)\nif err == nil {\n%s\n}\nreturn out, err\n}\n\n",
			hm.name, hm.name, w.m.signature(s, e.p, "model."), hm.name, argOf(w.m), w.effectsCall("q.t.c", w.rowArg()))
	}
}
