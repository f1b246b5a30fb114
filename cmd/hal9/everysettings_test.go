package main

import (
	"reflect"
	"testing"
)

// Each command that embeds Settings has its line in settings, without which it would take
// none of the flags.
func TestEveryCommandsSettings(t *testing.T) {
	t.Parallel()
	var c CLI
	listed := map[*Settings]bool{}
	for _, s := range c.settings() {
		listed[s.settings] = true
	}
	var walk func(v reflect.Value, path string)
	walk = func(v reflect.Value, path string) {
		if s, ok := reflect.TypeAssert[*Settings](v.Addr()); ok {
			if !listed[s] {
				t.Errorf("%s has no line in settings", path)
			}
			delete(listed, s)
			return
		}
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.Type.Kind() == reflect.Struct && f.IsExported() {
				walk(v.Field(i), path+"."+f.Name)
			}
		}
	}
	walk(reflect.ValueOf(&c).Elem(), "CLI")
	if len(listed) > 0 {
		t.Errorf("%d lines in settings are of no command", len(listed))
	}
}
