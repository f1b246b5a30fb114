package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/hal9-ai/hal9/schema"
)

// MigrateCmd groups the commands about the schema.
type MigrateCmd struct {
	Up     MigrateUpCmd     `cmd:"" help:"Run the pending migrations."`
	Down   MigrateDownCmd   `cmd:"" help:"Undo the last migration, and lose its data."`
	Status MigrateStatusCmd `cmd:"" help:"Show which migrations are applied."`
	Redo   MigrateRedoCmd   `cmd:"" help:"Undo the last migration and run it again."`
	Grant  MigrateGrantCmd  `cmd:"" help:"Give a role of PostgreSQL what a server needs."`
	Create MigrateCreateCmd `cmd:"" help:"Make the next migration for both engines."`
}

// Change holds the flags of the commands that change a database.
type Change struct {
	DryRun  bool          `help:"Print the SQL that would run, and change nothing."`
	Timeout time.Duration `help:"Give up after this time; what is committed by then stays. Default: never." placeholder:"DURATION"`
}

// refuseBoth refuses --json beside --dry-run, which prints a script.
func (c *Change) refuseBoth(o Output, command string) error {
	if o.JSON && c.DryRun {
		return usageError(errors.New("--json has no use beside --dry-run, which prints SQL"), command)
	}
	return nil
}

// MigrateUpCmd runs migrations.
type MigrateUpCmd struct {
	To *int64 `help:"Stop after this version. Default: the latest." placeholder:"VERSION"`
	Output
	Change
	Settings
}

// Help describes the command.
func (MigrateUpCmd) Help() string {
	return `Each migration commits on its own. Several migrators at once take turns. A failed, killed or timed-out one leaves whole migrations behind: run the command again.

Exits with 0 if the database is up to date afterwards, 1 if a migration failed, 2 for wrong usage or configuration, and 3 if the database cannot be reached.

Example, for a deploy pipeline:

    hal9 migrate up --dry-run > migration.sql
    hal9 migrate up --timeout 10m`
}

// Run runs the migrations.
func (c *MigrateUpCmd) Run(g *Globals) error {
	return c.migrate(g, c.Output, c.Settings, "hal9 migrate up", func(ctx context.Context, m *schema.Migrator) error {
		switch {
		case c.DryRun && c.To == nil:
			return printScript(g.Stdout)(m.UpScript(ctx))
		case c.DryRun:
			return printScript(g.Stdout)(m.UpToScript(ctx, *c.To))
		case c.To == nil:
			return printVersion(ctx, g.Stdout, c.Output, m)(m.Up(ctx))
		default:
			return printVersion(ctx, g.Stdout, c.Output, m)(m.UpTo(ctx, *c.To))
		}
	})
}

// MigrateDownCmd undoes migrations.
type MigrateDownCmd struct {
	To  *int64 `help:"Undo all migrations above this version; 0 undoes all. Default: undo one." placeholder:"VERSION"`
	Yes bool   `help:"Do not ask."`
	Output
	Change
	Settings
}

// Help describes the command.
func (MigrateDownCmd) Help() string {
	return `The data of the tables and columns that it removes is lost. It asks first; without a terminal it needs --yes.

Example:

    hal9 migrate down --dry-run
    hal9 migrate down --yes`
}

// Run undoes migrations.
func (c *MigrateDownCmd) Run(g *Globals) error {
	what := "This undoes the last migration"
	if c.To != nil {
		what = fmt.Sprintf("This undoes all migrations above version %d", *c.To)
	}
	return c.migrate(g, c.Output, c.Settings, "hal9 migrate down", func(ctx context.Context, m *schema.Migrator) error {
		switch {
		case c.DryRun && c.To == nil:
			return printScript(g.Stdout)(m.DownScript(ctx))
		case c.DryRun:
			return printScript(g.Stdout)(m.DownToScript(ctx, *c.To))
		}
		if err := g.confirm(ctx, c.Yes, what+", and its data is lost.", "hal9 migrate down"); err != nil {
			return err
		}
		if c.To == nil {
			return printVersion(ctx, g.Stdout, c.Output, m)(m.Down(ctx))
		}
		return printVersion(ctx, g.Stdout, c.Output, m)(m.DownTo(ctx, *c.To))
	})
}

// MigrateRedoCmd undoes the last migration and runs it again.
type MigrateRedoCmd struct {
	Yes bool `help:"Do not ask."`
	Output
	Change
	Settings
}

// Help describes the command.
func (MigrateRedoCmd) Help() string {
	return `For whoever writes a migration. The data of the tables and columns that it makes is lost.

Example:

    hal9 migrate up --database-url sqlite://try.db
    hal9 migrate redo --yes --database-url sqlite://try.db`
}

// Run undoes the last migration and runs it again.
func (c *MigrateRedoCmd) Run(g *Globals) error {
	return c.migrate(g, c.Output, c.Settings, "hal9 migrate redo", func(ctx context.Context, m *schema.Migrator) error {
		if c.DryRun {
			return printScript(g.Stdout)(m.RedoScript(ctx))
		}
		err := g.confirm(ctx, c.Yes, "This undoes the last migration and runs it again, and its data is lost.", "hal9 migrate redo")
		if err != nil {
			return err
		}
		return printVersion(ctx, g.Stdout, c.Output, m)(m.Redo(ctx))
	})
}

// MigrateStatusCmd shows where the database stands.
type MigrateStatusCmd struct {
	Check bool `help:"Exit with 4 unless the database has exactly this program's schema."`
	Output
	Timeout time.Duration `default:"30s" help:"Give up after this time (default 30s)." placeholder:"DURATION"`
	Settings
}

// Help describes the command.
func (MigrateStatusCmd) Help() string {
	return `It writes nothing and waits for no migrator. Exits with 0 whatever it finds, unless --check is given.

Example:

    hal9 migrate status --check || hal9 migrate up`
}

// Run shows where the database stands.
func (c *MigrateStatusCmd) Run(g *Globals) error {
	quiet := Change{Timeout: c.Timeout}
	return quiet.migrate(g, c.Output, c.Settings, "hal9 migrate status", func(ctx context.Context, m *schema.Migrator) error {
		status, err := m.Status(ctx)
		if err != nil {
			return err
		}
		if err := c.print(g.Stdout, status, func(w io.Writer) error { return printStatus(w, status) }); err != nil {
			return err
		}
		if !c.Check {
			return nil
		}
		if err := m.Check(ctx); err != nil {
			if _, ok := errors.AsType[*schema.VersionError](err); ok {
				return &ExitError{Code: exitPending, Err: err}
			}
			return err
		}
		return nil
	})
}

func printStatus(w io.Writer, s schema.Status) error {
	table := [][]string{{"VERSION", "STATE", "APPLIED", "FILE"}}
	for _, m := range s.Migrations {
		file := m.File
		if file == "" {
			file = "(of a newer hal9)"
		}
		table = append(table, []string{strconv.FormatInt(m.Version, 10), string(m.State), moment(m.AppliedAt), file})
	}
	if err := writeTable(w, table); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\nThe %s database is at version %d, this program at %d; %d pending.\n", s.Engine, s.Version, s.Latest, s.Pending)
	return err //nolint:wrapcheck // print wraps it
}

// MigrateCreateCmd makes a migration.
type MigrateCreateCmd struct {
	Name string `arg:"" help:"Small letters, digits and underscores, as in add_neuron_labels."`
	Dir  string `default:"schema" help:"The folder that holds postgres/ and sqlite/ (default schema)." placeholder:"DIR"`
	Output
}

// Help describes the command.
func (MigrateCreateCmd) Help() string {
	return `Makes an empty file with the next number in the folders of both engines, to be run at the root of the repository. An engine that needs no change keeps its file empty, so that both have the same versions.

Example:

    hal9 migrate create add_neuron_labels`
}

// Run makes the files.
func (c *MigrateCreateCmd) Run(g *Globals) error {
	files, err := schema.Create(c.Dir, c.Name)
	if errors.Is(err, schema.ErrName) {
		return usageError(err, "hal9 migrate create")
	}
	if err != nil {
		return err
	}
	return c.line(g.Stdout, map[string][]string{"files": files}, "%s", strings.Join(files, "\n"))
}

// migrate opens the database and hands it to fn.
func (c *Change) migrate(g *Globals, o Output, s Settings, command string, fn func(context.Context, *schema.Migrator) error) (err error) {
	if err := c.refuseBoth(o, command); err != nil {
		return err
	}
	loaded, err := g.LoadConfig(s)
	if err != nil {
		return err
	}
	ctx, cancel, err := c.context(g, command)
	if err != nil {
		return err
	}
	defer cancel()
	m, err := schema.Open(ctx, adminURL(loaded), schema.Options{
		Applied: func(s schema.Step) {
			if o.JSON {
				return
			}
			verb := "applied"
			if s.Direction == schema.Down {
				verb = "undid"
			}
			_, _ = fmt.Fprintf(g.Stdout, "%s %s in %s\n", verb, s.File, s.Took.Round(time.Millisecond))
		},
		Waiting: func(holder string) {
			_, _ = fmt.Fprintf(g.Stderr, "hal9: waiting for %s, which migrates this database\n", holder)
		},
	})
	if err != nil {
		return migrateError(err, loaded)
	}
	defer func() {
		if closeErr := m.Close(); err == nil {
			err = closeErr
		}
	}()
	return migrateError(fn(ctx, m), loaded)
}

// context bounds a command by --timeout.
func (c *Change) context(g *Globals, command string) (context.Context, context.CancelFunc, error) {
	switch {
	case c.Timeout < 0:
		return nil, nil, usageError(errors.New("--timeout must not be negative"), command)
	case c.Timeout == 0:
		ctx, cancel := context.WithCancel(g.Context)
		return ctx, cancel, nil
	default:
		ctx, cancel := context.WithTimeoutCause(g.Context, c.Timeout, &timeoutError{c.Timeout})
		return ctx, cancel, nil
	}
}

// timeoutError names the flag that ended a command.
type timeoutError struct{ after time.Duration }

func (e *timeoutError) Error() string { return fmt.Sprintf("--timeout %s passed", e.after) }

func (*timeoutError) Unwrap() error { return context.DeadlineExceeded }

// printScript prints the script of a dry run.
func printScript(w io.Writer) func(string, error) error {
	return func(script string, err error) error {
		if err != nil {
			return err
		}
		if script == "" {
			script = "-- nothing to do\n"
		}
		if _, err := io.WriteString(w, script); err != nil {
			return fmt.Errorf("write the script: %w", err)
		}
		return nil
	}
}

// migratedJSON is what a migrator did.
type migratedJSON struct {
	Version int64      `json:"version"`
	Steps   []stepJSON `json:"steps"`
}

type stepJSON struct {
	Version   int64            `json:"version"`
	File      string           `json:"file"`
	Direction schema.Direction `json:"direction"`
	Seconds   float64          `json:"seconds"`
}

// printVersion tells where the database stands after the steps.
func printVersion(ctx context.Context, w io.Writer, o Output, m *schema.Migrator) func([]schema.Step, error) error {
	return func(steps []schema.Step, err error) error {
		if err != nil {
			return err
		}
		version, err := m.Version(ctx)
		if err != nil {
			return err
		}
		done := migratedJSON{Version: version, Steps: make([]stepJSON, len(steps))}
		for i, s := range steps {
			done.Steps[i] = stepJSON{s.Version, s.File, s.Direction, s.Took.Seconds()}
		}
		if len(steps) == 0 {
			return o.line(w, done, "Nothing to do: the database is at version %d.", version)
		}
		return o.line(w, done, "The database is at version %d.", version)
	}
}
