package transfer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/hal9-ai/hal9/model"
)

// object is a JSON object whose members keep their order and spelling.
type object struct {
	members []member
}

type member struct {
	name  string
	value jsontext.Value
}

// parseObject reads a JSON object that model.CheckJSON accepts; false for anything
// else.
func parseObject(text []byte) (object, bool) {
	dec := jsontext.NewDecoder(bytes.NewReader(text))
	if tok, err := dec.ReadToken(); err != nil || tok.Kind() != '{' {
		return object{}, false
	}
	var o object
	for dec.PeekKind() != '}' {
		name, err := dec.ReadToken()
		if err != nil {
			return object{}, false
		}
		m := member{name: name.String()}
		value, err := dec.ReadValue()
		if err != nil {
			return object{}, false
		}
		m.value = value.Clone()
		o.members = append(o.members, m)
	}
	return o, true
}

func (o *object) index(name string) int {
	for i, m := range o.members {
		if m.name == name {
			return i
		}
	}
	return -1
}

// text returns the member of this name if it is a string.
func (o *object) text(name string) (string, bool) {
	i := o.index(name)
	if i < 0 || o.members[i].value.Kind() != '"' {
		return "", false
	}
	b, err := jsontext.AppendUnquote(nil, o.members[i].value)
	return string(b), err == nil
}

// replace sets the member of this name, which is there, to a string.
func (o *object) replace(name, text string) {
	o.members[o.index(name)].value = quoteJSON(text)
}

// add appends a member. Should its name be taken by something that the old
// database held, a number is put behind it: nothing is overwritten.
func (o *object) add(name string, value jsontext.Value) {
	free := name
	for n := 2; o.index(free) >= 0; n++ {
		free = name + "_" + strconv.Itoa(n)
	}
	o.members = append(o.members, member{free, value})
}

func (o *object) addText(name, text string) { o.add(name, quoteJSON(text)) }

func (o *object) addAll(members []member) {
	for _, m := range members {
		o.add(m.name, m.value)
	}
}

func (o *object) json() model.JSON {
	b := []byte{'{'}
	for i, m := range o.members {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, quoteJSON(m.name)...)
		b = append(b, ':')
		b = append(b, m.value...)
	}
	return append(b, '}')
}

// quoteJSON writes a JSON string. The text is valid UTF-8.
func quoteJSON(text string) jsontext.Value {
	b, err := jsontext.AppendQuote(nil, text)
	if err != nil {
		// Broken UTF-8 is replaced, which never fails here.
		b, _ = jsontext.AppendQuote(nil, strings.ToValidUTF8(text, "\uFFFD"))
	}
	return b
}

// unquoteJSON takes the quotes off a text that is a JSON string, as the original
// wrote words of a fixed set: "\"Task\"" is Task.
func unquoteJSON(s string) string {
	if len(s) < 2 || s[0] != '"' || s[len(s)-1] != '"' {
		return s
	}
	b, err := jsontext.AppendUnquote(nil, s)
	if err != nil {
		return s
	}
	return string(b)
}

// numberJSON writes a number as JSON.
func numberJSON(v any) (jsontext.Value, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("write a number as JSON: %w", err)
	}
	return b, nil
}
