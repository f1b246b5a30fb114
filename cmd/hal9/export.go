package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/klauspost/compress/zstd"

	"github.com/hal9-ai/hal9/transfer/copydb"
)

// ExportCmd writes a database into a file that either engine restores.
type ExportCmd struct {
	File  string `arg:"" name:"FILE" help:"The file to write; - for the standard output."`
	Zstd  bool   `help:"Compress by zstd, as is done if FILE ends with .zst."`
	Force bool   `help:"Replace a file of that name."`
	Output
	Settings
}

// Help describes the command.
func (ExportCmd) Help() string {
	return `Writes one moment of the database as NDJSON while servers use it: a header, a line for each row, and a last line with the counts of the rows and a checksum, without which 'hal9 restore' refuses the file. Either engine restores it.

The file holds all that the database does, the hashes of passwords, tokens and API keys among it: it can be read by its owner alone; keep it as secret as the database.

Exits with 0 if every row is written, 1 if not: rows whose text is no UTF-8 cannot be, and are listed. 2 for wrong usage or configuration, 3 if the database does not answer, 4 if migrations are pending.

Examples:

    hal9 export hal9.ndjson.zst
    hal9 export - --database-url postgres://hal9@localhost/hal9 | jq -c 'select(.table == "neurons").row'`
}

// Run writes the file.
func (c *ExportCmd) Run(g *Globals) error {
	cfg, err := g.LoadConfig(c.Settings)
	if err != nil {
		return err
	}
	if err := refuseMemory(cfg, "cannot be exported from outside"); err != nil {
		return err
	}
	progress := showCopying(g.Stderr)
	export := func(w io.Writer) (*copydb.ExportReport, error) {
		report, err := c.write(g.Context, adminURL(cfg), w, progress)
		progress.stop()
		return report, err
	}
	var report *copydb.ExportReport
	if c.File == "-" {
		report, err = export(g.Stdout)
	} else {
		report, err = c.toFile(export)
	}
	if err != nil {
		return copyError(err, nil)
	}
	rows := int64(0)
	for _, n := range report.Rows {
		rows += n
	}
	out := g.Stdout
	if c.File == "-" {
		out = g.Stderr
	}
	err = c.line(out, report, "wrote %d rows in %.1f s, sha256 %s", rows, report.Seconds, report.SHA256)
	if n := report.RefusedRows; err == nil && n > 0 {
		first := report.Refused[0]
		err = &ExitError{Code: exitFailure, Err: fmt.Errorf("%d rows could not be written, the first one %s %s: %s", n, first.Table, first.Key, first.Reason), Hint: "--json lists the first thousand."}
	}
	return err
}

func (c *ExportCmd) write(ctx context.Context, url string, w io.Writer, progress *copyProgress) (report *copydb.ExportReport, err error) {
	if c.Zstd || strings.HasSuffix(c.File, ".zst") {
		z, err := zstd.NewWriter(w, zstd.WithEncoderConcurrency(1))
		if err != nil {
			return nil, fmt.Errorf("compress: %w", err)
		}
		report, err = copydb.Export(ctx, copydb.ExportOptions{From: url, Progress: progress.update}, z)
		return report, errors.Join(err, z.Close())
	}
	return copydb.Export(ctx, copydb.ExportOptions{From: url, Progress: progress.update}, w)
}

// toFile lets the file appear under its name when it is whole and on the disk.
func (c *ExportCmd) toFile(export func(io.Writer) (*copydb.ExportReport, error)) (*copydb.ExportReport, error) {
	if _, err := os.Stat(c.File); err == nil && !c.Force {
		return nil, &ExitError{Code: exitUsage, Err: fmt.Errorf("there is such a file already: %s", c.File), Hint: "Name another file, or add --force to replace it."}
	}
	// CreateTemp makes files that only their owner reads.
	f, err := os.CreateTemp(filepath.Dir(c.File), "."+filepath.Base(c.File)+".*.partial")
	if err != nil {
		return nil, fmt.Errorf("make the file: %w", err)
	}
	defer func() { _ = os.Remove(f.Name()) }() // it has another name by then, if all went well
	report, err := export(f)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	if err := os.Rename(f.Name(), c.File); err != nil {
		return nil, fmt.Errorf("give the file its name: %w", err)
	}
	return report, nil
}
