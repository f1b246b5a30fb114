package loadtest

import (
	"html"
	"strings"
)

// markup is HTML. Only text and tag make it of other strings, so that none gets into the
// page unescaped. It is built by hand because html/template looks methods up by their
// names: a program with it keeps every exported method of every type.
type markup string

// text is a string as the reader should see it.
func text(s string) markup { return markup(html.EscapeString(s)) }

// tag is an element; its name may be followed by attributes, which are ours.
func tag(element string, inside ...markup) markup {
	name, _, _ := strings.Cut(element, " ")
	return markup("<"+element+">") + join(inside...) + markup("</"+name+">")
}

func join(parts ...markup) markup {
	var b strings.Builder
	for _, p := range parts {
		b.WriteString(string(p))
	}
	return markup(b.String())
}

// cells are the cells of a row: text, then numbers.
func cells(word string, numbers ...string) markup {
	row := tag("td", text(word))
	for _, n := range numbers {
		row += tag(`td class="n"`, text(n))
	}
	return row
}
