package gen

import (
	"fmt"
	"strings"

	"github.com/hal9-ai/hal9/internal/storegen/sqlcgo"
)

// modelFile is where the shared words go.
const modelFile = modelDir + "/queries_gen.go"

// emitModel writes the shared types and the interface of all queries.
func emitModel(p *plan) ([]byte, error) {
	s := newSource("context")
	emitInterfaces(s, p)
	for _, row := range p.rows {
		s.printf("// %s is %s.\n", row.name, rowDoc(row))
		emitStruct(s, p, row.name, row.fields)
	}
	for _, e := range p.entities {
		for _, m := range e.methods {
			if m.params == nil {
				continue
			}
			s.printf("// %s are the parameters of %s.\n", m.paramsType(), m.name)
			emitStruct(s, p, m.paramsType(), m.params.Fields)
			emitNormalize(s, p, m)
		}
	}
	emitEntityOf(s, p)
	return s.file("", "model")
}

func emitInterfaces(s *source, p *plan) {
	s.printf(`// Queries is every query that both engines answer, in the words of queries/postgres
// and queries/sqlite. Parameters are checked and normalised before an engine sees
// them; rows come back in the engine's order, lists are never nil.
type Queries interface {
`)
	for _, e := range p.entities {
		s.printf("\t%sQueries\n", e.goName)
	}
	s.printf("}\n\n")
	for _, e := range p.entities {
		s.printf("// %sQueries are the queries of %s.sql.\ntype %sQueries interface {\n", e.goName, e.file, e.goName)
		for _, m := range e.methods {
			s.comment("\t", m.doc)
			s.printf("\t%s%s\n", m.name, m.signature(s, p, ""))
		}
		s.printf("}\n\n")
	}
}

func rowDoc(row *rowType) string {
	q := row.queries
	switch {
	case len(q) == 1:
		return "a row that " + q[0] + " returns"
	case len(q) <= 3:
		return "a row that " + strings.Join(q[:len(q)-1], ", ") + " and " + q[len(q)-1] + " return"
	default:
		return fmt.Sprintf("a row that %s, %s and %d more queries return", q[0], q[1], len(q)-2)
	}
}

func emitStruct(s *source, p *plan, name string, fields []sqlcgo.Field) {
	s.printf("type %s struct {\n", name)
	for _, f := range fields {
		s.printf("\t%s %s\n", f.Name, p.typeIn(s, f.Type, modelDir))
	}
	s.printf("}\n\n")
}

// typeIn writes a type for a file of the package dir and imports what it needs.
func (p *plan) typeIn(s *source, t sqlcgo.Type, dir string) string {
	self := p.module + "/" + dir
	for _, i := range t.Imports() {
		if i != self {
			s.use(i)
		}
	}
	return t.In(self)
}

// signature writes the method's parameters and results; model stands before
// the names of model's types, outside of model itself.
func (m *method) signature(s *source, p *plan, model string) string {
	dir := modelDir
	if model != "" {
		dir = "" // any other
	}
	arg := ""
	if m.params != nil {
		arg = ", arg " + model + m.paramsType()
	}
	result := m.resultType(s, p, dir, model)
	if result == "" {
		return "(ctx context.Context" + arg + ") error"
	}
	return "(ctx context.Context" + arg + ") (" + result + ", error)"
}

// resultType is what the method returns beside its error, or "".
func (m *method) resultType(s *source, p *plan, dir, model string) string {
	list := ""
	if m.result.Many {
		list = "[]"
	}
	switch {
	case m.result.None:
		return ""
	case m.row != nil:
		return list + model + m.row.name
	default:
		return list + p.typeIn(s, m.result.Type, dir)
	}
}

// emitEntityOf writes the way from a query's name, which is what an adapter
// hands to its translator, to the entity that errors speak of.
func emitEntityOf(s *source, p *plan) {
	s.printf(`// EntityOf names the entity that a query is about, as errors speak of it; ""
// for a name that is no query. It knows the queries of one engine alone too.
func EntityOf(query string) string {
	switch query {
`)
	for _, e := range p.all {
		names := make([]string, 0, len(e.methods)+len(e.only))
		for _, m := range e.methods {
			names = append(names, fmt.Sprintf("%q", m.name))
		}
		for _, name := range e.only {
			names = append(names, fmt.Sprintf("%q", name))
		}
		s.printf("\tcase %s:\n\t\treturn %q\n", strings.Join(names, ",\n\t\t"), e.name)
	}
	s.printf("\tdefault:\n\t\treturn \"\"\n\t}\n}\n")
}
