package queryfile

import (
	"fmt"
	"regexp"
	"strings"
)

// AllParams is the hole that stands for a digest of all parameters.
const AllParams = "*"

// Key is a pattern of cache keys, such as neuron:{id}:state.
type Key struct {
	Text  string
	Parts []KeyPart
}

// KeyPart is a piece of a Key: a text, or a hole that a value goes into.
type KeyPart struct {
	Literal string
	Hole    string // a parameter, a column, or AllParams; "" for a literal
}

var (
	keyLiteral = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
	keyHole    = regexp.MustCompile(`^\{([a-z_][a-z0-9_]*|\*)\}$`)
	groupName  = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
)

// ParseKey reads a pattern; mend is "" or tells how to write one.
func ParseKey(text string) (k Key, mend string) {
	k.Text = text
	for i, segment := range strings.Split(text, ":") {
		hole := keyHole.FindStringSubmatch(segment)
		switch {
		case hole != nil && i > 0:
			k.Parts = append(k.Parts, KeyPart{Hole: hole[1]})
		case keyLiteral.MatchString(segment):
			k.Parts = append(k.Parts, KeyPart{Literal: segment})
		default:
			return Key{}, fmt.Sprintf("a key is words and placeholders with colons between them, a word first, as in neuron:{id}:state; %q is neither", segment)
		}
	}
	return k, ""
}

// Holes are the names that stand in braces.
func (k Key) Holes() []string {
	var out []string
	for _, p := range k.Parts {
		if p.Hole != "" {
			out = append(out, p.Hole)
		}
	}
	return out
}

// HasAll tells whether a digest of all parameters is part of the key.
func (k Key) HasAll() bool {
	for _, p := range k.Parts {
		if p.Hole == AllParams {
			return true
		}
	}
	return false
}

// Shape is the pattern without the names in it. Keys of different shapes never meet: no
// value is written as a word of a pattern is, and no two patterns have the same words.
func (k Key) Shape() string {
	var b strings.Builder
	for i, p := range k.Parts {
		if i > 0 {
			b.WriteByte(':')
		}
		switch p.Hole {
		case "":
			b.WriteString(p.Literal)
		case AllParams:
			b.WriteString("{*}")
		default:
			b.WriteString("{}")
		}
	}
	return b.String()
}

// Name is the words of the pattern, as metrics and settings name what it holds:
// neuron_state for neuron:{id}:state.
func (k Key) Name() string {
	var words []string
	for _, p := range k.Parts {
		if p.Literal != "" {
			words = append(words, p.Literal)
		}
	}
	return strings.Join(words, "_")
}

// CacheNote is `-- cache: KEY [group GROUP] [if found]`.
type CacheNote struct {
	Key     Key
	Group   string // what it is dropped together with, or ""
	IfFound bool   // that there is no such row is not remembered
	Line    int
}

var cacheNote = regexp.MustCompile(`^(\S+)(?: group (\S+))?( if found)?$`)

// parseCache reads the value of a note `cache`.
func parseCache(value string) (n CacheNote, mend string) {
	m := cacheNote.FindStringSubmatch(value)
	if m == nil {
		return n, "name a key, as in `-- cache: neuron:{id}`, and a group if it has one, as in `-- cache: memory:search:{*} group memory`"
	}
	if n.Key, mend = ParseKey(m[1]); mend != "" {
		return n, mend
	}
	if m[2] != "" && !groupName.MatchString(m[2]) {
		return n, "a group is one word, as in `group memory`: what it holds is dropped as a whole"
	}
	n.Group, n.IfFound = m[2], m[3] != ""
	return n, ""
}

// Cache is the query's note `cache`, and nil without one.
func (q *Query) Cache() *CacheNote {
	note := q.Note(NoteCache)
	if note == nil {
		return nil
	}
	n, mend := parseCache(note.Value)
	if mend != "" {
		return nil // reported when the file was read
	}
	n.Line = note.Line
	return &n
}

// Invalidation is one note `invalidates`: keys and groups, or nothing and why.
type Invalidation struct {
	Keys   []Key
	Groups []string
	// Nothing says that the write makes stale nothing at all, or nothing of Of.
	Nothing bool
	Of      []Key
	Because string
	Line    int
}

var nothingNote = regexp.MustCompile(`^nothing(?: of (.+?))?, because (\S.*)$`)

// parseInvalidates reads the value of a note `invalidates`.
func parseInvalidates(value string) (n Invalidation, mend string) {
	if value == "" {
		return n, "name keys or groups, as in `-- invalidates: neuron:{id}, group memory`, or write `-- invalidates: nothing, because …`"
	}
	if first, _, _ := strings.Cut(value, ","); first == "nothing" || strings.HasPrefix(value, "nothing ") {
		m := nothingNote.FindStringSubmatch(value)
		if m == nil {
			return n, "say why, as in `-- invalidates: nothing, because it changes no column` or `-- invalidates: nothing of session:{token_hash}, because …`"
		}
		n.Nothing, n.Because = true, m[2]
		if m[1] == "" {
			return n, ""
		}
		for text := range strings.SplitSeq(strings.ReplaceAll(m[1], " and ", ", "), ", ") {
			k, mend := ParseKey(text)
			if mend != "" {
				return n, mend
			}
			n.Of = append(n.Of, k)
		}
		return n, ""
	}
	for item := range strings.SplitSeq(value, ",") {
		item = strings.TrimSpace(item)
		if group, ok := strings.CutPrefix(item, "group "); ok {
			if !groupName.MatchString(group) {
				return n, "a group is one word, as in `group memory`"
			}
			n.Groups = append(n.Groups, group)
			continue
		}
		k, mend := ParseKey(item)
		if mend != "" {
			return n, mend
		}
		n.Keys = append(n.Keys, k)
	}
	return n, ""
}

// Invalidates are the query's notes `invalidates`.
func (q *Query) Invalidates() []Invalidation {
	var out []Invalidation
	for _, note := range q.Notes {
		if note.Word != NoteInvalidates {
			continue
		}
		n, mend := parseInvalidates(note.Value)
		if mend != "" {
			continue // reported when the file was read
		}
		n.Line = note.Line
		out = append(out, n)
	}
	return out
}
