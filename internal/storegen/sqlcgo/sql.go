package sqlcgo

import (
	"go/ast"
	"go/token"
	"regexp"
	"strconv"
)

// constant is the SQL text of a query.
type constant struct {
	name, text, command string
}

// constHead is the line by which sqlc begins each constant.
var constHead = regexp.MustCompile(`^-- name: (\w+) (:\w+)\n`)

// consts finds the SQL constants, by the name of their query.
func (l *loader) consts() map[string]constant {
	out := map[string]constant{}
	for _, file := range l.files {
		for _, decl := range file.Decls {
			gen, ok := decl.(*ast.GenDecl)
			if !ok || gen.Tok != token.CONST {
				continue
			}
			for _, spec := range gen.Specs {
				v, ok := spec.(*ast.ValueSpec)
				if !ok || len(v.Names) != 1 || len(v.Values) != 1 {
					continue
				}
				text, ok := stringConstant(v.Values[0])
				if m := constHead.FindStringSubmatch(text); ok && m != nil {
					out[m[1]] = constant{name: v.Names[0].Name, text: text, command: m[2]}
				}
			}
		}
	}
	return out
}

// stringConstant evaluates a string constant; sqlc splices backquotes in by +.
func stringConstant(e ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		text, err := strconv.Unquote(e.Value)
		return text, err == nil && e.Kind == token.STRING
	case *ast.ParenExpr:
		return stringConstant(e.X)
	case *ast.BinaryExpr:
		left, okLeft := stringConstant(e.X)
		right, okRight := stringConstant(e.Y)
		return left + right, okLeft && okRight && e.Op == token.ADD
	default:
		return "", false
	}
}

// args counts the arguments that stand behind the constant in the call that
// sends it, and tells whether the text is rewritten first, as for sqlc.slice.
func args(f *ast.FuncDecl, constant string) (n int, rewritten bool) {
	n = -1
	ast.Inspect(f.Body, func(node ast.Node) bool {
		switch node := node.(type) {
		case *ast.AssignStmt: // query := neuronList
			if len(node.Rhs) == 1 && isIdent(node.Rhs[0], constant) {
				rewritten = true
			}
		case *ast.CallExpr:
			for i, arg := range node.Args {
				if isIdent(arg, constant) {
					n = len(node.Args) - i - 1
				}
			}
		}
		return true
	})
	return n, rewritten
}

func isIdent(e ast.Expr, name string) bool {
	id, ok := e.(*ast.Ident)
	return ok && id.Name == name && name != ""
}
