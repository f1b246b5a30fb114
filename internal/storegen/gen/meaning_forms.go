package gen

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hal9-ai/hal9/internal/storegen/diag"
	"github.com/hal9-ai/hal9/internal/storegen/queryfile"
	"github.com/hal9-ai/hal9/internal/storegen/sqlform"
)

// shown is how much of a clause is told.
const shown = 160

// compareForms brings both statements into one form and holds their clauses against each
// other; and refuses what stands in both files and means two things.
func compareForms(in *input, p pair, problems *diag.List, differ differFunc) {
	a, b := p.pg.form(in), p.lite.form(in)
	excused := slices.Concat(p.pg.Differs(), p.lite.Differs())
	used := map[string]bool{}
	meant := func(clause string) bool {
		found := false
		for _, word := range excused {
			if word == queryfile.Everything || noteWord(clause) == word {
				used[word], found = true, true
			}
		}
		return found
	}
	doubtful := compareDoubts(p, a, b, meant, problems)
	for _, d := range sqlform.Compare(a, b) {
		if meant(d.Clause) || slices.Contains(doubtful, d.Clause) {
			continue
		}
		pgLine, pgText := told(p.pg, d.A)
		liteLine, liteText := told(p.lite, d.B)
		differ(pgLine, liteLine, d.Clause+" does not say the same on both engines",
			"write the same in both files; what may be spelled in two ways is in docs/decisions/0034. Where they are meant to differ, say why: `-- differs: "+noteWord(d.Clause)+", because …`", pgText, liteText)
	}
	for _, s := range []*side{p.pg, p.lite} {
		for _, word := range s.Differs() {
			if !used[word] {
				line := s.Note(queryfile.NoteDiffers).Line
				problems.Add(s.problem(line, fmt.Sprintf("the note says that %s differs, but it is the same on both engines", word), "take it out of the note: it would hide a difference that is made later"))
			}
		}
	}
}

// told is a part of a statement and its line; nil is what the statement lacks.
func told(s *side, n *sqlform.Node) (line int, text string) {
	if n == nil {
		return s.Line, "nothing of the kind"
	}
	return max(n.Line(), s.Line), n.Text(shown)
}

// compareDoubts refuses what means something else on each engine, and returns the clauses
// that it stands in. What both files have is told once.
func compareDoubts(p pair, pg, lite *sqlform.Statement, meant func(string) bool, problems *diag.List) []string {
	var clauses []string
	var found []*diag.Problem
	for _, side := range []struct {
		*side
		form *sqlform.Statement
	}{{p.pg, pg}, {p.lite, lite}} {
		for _, d := range side.form.Doubts() {
			if meant(d.Clause) {
				continue
			}
			clauses = append(clauses, d.Clause)
			line, text := told(side.side, d.Node)
			at := side.place(line, text)
			if i := slices.IndexFunc(found, func(other *diag.Problem) bool {
				return other.Message == d.Message && len(other.See) == 1 && other.See[0].File != at.File
			}); i >= 0 {
				found[i].See = append(found[i].See, at)
				continue
			}
			problem := withSee(side.problem(line, d.Message, d.Mend+". Where it never matters, say why: `-- differs: "+noteWord(d.Clause)+", because …`"), at)
			found = append(found, &problem)
		}
	}
	for _, problem := range found {
		problems.Add(*problem)
	}
	return clauses
}

// noteWord is what a note calls a clause.
func noteWord(clause string) string {
	first, _, _ := strings.Cut(clause, " ")
	switch first {
	case "REPLACE":
		return "INSERT"
	case "GROUP", "ORDER", "ON":
		return clause
	}
	return first
}

func (s *side) form(in *input) *sqlform.Statement {
	return sqlform.New(s.Engine, s.Tokens, in.schema.engines[s.Engine])
}
