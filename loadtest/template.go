package loadtest

import (
	"net/url"
	"regexp"
	"strings"
)

// What a placeholder without a definition in the scenario stands for.
const (
	varUser      = "user"      // the number of the virtual user, from 1
	varIteration = "iteration" // how many journeys the user made before
	varRun       = "run"       // eight digits that no other run has
	varRandom    = "random"    // sixteen digits that no other journey has
	varTime      = "time"      // milliseconds since 1970
	varUsername  = "username"  // of the account
	varPassword  = "password"  //
	varToken     = "token"     // the account's access token
	varNeuron    = "neuron"    // by neurons
)

func builtinNames() []string {
	return []string{varUser, varIteration, varRun, varRandom, varTime, varUsername, varPassword, varToken}
}

// A placeholder is a name of small letters in braces. The braces of JSON never look so,
// since its names are quoted.
var placeholder = regexp.MustCompile(`\{([a-z_]+)\}`)

func isName(s string) bool {
	return s != "" && placeholder.FindString("{"+s+"}") == "{"+s+"}"
}

func placeholdersIn(text string) []string {
	var names []string
	for _, m := range placeholder.FindAllStringSubmatch(text, -1) {
		names = append(names, m[1])
	}
	return names
}

// template is a text with slots for values.
type template []part

// part is a literal, or the slot of a value.
type part struct {
	literal string
	slot    int // -1 for a literal
}

// escape makes a value fit where it is put.
type escape func(dst []byte, value string) []byte

// slots numbers the placeholders of a scenario.
type slots map[string]int

func (s slots) of(name string) int {
	n, ok := s[name]
	if !ok {
		n = len(s)
		s[name] = n
	}
	return n
}

func (s slots) compile(text string) template {
	var t template
	last := 0
	for _, m := range placeholder.FindAllStringSubmatchIndex(text, -1) {
		if m[0] > last {
			t = append(t, part{literal: text[last:m[0]], slot: -1})
		}
		t = append(t, part{slot: s.of(text[m[2]:m[3]])})
		last = m[1]
	}
	if last < len(text) {
		t = append(t, part{literal: text[last:], slot: -1})
	}
	return t
}

func (t template) write(dst []byte, values []string, esc escape) []byte {
	for _, p := range t {
		if p.slot < 0 {
			dst = append(dst, p.literal...)
		} else {
			dst = esc(dst, values[p.slot])
		}
	}
	return dst
}

// inPath makes a value one segment of a path, or a value of a query.
func inPath(dst []byte, value string) []byte {
	if plain(value) {
		return append(dst, value...)
	}
	return append(dst, strings.ReplaceAll(url.QueryEscape(value), "+", "%20")...)
}

// inJSON makes a value a part of a string in JSON.
func inJSON(dst []byte, value string) []byte {
	if plain(value) {
		return append(dst, value...)
	}
	for i := range len(value) {
		switch c := value[i]; {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c < ' ':
			const digits = "0123456789abcdef"
			dst = append(dst, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
		default:
			dst = append(dst, c)
		}
	}
	return dst
}

// inHeader keeps a value from ending its header.
func inHeader(dst []byte, value string) []byte {
	for i := range len(value) {
		if c := value[i]; c >= ' ' && c != 0x7f {
			dst = append(dst, c)
		}
	}
	return dst
}

// plain tells whether a value is the same in a path and in JSON.
func plain(value string) bool {
	for i := range len(value) {
		c := value[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_', c == '.', c == '~':
		default:
			return false
		}
	}
	return true
}
