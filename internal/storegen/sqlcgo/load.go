package sqlcgo

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"path"
	"strconv"
	"strings"
)

// ErrEmpty says that sqlc has written nothing yet.
var ErrEmpty = errors.New("holds no Go code of sqlc")

// Load reads the package in dir of root. It follows no import: sqlc's code
// stands on model, a part of which is still to be generated, so the packages
// it imports are taken to hold just the types that it names.
func Load(root fs.FS, dir, importPath string) (*Package, error) {
	fset := token.NewFileSet()
	files, err := parse(fset, root, dir)
	if err != nil {
		return nil, err
	}
	config := types.Config{
		IgnoreFuncBodies: true,
		Importer:         stubs(files),
		Error:            func(error) {}, // signatures count; what sqlc gets wrong in them shows below
	}
	pkg, _ := config.Check(importPath, fset, files, nil)
	l := loader{fset: fset, files: files, pkg: pkg, models: map[string]bool{}}
	return l.load(dir)
}

func parse(fset *token.FileSet, root fs.FS, dir string) ([]*ast.File, error) {
	entries, err := fs.ReadDir(root, dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("reading %s: %w", dir, err)
	}
	var files []*ast.File
	for _, e := range entries {
		if e.IsDir() || !strings.HasSuffix(e.Name(), ".go") || strings.HasSuffix(e.Name(), "_test.go") {
			continue
		}
		name := path.Join(dir, e.Name())
		src, err := fs.ReadFile(root, name)
		if err != nil {
			return nil, fmt.Errorf("reading sqlc's code: %w", err)
		}
		file, err := parser.ParseFile(fset, name, src, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return nil, fmt.Errorf("parsing sqlc's code: %w", err)
		}
		files = append(files, file)
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("%s %w", dir, ErrEmpty)
	}
	return files, nil
}

// stubImporter hands out packages made of nothing but type names.
type stubImporter map[string]*types.Package

func (s stubImporter) Import(importPath string) (*types.Package, error) {
	if p, ok := s[importPath]; ok {
		return p, nil
	}
	return nil, fmt.Errorf("package %s is not imported", importPath)
}

// stubs makes a package for every import of files, with each name that files
// select from it declared as a type.
func stubs(files []*ast.File) stubImporter {
	out := stubImporter{}
	for _, file := range files {
		local := map[string]*types.Package{}
		for _, spec := range file.Imports {
			importPath, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				continue // the parser has let it pass, so it cannot happen
			}
			if out[importPath] == nil {
				out[importPath] = types.NewPackage(importPath, packageName(importPath))
				out[importPath].MarkComplete()
			}
			name := packageName(importPath)
			if spec.Name != nil {
				name = spec.Name.Name
			}
			local[name] = out[importPath]
		}
		ast.Inspect(file, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if x, ok := sel.X.(*ast.Ident); ok && local[x.Name] != nil {
				declare(local[x.Name], sel.Sel.Name)
			}
			return true
		})
	}
	return out
}

func declare(pkg *types.Package, name string) {
	if pkg.Scope().Lookup(name) != nil {
		return
	}
	obj := types.NewTypeName(token.NoPos, pkg, name, nil)
	types.NewNamed(obj, types.NewStruct(nil, nil), nil)
	pkg.Scope().Insert(obj)
}

type loader struct {
	fset   *token.FileSet
	files  []*ast.File
	pkg    *types.Package
	models map[string]bool // names that models.go declares
}

func (l *loader) load(dir string) (*Package, error) {
	out := &Package{Dir: dir, Methods: map[string]*Method{}, Models: map[string]*Struct{}}
	for _, file := range l.files {
		if path.Base(l.fset.Position(file.Package).Filename) != "models.go" {
			continue
		}
		for _, decl := range file.Decls {
			if gen, ok := decl.(*ast.GenDecl); ok {
				for _, spec := range gen.Specs {
					if t, ok := spec.(*ast.TypeSpec); ok {
						l.models[t.Name.Name] = true
					}
				}
			}
		}
	}
	for name := range l.models {
		if s := l.structOf(l.pkg.Scope().Lookup(name).Type()); s != nil {
			out.Models[name] = s
		}
	}
	querier := l.pkg.Scope().Lookup("Querier")
	if querier == nil {
		return nil, fmt.Errorf("%s has no interface Querier: set emit_interface in sqlc.yaml", dir)
	}
	iface, ok := querier.Type().Underlying().(*types.Interface)
	if !ok {
		return nil, fmt.Errorf("%s: Querier is no interface", dir)
	}
	bodies := l.bodies()
	consts := l.consts()
	for method := range iface.ExplicitMethods() {
		m := l.method(method)
		if body := bodies[m.Name]; body != nil {
			pos := l.fset.Position(body.Pos())
			m.File, m.Line = pos.Filename, pos.Line
			m.Args, m.Slices = args(body, consts[m.Name].name)
		}
		if c, ok := consts[m.Name]; ok {
			m.SQL, m.HasSQL, m.Command = c.text, true, c.command
		}
		out.Methods[m.Name] = m
	}
	return out, nil
}

// method reads a method's signature.
func (l *loader) method(f *types.Func) *Method {
	m := &Method{Name: f.Name(), Args: -1}
	sig, ok := f.Type().(*types.Signature)
	if !ok {
		m.Strange = "it is no function"
		return m
	}
	switch params := sig.Params(); params.Len() {
	case 1:
	case 2:
		m.Params = l.structOf(params.At(1).Type())
		if m.Params == nil {
			m.Strange = "its argument is no struct"
		}
	default:
		m.Strange = "it takes its parameters one by one"
	}
	switch results := sig.Results(); results.Len() {
	case 1:
		m.Result.None = true
	case 2:
		l.result(&m.Result, results.At(0).Type())
	default:
		m.Strange = fmt.Sprintf("it returns %d values", results.Len())
	}
	return m
}

func (l *loader) result(r *Result, t types.Type) {
	if elem, _, slice := (Type{t}).Elem(); slice {
		r.Many, t = true, elem.typ
	}
	r.Row = l.structOf(t)
	r.Type = Type{t}
}

// structOf describes t if it is a struct of this package.
func (l *loader) structOf(t types.Type) *Struct {
	named, ok := types.Unalias(t).(*types.Named)
	if !ok || named.Obj().Pkg() != l.pkg {
		return nil
	}
	st, ok := named.Underlying().(*types.Struct)
	if !ok {
		return nil
	}
	out := &Struct{Name: named.Obj().Name(), Model: l.models[named.Obj().Name()]}
	for f := range st.Fields() {
		out.Fields = append(out.Fields, Field{Name: f.Name(), Type: Type{f.Type()}})
	}
	return out
}

func (l *loader) bodies() map[string]*ast.FuncDecl {
	out := map[string]*ast.FuncDecl{}
	for _, file := range l.files {
		for _, decl := range file.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && f.Recv != nil && f.Body != nil {
				out[f.Name.Name] = f
			}
		}
	}
	return out
}
