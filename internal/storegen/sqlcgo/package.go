// Package sqlcgo reads the Go code that sqlc wrote for one engine.
package sqlcgo

import (
	"go/types"
	"path"
)

// Package is what sqlc made of one engine's queries.
type Package struct {
	Dir     string
	Methods map[string]*Method // of the interface Querier
	Models  map[string]*Struct // of tables
}

// Method is one query in Go.
type Method struct {
	Name   string
	File   string // where its code stands
	Line   int
	Params *Struct // nil when the query takes none
	Result Result

	SQL     string // the constant that is sent to the engine
	HasSQL  bool   // false for the kinds of query that send none, as :copyfrom
	Command string // as the constant says, with its colon
	Args    int    // how many arguments are passed with it; -1 when that is not to be seen
	Slices  bool   // it rewrites its SQL at run time, as sqlc.slice makes it
	Strange string // what no adapter can carry, as an argument of an unknown kind
}

// Struct is a struct that sqlc declared.
type Struct struct {
	Name   string
	Model  bool // it stands for a table
	Fields []Field
}

// Field is a field of a Struct.
type Field struct {
	Name string
	Type Type
}

// Result is what a query returns beside its error.
type Result struct {
	None bool
	Many bool
	Row  *Struct // nil for a single column or a count
	Type Type    // of the single column or count
}

// Type is a Go type.
type Type struct {
	typ types.Type
}

// String is the type with the names of packages, as messages show it.
func (t Type) String() string { return types.TypeString(t.typ, (*types.Package).Name) }

// In is the type as a package of that path writes it.
func (t Type) In(pkg string) string {
	return types.TypeString(t.typ, func(p *types.Package) string {
		if p.Path() == pkg {
			return ""
		}
		return p.Name()
	})
}

// Equal tells whether two types are the same. Types that sqlc declares itself
// differ between the engines, whatever their names are.
func (t Type) Equal(u Type) bool {
	full := (*types.Package).Path
	return types.TypeString(t.typ, full) == types.TypeString(u.typ, full)
}

// Elem is the type without its pointer or slice, and which of them it had.
// []byte has neither: it is one value.
func (t Type) Elem() (elem Type, pointer, slice bool) {
	switch u := types.Unalias(t.typ).(type) {
	case *types.Pointer:
		return Type{u.Elem()}, true, false
	case *types.Slice:
		if b, ok := u.Elem().(*types.Basic); ok && b.Kind() == types.Uint8 {
			return t, false, false
		}
		return Type{u.Elem()}, false, true
	default:
		return t, false, false
	}
}

// Imports are the paths of the packages that the type names.
func (t Type) Imports() []string {
	var out []string
	types.TypeString(t.typ, func(p *types.Package) string {
		out = append(out, p.Path())
		return p.Name()
	})
	return out
}

// packageName guesses the name of a package from its path, as goimports does.
func packageName(importPath string) string {
	base := path.Base(importPath)
	if len(base) > 1 && base[0] == 'v' && base[1] >= '0' && base[1] <= '9' {
		return path.Base(path.Dir(importPath))
	}
	return base
}
