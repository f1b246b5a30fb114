package docs_test

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// What `make help` and the pages say of benchmarks finds some: where BENCH stands beside PKG,
// that package has a benchmark of the name. Names below it, after a slash, are not looked at.
func TestBenchmarksAreFound(t *testing.T) {
	t.Parallel()
	example := regexp.MustCompile(`PKG=\./(\S+) BENCH=(?:'([^']+)'|([^\s)"` + "`" + `]+))`)
	top := regexp.MustCompile(`(?m)^func (Benchmark\w+)\(`)
	seen := 0
	for _, page := range append(pages(t), "Makefile", "tools/bench-compare.sh") {
		for _, m := range example.FindAllStringSubmatch(read(t, page), -1) {
			seen++
			name, _, _ := strings.Cut(m[2]+m[3], "/")
			wanted, err := regexp.Compile(name)
			if err != nil {
				t.Errorf("%s: %q: %v", page, m[0], err)
				continue
			}
			found := false
			files, err := filepath.Glob(filepath.Join("..", m[1], "*_test.go"))
			if err != nil || len(files) == 0 {
				t.Errorf("%s: %q: no tests there: %v", page, m[0], err)
			}
			for _, file := range files {
				for _, f := range top.FindAllStringSubmatch(read(t, strings.TrimPrefix(file, "../")), -1) {
					found = found || wanted.MatchString(f[1])
				}
			}
			if !found {
				t.Errorf("%s: %q finds no benchmark", page, m[0])
			}
		}
	}
	if seen < 8 {
		t.Errorf("only %d examples were found: is the search broken?", seen)
	}
}
