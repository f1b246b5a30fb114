package gen

import (
	"fmt"
	"strings"
)

// checks are the statements that check and normalise one value, by its type in
// model. %[1]q is the entity, %[2]q the field, %[3]s the value; normal is what
// replaces the value.
//
//nolint:gochecknoglobals // a table that nothing changes
var checks = map[string]struct{ check, normal string }{
	"string":    {check: "CheckText(%[1]q, %[2]q, %[3]s)"},
	"JSON":      {check: "CheckJSON(%[1]q, %[2]q, %[3]s)"},
	"float64":   {check: "CheckFinite(%[1]q, %[2]q, %[3]s)"},
	"time.Time": {check: "CheckTime(%[1]q, %[2]q, %[3]s)", normal: "NormalTime(%[1]s)"},
}

// pageLimit is the parameter that says how many rows are wanted.
const pageLimit = "PageLimit"

// normalizes tells whether the method's parameters have a method Normalize.
func (m *method) normalizes(p *plan) bool {
	for _, f := range m.fields {
		if m.checkOf(p, f) != "" {
			return true
		}
	}
	return false
}

// checkOf writes the statements for one parameter, "" if it needs none.
func (m *method) checkOf(p *plan, f field) string {
	goField := m.params.Fields[find(m.fields, f.name)].Name
	value := "p." + goField
	entity := m.entity.name
	if goField == pageLimit && f.typ.String() == "int64" {
		return guard(fmt.Sprintf("CheckPageLimit(%q, %q, %s)", entity, f.name, value))
	}
	elem, pointer, _ := f.typ.Elem() // lists are no shared type
	c, ok := checks[elem.In(p.module+"/"+modelDir)]
	if !ok {
		return ""
	}
	switch {
	case pointer && strings.HasPrefix(c.check, "CheckText("):
		return guard(fmt.Sprintf("CheckTextPtr(%q, %q, %s)", entity, f.name, value))
	case pointer:
		body := guard(fmt.Sprintf(c.check, entity, f.name, "*"+value))
		if c.normal != "" { // the caller's own value stays as it is
			body += fmt.Sprintf("normal := %s\n%s = &normal\n", fmt.Sprintf(c.normal, "*"+value), value)
		}
		return fmt.Sprintf("if %s != nil {\n%s}\n", value, body)
	}
	out := guard(fmt.Sprintf(c.check, entity, f.name, value))
	if c.normal != "" {
		out += fmt.Sprintf("%s = %s\n", value, fmt.Sprintf(c.normal, value))
	}
	return out
}

func guard(check string) string {
	return fmt.Sprintf("if err := %s; err != nil {\nreturn err\n}\n", check)
}

// emitNormalize writes the method by which both engines refuse the same
// arguments with the same error and store the same moments.
func emitNormalize(s *source, p *plan, m *method) {
	if !m.normalizes(p) {
		return
	}
	s.printf(`// Normalize refuses what the engines would answer differently, naming the field,
// and brings moments to the form that both store. The adapters call it.
func (p *%s) Normalize() error {
`, m.paramsType())
	for _, f := range m.fields {
		s.printf("%s", m.checkOf(p, f))
	}
	s.printf("return nil\n}\n\n")
}
