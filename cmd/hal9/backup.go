package main

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/hal9-ai/hal9/internal/config"
	"github.com/hal9-ai/hal9/internal/dburl"
	"github.com/hal9-ai/hal9/store/sqlite"
)

// BackupCmd copies an SQLite database.
type BackupCmd struct {
	File  string `arg:"" name:"FILE" help:"The copy to make."`
	Force bool   `help:"Replace a file of that name."`
	Output
	Settings
}

// Help describes the command.
func (BackupCmd) Help() string {
	return `On SQLite it copies the database while servers read and write it: what was committed when it begins is in the copy. The copy is checked, is on the disk before it bears its name, and can be read by its owner alone; a backup that fails leaves no file behind. 'hal9 restore' puts it in place.

On PostgreSQL it says which tools of PostgreSQL to use, and exits with 2.

Exits with 0 if the copy is made, 1 if that failed, 2 for wrong usage or configuration, and 3 if there is no database.

Example:

    hal9 backup /var/backups/hal9-$(date +%F).db
    hal9 backup copy.db --force --database-url sqlite:///var/lib/hal9/hal9.db`
}

// backupJSON is what a program learns of a backup or restore.
type backupJSON struct {
	File     string           `json:"file"`
	Bytes    int64            `json:"bytes"`
	Epoch    int64            `json:"epoch"`
	Seconds  float64          `json:"seconds"`
	Rows     map[string]int64 `json:"rows"`
	Replaced string           `json:"replaced,omitempty"` // where what was there is now
}

// Run makes the copy.
func (c *BackupCmd) Run(g *Globals) error {
	cfg, err := g.LoadConfig(c.Settings)
	if err != nil {
		return err
	}
	path, err := sqliteFile(cfg, `hal9 backup copies SQLite databases. For PostgreSQL use its own tools, as docs/operations/backup.md tells:

    pg_dump --format=custom --file=hal9.dump DATABASE_URL
    pg_restore --exit-on-error --no-owner --dbname=URL_OF_A_NEW_DATABASE hal9.dump
    hal9 cache invalidate

For recovery to any moment: a base backup and archived WAL (pg_basebackup, archive_command).`)
	if err != nil {
		return err
	}
	began := time.Now()
	progress := &pageProgress{w: g.Stderr, shown: isTerminal(g.Stderr)}
	report, err := sqlite.Backup(g.Context, path, c.File, sqlite.BackupOptions{Overwrite: c.Force, Progress: progress.update})
	progress.end()
	if err != nil {
		return backupError(err, c.File)
	}
	took := time.Since(began)
	return c.line(g.Stdout, backupJSON{File: c.File, Bytes: report.Bytes, Epoch: report.Epoch, Seconds: took.Seconds(), Rows: report.Rows},
		"copied %s to %s: %d bytes in %s, checked", path, c.File, report.Bytes, took.Round(time.Millisecond))
}

// sqliteFile returns the file of an SQLite database. For PostgreSQL the error says what
// to do instead.
func sqliteFile(cfg *config.Config, onPostgres string) (string, error) {
	if cfg.Database.Engine() != dburl.SQLite {
		return "", &ExitError{Code: exitUsage, Err: errors.New(onPostgres)}
	}
	if err := refuseMemory(cfg, "cannot be copied from outside"); err != nil {
		return "", err
	}
	path, err := dburl.SQLitePath(cfg.Database.URL)
	if err != nil {
		return "", &config.Error{Key: "database.url", Problem: err.Error(), Mend: dburl.Examples}
	}
	return path, nil
}

func backupError(err error, file string) error {
	switch {
	case errors.Is(err, sqlite.ErrExists):
		return &ExitError{Code: exitUsage, Err: err, Hint: "Name another file, or add --force to replace it."}
	case errors.Is(err, sqlite.ErrLog):
		return &ExitError{Code: exitUsage, Err: err, Hint: "Name another file, or move the log away: a server that was killed may have left it."}
	case errors.Is(err, sqlite.ErrNoFile):
		return &ExitError{Code: exitUnreachable, Err: err, Hint: "database.url names the database."}
	default:
		return fmt.Errorf("back up to %s: %w", file, err)
	}
}

// pageProgress shows on a terminal how far a copy is.
type pageProgress struct {
	w       io.Writer
	shown   bool
	percent int
	begun   bool
}

func (p *pageProgress) update(done, total int) {
	if !p.shown || total == 0 {
		return
	}
	percent := done * 100 / total
	if p.begun && percent == p.percent {
		return
	}
	p.percent, p.begun = percent, true
	text := fmt.Sprintf("\rcopying: %3d %%", percent)
	if done == total {
		text += ", checking"
	}
	_, _ = io.WriteString(p.w, text) // progress is not worth a failure
}

func (p *pageProgress) end() {
	if p.begun {
		_, _ = io.WriteString(p.w, "\n")
	}
}
