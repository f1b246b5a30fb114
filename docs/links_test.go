package docs_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	fence  = regexp.MustCompile("(?ms)^ *```.*?^ *```")
	inline = regexp.MustCompile("`[^`]*`")
	link   = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	header = regexp.MustCompile(`(?m)^#+ (.*)$`)
	marks  = regexp.MustCompile(`[^\pL\pN_ -]`)
)

// Whoever begins at README.md finds every page, and no link leads nowhere.
func TestPagesAreReached(t *testing.T) {
	t.Parallel()
	reached, todo := map[string]bool{}, []string{"README.md"}
	for len(todo) > 0 {
		page := todo[0]
		todo = todo[1:]
		if reached[page] {
			continue
		}
		reached[page] = true
		for _, to := range linksOf(t, page) {
			target := follow(t, page, to)
			if filepath.Ext(target) == ".md" {
				todo = append(todo, target)
			}
		}
	}
	for _, page := range pages(t) {
		if !reached[page] {
			t.Errorf("no way leads from README.md to %s: link it from the page that its readers come from", page)
		}
	}
}

// linksOf returns where a page links to within the repository. What stands in code is none.
func linksOf(t *testing.T, page string) (to []string) {
	t.Helper()
	text := inline.ReplaceAllString(fence.ReplaceAllString(read(t, page), ""), "`code`")
	for _, m := range link.FindAllStringSubmatch(text, -1) {
		if !strings.Contains(m[1], "://") && !strings.HasPrefix(m[1], "mailto:") {
			to = append(to, m[1])
		}
	}
	return to
}

// follow returns the file that a link leads to, a folder's README.md among them.
func follow(t *testing.T, page, to string) string {
	t.Helper()
	path, anchor, _ := strings.Cut(to, "#")
	target := page
	if path != "" {
		target = filepath.Join(filepath.Dir(page), path)
	}
	info, err := os.Stat(filepath.Join("..", target))
	if err != nil {
		t.Errorf("%s: %s leads nowhere", page, to)
		return ""
	}
	if readme := filepath.Join(target, "README.md"); info.IsDir() {
		if _, err := os.Stat(filepath.Join("..", readme)); err != nil {
			return target
		}
		target = readme
	}
	if anchor != "" && filepath.Ext(target) == ".md" && !slices.Contains(anchorsOf(t, target), anchor) {
		t.Errorf("%s: %s has no heading #%s", page, target, anchor)
	}
	return target
}

// anchorsOf names the headings of a page as GitHub does.
func anchorsOf(t *testing.T, page string) (names []string) {
	t.Helper()
	for _, m := range header.FindAllStringSubmatch(read(t, page), -1) {
		text := regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`).ReplaceAllString(m[1], "$1")
		names = append(names, strings.ReplaceAll(marks.ReplaceAllString(strings.ToLower(text), ""), " ", "-"))
	}
	return names
}

func pages(t *testing.T) (all []string) {
	t.Helper()
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		switch name := d.Name(); {
		case err != nil:
			return err
		case d.IsDir() && (name == "node_modules" || name == "testdata" || name == "bin" || name == "dist" || strings.HasPrefix(name, ".") && name != ".."):
			return filepath.SkipDir
		case filepath.Ext(name) == ".md":
			all = append(all, strings.TrimPrefix(filepath.ToSlash(path), "../"))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func read(t *testing.T, page string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", page))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
