package config

import (
	"reflect"
	"strings"
)

// tagName is the struct tag that names a section or a key within it.
const tagName = "koanf"

// fieldOf returns the field of a Config that a key names, or the zero Value.
func fieldOf(config reflect.Value, key string) reflect.Value {
	v := config
	for part := range strings.SplitSeq(key, ".") {
		f, ok := fieldByTag(v, part)
		if !ok {
			return reflect.Value{}
		}
		v = f
	}
	return v
}

func fieldByTag(v reflect.Value, name string) (reflect.Value, bool) {
	if v.Kind() != reflect.Struct {
		return reflect.Value{}, false
	}
	for i := range v.NumField() {
		if v.Type().Field(i).Tag.Get(tagName) == name {
			return v.Field(i), true
		}
	}
	return reflect.Value{}, false
}

// join lists words as in "a, b and c".
func join(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " and " + words[last]
}
