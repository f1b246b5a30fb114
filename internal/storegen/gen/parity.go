package gen

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/hal9-ai/hal9/internal/storegen/diag"
	"github.com/hal9-ai/hal9/internal/storegen/queryfile"
	"github.com/hal9-ai/hal9/internal/storegen/sqlcgo"
	"github.com/hal9-ai/hal9/internal/storegen/sqltext"
)

// pair is a query that both engines have.
type pair struct{ pg, lite *side }

// pairUp finds the counterpart of every query that is not one engine's alone,
// in the order of PostgreSQL's files.
func pairUp(in *input, problems *diag.List) []pair {
	var out []pair
	for _, pg := range in.sides[sqltext.Postgres] {
		lite := in.queries[sqltext.SQLite][pg.Name]
		switch {
		case lite == nil && pg.Only() == "":
			problems.Add(missing(in, pg))
		case lite == nil:
		case pg.Only() != "" || lite.Only() != "":
			problems.Add(withSee(pg.problem(pg.Line, "the query is marked as one engine's alone, but both have it",
				"drop the note `-- engine: …`, or delete the query on the other engine"),
				pg.place(engineLine(pg), "PostgreSQL"), lite.place(engineLine(lite), "SQLite")))
		default:
			out = append(out, pair{pg, lite})
		}
	}
	for _, lite := range in.sides[sqltext.SQLite] {
		if in.queries[sqltext.Postgres][lite.Name] == nil && lite.Only() == "" {
			problems.Add(missing(in, lite))
		}
	}
	return out
}

func engineLine(s *side) int {
	if n := s.Note(queryfile.NoteEngine); n != nil {
		return n.Line
	}
	return s.Line
}

// missing is the problem of a query that the other engine lacks.
func missing(in *input, s *side) diag.Problem {
	other := otherEngine(s.Engine)
	file := path.Join(queriesDir, string(other), path.Base(s.File))
	p := s.problem(s.Line, other.Title()+" has no such query",
		fmt.Sprintf("write it in %s, or add `-- engine: %s` below the name if only %s can have it", file, s.Engine, s.Engine.Title()))
	var unpaired []string
	for name := range in.queries[other] {
		if in.queries[s.Engine][name] == nil {
			unpaired = append(unpaired, name)
		}
	}
	slices.Sort(unpaired)
	if near := diag.Near(s.Name, unpaired); near != "" {
		twin := in.queries[other][near]
		p = withSee(p, s.place(s.Line, ""), twin.place(twin.Line, "did you mean this one?"))
	}
	return p
}

func otherEngine(e sqltext.Engine) sqltext.Engine {
	if e == sqltext.Postgres {
		return sqltext.SQLite
	}
	return sqltext.Postgres
}

// sharedCommands are the kinds of query that both engines have and that mean
// the same on them.
var sharedCommands = []string{":one", ":many", ":exec", ":execrows"} //nolint:gochecknoglobals // a table that nothing changes

// compare proves that a pair agrees in everything a caller can see. What the statements do
// is compared where nothing else is wrong: it would repeat that in other words.
func compare(in *input, p pair, problems *diag.List) {
	pg, lite := p.pg, p.lite
	before := len(*problems)
	differ := func(pgLine, liteLine int, message, mend, pgNote, liteNote string) {
		problems.Add(withSee(pg.problem(pgLine, message, mend), pg.place(pgLine, pgNote), lite.place(liteLine, liteNote)))
	}
	if a, b := path.Base(pg.File), path.Base(lite.File); a != b {
		differ(pg.Line, lite.Line, fmt.Sprintf("the query stands in %s on PostgreSQL and in %s on SQLite", a, b),
			"move one of them: a file holds one entity, on both engines", "", "")
	}
	compareNotes(p, differ)
	if !pg.sound || !lite.sound {
		return // reported already; comparing would only repeat it in other words
	}
	if pg.Command != lite.Command {
		differ(pg.Line, lite.Line, fmt.Sprintf("the query is %s on PostgreSQL and %s on SQLite", pg.Command, lite.Command),
			"give both the same command", pg.Command, lite.Command)
		return
	}
	if !slices.Contains(sharedCommands, pg.Command) {
		differ(pg.Line, lite.Line, "a shared query cannot be "+pg.Command,
			"use "+strings.Join(sharedCommands, ", ")+"; or make it one engine's alone by `-- engine: …`", "", "")
		return
	}
	if pg.Mutates() != lite.Mutates() {
		compareWrites(p, differ)
	}
	compareFields(p, params(pg), params(lite), true, differ)
	compareFields(p, columns(pg), columns(lite), false, differ)
	if len(*problems) == before {
		compareMeaning(in, p, problems, differ)
	}
}

type differFunc func(pgLine, liteLine int, message, mend, pgNote, liteNote string)

// compareNotes holds the notes of the engines against each other: a contract
// or a cache key of one engine alone would be no contract.
func compareNotes(p pair, differ differFunc) {
	words := map[string]bool{}
	values := func(s *side, word string) (text string, line int) {
		line = s.Line
		var b strings.Builder
		for i, n := range s.Notes {
			if n.Word == word {
				b.WriteString("-- " + word + ": " + n.Value + "\n")
				if i == 0 || line == s.Line {
					line = n.Line
				}
			}
		}
		return strings.TrimSuffix(b.String(), "\n"), line
	}
	for _, n := range slices.Concat(p.pg.Notes, p.lite.Notes) {
		if n.Word != queryfile.NoteEngine && n.Word != queryfile.NoteWrites && n.Word != queryfile.NoteDiffers {
			words[n.Word] = true
		}
	}
	for _, word := range slices.Sorted(maps.Keys(words)) {
		a, aLine := values(p.pg, word)
		b, bLine := values(p.lite, word)
		if a == b {
			continue
		}
		say := func(text string) string {
			if text == "" {
				return "no such note"
			}
			return text
		}
		differ(aLine, bLine, fmt.Sprintf("the note %q differs between the engines", word),
			"write the same note in both files", say(a), say(b))
	}
}

// compareWrites reports a query that writes on one engine and reads on the other.
func compareWrites(p pair, differ differFunc) {
	reader := p.lite
	if !p.pg.Mutates() {
		reader = p.pg
	}
	differ(p.pg.Line, p.lite.Line, "the query writes on one engine and only reads on the other",
		"if it has to, add `-- writes: yes` to it in "+reader.File, does(p.pg), does(p.lite))
}

// does tells what makes a query a write.
func does(s *side) string {
	u := s.Usage
	switch {
	case len(u.Writes) > 0:
		return "writes " + strings.Join(u.Writes, ", ")
	case len(u.Calls) > 0:
		return "calls " + strings.Join(u.Calls, ", ")
	case u.Locks:
		return "locks what it reads"
	case s.Mutates():
		return "writes, says its note"
	case len(u.Reads) > 0:
		return "reads " + strings.Join(u.Reads, ", ")
	default:
		return "reads no table"
	}
}

// field is a parameter or a column as both SQL and Go know it.
type field struct {
	name string // in SQL
	line int
	typ  sqlcgo.Type
}

func params(s *side) []field {
	if s.code.Params == nil {
		return nil
	}
	var out []field
	for _, f := range s.code.Params.Fields {
		name := paramName(s.Query, f.Name)
		out = append(out, field{name: name, line: s.ParamLine(name), typ: f.Type})
	}
	return out
}

// paramName is the name in SQL of the parameter that sqlc calls by that name in Go.
func paramName(q *queryfile.Query, goName string) string {
	for _, p := range q.Params {
		if queryfile.Fold(p.Name) == queryfile.Fold(goName) {
			return p.Name
		}
	}
	return snake(goName)
}

func columns(s *side) []field {
	r := s.code.Result
	switch {
	case r.None || s.Command == ":execrows":
		return nil
	case r.Row == nil:
		name := "the column"
		if len(s.Columns) == 1 && s.Columns[0].Name != "" {
			name = s.Columns[0].Name
		}
		return []field{{name: name, line: s.ColumnLine(0, 1, ""), typ: r.Type}}
	}
	var out []field
	for i, f := range r.Row.Fields {
		name := snake(f.Name)
		if len(s.Columns) == len(r.Row.Fields) && queryfile.Fold(s.Columns[i].Name) == queryfile.Fold(f.Name) {
			name = s.Columns[i].Name
		}
		out = append(out, field{name: name, line: s.ColumnLine(i, len(r.Row.Fields), name), typ: f.Type})
	}
	return out
}
