// Package diag holds what the generator has to say to whoever wrote the SQL.
package diag

import (
	"cmp"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
)

// Place is a line of a file, with a word on what stands there.
type Place struct {
	File string
	Line int // from 1; 0 means the file as a whole
	Note string
}

// Problem is one thing to mend.
type Problem struct {
	At      Place
	Query   string // empty when the file is at fault
	Message string
	See     []Place // what the message compares
	Mend    string
}

// List collects problems, so that one run tells them all.
type List []Problem

// Add appends a problem.
func (l *List) Add(p Problem) { *l = append(*l, p) }

// Sort brings problems into the order of files and lines and drops repeated ones.
func (l *List) Sort() {
	slices.SortStableFunc(*l, func(a, b Problem) int {
		return cmp.Or(
			cmp.Compare(a.At.File, b.At.File), cmp.Compare(a.At.Line, b.At.Line),
			cmp.Compare(a.Query, b.Query), cmp.Compare(a.Message, b.Message))
	})
	*l = slices.CompactFunc(*l, func(a, b Problem) bool {
		return a.At == b.At && a.Query == b.Query && a.Message == b.Message
	})
}

// Write prints each problem as a block: the place, as compilers write it, what
// is wrong, the lines of source that it speaks of, and how to mend it.
func (l List) Write(w io.Writer, source fs.FS) error {
	lines := map[string][]string{}
	excerpt := func(p Place) string {
		if _, known := lines[p.File]; !known {
			text, err := fs.ReadFile(source, p.File)
			if err != nil {
				text = nil // the place is told all the same
			}
			lines[p.File] = strings.Split(string(text), "\n")
		}
		if p.Line < 1 || p.Line > len(lines[p.File]) {
			return ""
		}
		return strings.TrimSpace(lines[p.File][p.Line-1])
	}
	var b strings.Builder
	for _, p := range l {
		fmt.Fprintf(&b, "%s: ", position(p.At))
		if p.Query != "" {
			fmt.Fprintf(&b, "%s: ", p.Query)
		}
		fmt.Fprintln(&b, p.Message)
		see := p.See
		if len(see) == 0 {
			see = []Place{p.At}
		}
		for _, place := range see {
			text := excerpt(place)
			if len(p.See) > 0 {
				fmt.Fprintf(&b, "    %s", position(place))
				if place.Note != "" {
					fmt.Fprintf(&b, ": %s", place.Note)
				}
				fmt.Fprintln(&b)
			}
			if text != "" {
				fmt.Fprintf(&b, "        | %s\n", text)
			}
		}
		if p.Mend != "" {
			fmt.Fprintf(&b, "    mend: %s\n", strings.ReplaceAll(p.Mend, "\n", "\n          "))
		}
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("printing problems: %w", err)
	}
	return nil
}

func position(p Place) string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d", p.File, p.Line)
}
