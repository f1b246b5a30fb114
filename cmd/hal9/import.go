package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"time"

	"github.com/hal9-ai/hal9/internal/config"
	"github.com/hal9-ai/hal9/internal/dburl"
	"github.com/hal9-ai/hal9/model"
	"github.com/hal9-ai/hal9/schema"
	"github.com/hal9-ai/hal9/store"
	"github.com/hal9-ai/hal9/transfer"
)

// ImportCmd copies a file of the original HAL9 server into the database.
type ImportCmd struct {
	File   string `arg:"" name:"FILE" help:"The SQLite file that the original HAL9 server wrote."`
	DryRun bool   `help:"Read and judge every row, write nothing."`
	JSON   bool   `help:"Write the report as JSON."`
	Settings
}

// Help describes the command.
func (ImportCmd) Help() string {
	return `Checks the whole file, then copies what it holds in chunks: users, API keys, sessions, neurons, signals, memories, metrics and the audit log. Old passwords and API keys go on working. Reports for each table how many rows were read, written, there already, and skipped with their reasons, and for each column what became of its values. A username that another user has here is reported and left alone. What is stored already stays as it is, so importing again changes nothing and goes on after a failure. The file is never written to.

Exits with 0 if the file was imported, even if rows were skipped: the report tells. With 1 if the file cannot be imported or a part of it failed, 2 if the configuration is wrong, 3 if the database does not answer, and 4 if migrations are pending. An SQLite database is made and migrated if it has to be.

Examples:

    hal9 import old.db --dry-run
    hal9 import old.db --json > report.json
    hal9 import old.db --database-url postgres://hal9@localhost/hal9`
}

// Run imports the file.
func (c *ImportCmd) Run(g *Globals) (err error) {
	cfg, err := g.LoadConfig(c.Settings)
	if err != nil {
		return err
	}
	progress := showProgress(g.Stderr, c.File)
	defer progress.stop()

	// Before the database is touched: a file that is refused leaves nothing behind,
	// not even an empty database.
	source, err := transfer.Open(g.Context, c.File)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	target, err := c.target(g.Context, cfg, source)
	if err != nil {
		return err
	}
	if target != nil {
		defer func() { err = errors.Join(err, closeStore(target)) }()
	}
	report, err := transfer.Import(g.Context, source, target, transfer.Options{DryRun: c.DryRun, Progress: progress.update})
	progress.stop()
	if err != nil {
		// Where results go, there are none; but what was written should be known.
		return errors.Join(err, report.Text(g.Stderr))
	}
	return c.show(g, report)
}

func (c *ImportCmd) show(g *Globals, report *transfer.Report) error {
	if !c.JSON {
		return report.Text(g.Stdout)
	}
	return writeJSON(g.Stdout, report)
}

// target opens the database to import into. A dry run neither makes nor migrates
// one: it gets nil where there is none yet.
func (c *ImportCmd) target(ctx context.Context, cfg *config.Config, source *transfer.Source) (model.Store, error) {
	// Recounting a neuron's traffic is one statement, which may read millions of rows.
	const patience = 10 * time.Minute
	patient := *cfg
	patient.Database.StatementTimeout = max(patient.Database.StatementTimeout, patience)
	if cfg.Database.Engine() != dburl.SQLite {
		return openStore(ctx, &patient)
	}
	path, err := dburl.SQLitePath(cfg.Database.URL)
	if err != nil {
		return nil, &config.Error{Key: "database.url", Problem: err.Error(), Mend: dburl.Examples}
	}
	if path == dburl.MemoryPath {
		return nil, &config.Error{
			Key: "database.url", Problem: "a database in memory is gone when the import ends",
			Mend: "name a file, as in sqlite://hal9.db",
		}
	}
	if source.SameFile(path) {
		return nil, &config.Error{
			Key: "database.url", Problem: "this is the file to be imported itself",
			Mend: "name another file, as in sqlite://new.db",
		}
	}
	if !c.DryRun {
		return openStore(ctx, &patient)
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, nil //nolint:nilnil // there is none yet
	}
	return openAsItIs(ctx, cfg.Database)
}

// openAsItIs opens an SQLite database without migrating it.
func openAsItIs(ctx context.Context, d config.Database) (model.Store, error) {
	st, err := store.Open(ctx, store.Config{URL: d.URL, AcquireTimeout: d.AcquireTimeout, StatementTimeout: d.StatementTimeout})
	if errors.Is(err, schema.ErrNotMigrated) || errors.Is(err, schema.ErrBehind) {
		return nil, &ExitError{Code: exitPending, Err: err, Hint: "A dry run does not migrate the database; an import does."}
	}
	return st, err
}
