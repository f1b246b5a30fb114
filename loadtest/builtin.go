package loadtest

import (
	"embed"
	"fmt"
	"io/fs"
	"strings"
)

//go:embed scenarios/*.yaml
var scenarios embed.FS

// Builtin returns the YAML of a scenario that comes with the program.
func Builtin(name string) ([]byte, error) {
	text, err := scenarios.ReadFile("scenarios/" + name + ".yaml")
	if err != nil {
		return nil, fmt.Errorf("there is no scenario %q: use one of %s, or a YAML file", name, strings.Join(BuiltinNames(), ", "))
	}
	return text, nil
}

// BuiltinNames are the scenarios that come with the program.
func BuiltinNames() []string {
	files, err := fs.Glob(scenarios, "scenarios/*.yaml")
	if err != nil {
		return nil
	}
	for i, file := range files {
		files[i] = strings.TrimSuffix(strings.TrimPrefix(file, "scenarios/"), ".yaml")
	}
	return files
}
