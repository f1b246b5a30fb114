package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/hal9-ai/hal9/internal/config"
	"github.com/hal9-ai/hal9/internal/dburl"
	"github.com/hal9-ai/hal9/model"
	"github.com/hal9-ai/hal9/schema"
	"github.com/hal9-ai/hal9/transfer/copydb"
)

// CopyCmd copies a database into another one.
type CopyCmd struct {
	From        string `placeholder:"URL" help:"The database to copy. database.url if not given."`
	To          string `placeholder:"URL" required:"" help:"The database to copy into: new, or emptied by --clean."`
	Follow      bool   `help:"Copy while servers write, catch up with them, and hold them off for the last step and ever after."`
	Clean       bool   `help:"Delete what the target holds, or an unfinished copy in it."`
	Yes         bool   `help:"Do not ask before deleting."`
	Migrate     bool   `help:"Run the target's pending migrations first. On SQLite that is always done."`
	NoCompare   bool   `help:"Do not compare both sides row by row afterwards." xor:"compare"`
	CompareOnly bool   `help:"Copy nothing, only compare." xor:"compare"`
	Refused     string `placeholder:"FILE" help:"Write the rows that the target refused into this file, a line of JSON each."`
	Output
	Settings
}

// Help describes the command.
func (CopyCmd) Help() string {
	return `Copies all tables from one database into another of either engine, in the order of their foreign keys, and then compares both row by row. Servers may read from the source throughout. The copy is of the moment at which it begins; what is written to the source later is not in it, unless --follow is given: then the copy catches up until little is left, fences the source (see 'hal9 fence'), copies the rest, and prints how long that took. The source stays fenced, so that nothing is written to it that the target would not have; servers answer 503 with Retry-After until they are pointed at the target.

A copy that was interrupted, by kill -9 too, goes on when the same command is given again: how far it is stands in the target. Rows that the target refuses are reported with their reasons.

URLs on a command line are seen by other users of the machine: leave the password to PGPASSWORD or ~/.pgpass, or give the source as HAL9_DATABASE_URL.

Exits with 0 if the target holds all rows and the comparison found no difference, 1 if not, 2 for wrong usage or configuration or a target that is not empty, 3 if a database does not answer, and 4 if migrations are pending.

Examples:

    hal9 copy --from sqlite://hal9.db --to postgres://hal9@localhost/hal9 --migrate --follow
    hal9 copy --from postgres://hal9@localhost/hal9 --to sqlite://copy.db --json > report.json
    hal9 copy --from sqlite://hal9.db --to postgres://hal9@localhost/hal9 --compare-only`
}

// Run copies.
func (c *CopyCmd) Run(g *Globals) error {
	cfg, err := g.LoadConfig(c.Settings)
	if err != nil {
		return err
	}
	if c.From == "" {
		c.From = cfg.Database.URL
	}
	if err := c.check(g); err != nil {
		return err
	}
	if err := prepareTarget(g, c.To, c.Migrate && !c.CompareOnly); err != nil {
		return err
	}
	progress := showCopying(g.Stderr)
	refused := &refusedFile{name: c.Refused}
	report, err := copydb.Copy(g.Context, copydb.Options{
		From: c.From, To: c.To, FromName: config.MaskURL(c.From), ToName: config.MaskURL(c.To),
		Follow: c.Follow, Clean: c.Clean, SkipComparison: c.NoCompare, CompareOnly: c.CompareOnly,
		Progress: progress.update, Tell: progress.tell, Refused: refused.add,
	})
	progress.stop()
	err = errors.Join(err, refused.close())
	if err != nil {
		return copyError(err, report)
	}
	if err := c.print(g.Stdout, report, report.Text); err != nil {
		return err
	}
	return judge(report)
}

func (c *CopyCmd) check(g *Globals) error {
	for _, side := range []struct{ flag, url string }{{"--from", c.From}, {"--to", c.To}} {
		if dburl.Engine(side.url) == "" {
			return &ExitError{Code: exitUsage, Err: fmt.Errorf("%s names no database: %s", side.flag, dburl.Examples)}
		}
	}
	if sameDatabase(c.From, c.To) {
		return &ExitError{Code: exitUsage, Err: errors.New("--from and --to name the same database")}
	}
	if c.Follow && c.CompareOnly {
		return &ExitError{Code: exitUsage, Err: errors.New("--follow and --compare-only exclude each other")}
	}
	if c.Clean && !c.CompareOnly {
		return g.confirm(g.Context, c.Yes, "This deletes all that "+config.MaskURL(c.To)+" holds.", "hal9 copy")
	}
	return nil
}

func sameDatabase(a, b string) bool {
	if a == b {
		return true
	}
	pathA, errA := dburl.SQLitePath(a)
	pathB, errB := dburl.SQLitePath(b)
	if errA != nil || errB != nil {
		return false
	}
	infoA, errA := os.Stat(pathA)
	infoB, errB := os.Stat(pathB)
	return errA == nil && errB == nil && os.SameFile(infoA, infoB)
}

// prepareTarget makes and migrates the target where that is asked for.
func prepareTarget(g *Globals, url string, migrate bool) error {
	if !migrate && dburl.Engine(url) != dburl.SQLite {
		return nil
	}
	m, err := schema.Open(g.Context, url, schema.Options{})
	if err != nil {
		return migrateError(err, nil)
	}
	_, err = m.Up(g.Context)
	if err := errors.Join(err, m.Close()); err != nil {
		return migrateError(err, nil)
	}
	return nil
}

// judge makes an exit code of what the report tells.
func judge(report *copydb.Report) error {
	if refused, different := report.Faults(); refused+different > 0 {
		return &ExitError{Code: exitFailure, Err: fmt.Errorf("the target is not the same: %d rows were refused, %d differ", refused, different)}
	}
	return nil
}

func copyError(err error, report *copydb.Report) error {
	exit := &ExitError{Code: exitFailure, Err: err}
	if told, ok := errors.AsType[*ExitError](err); ok {
		return told
	}
	switch {
	case errors.Is(err, copydb.ErrNotEmpty), errors.Is(err, copydb.ErrOther):
		exit.Code, exit.Hint = exitUsage, "Name a new database, or add --clean to delete what this one holds."
	case errors.Is(err, copydb.ErrSame):
		exit.Code, exit.Hint = exitUsage, "Nothing was changed. Name another database by --to."
	case errors.Is(err, copydb.ErrFenced):
		exit.Code, exit.Hint = exitUsage, "'hal9 fence off' lets writers in again."
	case errors.Is(err, copydb.ErrInUse):
		exit.Hint = "Stop the servers and commands that use the target; it is read and written when the copy is done."
	case errors.Is(err, copydb.ErrUnreachable), errors.Is(err, schema.ErrUnreachable), errors.Is(err, model.ErrUnavailable):
		exit.Code = exitUnreachable
	case errors.Is(err, schema.ErrNotMigrated), errors.Is(err, schema.ErrBehind):
		exit.Code, exit.Hint = exitPending, "--migrate runs them on the target; 'hal9 migrate up' on the source."
	case report != nil && len(report.Tables) > 0 && !report.Complete:
		exit.Hint = "Give the same command again to go on from here."
	}
	return exit
}

// refusedFile is where the refused rows are written, for its owner alone. Without a name it
// takes them nowhere.
type refusedFile struct {
	name  string
	file  *os.File
	lines *json.Encoder
}

func (f *refusedFile) open() (err error) {
	if f.file, err = os.OpenFile(f.name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600); err != nil {
		return fmt.Errorf("write the refused rows: %w", err)
	}
	f.lines = newLineEncoder(f.file)
	return nil
}

func (f *refusedFile) add(r copydb.Refused) error {
	if f.name == "" {
		return nil
	}
	if f.file == nil {
		if err := f.open(); err != nil {
			return err
		}
	}
	if err := f.lines.Encode(r); err != nil {
		return fmt.Errorf("write the refused rows: %w", err)
	}
	return nil
}

// close leaves an empty file where no row was refused.
func (f *refusedFile) close() error {
	if f.name != "" && f.file == nil {
		if err := f.open(); err != nil {
			return err
		}
	}
	if f.file == nil {
		return nil
	}
	if err := f.file.Close(); err != nil {
		return fmt.Errorf("write the refused rows: %w", err)
	}
	return nil
}
