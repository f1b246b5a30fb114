package gen

import (
	_ "embed"
	"fmt"
	"go/token"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/hal9-ai/hal9/internal/storegen/queryfile"
	"github.com/hal9-ai/hal9/internal/storegen/sqlcgo"
)

// cacheDir is where the decorator goes.
const cacheDir = "gen/cachedstore"

//go:embed cachedstore.go.txt
var cacheSupport string

// emitCache writes the cached store; nothing, when nothing is cached.
func emitCache(p *plan, c *cachePlan, out Output) error {
	if len(c.caches) == 0 {
		return nil
	}
	var err error
	support := newSource()
	support.printf("%s", strings.ReplaceAll(cacheSupport, "MODULE", p.module))
	if out[path.Join(cacheDir, "support.go")], err = support.file("", path.Base(cacheDir)); err != nil {
		return err
	}
	e := cacheEmitter{p: p, c: c}
	if out[path.Join(cacheDir, "store.go")], err = e.storeFile(); err != nil {
		return err
	}
	for _, ent := range p.entities {
		s := newSource()
		for _, m := range ent.methods {
			e.read(s, m)
			e.write(s, m)
		}
		if s.body.Len() == 0 {
			continue
		}
		s.use("context", p.module+"/"+modelDir)
		if out[path.Join(cacheDir, ent.file+".sql.go")], err = s.file("", path.Base(cacheDir)); err != nil {
			return err
		}
	}
	return e.handFile(out)
}

type cacheEmitter struct {
	p *plan
	c *cachePlan
}

// storeFile writes the store, its entities and their keys.
func (e *cacheEmitter) storeFile() ([]byte, error) {
	s := newSource("sync/atomic", e.p.module+"/cacheutil", e.p.module+"/"+modelDir)
	s.printf(`// Store answers what the notes in queries/ call cached from the cache, and drops what
// writes make stale. It is as safe for concurrent use as the store behind it. What it
// hands out is shared by all who ask: nobody changes it.
type Store struct {
	model.Store // behind the cache

	m      *cacheutil.Manager
	closed atomic.Bool
`)
	for _, c := range e.c.caches {
		s.printf("\t%s *cacheutil.Cache[%s]\n", c.field(), e.typeOf(s, c))
	}
	s.printf(`}

// Entities lists what is cached, by name.
func Entities() []Entity {
	return []Entity{
`)
	for _, c := range e.c.caches {
		s.printf("{Name: %q, Key: %q, Group: %q, Negative: %v, WriteThrough: %v},\n", c.name, c.key.Text, c.group,
			!c.ifFound && !c.first().m.result.Many, c.put)
	}
	s.printf(`	}
}

// New puts the caches of m around a store. settings tells how each entity is cached.
func New(behind model.Store, m *cacheutil.Manager, settings func(Entity) Settings) (*Store, error) {
	s := &Store{Store: behind, m: m}
	var err error
	for _, e := range Entities() {
		set := settings(e)
		switch e.Name {
`)
	for _, c := range e.c.caches {
		version := "nil"
		if c.versioned() {
			version = fmt.Sprintf("func(row %s) int64 { return row.Version }", e.typeOf(s, c))
		}
		s.printf("case %q:\ns.%s, err = newCache[%s](m, e, %q, set, %s)\n", c.name, c.field(), e.typeOf(s, c), c.first().m.entity.name, version)
	}
	s.printf(`		}
		if err != nil {
			return nil, err
		}
	}
	return s, nil
}

`)
	e.keyWords(s)
	for _, c := range e.c.caches {
		e.keyFunc(s, c)
	}
	return s.file("// Package cachedstore keeps what the notes `-- cache: …` name in a cache in front of a\n// store, and drops what the notes `-- invalidates: …` name after each write.", path.Base(cacheDir))
}

// keyWords writes which texts are words of the patterns.
func (e *cacheEmitter) keyWords(s *source) {
	var words []string
	for _, c := range e.c.caches {
		for _, part := range c.key.Parts {
			if quoted := strconv.Quote(part.Literal); part.Literal != "" && !slices.Contains(words, quoted) {
				words = append(words, quoted)
			}
		}
	}
	slices.Sort(words)
	s.printf("// keyWord tells the words that the patterns of keys are made of.\nfunc keyWord(text string) bool {\nswitch text {\ncase %s:\nreturn true\ndefault:\nreturn false\n}\n}\n\n", strings.Join(words, ", "))
}

// typeOf is the type of what a cache holds.
func (e *cacheEmitter) typeOf(s *source, c *cache) string {
	return c.first().m.resultType(s, e.p, "", "model.")
}

func lower(name string) string { return strings.ToLower(name[:1]) + name[1:] }

// field is what the store calls the cache.
func (c *cache) field() string {
	name := lower(c.goName)
	if token.IsKeyword(name) || name == "m" || name == "closed" {
		name += "Cache"
	}
	return name
}

// keyFunc writes the function that makes the keys of one cache.
func (e *cacheEmitter) keyFunc(s *source, c *cache) {
	var params, parts []string
	n, pending := 0, ""
	for i, part := range c.key.Parts {
		if i > 0 {
			pending += ":"
		}
		if part.Hole == "" {
			pending += part.Literal
			continue
		}
		parts = append(parts, fmt.Sprintf("%q", pending))
		pending = ""
		name := part.Hole
		if name == queryfile.AllParams {
			params, parts = append(params, "digest string"), append(parts, "digest")
			n++
			continue
		}
		arg := lower(camel(name))
		if token.IsKeyword(arg) || slices.ContainsFunc(params, func(p string) bool { return strings.HasPrefix(p, arg+" ") }) {
			arg += "Value" + strconv.Itoa(n)
		}
		t := c.holes[n]
		params = append(params, arg+" "+e.p.typeIn(s, t, ""))
		parts = append(parts, keyFuncOf(t)+"("+arg+")")
		n++
	}
	if pending != "" {
		parts = append(parts, fmt.Sprintf("%q", pending))
	}
	s.printf("// key%s makes keys %s.\nfunc key%s(%s) string { return %s }\n\n", c.goName, c.key.Text, c.goName, strings.Join(params, ", "), strings.Join(parts, " + "))
}

func keyFuncOf(t sqlcgo.Type) string {
	switch t.String() {
	case "uuid.UUID":
		return "keyUUID"
	case "int64":
		return "keyInt64"
	case "bool":
		return "keyBool"
	case "time.Time":
		return "keyTime"
	default:
		return "keyText"
	}
}

// keyOf writes a call that makes a key of Go expressions.
func keyOf(c *cache, exprs []string) string {
	return fmt.Sprintf("key%s(%s)", c.goName, strings.Join(exprs, ", "))
}

// read writes the method of a cached read.
func (e *cacheEmitter) read(s *source, m *method) {
	i := slices.IndexFunc(e.c.reads, func(r *cachedRead) bool { return r.m == m })
	if i < 0 {
		return
	}
	r := e.c.reads[i]
	c := r.cache
	result := m.resultType(s, e.p, "", "model.")
	call := "s.Store." + m.name + "(ctx" + argOf(m) + ")"
	s.printf("// %s answers model.Queries; it is cached as %s.\nfunc (s *Store) %s%s {\n", m.name, c.name, m.name, m.signature(s, e.p, "model."))
	s.printf("if s.past(ctx) {\nreturn %s\n}\n", call)
	if m.normalizes(e.p) {
		s.printf("if err := arg.Normalize(); err != nil {\nvar none %s\nreturn none, err\n}\n", result)
	}
	var exprs []string
	for _, goField := range r.holes {
		if goField == "" {
			e.digest(s, m)
			exprs = append(exprs, "d.sum()")
			continue
		}
		exprs = append(exprs, "arg."+goField)
	}
	load := fmt.Sprintf("func(ctx context.Context) (%s, error) {\nreturn %s\n}", result, call)
	open := fmt.Sprintf("get(ctx, s.%s, %q, %q, %s, %s)", c.field(), m.entity.name, c.group, keyOf(c, exprs), load)
	if len(r.equal) == 0 {
		s.printf("return %s\n}\n\n", open)
		return
	}
	var differ []string
	for _, goField := range r.equal {
		if m.row != nil && e.isTime(m, goField) {
			differ = append(differ, fmt.Sprintf("!row.%[1]s.Equal(arg.%[1]s)", goField))
		} else {
			differ = append(differ, fmt.Sprintf("row.%[1]s != arg.%[1]s", goField))
		}
	}
	s.printf("row, err := %s\nif err == nil && (%s) { // another row under the same key\nreturn %s\n}\nreturn row, err\n}\n\n", open, strings.Join(differ, " || "), call)
}

func (e *cacheEmitter) isTime(m *method, goField string) bool {
	for _, f := range m.paramFields() {
		if f.Name == goField {
			return f.Type.String() == "time.Time"
		}
	}
	return false
}

func argOf(m *method) string {
	if m.params == nil {
		return ""
	}
	return ", arg"
}

// digest writes what makes one text of all parameters.
func (e *cacheEmitter) digest(s *source, m *method) {
	s.printf("d := make(digest, 0, 128)\n")
	for _, f := range m.params.Fields {
		elem, pointer, _ := f.Type.Elem()
		value := "arg." + f.Name
		if pointer {
			s.printf("if d.there(%s != nil) {\n", value)
			value = "*" + value
		}
		switch elem.String() {
		case "string":
			s.printf("d.text(%s)\n", value)
		case "int64":
			s.printf("d.int64(%s)\n", value)
		case "float64":
			s.printf("d.float64(%s)\n", value)
		case "bool":
			s.printf("d.bool(%s)\n", value)
		case "uuid.UUID":
			s.printf("d.uuid(%s)\n", value)
		case "time.Time":
			s.printf("d.time(%s)\n", value)
		default: // JSON and bytes, which may be nil
			s.printf("if d.there(%s != nil) {\nd.bytes(%s)\n}\n", value, value)
		}
		if pointer {
			s.printf("}\n")
		}
	}
}
