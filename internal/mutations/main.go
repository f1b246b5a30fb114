// Mutations breaks the code, one place at a time, and runs the tests that docs/promises.md
// names for it: each must fail. No file of the tree is touched: the broken one is laid over
// it by go's -overlay. Run it by `make mutations`.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/hal9-ai/hal9/internal/program"
)

const usage = `Usage: mutations [--only REGEXP] [--list] [--json] [--markdown]

Breaks the code in one place, runs the tests that have to tell, and prints what they
said; then the next place. It writes nothing into the tree. 'make mutations' starts the
databases that the tests need; give it ARGS="--only cacheutil".

Exits with 1 if a test passes although the code is broken.

Example:

    mutations --only 'ingest/|TestClockJumps'

Flags:
`

// testTimeout bounds one run of a test, building left out.
const testTimeout = "2m"

func main() { program.Main("mutations", run) }

// result is what became of one test under one mutation.
type result struct {
	Broken  string  `json:"broken"`
	File    string  `json:"file"`
	Test    string  `json:"test"`
	Seen    bool    `json:"seen"`
	Said    string  `json:"said"` // the first line that the test failed with
	Seconds float64 `json:"seconds"`
}

func run(ctx context.Context, args []string, out, told io.Writer) error {
	flags := flag.NewFlagSet("mutations", flag.ContinueOnError)
	flags.Usage = func() {
		fmt.Fprint(flags.Output(), usage)
		flags.PrintDefaults()
	}
	only := flags.String("only", "", "those whose file, test or description matches")
	list := flags.Bool("list", false, "list them and run nothing")
	markdown := flags.Bool("markdown", false, "list them as the table of docs/promises.md")
	asJSON := flags.Bool("json", false, "write JSON instead of a table")
	if err := flags.Parse(args); err != nil {
		return err //nolint:wrapcheck // the flag package has told it
	}
	if *markdown {
		_, err := io.WriteString(out, asMarkdown())
		return err //nolint:wrapcheck // to a terminal
	}
	chosen, err := regexp.Compile(*only)
	if err != nil {
		return fmt.Errorf("--only: %w", err)
	}
	var results []result
	for _, m := range mutations() {
		for _, test := range m.tests {
			if !chosen.MatchString(m.file + " " + test + " " + m.what) {
				continue
			}
			r := result{Broken: m.what, File: m.file, Test: test}
			if !*list {
				if r, err = try(ctx, m, test); err != nil {
					return fmt.Errorf("%s, for %s: %w", m.what, test, err)
				}
				fmt.Fprintf(told, "%6.1f s  %-9s %s: %s\n", r.Seconds, seen(r.Seen), r.Test, r.Broken)
			}
			results = append(results, r)
		}
	}
	if *asJSON {
		text, err := json.MarshalIndent(results, "", "  ")
		if err != nil {
			return fmt.Errorf("write JSON: %w", err)
		}
		fmt.Fprintf(out, "%s\n", text)
	} else {
		table(out, results, *list)
	}
	if *list {
		return nil
	}
	return verdict(results)
}

func seen(yes bool) string {
	if yes {
		return "seen"
	}
	return "NOT SEEN"
}

// asMarkdown is the table of docs/promises.md.
func asMarkdown() string {
	var b strings.Builder
	b.WriteString("| Broken | Tests that fail |\n|---|---|\n")
	for _, m := range mutations() {
		fmt.Fprintf(&b, "| %s | `%s` |\n", m.what, strings.Join(m.tests, "`, `"))
	}
	return b.String()
}

func table(out io.Writer, results []result, listed bool) {
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, r := range results {
		said := r.Said
		if !listed && !r.Seen {
			said = "NOT SEEN"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\n", r.Broken, r.Test, said)
	}
	_ = t.Flush() // to a terminal
}

func verdict(results []result) error {
	var unseen []string
	for _, r := range results {
		if !r.Seen {
			unseen = append(unseen, r.Test+" ("+r.Broken+")")
		}
	}
	if len(unseen) > 0 {
		return fmt.Errorf("%d of %d broken places were not seen: %s", len(unseen), len(results), strings.Join(unseen, "; "))
	}
	return nil
}

// errBuild says that the mutation is at fault, and no test.
var errBuild = errors.New("the broken code does not build")

// try runs one test on the broken code.
func try(ctx context.Context, m mutation, test string) (result, error) {
	r := result{Broken: m.what, File: m.file, Test: test}
	broken, err := m.apply(".")
	if err != nil {
		return r, err
	}
	folder, err := os.MkdirTemp("", "mutation")
	if err != nil {
		return r, fmt.Errorf("make a folder: %w", err)
	}
	defer func() { _ = os.RemoveAll(folder) }()
	overlay, err := lay(folder, m.file, broken)
	if err != nil {
		return r, err
	}
	pkg, name := splitTest(test)
	// By the environment, so that programs which a test builds are broken as well.
	env := append(os.Environ(), "GOFLAGS=-overlay="+overlay)
	program := filepath.Join(folder, "test")
	if output, err := command(ctx, ".", env, "go", "test", "-vet=off", "-c", "-o", program, "./"+pkg); err != nil {
		return r, fmt.Errorf("%w: %w\n%s", errBuild, err, output)
	}
	begin := time.Now()
	output, err := command(ctx, pkg, env, program, "-test.timeout", testTimeout, "-test.run", "^"+name+"$")
	r.Seconds = time.Since(begin).Seconds()
	if ctx.Err() != nil {
		return r, ctx.Err()
	}
	r.Seen = err != nil
	if r.Seen {
		r.Said = firstFailure(output)
	}
	return r, nil
}

// lay writes the broken file and the overlay that puts it over the whole one.
func lay(folder, file string, broken []byte) (overlay string, err error) {
	whole, err := filepath.Abs(file)
	if err != nil {
		return "", fmt.Errorf("find %s: %w", file, err)
	}
	replacement := filepath.Join(folder, filepath.Base(file))
	overlay = filepath.Join(folder, "overlay.json")
	text, err := json.Marshal(map[string]map[string]string{"Replace": {whole: replacement}})
	if err != nil {
		return "", fmt.Errorf("write the overlay: %w", err)
	}
	const private = 0o600
	if err := errors.Join(os.WriteFile(replacement, broken, private), os.WriteFile(overlay, text, private)); err != nil {
		return "", fmt.Errorf("write the overlay: %w", err)
	}
	return overlay, nil
}

func command(ctx context.Context, folder string, env []string, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...) //nolint:gosec // of our own list
	cmd.Dir, cmd.Env = folder, env
	output, err := cmd.CombinedOutput()
	if err != nil {
		return string(output), fmt.Errorf("%s: %w", filepath.Base(name), err)
	}
	return string(output), nil
}

// apply returns the file with the one place in it changed.
func (m mutation) apply(root string) ([]byte, error) {
	whole, err := os.ReadFile(filepath.Join(root, m.file)) //nolint:gosec // of our own list
	if err != nil {
		return nil, fmt.Errorf("read what is to be broken: %w", err)
	}
	if n := bytes.Count(whole, []byte(m.old)); n != 1 {
		return nil, fmt.Errorf("%s: the text to be replaced stands there %d times, want once: %q", m.file, n, m.old)
	}
	return bytes.Replace(whole, []byte(m.old), []byte(m.fresh), 1), nil
}

// splitTest splits a name such as store/postgres.TestX.
func splitTest(test string) (pkg, name string) {
	i := strings.LastIndex(test, ".")
	return test[:i], test[i+1:]
}

// place is how a test tells where it failed.
var place = regexp.MustCompile(`^\s+[a-z_0-9]+_test\.go:\d+: `)

// firstFailure is the first line that a test failed with.
func firstFailure(output string) string {
	for line := range strings.Lines(output) {
		if place.MatchString(line) {
			return shorten(strings.TrimSpace(line))
		}
	}
	for line := range strings.Lines(output) {
		if strings.HasPrefix(line, "panic:") || strings.HasPrefix(line, "fatal error:") {
			return shorten(strings.TrimSpace(line))
		}
	}
	return "failed"
}

func shorten(line string) string {
	const most = 120
	if runes := []rune(line); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return line
}
