package main

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Each mutation still fits the code, and is for tests that docs/promises.md names.
func TestMutationsFit(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/promises.md")
	if err != nil {
		t.Fatal(err)
	}
	var named []string
	for _, match := range regexp.MustCompile("`([a-z0-9/]+\\.(?:Test|Fuzz)[A-Za-z0-9]+)`").FindAllStringSubmatch(string(text), -1) {
		named = append(named, match[1])
	}
	slices.Sort(named)
	named = slices.Compact(named)
	for _, m := range mutations() {
		if _, err := m.apply("../.."); err != nil {
			t.Errorf("%s: %v", m.what, err)
		}
		if m.old == m.fresh || m.what == "" || len(m.tests) == 0 {
			t.Errorf("%q breaks nothing, or for no test", m.what)
		}
		for _, test := range m.tests {
			if !slices.Contains(named, test) {
				t.Errorf("%s: docs/promises.md names no %s", m.what, test)
			}
		}
	}
}

// The table in docs/promises.md is this list.
func TestPromisesListTheMutations(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/promises.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), asMarkdown()) {
		t.Error("the table of docs/promises.md is stale: put in what 'go run ./internal/mutations --markdown' writes")
	}
}

func TestFirstFailure(t *testing.T) {
	t.Parallel()
	for output, want := range map[string]string{
		"--- FAIL: TestX (0.00s)\n    x_test.go:5: got 1, want 2\n    x_test.go:9: more\n": "x_test.go:5: got 1, want 2",
		"panic: test timed out after 2m0s\nrunning tests:\n":                               "panic: test timed out after 2m0s",
		"FAIL\n": "failed",
	} {
		if got := firstFailure(output); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
