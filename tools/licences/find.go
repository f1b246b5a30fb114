package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	classifier "github.com/google/licenseclassifier/v2"
	"github.com/google/licenseclassifier/v2/assets"
)

// part is a module, or files of somebody else's that lie in this project.
type part struct {
	Name, Version string
	Used          []string // by the program, the client
	Files         []string // of its licence
	Licences      []string // as SPDX names them
}

// carried are the foreign files in the tree, which are in the program, too.
var carried = []part{
	{Name: "Go's standard library", Version: "of the compiler", Licences: []string{"BSD-3-Clause"}},
	{Name: "swagger-ui-dist", Version: "server/web/swagger", Files: []string{"server/web/swagger/LICENSE", "server/web/swagger/NOTICE", "server/web/swagger/swagger-ui-bundle.js.LICENSE.txt"}},
	{Name: "uPlot", Version: "internal/uplot", Files: []string{"internal/uplot/LICENSE"}},
}

// built is what is handed out: its main packages are asked for what they are made of.
var built = []struct{ name, folder, packages string }{
	{"hal9", ".", "./cmd/hal9"},
	{"Go client", "clients/go", "./..."},
}

// Each system builds from other modules.
var systems = []string{"linux", "darwin", "windows"}

func find(root string) ([]part, error) {
	known, err := assets.DefaultClassifier()
	if err != nil {
		return nil, fmt.Errorf("open the classifier: %w", err)
	}
	byName := map[string]*part{}
	for _, b := range built {
		for _, system := range systems {
			if err := modules(filepath.Join(root, b.folder), b.packages, system, b.name, byName); err != nil {
				return nil, fmt.Errorf("%s for %s: %w", b.name, system, err)
			}
		}
	}
	var parts []part
	for _, p := range byName {
		parts = append(parts, *p)
	}
	for _, p := range carried {
		p.Used = []string{"hal9"}
		for i := range p.Files {
			p.Files[i] = filepath.Join(root, p.Files[i])
		}
		parts = append(parts, p)
	}
	for i := range parts {
		if err := parts[i].classify(known); err != nil {
			return nil, fmt.Errorf("%s: %w", parts[i].Name, err)
		}
	}
	slices.SortFunc(parts, func(a, b part) int { return strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)) })
	return parts, nil
}

// modules adds those that a build for a system is made of.
func modules(folder, packages, system, name string, into map[string]*part) error {
	cmd := exec.Command("go", "list", "-deps", "-json=Module", packages)
	cmd.Dir = folder
	cmd.Env = append(os.Environ(), "GOOS="+system, "CGO_ENABLED=0")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("go list: %w\n%s", err, stderr.String())
	}
	for lines := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct {
			Module *struct {
				Path, Version, Dir string
				Main               bool
				Replace            *struct{ Path, Version, Dir string }
			}
		}
		if err := lines.Decode(&p); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("read what go list says: %w", err)
		}
		m := p.Module
		if m == nil || m.Main {
			continue
		}
		if m.Replace != nil {
			m.Version, m.Dir = m.Replace.Version, m.Replace.Dir
		}
		found := into[m.Path+" "+m.Version]
		if found == nil {
			found = &part{Name: m.Path, Version: m.Version, Files: licenceFiles(m.Dir)}
			into[m.Path+" "+m.Version] = found
		}
		if !slices.Contains(found.Used, name) {
			found.Used = append(found.Used, name)
		}
	}
}

func licenceFiles(dir string) []string {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil // told by who misses the licence
	}
	var files []string
	for _, e := range entries {
		name := strings.ToUpper(e.Name())
		for _, begin := range []string{"LICENSE", "LICENCE", "COPYING", "NOTICE", "UNLICENSE"} {
			if strings.HasPrefix(name, begin) && !e.IsDir() && !strings.HasSuffix(name, ".GO") {
				files = append(files, filepath.Join(dir, e.Name()))
				break
			}
		}
	}
	return files
}

// classify names the licences in the files.
func (p *part) classify(known *classifier.Classifier) error {
	for _, file := range p.Files {
		text, err := os.ReadFile(file)
		if err != nil {
			return fmt.Errorf("read its licence: %w", err)
		}
		for _, m := range known.Match(text).Matches {
			if m.MatchType == "License" && !slices.Contains(p.Licences, m.Name) {
				p.Licences = append(p.Licences, m.Name)
			}
		}
	}
	slices.Sort(p.Licences)
	return nil
}
