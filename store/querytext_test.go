package store_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// query is a statement as the store sends it.
type query struct {
	name string
	text string
	// args are the names of the fields that its parameters are taken from, in order.
	args []string
}

var queryName = regexp.MustCompile(`^-- name: (\w+) :\w+\n`)

// queryTexts reads the statements from the code that sqlc wrote: what is explained is
// what runs.
func queryTexts(t *testing.T, pkg string) map[string]query {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "gen", pkg, "*.sql.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no generated files of %s: %v", pkg, err)
	}
	texts := map[string]query{} // by the constant's name
	args := map[string][]string{}
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.ValueSpec:
				if text, ok := stringLiteral(n); ok {
					if m := queryName.FindStringSubmatch(text); m != nil {
						texts[n.Names[0].Name] = query{name: m[1], text: text}
					}
				}
			case *ast.CallExpr:
				noteArgs(n, args)
			}
			return true
		})
	}
	byName := map[string]query{}
	for constant, q := range texts {
		q.args = args[constant]
		byName[q.name] = q
	}
	return byName
}

func stringLiteral(spec *ast.ValueSpec) (string, bool) {
	if len(spec.Values) != 1 {
		return "", false
	}
	literal, ok := spec.Values[0].(*ast.BasicLit)
	if !ok || literal.Kind != token.STRING {
		return "", false
	}
	text, err := strconv.Unquote(literal.Value)
	return text, err == nil
}

// noteArgs keeps the arg.Field arguments that follow a statement's constant in a call.
func noteArgs(call *ast.CallExpr, args map[string][]string) {
	constant := ""
	var fields []string
	for _, arg := range call.Args {
		switch arg := arg.(type) {
		case *ast.Ident:
			constant = arg.Name // the last one before the fields
		case *ast.SelectorExpr:
			if x, ok := arg.X.(*ast.Ident); ok && x.Name == "arg" {
				fields = append(fields, arg.Sel.Name)
			}
		}
	}
	if constant != "" && len(fields) > 0 {
		args[constant] = fields
	}
}

// index is an index of the migrations with the queries that its comment names.
type index struct {
	name    string
	queries []string
}

var (
	indexLine = regexp.MustCompile(`^CREATE (?:UNIQUE )?INDEX (\w+)`)
	wordPat   = regexp.MustCompile(`[A-Z]\w+`)
)

// indexesOf reads the migrations: the comment above an index, or above the one before
// it, names the queries that need it.
func indexesOf(t *testing.T, engine string, known map[string]query) []index {
	t.Helper()
	var indexes []index
	root := os.DirFS(filepath.Join("..", "schema", engine))
	files, err := fs.Glob(root, "*.sql")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := fs.ReadFile(root, file)
		if err != nil {
			t.Fatal(err)
		}
		comment, inComment := "", false
		for line := range strings.Lines(string(text)) {
			switch m := indexLine.FindStringSubmatch(line); {
			case m != nil:
				i := index{name: m[1]}
				for _, word := range wordPat.FindAllString(comment, -1) {
					if _, ok := known[word]; ok {
						i.queries = append(i.queries, word)
					}
				}
				if strings.Contains(comment, "cascade from sessions") {
					i.queries = append(i.queries, cascadeFromSessions)
				}
				indexes = append(indexes, i)
				inComment = false
			case strings.HasPrefix(line, "--"):
				if !inComment {
					comment = ""
				}
				comment, inComment = comment+line, true
			default:
				inComment = false
			}
		}
	}
	if len(indexes) == 0 {
		t.Fatalf("no indexes in the migrations of %s", engine)
	}
	return indexes
}

// cascadeFromSessions stands for what a foreign key runs; it cannot be explained.
const cascadeFromSessions = "the cascade from sessions"

var cascadeQuery = query{name: cascadeFromSessions, text: "DELETE FROM refresh_tokens WHERE session_id = $1", args: []string{"SessionID"}}
