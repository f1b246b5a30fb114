package gen

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/hal9-ai/hal9/internal/storegen/diag"
	"github.com/hal9-ai/hal9/internal/storegen/queryfile"
)

// compareFields holds parameters, or columns, against each other: which there
// are, in which order, of which types.
func compareFields(p pair, pg, lite []field, isParam bool, differ differFunc) {
	what := "column"
	if isParam {
		what = "parameter"
	}
	if len(pg) == 1 && len(lite) == 1 && !isParam && p.pg.code.Result.Row == nil && p.lite.code.Result.Row == nil {
		compareType(what, pg[0], lite[0], isParam, differ) // a single column's name shows nowhere
		return
	}
	same := compareNames(p, what, pg, lite, differ)
	for _, a := range pg {
		if i := find(lite, a.name); i >= 0 {
			compareType(what, a, lite[i], isParam, differ)
		}
	}
	if !same {
		return
	}
	for i := range pg {
		if queryfile.Fold(pg[i].name) != queryfile.Fold(lite[i].name) {
			differ(pg[i].line, lite[i].line,
				fmt.Sprintf("the %ss stand in another order: %s is number %d on PostgreSQL, where SQLite has %s", what, pg[i].name, i+1, lite[i].name),
				fmt.Sprintf("bring the %ss into the same order in both files", what), names(pg), names(lite))
			return
		}
	}
}

// compareNames reports what only one engine has and tells whether there was
// nothing to report. Two that could be one another's are reported as one.
func compareNames(p pair, what string, pg, lite []field, differ differFunc) (same bool) {
	onlyPG, onlyLite := onlyIn(pg, lite), onlyIn(lite, pg)
	for _, a := range onlyPG {
		if b, ok := twin(a, pg, lite, onlyLite); ok {
			onlyLite = slices.DeleteFunc(onlyLite, func(f field) bool { return f.name == b.name })
			differ(a.line, b.line, fmt.Sprintf("the %s is named %s on PostgreSQL and %s on SQLite", what, a.name, b.name),
				"give both the same name", a.name+" "+a.typ.String(), b.name+" "+b.typ.String())
			continue
		}
		differ(a.line, p.lite.Line, missingField(what, a, p.lite), mendMissing(a, p.lite), a.name+" "+a.typ.String(), names(lite))
	}
	for _, b := range onlyLite {
		differ(p.pg.Line, b.line, missingField(what, b, p.pg), mendMissing(b, p.pg), names(pg), b.name+" "+b.typ.String())
	}
	return len(pg) == len(lite) && len(onlyIn(pg, lite)) == 0
}

func missingField(what string, f field, lacks *side) string {
	return fmt.Sprintf("the %s %s is missing on %s", what, f.name, lacks.Engine.Title())
}

func mendMissing(f field, lacks *side) string {
	return fmt.Sprintf("add %s to the query in %s, or remove it from the other", f.name, lacks.File)
}

// twin finds among the candidates the one that a is most likely meant to be:
// of a similar name, or in the same place and of the same type.
func twin(a field, pg, lite, candidates []field) (field, bool) {
	var known []string
	for _, c := range candidates {
		known = append(known, c.name)
	}
	if near := diag.Near(a.name, known); near != "" {
		return candidates[find(candidates, near)], true
	}
	if i := find(pg, a.name); i < len(lite) && len(pg) == len(lite) && lite[i].typ.Equal(a.typ) && find(candidates, lite[i].name) >= 0 {
		return lite[i], true
	}
	return field{}, false
}

// compareType holds the types of one parameter or column against each other,
// and refuses types that say nothing or belong to a driver.
func compareType(what string, pg, lite field, isParam bool, differ differFunc) {
	a, b := pg.typ.String(), lite.typ.String()
	name := strings.TrimPrefix(pg.name, "the column")
	label := strings.TrimSpace(what + " " + name)
	mend := func() string {
		if name == "" {
			return typeMend("expression", isParam, a, b)
		}
		return typeMend(name, isParam, a, b)
	}
	switch {
	case !pg.typ.Equal(lite.typ):
		differ(pg.line, lite.line, fmt.Sprintf("the %s is %s on PostgreSQL and %s on SQLite", label, a, b), mend(), a, b)
	case strings.Contains(a, "interface{}") || a == "any":
		differ(pg.line, lite.line, "sqlc found no type for the "+label, mend(), a, b)
	case isList(a):
		differ(pg.line, lite.line, fmt.Sprintf("the %s is the list %s, which sqlc hands to SQLite in a form of PostgreSQL's", label, a), mend(), a, b)
	case isDriver(a):
		differ(pg.line, lite.line, fmt.Sprintf("the %s has the driver's type %s", label, a), mend(), a, b)
	}
}

func find(list []field, name string) int {
	return slices.IndexFunc(list, func(f field) bool { return queryfile.Fold(f.name) == queryfile.Fold(name) })
}

func onlyIn(list, other []field) []field {
	var out []field
	for _, f := range list {
		if find(other, f.name) < 0 {
			out = append(out, f)
		}
	}
	return out
}

func names(list []field) string {
	if len(list) == 0 {
		return "none"
	}
	var out []string
	for _, f := range list {
		out = append(out, f.name)
	}
	return strings.Join(out, ", ")
}

// snake turns a Go name into one of SQL: NeuronID into neuron_id.
func snake(name string) string {
	var b strings.Builder
	runes := []rune(name)
	for i, r := range runes {
		if unicode.IsUpper(r) && i > 0 && (!unicode.IsUpper(runes[i-1]) || i+1 < len(runes) && unicode.IsLower(runes[i+1])) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}
