package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hal9-ai/hal9/internal/cli"
	"github.com/hal9-ai/hal9/internal/config"
)

// Settings is the part of a command that holds the flags of the configuration.
// They are generated from its keys. A command embeds it.
type Settings struct {
	flags []*cli.Flag
	texts map[string]string // by the keys that were given; the file's is configFile
	sets  *[]string         // what --set was given
}

// configFile stands for --config among the keys.
const configFile = "config"

// Flags returns the flags of the configuration that the command takes.
func (s *Settings) Flags() []*cli.Flag { return s.flags }

// newSettings returns the flags of some sections or single keys, or of all keys. All are
// texts, so that package config reads those of all sources.
func newSettings(all []config.Key, only ...string) Settings {
	titles := map[string]string{}
	for _, s := range config.Sections() {
		titles[s.Name] = s.Title
	}
	s := Settings{texts: map[string]string{}, sets: new([]string)}
	add := func(key, flag, placeholder, help, group string) {
		s.flags = append(s.flags, cli.TextFlag(flag, placeholder, help, group, func(text string) { s.texts[key] = text }))
	}
	add(configFile, "config", "FILE", "Read settings from this YAML file ($"+config.FileEnv+").", "Configuration")
	for _, k := range all {
		if k.Flag == "" {
			continue
		}
		if len(only) > 0 && !slices.Contains(only, k.Section()) && !slices.Contains(only, k.Name) {
			continue
		}
		add(k.Name, k.Flag, placeholder(&k), flagHelp(&k), titles[k.Section()])
	}
	s.flags = append(s.flags, cli.TextFlag("set", "KEY=VALUE",
		"Any setting by its key, as in --set cache.entities.signal.ttl=5s; may be given several times.", "Configuration",
		func(text string) { *s.sets = append(*s.sets, text) }))
	return s
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

// file returns the file that --config names.
func (s *Settings) file() string { return s.texts[configFile] }

// given returns the flags that were given, and what --set was: texts by key. A key that is
// given twice, or a text that is none, is an error that does not repeat the value.
func (s *Settings) given() (flags, set map[string]string, err error) {
	flags, set = map[string]string{}, map[string]string{}
	for name, text := range s.texts {
		if name != configFile {
			flags[name] = text
		}
	}
	if s.sets == nil { // a command without settings
		return flags, set, nil
	}
	fault := func(key, problem, mend string) error {
		return &config.Error{Key: key, Source: config.Source{Kind: config.SourceFlag, Where: "--set"}, Problem: problem, Mend: mend}
	}
	for _, given := range *s.sets {
		key, text, ok := strings.Cut(given, "=")
		// Only what can be a key is repeated: else it may be a URL with a password.
		if !ok || strings.Trim(key, "abcdefghijklmnopqrstuvwxyz0123456789._") != "" || key == "" {
			return nil, nil, fault("--set", "one of them is no KEY=VALUE", "write --set KEY=VALUE, as in --set log.level=debug")
		}
		_, byFlag := flags[key]
		_, bySet := set[key]
		if byFlag || bySet {
			return nil, nil, fault(key, "it is given twice", "give it once, by its own flag or by --set")
		}
		set[key] = text
	}
	return flags, set, nil
}
