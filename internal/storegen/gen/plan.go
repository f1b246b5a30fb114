package gen

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/hal9-ai/hal9/internal/storegen/diag"
	"github.com/hal9-ai/hal9/internal/storegen/queryfile"
	"github.com/hal9-ai/hal9/internal/storegen/sqlcgo"
	"github.com/hal9-ai/hal9/internal/storegen/sqltext"
)

// plan is what is to be written.
type plan struct {
	module   string
	entities []*entity
	rows     []*rowType
	all      []*entity // also with the queries that only one engine has
}

// entity is what one pair of SQL files holds.
type entity struct {
	file    string // without directory and suffix, as in neurons
	name    string // in errors, as in neuron
	goName  string // as in Neuron
	methods []*method
	only    []string // names of queries that one engine alone has
}

// method is one shared query.
type method struct {
	name   string
	doc    []string
	entity *entity
	params *sqlcgo.Struct // nil without parameters
	fields []field        // params with their names in SQL
	row    *rowType       // nil when it returns a single column, a count or nothing
	result sqlcgo.Result
	writes bool
	// replica: it may be answered by a replica that lags.
	replica bool
	sql     map[sqltext.Engine]*side
}

// paramsType is the name of the struct that holds the parameters.
func (m *method) paramsType() string { return m.name + "Params" }

// rowType is a struct that queries return.
type rowType struct {
	name    string
	fields  []sqlcgo.Field
	queries []string
	at      diag.Place // of the query that brought it
}

// makePlan decides on names and types, and refuses what cannot be named.
func makePlan(in *input, pairs []pair, problems *diag.List) *plan {
	p := &plan{module: in.module}
	rows := map[string]*rowType{}
	for _, pr := range pairs {
		if !pr.pg.sound || !pr.lite.sound {
			continue
		}
		m := &method{
			name: pr.pg.Name, doc: pr.pg.Doc, params: pr.pg.code.Params, fields: params(pr.pg),
			result: pr.pg.code.Result, writes: pr.pg.Mutates(),
			sql: map[sqltext.Engine]*side{sqltext.Postgres: pr.pg, sqltext.SQLite: pr.lite},
		}
		if len(m.doc) == 0 {
			m.doc = pr.lite.Doc
		}
		m.row = p.rowOf(pr, rows, problems)
		m.replica = checkReplica(m, problems)
		m.entity = p.entityOf(pr.pg.Entity())
		m.entity.methods = append(m.entity.methods, m)
	}
	for _, e := range engines {
		for _, s := range in.sides[e] {
			if s.Only() == e {
				ent := p.entityOf(s.Entity())
				ent.only = append(ent.only, s.Name)
				if n := s.Note(queryfile.NoteRead); n != nil {
					problems.Add(s.problem(n.Line, "a query of one engine alone is called by hand, and whoever calls it chooses the connection",
						"drop the note `-- read: replica`"))
				}
			}
		}
	}
	p.finish(in, problems)
	return p
}

// checkReplica tells whether a query may be answered by a replica, and refuses the note
// where it would be a lie. Together with `-- cache: …` it is refused by addRead.
func checkReplica(m *method, problems *diag.List) bool {
	pg := m.sql[sqltext.Postgres]
	note := pg.Note(queryfile.NoteRead)
	switch {
	case note == nil:
		return false
	case m.writes:
		problems.Add(pg.problem(note.Line, "a query that writes cannot go to a replica: it "+does(pg), "drop the note `-- read: replica`"))
	case pg.Command != ":one" && pg.Command != ":many":
		problems.Add(pg.problem(note.Line, "a query that is "+pg.Command+" reads nothing that a replica could answer", "drop the note `-- read: replica`"))
	default:
		return true
	}
	return false
}

// entityOf finds or adds the entity of a file.
func (p *plan) entityOf(file string) *entity {
	for _, e := range p.all {
		if e.file == file {
			return e
		}
	}
	e := &entity{file: file, name: singular(file)}
	p.all = append(p.all, e)
	return e
}

// rowOf decides which type the rows of a query have in model.
func (p *plan) rowOf(pr pair, rows map[string]*rowType, problems *diag.List) *rowType {
	pg, lite := pr.pg, pr.lite
	a, b := pg.code.Result.Row, lite.code.Result.Row
	note := pg.Note(queryfile.NoteReturns)
	if a == nil || b == nil {
		if note != nil {
			problems.Add(pg.problem(note.Line, "the note \"returns\" names a row type, but the query returns no row of several columns",
				"drop the note"))
		}
		return nil
	}
	name := pg.Name + "Row"
	switch {
	case note != nil:
		name = note.Value
		for _, s := range []*side{pg, lite} {
			if table := s.pkg.Models[name]; table != nil {
				tableRow := &rowType{name: name, fields: table.Fields, at: diag.Place{File: s.pkg.Dir + "/models.go", Note: "the table's row"}}
				if !checkSame(tableRow, s, s.code.Result.Row.Fields, problems) {
					return nil // the other engine's would say the same
				}
			}
		}
	case a.Model && b.Model && a.Name == b.Name:
		name = a.Name
	case a.Model || b.Model:
		problems.Add(withSee(pg.problem(pg.Line, fmt.Sprintf("the rows are %s on PostgreSQL and %s on SQLite", a.Name, b.Name),
			"name the shared type by a note in both files, as in `-- returns: "+modelName(a, b)+"`"),
			pg.place(pg.Line, a.Name), lite.place(lite.Line, b.Name)))
		return nil
	}
	row := rows[name]
	if row == nil {
		row = &rowType{name: name, fields: a.Fields, at: pg.place(pg.Line, pg.Name)}
		rows[name] = row
		p.rows = append(p.rows, row)
	} else {
		checkSame(row, pg, a.Fields, problems)
	}
	row.queries = append(row.queries, pg.Name)
	return row
}

func modelName(a, b *sqlcgo.Struct) string {
	if a.Model {
		return a.Name
	}
	return b.Name
}

// checkSame reports the first field by which a query's rows are not the type
// that they are to have.
func checkSame(want *rowType, s *side, got []sqlcgo.Field, problems *diag.List) (same bool) {
	show := func(list []sqlcgo.Field, i int) string {
		if i >= len(list) {
			return "no more columns"
		}
		return snake(list[i].Name) + " " + list[i].Type.String()
	}
	for i := range max(len(want.fields), len(got)) {
		if i < len(got) && i < len(want.fields) && got[i].Name == want.fields[i].Name && got[i].Type.Equal(want.fields[i].Type) {
			continue
		}
		line := s.Line
		if i < len(got) {
			line = s.ColumnLine(i, len(got), snake(got[i].Name))
		}
		at := want.at
		at.Note = strings.TrimPrefix(at.Note+": ", ": ") + show(want.fields, i)
		problems.Add(withSee(s.problem(line, fmt.Sprintf("the rows are not of the type %s: column %d differs", want.name, i+1),
			fmt.Sprintf("list the same columns in the same order in every query that returns %s, or give these rows a type of their own", want.name)),
			s.place(line, s.Name+": "+show(got, i)), at))
		return false
	}
	return true
}

// finish gives entities their names, puts all in order and refuses names that
// are taken.
func (p *plan) finish(in *input, problems *diag.List) {
	slices.SortFunc(p.all, func(a, b *entity) int { return cmp.Compare(a.file, b.file) })
	slices.SortFunc(p.rows, func(a, b *rowType) int { return cmp.Compare(a.name, b.name) })
	taken := in.taken
	claim := func(name string, at diag.Place, query string) {
		if first, ok := taken[name]; ok {
			p := diag.Problem{
				At: at, Query: query, Message: fmt.Sprintf("package model has %s already", name),
				Mend: "rename one of them",
			}
			if at.Line > 0 {
				p = withSee(p, at)
			}
			problems.Add(withSee(p, first))
			return
		}
		taken[name] = at
	}
	for _, e := range p.all {
		e.goName = goName(e)
		if len(e.methods) == 0 {
			continue
		}
		p.entities = append(p.entities, e)
		claim(e.goName+"Queries", diag.Place{File: path.Join(queriesDir, string(sqltext.Postgres), e.file+".sql")}, "")
		for _, m := range e.methods {
			if m.params != nil {
				pg := m.sql[sqltext.Postgres]
				claim(m.paramsType(), pg.place(pg.Line, ""), m.name)
			}
		}
	}
	for _, r := range p.rows {
		at := r.at
		at.Note = ""
		claim(r.name, at, r.queries[0])
	}
	claim("Queries", diag.Place{File: queriesDir}, "")
	claim("EntityOf", diag.Place{File: queriesDir}, "")
}
