package main

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/hal9-ai/hal9/internal/config"
)

// Settings is the part of a command that holds the flags of the configuration.
// They are generated from its keys. A command embeds it.
type Settings struct {
	kong.Plugins

	keys []config.Key
}

// newSettings returns the flags of some sections or single keys, or of all keys.
func newSettings(all []config.Key, only ...string) Settings {
	titles := map[string]string{}
	for _, s := range config.Sections() {
		titles[s.Name] = s.Title
	}
	fields := []reflect.StructField{flagField(0, "config", "FILE", "Read settings from this YAML file ($"+config.FileEnv+").", "Configuration")}
	var keys []config.Key
	for _, k := range all {
		if k.Flag == "" {
			continue
		}
		if len(only) > 0 && !slices.Contains(only, k.Section()) && !slices.Contains(only, k.Name) {
			continue
		}
		keys = append(keys, k)
		fields = append(fields, flagField(len(keys), k.Flag, placeholder(&k), flagHelp(&k), titles[k.Section()]))
	}
	fields = append(fields, reflect.StructField{
		Name: setField, Type: reflect.TypeFor[[]string](),
		Tag: `name:"set" placeholder:"KEY=VALUE" sep:"none" help:"Any setting by its key, as in --set cache.entities.signal.ttl=5s; may be given several times." group:"Configuration:"`,
	})
	return Settings{kong.Plugins{reflect.New(reflect.StructOf(fields)).Interface()}, keys}
}

// flagField describes one flag to kong. It is a *string: nil when not given,
// read by package config otherwise, so that all sources share one parser.
func flagField(n int, name, placeholder, help, group string) reflect.StructField {
	return reflect.StructField{
		Name: fmt.Sprintf("Flag%d", n),
		Type: reflect.TypeFor[*string](),
		Tag: reflect.StructTag(fmt.Sprintf(`name:%q placeholder:%q help:%q group:%q`,
			name, placeholder, help, group+":")),
	}
}

func placeholder(k *config.Key) string {
	if k.Section() == "log" || k.Name == "auth.mode" || k.Name == "database.type" || k.Name == "cache.strategy" {
		return strings.ReplaceAll(k.Allowed, ", ", "|")
	}
	return strings.ToUpper(k.Type)
}

func flagHelp(k *config.Key) string {
	def := "default " + k.Default
	if k.Default == "" {
		def = "no default"
	}
	return fmt.Sprintf("%s (%s, $%s)", k.Help, def, k.Env)
}

// text returns the text of the n-th flag, and whether it was given.
func (s Settings) text(n int) (string, bool) {
	if len(s.Plugins) == 0 {
		return "", false
	}
	p, ok := reflect.TypeAssert[*string](reflect.ValueOf(s.Plugins[0]).Elem().Field(n))
	if !ok || p == nil {
		return "", false
	}
	return *p, true
}

// file returns the file that --config names.
func (s Settings) file() string {
	path, _ := s.text(0)
	return path
}

// setField holds what --set was given.
const setField = "Set"

// sets returns what --set was given.
func (s Settings) sets() []string {
	if len(s.Plugins) == 0 {
		return nil
	}
	list, _ := reflect.TypeAssert[[]string](reflect.ValueOf(s.Plugins[0]).Elem().FieldByName(setField))
	return list
}

// given returns the flags that were given, those of --set among them: texts by key. A key
// that is given twice, or a text that is none, is an error that does not repeat the value.
func (s Settings) given() (map[string]string, error) {
	flags := map[string]string{}
	for i, k := range s.keys {
		if text, given := s.text(i + 1); given {
			flags[k.Name] = text
		}
	}
	for _, set := range s.sets() {
		key, text, ok := strings.Cut(set, "=")
		// Only what can be a key is repeated: else it may be a URL with a password.
		if !ok || strings.Trim(key, "abcdefghijklmnopqrstuvwxyz0123456789._") != "" || key == "" {
			return nil, &config.Error{
				Key: "--set", Source: config.Source{Kind: config.SourceFlag, Where: "--set"},
				Problem: "one of them is no KEY=VALUE", Mend: "write --set KEY=VALUE, as in --set log.level=debug",
			}
		}
		if _, twice := flags[key]; twice {
			return nil, &config.Error{
				Key: key, Source: config.Source{Kind: config.SourceFlag, Where: "--set"},
				Problem: "it is given twice", Mend: "give it once, by its own flag or by --set",
			}
		}
		flags[key] = text
	}
	return flags, nil
}
