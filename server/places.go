package server

import (
	"maps"
	"reflect"
	"strings"
)

// places tells where in the requests of an operation a field came that the store or the
// accounts name: "username" is body.username where the body has such a member. What they
// name and no request holds has no place.
type places map[string]string

// placesOf finds the places of an operation's input: the members of its body, its
// parameters and its headers. also adds what a request calls otherwise than the store.
func placesOf(input reflect.Type, also map[string]string) places {
	p := places{}
	p.parameters(input)
	maps.Copy(p, also)
	return p
}

func (p places) parameters(t reflect.Type) {
	for field := range t.Fields() {
		if field.Name == "Body" {
			p.members(field.Type)
			continue
		}
		if field.Anonymous && field.Type.Kind() == reflect.Struct {
			p.parameters(field.Type)
			continue
		}
		for _, kind := range [...]string{"path", "query", "header"} {
			if name, ok := field.Tag.Lookup(kind); ok {
				p.add(name, kind+"."+name)
			}
		}
	}
}

func (p places) members(t reflect.Type) {
	if t == reflect.TypeFor[signalsBody]() {
		t = reflect.TypeFor[signalFields]()
	}
	if t.Kind() != reflect.Struct {
		return
	}
	for field := range t.Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		switch {
		case field.Anonymous && name == "":
			p.members(field.Type)
		case name != "":
			p[name] = "body." + name
		}
	}
}

// add leaves a name to the body that has it: what is written comes from there.
func (p places) add(name, place string) {
	if _, taken := p[name]; !taken {
		p[name] = place
	}
}
