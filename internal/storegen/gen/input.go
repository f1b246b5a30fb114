package gen

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strings"

	"github.com/hal9-ai/hal9/internal/storegen/diag"
	"github.com/hal9-ai/hal9/internal/storegen/queryfile"
	"github.com/hal9-ai/hal9/internal/storegen/sqlcgo"
	"github.com/hal9-ai/hal9/internal/storegen/sqltext"
)

// engines in the order in which errors compare them.
var engines = []sqltext.Engine{sqltext.Postgres, sqltext.SQLite} //nolint:gochecknoglobals // a table that nothing changes

// Where things stand in the repository.
const (
	queriesDir = "queries"
	modelDir   = "model"
)

// codeDir is where sqlc writes.
func codeDir(e sqltext.Engine) string {
	if e == sqltext.Postgres {
		return "gen/pgdb"
	}
	return "gen/sqlitedb"
}

// storeDir is where the adapters go.
func storeDir(e sqltext.Engine) string {
	if e == sqltext.Postgres {
		return "gen/pgstore"
	}
	return "gen/sqlitestore"
}

// side is a query on one engine: its SQL and the Go that sqlc made of it.
type side struct {
	*queryfile.Query
	code *sqlcgo.Method
	pkg  *sqlcgo.Package
	// sound is false once something is wrong that makes comparing with the
	// other engine pointless.
	sound bool
}

// problem begins a problem of the query.
func (s *side) problem(line int, message, mend string) diag.Problem {
	return diag.Problem{At: s.place(line, ""), Query: s.Name, Message: message, Mend: mend}
}

func (s *side) place(line int, note string) diag.Place {
	return diag.Place{File: s.File, Line: line, Note: note}
}

// input is all that the generator reads.
type input struct {
	module  string
	sides   map[sqltext.Engine][]*side // in order of files and lines
	taken   map[string]diag.Place      // names that model declares by hand
	queries map[sqltext.Engine]map[string]*side
	schema  *schema
	hand    *handNotes // nil without a store that is written by hand
}

var moduleLine = regexp.MustCompile(`(?m)^module\s+(\S+)`)

// read loads the SQL and sqlc's code. The error is for what keeps the
// generator from working at all; what is wrong with queries goes to problems.
func read(root fs.FS, problems *diag.List) (*input, error) {
	mod, err := fs.ReadFile(root, "go.mod")
	if err != nil {
		return nil, fmt.Errorf("reading the module's name (run this at the root of the repository, or say --root): %w", err)
	}
	m := moduleLine.FindSubmatch(mod)
	if m == nil {
		return nil, errors.New("go.mod names no module")
	}
	in := &input{
		module:  string(m[1]),
		sides:   map[sqltext.Engine][]*side{},
		queries: map[sqltext.Engine]map[string]*side{},
	}
	if in.schema, err = readSchema(root); err != nil {
		return nil, err
	}
	for _, e := range engines {
		queries, err := readQueries(root, e, problems)
		if err != nil {
			return nil, err
		}
		for _, q := range queries {
			in.schema.engines[e].expand(&q.Usage)
		}
		code, err := sqlcgo.Load(root, codeDir(e), in.module+"/"+codeDir(e))
		if err != nil {
			return nil, fmt.Errorf("loading sqlc's code (`make generate` writes it): %w", err)
		}
		in.join(e, queries, code, problems)
	}
	if in.taken, err = handWritten(root, modelDir); err != nil {
		return nil, err
	}
	in.hand, err = readHand(root, problems)
	return in, err
}

func readQueries(root fs.FS, e sqltext.Engine, problems *diag.List) ([]*queryfile.Query, error) {
	dir := path.Join(queriesDir, string(e))
	entries, err := fs.ReadDir(root, dir)
	if err != nil {
		return nil, fmt.Errorf("reading the queries of %s: %w", e.Title(), err)
	}
	var out []*queryfile.Query
	for _, entry := range entries {
		if entry.IsDir() || !strings.HasSuffix(entry.Name(), ".sql") {
			continue
		}
		file := path.Join(dir, entry.Name())
		src, err := fs.ReadFile(root, file)
		if err != nil {
			return nil, fmt.Errorf("reading the queries of %s: %w", e.Title(), err)
		}
		queries, faults := queryfile.Parse(e, file, string(src))
		out = append(out, queries...)
		*problems = append(*problems, faults...)
	}
	return out, nil
}

// join finds for each query the Go that sqlc made of it.
func (in *input) join(e sqltext.Engine, queries []*queryfile.Query, code *sqlcgo.Package, problems *diag.List) {
	byName := map[string]*side{}
	for _, q := range queries {
		s := &side{Query: q, code: code.Methods[q.Name], pkg: code, sound: true}
		if first := byName[q.Name]; first != nil {
			problems.Add(withSee(s.problem(q.Line, "the name is taken by another query", "rename one of them"),
				first.place(first.Line, "the first"), s.place(q.Line, "the second")))
			continue
		}
		if s.code == nil {
			problems.Add(s.problem(q.Line, code.Dir+" does not know the query: sqlc has not run since it was written",
				"run `make generate`"))
			s.sound = false
		}
		byName[q.Name] = s
		in.sides[e] = append(in.sides[e], s)
	}
	in.queries[e] = byName
	if len(*problems) > 0 {
		return // code without a query is then most likely a consequence
	}
	for name, method := range code.Methods {
		if byName[name] == nil {
			problems.Add(diag.Problem{
				At: diag.Place{File: method.File, Line: method.Line}, Query: name,
				Message: fmt.Sprintf("the code has no query in queries/%s any more", e),
				Mend:    "run `make generate`",
			})
		}
	}
}

func withSee(p diag.Problem, places ...diag.Place) diag.Problem {
	p.See = append(p.See, places...)
	return p
}
