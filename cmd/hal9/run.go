package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"golang.org/x/term"

	"github.com/hal9-ai/hal9/internal/cli"
)

// Run runs one command line and returns its exit code. It touches nothing of the
// process but what it is handed, so that tests can call it side by side.
func Run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer, environ []string) int {
	return run(&Globals{Context: ctx, Stdin: stdin, Stdout: stdout, Stderr: stderr, Environ: environ}, args)
}

func run(g *Globals, args []string) int {
	root, err := newTree(newCLIFor(args))
	if err != nil {
		return report(g.Stderr, err)
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	if len(args) == 1 && args[0] == "--version" { // what people try first
		args = []string{"version"}
	}
	if args[0] == "help" { // hal9 help user create
		args = append(slices.Clone(args[1:]), "--help")
	}
	command, err := root.Parse(args)
	switch {
	case errors.Is(err, cli.ErrHelp):
		return report(g.Stderr, command.WriteHelp(g.Stdout, widthOf(g.Stdout)))
	case err != nil:
		return report(g.Stderr, usageError(err, command.Path()))
	}
	runs, ok := command.Target.(runner)
	if !ok {
		return report(g.Stderr, fmt.Errorf("%s has nothing to run", command.Path()))
	}
	return report(g.Stderr, runs.Run(g))
}

// runner is what every command that does something is.
type runner interface {
	Run(g *Globals) error
}

func newTree(commands *CLI) (*cli.Command, error) {
	return cli.New("hal9", description, commands)
}

// widthOf returns how long the lines of a help should be: as those of the terminal, but
// no longer than one reads with ease.
func widthOf(w io.Writer) int {
	const narrow, wide = 80, 100
	if file, ok := w.(*os.File); ok {
		if width, _, err := term.GetSize(int(file.Fd())); err == nil {
			return max(narrow/2, min(width, wide))
		}
	}
	return narrow
}
