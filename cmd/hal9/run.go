package main

import (
	"context"
	"errors"
	"io"

	"github.com/alecthomas/kong"
)

// Run runs one command line and returns its exit code. It touches nothing of the
// process but what it is handed, so that tests can call it side by side.
func Run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer, environ []string) (code int) {
	return run(&Globals{Context: ctx, Stdin: stdin, Stdout: stdout, Stderr: stderr, Environ: environ}, args)
}

func run(g *Globals, args []string) (code int) {
	defer func() {
		if r := recover(); r != nil {
			stopped, ok := r.(parserExit)
			if !ok {
				panic(r)
			}
			code = stopped.code
		}
	}()

	parser, err := newParser(newCLIFor(args), g.Stdout, g.Stderr)
	if err != nil {
		return report(g.Stderr, err)
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	parsed, err := parser.Parse(args)
	if err != nil {
		return report(g.Stderr, usageError(err, commandOf(err)))
	}
	return report(g.Stderr, parsed.Run(g))
}

// parserExit carries an exit code out of the parser: kong expects its exit
// function not to return, as os.Exit does not.
type parserExit struct{ code int }

func newParser(cli *CLI, stdout, stderr io.Writer) (*kong.Kong, error) {
	return kong.New(cli, //nolint:wrapcheck // a fault of the grammar, which kong's words describe
		kong.Name("hal9"),
		kong.Description(description),
		kong.Writers(stdout, stderr),
		kong.Exit(func(code int) { panic(parserExit{code}) }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100, NoAppDescFormat: true}),
		kong.ValueFormatter(func(v *kong.Value) string { return v.Help }),
	)
}

// commandOf tells whose --help the user should read.
func commandOf(err error) string {
	var parse *kong.ParseError
	if errors.As(err, &parse) && parse.Context != nil {
		if node := parse.Context.Selected(); node != nil {
			return node.FullPath()
		}
	}
	return "hal9"
}
