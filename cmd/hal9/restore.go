package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/hal9-ai/hal9/schema"
	"github.com/hal9-ai/hal9/store/sqlite"
)

// RestoreCmd puts a backup in place.
type RestoreCmd struct {
	File  string `arg:"" name:"FILE" help:"What 'hal9 backup' or 'hal9 export' made."`
	Clean bool   `help:"Delete what the database holds, to restore an export; a backup takes its place in any case."`
	Yes   bool   `help:"Do not ask."`
	Output
	Settings
}

// Help describes the command.
func (RestoreCmd) Help() string {
	return `On SQLite it copies the backup, checks it, and puts it in the place of the database while no server runs. The database that was there is kept beside it, as FILE.before-restore-TIME. The epoch grows beyond that of both, so that nothing which a cache server holds from before is found. The backup stays as it is.

It asks first if there is a database; without a terminal it needs --yes. On PostgreSQL it says which tools of PostgreSQL to use, and exits with 2.

A file of 'hal9 export', which is told by its content, goes into a database of either engine that is new, or emptied by --clean. The whole file is checked before the database is touched, and compared with it row by row afterwards. PostgreSQL's schema is migrated first by 'hal9 migrate up'.

Exits with 0 if it is in place, 1 if it is no whole database or the database is in use, 2 for wrong usage or configuration, and 3 if there is no such backup.

Example:

    systemctl stop hal9.service
    hal9 restore /var/backups/hal9-2026-11-25.db
    systemctl start hal9.service
    hal9 restore hal9.ndjson.zst --database-url postgres://hal9@localhost/hal9`
}

// Run puts the backup in place.
func (c *RestoreCmd) Run(g *Globals) (err error) {
	cfg, err := g.LoadConfig(c.Settings)
	if err != nil {
		return err
	}
	if export, err := isExport(c.File); err != nil {
		return fmt.Errorf("look at %s: %w", c.File, err)
	} else if export {
		return c.runExport(g, cfg)
	}
	path, err := sqliteFile(cfg, `hal9 restore restores SQLite databases. For PostgreSQL use its own tools, as docs/operations/backup.md tells, and then let nothing cached be found:

    pg_restore --exit-on-error --no-owner --dbname=URL_OF_A_NEW_DATABASE hal9.dump
    hal9 cache invalidate`)
	if err != nil {
		return err
	}
	if _, missing := os.Stat(path); missing == nil {
		err := g.confirm(g.Context, c.Yes, "This puts "+c.File+" in the place of the database "+path+".", "hal9 restore")
		if err != nil {
			return err
		}
	}
	began := time.Now()
	path, release, err := schema.HoldSQLite(g.Context, cfg.Database.URL, func(holder string) {
		_, _ = fmt.Fprintf(g.Stderr, "hal9: waiting for %s, which migrates this database\n", holder)
	})
	if err != nil {
		return migrateError(err, cfg)
	}
	defer func() { err = errors.Join(err, release()) }()
	report, err := sqlite.Restore(g.Context, c.File, path, time.Now())
	if err != nil {
		return restoreError(err, c.File)
	}
	took := time.Since(began)
	kept := ""
	if report.Replaced != "" {
		kept = "\nwhat was there is now " + report.Replaced
	}
	return c.line(g.Stdout, backupJSON{path, report.Bytes, report.Epoch, took.Seconds(), report.Rows, report.Replaced},
		"restored %s from %s, checked; its epoch is %d%s", path, c.File, report.Epoch, kept)
}

func restoreError(err error, file string) error {
	switch {
	case errors.Is(err, sqlite.ErrInUse):
		return &ExitError{Code: exitFailure, Err: fmt.Errorf("restore: %w", err), Hint: "Stop the server first. Nothing was changed."}
	case errors.Is(err, sqlite.ErrNoFile):
		return &ExitError{Code: exitUnreachable, Err: fmt.Errorf("restore: %w", err)}
	case errors.Is(err, schema.ErrAhead), errors.Is(err, schema.ErrTooNew):
		return &ExitError{Code: exitFailure, Err: fmt.Errorf("restore %s: %w", file, err), Hint: "A newer hal9 wrote it: restore it with that one. Nothing was changed."}
	default:
		return fmt.Errorf("restore %s: %w", file, err)
	}
}
