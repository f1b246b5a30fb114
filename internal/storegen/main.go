// Command storegen writes what stands between the SQL and the service: the
// shared types and the interface of all queries, and the adapter of each
// engine. It refuses queries on which the engines do not agree.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/hal9-ai/hal9/internal/storegen/diag"
	"github.com/hal9-ai/hal9/internal/storegen/gen"
)

const usage = `storegen proves that the queries of both engines agree and writes the code between them.

It reads   queries/postgres, queries/sqlite and what sqlc made of them in gen/pgdb, gen/sqlitedb,
           queries/handwritten.notes, and the foreign keys and triggers in schema,
it writes  model/queries_gen.go, gen/pgstore, gen/sqlitestore, gen/cachedstore.

Usage: go run ./internal/storegen [flags]

  --root DIR   the repository (default ".")
  --check      write nothing; exit 1 and name the files that are not up to date
  --sql        look at the SQL alone and write nothing: what to run before sqlc, whose
               own errors say less, and which takes some SQL that it makes broken code of

Example, after a change to the SQL:

  go run ./internal/storegen --sql && sqlc generate && go run ./internal/storegen

Notes in the comment at a query's name line:

  -- engine: postgres   the query is PostgreSQL's alone and no part of the shared interface
  -- returns: Memory    the shared type of its rows, where sqlc makes one of its own per query
  -- writes: yes        it writes although its text does not show it, as by a function it calls
  -- differs: WHERE, SET, because …          these clauses are meant to differ from the other engine's
  -- cache: neuron:{id}                         what it reads is cached under this key
  -- cache: memory:search:{*} group memory      …under a digest of all parameters, dropped with its group
  -- invalidates: neuron:{id}, group memory     what it writes makes these stale
  -- invalidates: nothing, because …            …or nothing, as what only locks;
  -- invalidates: nothing of neuron:{id}, because …   …or nothing of one key

Exit status: 0 done; 1 the queries are at fault, or with --check files are stale; 2 anything else.
`

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// errFaulty says that what is wrong has been printed.
var errFaulty = errors.New("")

func run(args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("storegen", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() { sayf(stderr, usage) }
	root := flags.String("root", ".", "")
	check := flags.Bool("check", false, "")
	sql := flags.Bool("sql", false, "")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	case flags.NArg() > 0:
		sayf(stderr, "storegen: unexpected argument %q; see --help\n", flags.Arg(0))
		return 2
	}
	act := generate
	if *sql {
		act = checkSQL
	}
	switch err := act(*root, *check, stdout, stderr); {
	case errors.Is(err, errFaulty):
		return 1
	case err != nil:
		sayf(stderr, "storegen: %v\n", err)
		return 2
	}
	return 0
}

// checkSQL looks at the SQL alone.
func checkSQL(root string, _ bool, _, stderr io.Writer) error {
	source := os.DirFS(root)
	problems, err := gen.CheckSQL(source)
	return verdict(source, problems, err, stderr)
}

// generate brings the generated files up to date, or with check tells which are not.
func generate(root string, check bool, stdout, stderr io.Writer) error {
	source := os.DirFS(root)
	out, problems, err := gen.Generate(source)
	if err := verdict(source, problems, err, stderr); err != nil {
		return err
	}
	changes, err := gen.Changes(root, out)
	if err != nil {
		return err
	}
	for _, c := range changes {
		if check {
			sayf(stderr, "%s: %s: run `make generate`\n", c.Path, c.Why)
			continue
		}
		if err := c.Apply(root); err != nil {
			return err
		}
		sayf(stdout, "%s: brought up to date (it was %s)\n", c.Path, c.Why)
	}
	if check && len(changes) > 0 {
		return errFaulty
	}
	return nil
}

// verdict prints the problems and returns the error to end with.
func verdict(source fs.FS, problems diag.List, err error, stderr io.Writer) error {
	if len(problems) > 0 {
		if err := problems.Write(stderr, source); err != nil {
			return fmt.Errorf("telling what is wrong: %w", err)
		}
		sayf(stderr, "%d to mend\n", len(problems))
	}
	if err == nil && len(problems) > 0 {
		return errFaulty
	}
	return err
}

// say prints for a person; there is nobody to tell when that fails.
func sayf(w io.Writer, format string, args ...any) {
	_, _ = fmt.Fprintf(w, format, args...)
}
