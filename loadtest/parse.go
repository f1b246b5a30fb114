package loadtest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Parse reads a scenario from YAML. Keys that do not exist are errors that tell the
// line, the key and which one may have been meant; so are values that cannot be meant.
func Parse(text []byte) (*Scenario, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	var root yaml.Node
	if err := decoder.Decode(&root); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, errors.New("the scenario is empty: 'hal9 loadtest scenario mix' prints one to begin with")
		}
		return nil, fmt.Errorf("read the scenario: %w", err)
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, errors.New("the file holds more than one YAML document: give each scenario a file of its own")
	}
	var faults []error
	checkKeys(root.Content[0], reflect.TypeFor[Scenario](), "", &faults)
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	var s Scenario
	if err := root.Decode(&s); err != nil {
		return nil, fmt.Errorf("read the scenario: %w", err)
	}
	s = s.WithDefaults()
	if err := s.Validate(); err != nil {
		return nil, err
	}
	return &s, nil
}

// checkKeys compares the keys of a mapping with the fields of the type that it is read
// into.
func checkKeys(n *yaml.Node, t reflect.Type, path string, faults *[]error) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case n.Kind == yaml.SequenceNode && t.Kind() == reflect.Slice:
		for i, item := range n.Content {
			checkKeys(item, t.Elem(), fmt.Sprintf("%s[%d]", path, i), faults)
		}
	case n.Kind == yaml.MappingNode && t.Kind() == reflect.Struct:
		fields := map[string]reflect.Type{}
		var known []string
		for field := range t.Fields() {
			if key := field.Tag.Get("yaml"); key != "" {
				fields[key] = field.Type
				known = append(known, key)
			}
		}
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := n.Content[i]
			at := strings.TrimPrefix(path+"."+key.Value, ".")
			field, ok := fields[key.Value]
			if !ok {
				*faults = append(*faults, fmt.Errorf("line %d: there is no key %s: %s", key.Line, at, mend(key.Value, known)))
				continue
			}
			checkKeys(n.Content[i+1], field, at, faults)
		}
	}
}

// mend names the key that was most likely meant, or all.
func mend(key string, known []string) string {
	best, least := "", 3
	for _, k := range known {
		if d := distance(key, k); d < least {
			best, least = k, d
		}
	}
	if best != "" {
		return fmt.Sprintf("did you mean %s?", best)
	}
	slices.Sort(known)
	return "use one of " + strings.Join(known, ", ")
}

// distance is Levenshtein's.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}
