package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hal9-ai/hal9/internal/cli"
)

// leaves returns all commands that do something.
func leaves(t *testing.T) []*cli.Command {
	t.Helper()
	root, err := newTree(newCLI())
	if err != nil {
		t.Fatal(err)
	}
	var all []*cli.Command
	root.Each(func(n *cli.Command) {
		if len(n.Children) == 0 {
			all = append(all, n)
		}
	})
	if len(all) < 30 {
		t.Fatalf("only %d commands", len(all))
	}
	return all
}

// TestEveryCommand holds all commands to what users may expect of each.
func TestEveryCommand(t *testing.T) {
	t.Parallel()
	withoutJSON := map[string]string{
		"hal9 serve":             "logs, by log.format",
		"hal9 config reference":  "writes Markdown",
		"hal9 commands":          "writes Markdown",
		"hal9 completion":        "writes a script",
		"hal9 loadtest scenario": "writes YAML",
		"hal9 openapi":           "writes JSON",
		"hal9 hash-worker":       "answers its server",
	}
	for _, n := range leaves(t) {
		path := n.Path()
		words := strings.Fields(path)[1:]
		if n.Help == "" || !strings.HasSuffix(n.Help, ".") {
			t.Errorf("%s: its help is %q", path, n.Help)
		}
		help := hal9(t, nil, append(words, "--help")...)
		help.want(t, exitOK, "Example", "")
		if !strings.Contains(n.Detail, "    hal9 "+strings.Join(words, " ")) && !strings.Contains(n.Detail, "hal9 "+strings.Join(words, " ")) {
			t.Errorf("%s: no example runs it", path)
		}
		hasJSON := false
		for _, f := range n.Flags {
			hasJSON = hasJSON || f.Name == "json"
			if f.Help == "" {
				t.Errorf("%s --%s: no help", path, f.Name)
			}
			if !f.Hidden && !strings.Contains(help.out, "--"+f.Name) {
				t.Errorf("%s --%s: not in its help", path, f.Name)
			}
		}
		if reason := withoutJSON[path]; hasJSON != (reason == "") {
			t.Errorf("%s: --json is there: %v; exempt: %q", path, hasJSON, reason)
		}
		hal9(t, nil, append(words, "--no-such-flag")...).want(t, exitUsage, "", "--help' for usage")
	}
}

func TestCommandsPage(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "commands.md"))
	if err != nil {
		t.Fatal(err)
	}
	got := hal9(t, nil, "commands")
	got.want(t, exitOK, "## `hal9 serve`", "")
	if got.out != string(page) {
		t.Error("docs/commands.md is stale: run 'go run ./cmd/hal9 commands > docs/commands.md'")
	}
}

// TestCompletionInBash presses Tab in a real bash.
func TestCompletionInBash(t *testing.T) {
	t.Parallel()
	script := hal9(t, nil, "completion", "bash")
	script.want(t, exitOK, "complete -o default -F _hal9 hal9", "")
	for line, want := range map[string]string{
		"hal9 us":                      "user",
		"hal9 user cre":                "create",
		"hal9 user create --role ":     "guest user admin",
		"hal9 user create --role ad":   "admin",
		"hal9 user create ann --passw": "--password-stdin",
		"hal9 migrate status --ch":     "--check",
		"hal9 completion z":            "zsh",
		"hal9 serve --auth-mode r":     "required",
		"hal9 serve --log-format j":    "json",
		"hal9 apikey create --scope S": "SendSignal SystemAdmin",
		"hal9 backup --database-u":     "--database-url",
		"hal9 nonsense":                "",
	} {
		quoted := "'" + strings.ReplaceAll(line, " ", "' '") + "'"
		cmd := exec.CommandContext(t.Context(), "bash", "--norc", "-c", script.out+
			"\nCOMP_WORDS=("+quoted+"); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _hal9; echo \"${COMPREPLY[*]}\"")
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if got := strings.TrimSpace(string(out)); err != nil || got != want || stderr.Len() > 0 {
			t.Errorf("%q completes to %q, want %q (%v %s)", line, got, want, err, &stderr)
		}
	}
	for _, shell := range []string{"zsh", "fish"} {
		hal9(t, nil, "completion", shell).want(t, exitOK, "hal9 user: create list", "")
	}
	hal9(t, nil, "completion", "csh").want(t, exitUsage, "", "csh")
}
