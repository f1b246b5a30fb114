package config

import (
	"fmt"
	"maps"
	"slices"

	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/v2"
)

// FileEnv is the environment variable that names the YAML file.
const FileEnv = "HAL9_CONFIG"

// Options tells Load where to look.
type Options struct {
	// File is the YAML file; if empty, HAL9_CONFIG names it, if set.
	File string
	// Environ is the environment, as os.Environ returns it.
	Environ []string
	// Flags holds the flags that were given: texts by key.
	Flags map[string]string
	// Set holds what --set gave: texts by key, none of which is in Flags.
	Set map[string]string
}

// entry is one value as it was given.
type entry struct {
	key    string
	text   string
	source Source
}

// Load merges the defaults, the YAML file, the environment and the flags, and
// validates the outcome. Its error is an Errors with everything that is wrong.
func Load(o Options) (*Config, error) {
	table := keyTable()
	file := o.File
	fileSource := Source{SourceFlag, "--config"}
	if file == "" {
		file, fileSource = lookupEnv(o.Environ, FileEnv), Source{SourceEnv, FileEnv}
	}

	var faults Errors
	fromFile, bad := readFile(file, fileSource, table)
	faults = append(faults, bad...)
	fromEnv, bad := readEnv(o.Environ, table)
	faults = append(faults, bad...)
	fromFlags, bad := readFlags(o.Flags, o.Set, table)
	faults = append(faults, bad...)

	merged := koanf.New(".")
	c := Config{}.WithDefaults()
	sources := map[string]Source{}
	for _, layer := range [][]entry{fromFile, fromEnv, fromFlags} {
		values, bad := parseLayer(layer, table, sources)
		faults = append(faults, bad...)
		if err := merged.Load(confmap.Provider(values, "."), nil); err != nil {
			return nil, fmt.Errorf("merge configuration: %w", err)
		}
	}
	if len(faults) > 0 {
		return nil, faults
	}

	// Values have the types of their fields by now, so nothing is converted
	// here, and what no source gave keeps its default.
	if err := merged.Unmarshal("", &c); err != nil {
		return nil, fmt.Errorf("fill configuration: %w", err)
	}
	c.sources = sources
	c.fitDefaults(func(key string) bool { return c.Source(key).Kind == SourceDefault })
	if err := c.Validate(); err != nil {
		return nil, err
	}
	return &c, nil
}

// parseLayer gives each text the type of its key and notes its source.
func parseLayer(layer []entry, table []Key, sources map[string]Source) (map[string]any, Errors) {
	values := map[string]any{}
	var faults Errors
	for _, e := range layer {
		v, bad := findKey(table, e.key).parse(e.text)
		if bad != nil {
			faults = append(faults, &Error{Key: e.key, Source: e.source, Problem: bad.problem, Mend: bad.mend})
			continue
		}
		values[e.key] = v
		sources[e.key] = e.source
	}
	return values, faults
}

// readFlags takes the flags, and what --set gave, in the order of the table.
func readFlags(flags, set map[string]string, table []Key) ([]entry, Errors) {
	var entries []entry
	for _, k := range table {
		if text, given := flags[k.Name]; given {
			entries = append(entries, entry{k.Name, text, Source{SourceFlag, "--" + k.Flag}})
		}
		if text, given := set[k.Name]; given {
			entries = append(entries, entry{k.Name, text, Source{SourceFlag, "--set"}})
		}
	}
	var faults Errors
	for _, given := range []map[string]string{flags, set} {
		for _, name := range slices.Sorted(maps.Keys(given)) {
			if findKey(table, name) == nil { // no flag is of an unknown key
				faults = append(faults, unknownKey(name, Source{SourceFlag, "--set"}, table))
			}
		}
	}
	return entries, faults
}

// findKey returns the key of a name, or nil.
func findKey(table []Key, name string) *Key {
	for i := range table {
		if table[i].Name == name {
			return &table[i]
		}
	}
	return nil
}
