package gen

import (
	"bytes"
	"fmt"
	"go/format"
	"path"
	"slices"
	"strings"
)

// source gathers the body of a Go file and the packages that it needs.
type source struct {
	body    bytes.Buffer
	imports map[string]bool
}

func newSource(imports ...string) *source {
	s := &source{imports: map[string]bool{}}
	s.use(imports...)
	return s
}

func (s *source) use(paths ...string) {
	for _, p := range paths {
		s.imports[p] = true
	}
}

func (s *source) printf(format string, args ...any) { fmt.Fprintf(&s.body, format, args...) }

// comment prints lines as a comment.
func (s *source) comment(indent string, lines []string) {
	for _, line := range lines {
		s.printf("%s\n", strings.TrimRight(indent+"// "+line, " "))
	}
}

// file puts the parts together, in gofmt's form.
func (s *source) file(doc, pkg string) ([]byte, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s\n\n", Marker)
	if doc != "" {
		fmt.Fprintf(&b, "%s\n", doc)
	}
	fmt.Fprintf(&b, "package %s\n\n", pkg)
	var std, other []string
	for p := range s.imports {
		if first, _, _ := strings.Cut(p, "/"); strings.Contains(first, ".") {
			other = append(other, p)
		} else {
			std = append(std, p)
		}
	}
	slices.Sort(std)
	slices.Sort(other)
	if len(std)+len(other) > 0 {
		b.WriteString("import (\n")
		for _, p := range std {
			fmt.Fprintf(&b, "\t%q\n", p)
		}
		if len(std) > 0 && len(other) > 0 {
			b.WriteByte('\n')
		}
		for _, p := range other {
			fmt.Fprintf(&b, "\t%q\n", p)
		}
		b.WriteString(")\n\n")
	}
	b.Write(s.body.Bytes())
	out, err := format.Source(b.Bytes())
	if err != nil {
		return nil, fmt.Errorf("formatting the generated package %s: %w", path.Base(pkg), err)
	}
	return out, nil
}
