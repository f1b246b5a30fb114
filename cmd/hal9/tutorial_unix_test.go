//go:build unix

package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hal9-ai/hal9/internal/testenv"
)

// asProgram in the environment makes the test binary the program itself, so that
// scripts run the very code under test.
const asProgram = "HAL9_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	restrict()
	// The environment of a process that hashes is empty.
	if os.Getenv(asProgram) != "" || len(os.Args) == 2 && os.Args[1] == hashWorker {
		main() // exits
	}
	os.Exit(m.Run())
}

// step is a command of the tutorial with what the page shows beneath it.
type step struct {
	line    int
	command string
	shown   []string
}

// TestTutorial types docs/tutorial.md into a shell and compares what comes with what the
// page shows. A `…` on the page stands for anything in its line, a line of it alone for
// any lines.
func TestTutorial(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "tutorial.md"))
	if err != nil {
		t.Fatal(err)
	}
	commands := readTutorial(t, string(page))
	if len(commands) < 20 {
		t.Fatalf("only %d commands were found: is the reading broken?", len(commands))
	}
	port := freePort(t)
	var script strings.Builder
	for i, c := range commands {
		fmt.Fprintf(&script, "%s\nprintf '\\n@@%d@@\\n'\n", strings.ReplaceAll(c.command, "localhost:8080", "localhost:"+port), i)
	}
	answers := strings.ReplaceAll(typeIntoShell(t, script.String(), port), "localhost:"+port, "localhost:8080")
	for i, c := range commands {
		got, rest, found := strings.Cut(answers, fmt.Sprintf("\n@@%d@@\n", i))
		if !found {
			t.Fatalf("tutorial.md:%d: the shell went no further than\n$ %s\n%s", c.line, c.command, answers)
		}
		answers = rest
		if !shownAs(c.shown).MatchString(strings.TrimSpace(got)) {
			t.Errorf("tutorial.md:%d:\n$ %s\nshown:\n%s\ncame:\n%s", c.line, c.command, strings.Join(c.shown, "\n"), got)
		}
	}
}

// readTutorial takes the blocks marked sh apart. A command begins with `$ ` and goes on
// over lines that are indented.
func readTutorial(t *testing.T, page string) []step {
	t.Helper()
	var all []step
	inBlock := false
	for i, line := range strings.Split(page, "\n") {
		command, isCommand := strings.CutPrefix(line, "$ ")
		switch {
		case strings.HasPrefix(line, "```"):
			inBlock = line == "```sh"
		case !inBlock:
		case isCommand:
			all = append(all, step{line: i + 1, command: command})
		case len(all) == 0:
			t.Fatalf("tutorial.md:%d: a block begins without a command", i+1)
		default:
			last := &all[len(all)-1]
			if strings.HasPrefix(line, "    ") && len(last.shown) == 0 {
				last.command += "\n" + line
			} else {
				last.shown = append(last.shown, line)
			}
		}
	}
	return all
}

func shownAs(lines []string) *regexp.Regexp {
	patterns := make([]string, len(lines))
	for i, line := range lines {
		if line == "…" {
			patterns[i] = `(?s:.*)`
		} else {
			patterns[i] = strings.ReplaceAll(regexp.QuoteMeta(line), "…", `.*`)
		}
	}
	return regexp.MustCompile(`^` + strings.Join(patterns, "\n") + `$`)
}

// typeIntoShell runs a script in an empty folder and returns what a terminal would show.
// What it leaves running ends with it.
func typeIntoShell(t *testing.T, script, port string) string {
	t.Helper()
	bin, work := t.TempDir(), t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program := fmt.Sprintf("#!/bin/sh\n%s=1 exec '%s' \"$@\"\n", asProgram, self)
	if err := os.WriteFile(filepath.Join(bin, "hal9"), []byte(program), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := exec.LookPath("curl"); err != nil {
		t.Fatal("the tutorial needs curl: install it, as in: apt-get install curl")
	}
	cmd := exec.CommandContext(t.Context(), "sh", "-s")
	cmd.Dir, cmd.Stdin = work, strings.NewReader(script)
	cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "HAL9_SERVER_LISTEN=127.0.0.1:"+port)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = 10 * time.Second
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	var shown testenv.Log
	cmd.Stdout, cmd.Stderr = &shown, &shown
	err = cmd.Run()
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // nobody, if all went well
	if err != nil {
		t.Errorf("the shell: %v", err)
	}
	return strings.ReplaceAll(shown.String(), "\r", "") // as a terminal shows the headers of HTTP
}

// freePort finds a port that nobody listens on.
func freePort(t *testing.T) string {
	t.Helper()
	var lc net.ListenConfig
	ln, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	_, port, err := net.SplitHostPort(ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}
