package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxFileBytes keeps a wrong path, such as that of a database, from filling memory.
const maxFileBytes = 1 << 20

// readFile returns the values of a YAML file, or nothing if no file is named.
func readFile(path string, named Source, table []Key) ([]entry, Errors) {
	if path == "" {
		return nil, nil
	}
	fail := func(problem, mend string, err error) Errors {
		return Errors{{Key: "config", Source: named, Problem: problem, Mend: mend, Err: err}}
	}
	data, err := readLimited(path)
	if err != nil {
		return nil, fail(err.Error(), "give the path of a readable YAML file", err)
	}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var document yaml.Node
	if err := decoder.Decode(&document); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, nil // an empty file sets nothing
		}
		return nil, fail(path+" is no valid YAML: "+syntaxError(err), "mend the file", nil)
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, fail(path+" holds more than one YAML document", "keep one", nil)
	}
	w := walker{path: path, table: table, lines: map[string]int{}}
	w.mapping(document.Content[0], "")
	return w.entries, w.faults
}

func readLimited(path string) (data []byte, err error) {
	f, err := os.Open(path) //nolint:gosec // the path is the operator's own
	if err != nil {
		return nil, err //nolint:wrapcheck // an os.PathError says operation and path
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	data, err = io.ReadAll(io.LimitReader(f, maxFileBytes+1))
	if err != nil {
		return nil, err //nolint:wrapcheck // an os.PathError says operation and path
	}
	if len(data) > maxFileBytes {
		return nil, fmt.Errorf("%s is larger than 1 MiB", path)
	}
	return data, nil
}

// syntaxError returns the parser's words with the line. Some of its messages
// repeat a part of the file; of these only the line is kept.
func syntaxError(err error) string {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	if strings.Contains(text, "unknown anchor") {
		return "a value begins with * but refers to nothing, so it has to be quoted"
	}
	for _, repeats := range []string{"anchor", "unmarshal", "`"} {
		if strings.Contains(text, repeats) {
			line, _, found := strings.Cut(text, ":")
			if found && strings.HasPrefix(line, "line ") {
				return line
			}
			return "it cannot be read"
		}
	}
	return text
}

// walker collects the scalars of a YAML document with their lines.
type walker struct {
	path    string
	table   []Key
	lines   map[string]int // where a key was first set
	entries []entry
	faults  Errors
}

func (w *walker) mapping(node *yaml.Node, prefix string) {
	node = target(node)
	if isNull(node) {
		return // a section whose keys are all commented out
	}
	if node.Kind != yaml.MappingNode {
		w.fault(prefix, node, "a section of keys is expected here", w.sectionMend(prefix))
		return
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		name, value := target(node.Content[i]), target(node.Content[i+1])
		if name.Kind != yaml.ScalarNode {
			w.fault(prefix, name, "a key must be a plain word", "remove it")
			continue
		}
		key := name.Value
		if prefix != "" {
			key = prefix + "." + key
		}
		w.setting(key, name, value)
	}
}

func (w *walker) setting(key string, name, value *yaml.Node) {
	if first, twice := w.lines[key]; twice {
		w.fault(key, name, fmt.Sprintf("it is set twice, first in line %d", first), "remove one of the two")
		return
	}
	w.lines[key] = name.Line
	switch {
	case w.isSection(key):
		w.mapping(value, key)
	case findKey(w.table, key) == nil:
		w.faults = append(w.faults, unknownKey(key, w.source(name), w.table))
	case value.Kind == yaml.SequenceNode && findKey(w.table, key).Type == TypeList:
		w.list(key, value)
	case value.Kind != yaml.ScalarNode:
		w.fault(key, value, "it takes one value, not a list or a section", "write "+key+" as one value")
	case isNull(value):
		w.fault(key, name, "it has no value", "give it one, or remove the line to use the default")
	default:
		w.entries = append(w.entries, entry{key, value.Value, w.source(value)})
	}
}

// list takes the words of a YAML list.
func (w *walker) list(key string, value *yaml.Node) {
	items := make([]string, 0, len(value.Content))
	for _, node := range value.Content {
		node = target(node)
		if node.Kind != yaml.ScalarNode || isNull(node) || strings.Contains(node.Value, ",") {
			w.fault(key, node, "each entry of its list is one word", "write one word after each dash")
			return
		}
		items = append(items, node.Value)
	}
	w.entries = append(w.entries, entry{key, strings.Join(items, ","), w.source(value)})
}

func (w *walker) isSection(key string) bool {
	for i := range w.table {
		if strings.HasPrefix(w.table[i].Name, key+".") {
			return true
		}
	}
	return false
}

func (w *walker) sectionMend(prefix string) string {
	if prefix == "" {
		return "begin with a section such as server:"
	}
	return "write its keys below " + prefix + ":, indented"
}

func (w *walker) source(node *yaml.Node) Source {
	return Source{SourceFile, fmt.Sprintf("%s:%d", w.path, node.Line)}
}

func (w *walker) fault(key string, node *yaml.Node, problem, mend string) {
	w.faults = append(w.faults, &Error{
		Key: MaskText(key), Source: w.source(node), Problem: problem, Mend: mend,
	})
}

// target follows an alias to what it stands for.
func target(node *yaml.Node) *yaml.Node {
	if node.Kind == yaml.AliasNode {
		return node.Alias
	}
	return node
}

func isNull(node *yaml.Node) bool {
	return node.Kind == yaml.ScalarNode && node.Tag == "!!null"
}
