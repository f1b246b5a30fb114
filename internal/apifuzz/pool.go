package apifuzz

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// pool holds what earlier answers brought, for later requests.
type pool struct {
	// pairs are the values of the first and the second server, by the step that brought
	// them; credentials that were there before are step 0's.
	pairs map[int][][2]string
	// refs are marks of those pairs by what they are: "users", "cursor:/api/v1/users".
	refs map[string][]string
	// texts are values that both servers have in common, by the name of their property.
	texts map[string][]string
}

func newPool() *pool {
	return &pool{pairs: map[int][][2]string{}, refs: map[string][]string{}, texts: map[string][]string{}}
}

// A mark stands in a request for a value of which each server has its own. Its
// characters are of the private use area, which are in no generated text.
const (
	markBegin = "\uE0F0"
	markEnd   = "\uE0F1"
)

var (
	markPattern = regexp.MustCompile(markBegin + `(\d+)\.(\d+)` + markEnd)
	uuidPattern = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)
)

// absent replaces a mark whose answer is not there, as when a step was left out.
const absent = "0199d2f4-7c00-7a31-8d52-0e6f4b1c9a70"

// add notes a pair of values that a step brought.
func (p *pool) add(step int, kind, first, second string) {
	mark := fmt.Sprintf("%s%d.%d%s", markBegin, step, len(p.pairs[step]), markEnd)
	p.pairs[step] = append(p.pairs[step], [2]string{first, second})
	const most = 40 // the latest are of most use
	p.refs[kind] = append(p.refs[kind], mark)
	if extra := len(p.refs[kind]) - most; extra > 0 {
		p.refs[kind] = p.refs[kind][extra:]
	}
}

func (p *pool) addText(name, text string) {
	const most, longest = 20, 300
	if text == "" || len(text) > longest {
		return
	}
	p.texts[name] = append(p.texts[name], text)
	if extra := len(p.texts[name]) - most; extra > 0 {
		p.texts[name] = p.texts[name][extra:]
	}
}

// fill replaces the marks by the values of a server, 0 or 1.
func (p *pool) fill(text string, server int) string {
	return markPattern.ReplaceAllStringFunc(text, func(mark string) string {
		m := markPattern.FindStringSubmatch(mark)
		step, _ := strconv.Atoi(m[1])
		n, _ := strconv.Atoi(m[2])
		if n >= len(p.pairs[step]) {
			return absent
		}
		return p.pairs[step][n][server]
	})
}

// harvest notes what the answers to a step brought.
func (p *pool) harvest(step int, op *operation, a, b *Answer) {
	p.harvestValue(step, op, nil, a.value, b.value)
	if x, y := a.Header.Get("ETag"), b.Header.Get("ETag"); x != "" && y != "" {
		p.add(step, "etag", x, y)
	}
}

func (p *pool) harvestValue(step int, op *operation, path []string, a, b any) {
	switch x := a.(type) {
	case object:
		y, _ := b.(object)
		for name, value := range sorted(x) {
			p.harvestValue(step, op, append(path, name), value, y[name])
		}
	case []any:
		y, _ := b.([]any)
		for i, value := range x {
			if i < len(y) {
				p.harvestValue(step, op, path, value, y[i])
			}
		}
	case string:
		y, _ := b.(string)
		p.harvestText(step, op, path, x, y)
	}
}

func (p *pool) harvestText(step int, op *operation, path []string, a, b string) {
	if len(path) == 0 {
		return
	}
	name := path[len(path)-1]
	kind := map[string]string{"access_token": "token", "refresh_token": "refresh", "key": "key", "next_cursor": "cursor:" + op.path}[name]
	switch {
	case kind != "":
		p.add(step, kind, a, b)
	case uuidPattern.MatchString(a) && len(a) == len(absent):
		p.add(step, resourceOf(op, path), a, b)
	case a == b:
		if name == "id" && strings.Contains(op.path, "/neurons") {
			name = "neuron_id"
		}
		p.addText(name, a)
	}
}

// resourceOf names what an id at a place of an answer is the id of, as paths call it.
func resourceOf(op *operation, path []string) string {
	name := path[len(path)-1]
	switch {
	case name == "user_id" || len(path) > 1 && path[len(path)-2] == "user",
		strings.HasSuffix(op.path, "/profile"), strings.HasSuffix(op.path, "/register"):
		return "users"
	case name == "signal_id":
		return "signals"
	}
	return resourceOfPath(op.path)
}

func resourceOfPath(path string) string {
	resource := ""
	for segment := range strings.SplitSeq(path, "/") {
		if segment != "" && !strings.HasPrefix(segment, "{") && segment != "bulk" && segment != "search" {
			resource = segment
		}
	}
	if resource == "signal" {
		return "signals"
	}
	return resource
}
