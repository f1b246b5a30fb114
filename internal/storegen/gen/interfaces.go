package gen

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/printer"
	"go/token"
	"io/fs"
	"path"
	"strings"
)

// interfaces are the interfaces that package model declares by hand.
type interfaces struct {
	byName  map[string]*ast.InterfaceType
	file    map[string]string
	fset    map[string]*token.FileSet
	imports map[string]map[string]string // by file: name to path
	own     map[string]bool              // types of model, by hand
}

// handMethod is a method of one of them.
type handMethod struct {
	name string
	file string
	line int
	fn   *ast.FuncType
}

func readInterfaces(root fs.FS) (*interfaces, error) {
	out := &interfaces{
		byName: map[string]*ast.InterfaceType{}, file: map[string]string{}, fset: map[string]*token.FileSet{},
		imports: map[string]map[string]string{}, own: map[string]bool{},
	}
	files, err := fs.Glob(root, path.Join(modelDir, "*.go"))
	if err != nil {
		return nil, fmt.Errorf("listing %s: %w", modelDir, err)
	}
	for _, name := range files {
		src, err := fs.ReadFile(root, name)
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", modelDir, err)
		}
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		generated := strings.HasPrefix(string(src), Marker)
		if generated {
			continue
		}
		file, fset, err := parseGo(root, name)
		if err != nil {
			return nil, err
		}
		out.fset[name], out.imports[name] = fset, map[string]string{}
		for _, i := range file.Imports {
			p := strings.Trim(i.Path.Value, `"`)
			out.imports[name][path.Base(p)] = p
		}
		for _, decl := range file.Decls {
			g, ok := decl.(*ast.GenDecl)
			if !ok || g.Tok != token.TYPE {
				continue
			}
			for _, spec := range g.Specs {
				t, ok := spec.(*ast.TypeSpec)
				if !ok {
					continue
				}
				out.own[t.Name.Name] = true
				if i, ok := t.Type.(*ast.InterfaceType); ok {
					out.byName[t.Name.Name], out.file[t.Name.Name] = i, name
				}
			}
		}
	}
	return out, nil
}

func (i *interfaces) has(name string) bool { return i.byName[name] != nil }

// methods lists the methods of an interface and of those that it embeds. The
// generated ones are not followed.
func (i *interfaces) methods(name string) []handMethod {
	t := i.byName[name]
	if t == nil {
		return nil
	}
	var out []handMethod
	for _, f := range t.Methods.List {
		if id, ok := f.Type.(*ast.Ident); ok {
			out = append(out, i.methods(id.Name)...)
			continue
		}
		if fn, ok := f.Type.(*ast.FuncType); ok {
			for _, n := range f.Names {
				out = append(out, handMethod{name: n.Name, file: i.file[name], line: i.fset[i.file[name]].Position(n.Pos()).Line, fn: fn})
			}
		}
	}
	return out
}

// signature writes a method's parameters and results for another package, and the
// names of the parameters. Types of model that are generated end with Params.
func (i *interfaces) signature(s *source, m handMethod) (text string, args []string, err error) {
	list := func(fields *ast.FieldList, named bool) ([]string, error) {
		var out []string
		if fields == nil {
			return nil, nil
		}
		for _, f := range fields.List {
			t, err := i.typeText(s, m.file, f.Type)
			if err != nil {
				return nil, err
			}
			if !named {
				for range max(1, len(f.Names)) {
					out = append(out, t)
				}
				continue
			}
			for _, n := range f.Names {
				out = append(out, n.Name+" "+t)
				arg := n.Name
				if _, variadic := f.Type.(*ast.Ellipsis); variadic {
					arg += "..."
				}
				args = append(args, arg)
			}
		}
		return out, nil
	}
	params, err := list(m.fn.Params, true)
	if err != nil {
		return "", nil, err
	}
	results, err := list(m.fn.Results, false)
	if err != nil {
		return "", nil, err
	}
	text = "(" + strings.Join(params, ", ") + ") "
	if len(results) == 1 {
		return text + results[0], args, nil
	}
	return text + "(" + strings.Join(results, ", ") + ")", args, nil
}

// typeText writes a type as another package names it.
func (i *interfaces) typeText(s *source, file string, t ast.Expr) (string, error) {
	var b bytes.Buffer
	if err := printer.Fprint(&b, i.fset[file], qualify(t, func(pkg string) { s.use(i.imports[file][pkg]) })); err != nil {
		return "", fmt.Errorf("printing a type of %s: %w", file, err)
	}
	return b.String(), nil
}

// qualify puts model before the exported names of a type, in a copy of it.
func qualify(t ast.Expr, use func(pkg string)) ast.Expr {
	switch t := t.(type) {
	case *ast.Ident:
		if t.IsExported() {
			return &ast.SelectorExpr{X: ast.NewIdent("model"), Sel: ast.NewIdent(t.Name)}
		}
		return t
	case *ast.SelectorExpr:
		if pkg, ok := t.X.(*ast.Ident); ok {
			use(pkg.Name)
		}
		return t
	case *ast.StarExpr:
		return &ast.StarExpr{X: qualify(t.X, use)}
	case *ast.ArrayType:
		return &ast.ArrayType{Len: t.Len, Elt: qualify(t.Elt, use)}
	case *ast.Ellipsis:
		return &ast.Ellipsis{Elt: qualify(t.Elt, use)}
	case *ast.MapType:
		return &ast.MapType{Key: qualify(t.Key, use), Value: qualify(t.Value, use)}
	case *ast.FuncType:
		fields := func(l *ast.FieldList) *ast.FieldList {
			if l == nil {
				return nil
			}
			out := &ast.FieldList{}
			for _, f := range l.List {
				out.List = append(out.List, &ast.Field{Names: f.Names, Type: qualify(f.Type, use)})
			}
			return out
		}
		return &ast.FuncType{Params: fields(t.Params), Results: fields(t.Results)}
	default:
		return t
	}
}
