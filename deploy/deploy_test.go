// Package deploy_test holds the files of this folder to the program that they run.
package deploy_test

import (
	"io/fs"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/hal9-ai/hal9/internal/config"
)

// files returns the text of all files here by name.
func files(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	here := os.DirFS(".")
	err := fs.WalkDir(here, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.HasSuffix(path, ".go") {
			return err
		}
		text, err := fs.ReadFile(here, path)
		all[path] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// A setting that was renamed must not live on in a manifest, where nothing would read it.
func TestSettingsExist(t *testing.T) {
	t.Parallel()
	known := map[string]bool{"HAL9_SERVER_PASSWORD": true} // read by compose and roles.sh
	for _, key := range config.Keys() {
		known[key.Env] = true
	}
	found := 0
	for file, text := range files(t) {
		for _, name := range regexp.MustCompile(`HAL9_[A-Z0-9_]+`).FindAllString(text, -1) {
			found++
			if !known[name] {
				t.Errorf("%s sets %s, which no setting is", file, name)
			}
		}
	}
	if found < 20 {
		t.Errorf("only %d settings were found: is the search broken?", found)
	}
}

// What is set in a file must be valid as it stands, with its neighbours.
func TestServersWouldStart(t *testing.T) {
	t.Parallel()
	for file, pattern := range map[string]string{
		"Dockerfile":                `(HAL9_[A-Z0-9_]+)=([^\s\\]+)`,
		"systemd/hal9.env":          `(?m)^#?(HAL9_[A-Z0-9_]+)=(.+)$`,
		"kubernetes/configmap.yaml": `(?m)^  (HAL9_[A-Z0-9_]+): "?([^"\n]+)"?$`,
	} {
		var environ []string
		for _, pair := range regexp.MustCompile(pattern).FindAllStringSubmatch(files(t)[file], -1) {
			environ = append(environ, pair[1]+"="+pair[2])
		}
		if len(environ) < 3 {
			t.Errorf("%s: only %d settings were found", file, len(environ))
		}
		if _, err := config.Load(config.Options{Environ: environ}); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
}
