// Package gen is the generator: it reads the SQL of both engines and the Go
// that sqlc made of it, proves that the engines agree, and writes the shared
// types, the interface of all queries and the adapters.
package gen

import (
	"io/fs"
	"path"

	"github.com/hal9-ai/hal9/internal/storegen/diag"
)

// Output holds the generated files by their path from the root.
type Output map[string][]byte

// Generate reads the repository in root and returns what belongs into its
// generated files, or what is wrong with its queries. The error is for what
// keeps it from judging the queries at all, as sqlc's code that is missing.
func Generate(root fs.FS) (Output, diag.List, error) {
	var problems diag.List
	in, err := read(root, &problems)
	if err != nil {
		problems.Sort()
		return nil, problems, err
	}
	for _, e := range engines {
		for _, s := range in.sides[e] {
			checkTraps(s, &problems)
			if s.sound {
				checkNulls(in, s, &problems)
				checkOrder(in, s, &problems)
				checkVersions(in, s, &problems)
			}
		}
	}
	checkUnversioned(in, &problems)
	pairs := pairUp(in, &problems)
	for _, p := range pairs {
		before := len(problems)
		compare(in, p, &problems)
		if len(problems) > before { // the row types would repeat it
			p.pg.sound = false
		}
	}
	p := makePlan(in, pairs, &problems)
	if len(problems) > 0 { // the cache's would repeat them in other words
		problems.Sort()
		return nil, problems, nil
	}
	c := makeCachePlan(in, p, &problems)
	if len(problems) > 0 {
		problems.Sort()
		return nil, problems, nil
	}
	out, err := emit(p)
	if err != nil {
		return nil, nil, err
	}
	return out, nil, emitCache(p, c, out)
}

// CheckSQL looks at the SQL alone, before sqlc has seen it.
func CheckSQL(root fs.FS) (diag.List, error) {
	var problems diag.List
	for _, e := range engines {
		queries, err := readQueries(root, e, &problems)
		if err != nil {
			return nil, err
		}
		for _, q := range queries {
			sourceTraps(&side{Query: q}, &problems)
		}
	}
	problems.Sort()
	return problems, nil
}

func emit(p *plan) (Output, error) {
	out := Output{}
	var err error
	if out[modelFile], err = emitModel(p); err != nil {
		return nil, err
	}
	for _, e := range engines {
		a := newAdapter(p, e)
		if out[path.Join(storeDir(e), "store.go")], err = a.storeFile(); err != nil {
			return nil, err
		}
		for _, ent := range p.entities {
			// As sqlc's own files are named: no ending of a Go file has a
			// meaning to the compiler then, as neurons_test.go would.
			if out[path.Join(storeDir(e), ent.file+".sql.go")], err = a.entityFile(ent); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}
