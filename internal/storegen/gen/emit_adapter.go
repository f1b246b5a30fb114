package gen

import (
	"path"
	"strings"

	"github.com/hal9-ai/hal9/internal/storegen/sqltext"
)

// adapter writes the files of one engine's adapter package.
type adapter struct {
	plan   *plan
	engine sqltext.Engine
	pkg    string // pgstore
	code   string // pgdb
}

func newAdapter(p *plan, e sqltext.Engine) *adapter {
	return &adapter{plan: p, engine: e, pkg: path.Base(storeDir(e)), code: path.Base(codeDir(e))}
}

// storeFile writes what all entities share.
func (a *adapter) storeFile() ([]byte, error) {
	s := newSource("context", a.plan.module+"/"+codeDir(a.engine), a.plan.module+"/"+modelDir)
	s.printf(`// DB runs queries. It chooses the connection and holds the deadlines, the metrics
// and the prepared statements: query is the query's name. fn uses the context and
// the Queries that it is given, and leaves nothing behind when it fails, so that a
// DB may run it again.
type DB interface {
	// Read runs fn, which changes nothing.
	Read(ctx context.Context, query string, fn func(context.Context, *%[1]s.Queries) error) error
%[2]s	// Write runs fn, which may change or lock something.
	Write(ctx context.Context, query string, fn func(context.Context, *%[1]s.Queries) error) error
}

// Store answers model.Queries from a DB. It is as safe for concurrent use as its
// DB is.
type Store struct {
	db        DB
	translate func(query string, err error) error
}

var _ model.Queries = (*Store)(nil)

// New returns a Store on db. Every error of db goes through translate, with the
// name of the query; a refused argument does not, for no engine has seen it.
func New(db DB, translate func(query string, err error) error) *Store {
	return &Store{db: db, translate: translate}
}
`, a.code, a.replicaDoor())
	doc := "// Package " + a.pkg + " answers model.Queries from " + a.engine.Title() + ", through the code that sqlc wrote."
	return s.file(doc, a.pkg)
}

// replicaDoor is the door for queries that a replica may answer, where the engine has
// replicas: on SQLite the note means nothing.
func (a *adapter) replicaDoor() string {
	if a.engine != sqltext.Postgres {
		return ""
	}
	return `	// ReadReplica runs fn, which changes nothing and may see what is a little old.
	ReadReplica(ctx context.Context, query string, fn func(context.Context, *` + a.code + `.Queries) error) error
`
}

// entityFile writes the methods of one entity.
func (a *adapter) entityFile(e *entity) ([]byte, error) {
	s := newSource("context", a.plan.module+"/"+codeDir(a.engine))
	for _, m := range e.methods {
		a.method(s, m)
	}
	return s.file("", a.pkg)
}

// zeroOf writes the zero value of a type that is no list.
func zeroOf(goType string) string {
	switch {
	case goType == "string":
		return `""`
	case goType == "bool":
		return "false"
	case strings.HasPrefix(goType, "*"), strings.HasPrefix(goType, "[]"), goType == "model.JSON":
		return "nil"
	case strings.HasPrefix(goType, "int"), strings.HasPrefix(goType, "float"):
		return "0"
	default:
		return goType + "{}"
	}
}

// method writes one method: check, call, translate, convert. The closure
// catches values that are set once, so that the parameters need no place on
// the heap of their own unless they are large.
func (a *adapter) method(s *source, m *method) {
	if m.params != nil || m.row != nil {
		s.use(a.plan.module + "/" + modelDir)
	}
	result := m.resultType(s, a.plan, "", "model.")
	s.printf("// %s answers model.Queries.\nfunc (s *Store) %s%s {\n", m.name, m.name, m.signature(s, a.plan, "model."))

	zero := "" // what stands before an error in a return
	switch {
	case m.result.None:
	case m.result.Many:
		zero = "nil, "
	case m.row != nil:
		zero = "model." + m.row.name + "{}, "
	default:
		zero = zeroOf(result) + ", "
	}
	arg := ""
	if m.params != nil {
		if m.normalizes(a.plan) {
			s.printf("if err := arg.Normalize(); err != nil {\nreturn %serr\n}\n", zero)
		}
		s.printf("params := %s.%s(arg)\n", a.code, m.sql[a.engine].code.Params.Name)
		arg = ", params"
	}
	door := "Read"
	switch {
	case m.writes:
		door = "Write"
	case m.replica && a.engine == sqltext.Postgres:
		door = "ReadReplica"
	}
	open := func(assign string) {
		s.printf("err := s.db.%s(ctx, %q, func(ctx context.Context, q *%s.Queries) error {\n%s})\n", door, m.name, a.code, assign)
	}
	call := "q." + m.name + "(ctx" + arg + ")"
	fetch := func(name string) string {
		return "var err error\n" + name + ", err = " + call + "\nreturn err\n"
	}
	switch {
	case m.result.None:
		open("return " + call + "\n")
	case m.row == nil:
		s.printf("var out %s\n", result)
		open(fetch("out"))
	case m.result.Many:
		s.printf("var rows []%s.%s\n", a.code, m.sql[a.engine].code.Result.Row.Name)
		open(fetch("rows"))
	default:
		s.printf("var row %s.%s\n", a.code, m.sql[a.engine].code.Result.Row.Name)
		open(fetch("row"))
	}
	s.printf("if err != nil {\nreturn %ss.translate(%q, err)\n}\n", zero, m.name)
	switch {
	case m.result.None:
		s.printf("return nil\n")
	case m.row == nil:
		s.printf("return out, nil\n")
	case m.result.Many:
		s.printf("out := make(%s, len(rows))\nfor i := range rows {\nout[i] = model.%s(rows[i])\n}\nreturn out, nil\n", result, m.row.name)
	default:
		s.printf("return model.%s(row), nil\n", m.row.name)
	}
	s.printf("}\n\n")
}
