package gen

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/hal9-ai/hal9/internal/storegen/diag"
)

// handFile lists what is written by hand and touches the database.
const handFile = "queries/handwritten.notes"

// What a line of handFile can say beside groups.
const (
	handQueries = "its queries" // it runs queries, whose own notes hold
	handEpoch   = "epoch"       // the database's epoch is bumped with it
)

// handNotes is what handFile says.
type handNotes struct {
	lines []handNote
	found map[string]diag.Place // what is written by hand, by name
	iface *interfaces
}

// handNote is one line of handFile.
type handNote struct {
	names  []string
	groups []string
	value  string
	line   int
}

var (
	handLine    = regexp.MustCompile(`^([A-Z]\w*(?:, [A-Z]\w*)*):\s*(.+)$`)
	handNothing = regexp.MustCompile(`^nothing, because \S.*$`)
)

// readHand reads handFile and finds what it has to name: the methods of model.Store
// and model.Tx that no query stands for, and the exported functions and methods of
// the engines. A repository without a model.Store has nothing of the kind.
func readHand(root fs.FS, problems *diag.List) (*handNotes, error) {
	iface, err := readInterfaces(root)
	if err != nil || !iface.has("Store") {
		return nil, err
	}
	h := &handNotes{found: map[string]diag.Place{}, iface: iface}
	for _, name := range []string{"Store", "Tx"} {
		for _, m := range iface.methods(name) {
			h.found[m.name] = diag.Place{File: m.file, Line: m.line}
		}
	}
	for _, e := range engines {
		if err := h.engine(root, path.Join("store", string(e))); err != nil {
			return nil, err
		}
	}
	return h, h.read(root, problems)
}

// engine finds the exported functions of an engine, and the exported methods of its
// store and its transaction.
func (h *handNotes) engine(root fs.FS, dir string) error {
	files, err := fs.Glob(root, path.Join(dir, "*.go"))
	if err != nil {
		return fmt.Errorf("listing %s: %w", dir, err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, fset, err := parseGo(root, name)
		if err != nil {
			return err
		}
		for _, decl := range file.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if !ok || !f.Name.IsExported() || f.Recv != nil && !slices.Contains([]string{"Store", "tx"}, receiver(f)) {
				continue
			}
			if _, known := h.found[f.Name.Name]; !known {
				h.found[f.Name.Name] = diag.Place{File: name, Line: fset.Position(f.Pos()).Line}
			}
		}
	}
	return nil
}

func receiver(f *ast.FuncDecl) string {
	t := f.Recv.List[0].Type
	if star, ok := t.(*ast.StarExpr); ok {
		t = star.X
	}
	if id, ok := t.(*ast.Ident); ok {
		return id.Name
	}
	return ""
}

func parseGo(root fs.FS, name string) (*ast.File, *token.FileSet, error) {
	src, err := fs.ReadFile(root, name)
	if err != nil {
		return nil, nil, fmt.Errorf("reading Go: %w", err)
	}
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, name, src, parser.SkipObjectResolution)
	if err != nil {
		return nil, nil, fmt.Errorf("parsing Go: %w", err)
	}
	return file, fset, nil
}

// read reads handFile.
func (h *handNotes) read(root fs.FS, problems *diag.List) error {
	src, err := fs.ReadFile(root, handFile)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		src = nil // every name is missing then
	case err != nil:
		return fmt.Errorf("reading %s: %w", handFile, err)
	}
	named := map[string]int{}
	for i, line := range strings.Split(string(src), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		fault := func(message, mend string) {
			problems.Add(diag.Problem{At: diag.Place{File: handFile, Line: i + 1}, Message: message, Mend: mend})
		}
		m := handLine.FindStringSubmatch(line)
		if m == nil {
			fault("the line names no methods", "write `Method, Method: nothing, because …`, `…: group memory`, `…: its queries` or `…: epoch`")
			continue
		}
		n := handNote{names: strings.Split(m[1], ", "), value: m[2], line: i + 1}
		switch {
		case n.value == handQueries, n.value == handEpoch, handNothing.MatchString(n.value):
		default:
			for item := range strings.SplitSeq(n.value, ", ") {
				group, ok := strings.CutPrefix(item, "group ")
				if !ok || strings.ContainsAny(group, " :{}") || group == "" {
					fault(fmt.Sprintf("%q is nothing that a method by hand can make stale", item),
						"it may be `group NAME`, several with commas; `epoch`; `its queries`; or `nothing, because …`")
					break
				}
				n.groups = append(n.groups, group)
			}
		}
		for _, name := range n.names {
			if first, twice := named[name]; twice {
				fault(name+" stands here for the second time", fmt.Sprintf("keep one; the first stands in line %d", first))
			}
			named[name] = i + 1
		}
		h.lines = append(h.lines, n)
	}
	return nil
}

// of is the line that names a method, and nil if none does.
func (h *handNotes) of(name string) *handNote {
	for i := range h.lines {
		if slices.Contains(h.lines[i].names, name) {
			return &h.lines[i]
		}
	}
	return nil
}

// checkHand holds handFile against what there is.
func checkHand(in *input, p *plan, c *cachePlan, problems *diag.List) {
	h := in.hand
	if h == nil || len(c.caches) == 0 {
		return
	}
	generated := map[string]bool{}
	for _, e := range p.entities {
		for _, m := range e.methods {
			generated[m.name] = true
		}
	}
	var known []string
	for name, at := range h.found {
		known = append(known, name)
		if generated[name] || h.of(name) != nil {
			continue
		}
		problems.Add(withSee(diag.Problem{
			At: diag.Place{File: handFile}, Message: name + " is written by hand, and nobody says what it makes stale",
			Mend: fmt.Sprintf("add `%s: nothing, because …`, or the groups that it drops", name),
		}, at))
	}
	slices.Sort(known)
	for _, n := range h.lines {
		for _, name := range n.names {
			if _, there := h.found[name]; there {
				continue
			}
			mend := "delete the name: neither model.Store, model.Tx nor the engines have such a method"
			if near := diag.Near(name, known); near != "" {
				mend = "did you mean " + near + "?"
			}
			problems.Add(diag.Problem{At: diag.Place{File: handFile, Line: n.line}, Message: name + " is not to be found", Mend: mend})
		}
		for _, group := range n.groups {
			if !slices.ContainsFunc(c.caches, func(x *cache) bool { return x.group == group }) {
				problems.Add(diag.Problem{At: diag.Place{File: handFile, Line: n.line}, Message: "no cached read is in a group " + group, Mend: "correct the name"})
			}
		}
	}
}
