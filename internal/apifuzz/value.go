package apifuzz

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// A node is a JSON value that may be wrong: nil, bool, string, json.Number, raw, a
// *list or a *members.
type node any

// raw stands for text that need not be JSON.
type raw string

type list struct{ items []node }

// members is an object whose names may repeat.
type members struct{ fields []field }

type field struct {
	name  string // raw when it begins with a quote
	value node
}

func (m *members) index(name string) int {
	for i, f := range m.fields {
		if f.name == name {
			return i
		}
	}
	return -1
}

func (m *members) set(name string, value node) {
	if i := m.index(name); i >= 0 {
		m.fields[i].value = value
		return
	}
	m.fields = append(m.fields, field{name, value})
}

// encode writes the node as text.
func encode(n node) string {
	var b strings.Builder
	appendNode(&b, n)
	return b.String()
}

func appendNode(b *strings.Builder, n node) {
	switch n := n.(type) {
	case nil:
		b.WriteString("null")
	case bool:
		b.WriteString(strconv.FormatBool(n))
	case raw:
		b.WriteString(string(n))
	case json.Number:
		b.WriteString(string(n))
	case string:
		appendString(b, n)
	case *list:
		b.WriteByte('[')
		for i, item := range n.items {
			if i > 0 {
				b.WriteByte(',')
			}
			appendNode(b, item)
		}
		b.WriteByte(']')
	case *members:
		b.WriteByte('{')
		for i, f := range n.fields {
			if i > 0 {
				b.WriteByte(',')
			}
			if strings.HasPrefix(f.name, `"`) {
				b.WriteString(f.name)
			} else {
				appendString(b, f.name)
			}
			b.WriteByte(':')
			appendNode(b, f.value)
		}
		b.WriteByte('}')
	default:
		panic(fmt.Sprintf("apifuzz: no node: %T", n))
	}
}

// appendString keeps characters as they are; broken UTF-8 too, unlike encoding/json.
func appendString(b *strings.Builder, s string) {
	b.WriteByte('"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < 0x20:
			fmt.Fprintf(b, `\u%04x`, c)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
}

// nodeOf is a value of encoding/json as a node.
func nodeOf(v any) node {
	switch v := v.(type) {
	case []any:
		l := &list{}
		for _, item := range v {
			l.items = append(l.items, nodeOf(item))
		}
		return l
	case object:
		m := &members{}
		for name, value := range sorted(v) {
			m.fields = append(m.fields, field{name, nodeOf(value)})
		}
		return m
	default:
		return v
	}
}

// slot is a place in a value that can be set.
type slot struct {
	get func() node
	set func(node)
	// in holds the place if it is a member's.
	in   *members
	name string
}

// slots are all places within the value, its own first.
func slots(root *node) []slot {
	all := []slot{{get: func() node { return *root }, set: func(n node) { *root = n }}}
	for i := 0; i < len(all); i++ {
		switch n := all[i].get().(type) {
		case *list:
			for k := range n.items {
				all = append(all, slot{get: func() node { return n.items[k] }, set: func(v node) { n.items[k] = v }})
			}
		case *members:
			for k := range n.fields {
				all = append(all, slot{
					get: func() node { return n.fields[k].value }, set: func(v node) { n.fields[k].value = v },
					in: n, name: n.fields[k].name,
				})
			}
		}
	}
	return all
}

// decodeJSON reads a body, with numbers as they are written; nil if it is no JSON.
func decodeJSON(body []byte) any {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil || d.More() {
		return nil
	}
	return v
}
