package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/hal9-ai/hal9/internal/config"
	"github.com/hal9-ai/hal9/internal/dburl"
	"github.com/hal9-ai/hal9/transfer/copydb"
)

// isExport tells by its first bytes whether a file is an export, and not an SQLite
// database or anything else.
func isExport(file string) (bool, error) {
	f, err := os.Open(file) //nolint:gosec // the file that the operator named
	if err != nil {
		return false, nil //nolint:nilerr // restoring tells better what is wrong
	}
	head := make([]byte, len(`{"hal9_export"`))
	_, err = io.ReadFull(f, head)
	if closing := f.Close(); closing != nil || err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return false, errors.Join(err, closing)
	}
	zstdMagic := []byte{0x28, 0xb5, 0x2f, 0xfd}
	return bytes.HasPrefix(head, zstdMagic) || bytes.Equal(head, []byte(`{"hal9_export"`)), nil
}

// runExport restores an export into the database, of whichever engine it is.
func (c *RestoreCmd) runExport(g *Globals, cfg *config.Config) error {
	if err := refuseMemory(cfg, "is gone when the restore ends"); err != nil {
		return err
	}
	url := adminURL(cfg)
	if c.Clean {
		if err := g.confirm(g.Context, c.Yes, "This deletes all that "+config.MaskURL(url)+" holds.", "hal9 restore"); err != nil {
			return err
		}
	}
	forget := func() error { return nil }
	if path, err := dburl.SQLitePath(url); err == nil {
		if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
			forget = func() error { return removeSQLite(path) }
		}
	}
	if err := prepareTarget(g, url, false); err != nil {
		return err
	}
	progress := showCopying(g.Stderr)
	report, err := copydb.Restore(g.Context, copydb.RestoreOptions{
		File: c.File, To: url, ToName: config.MaskURL(url), Clean: c.Clean, Progress: progress.update, Tell: progress.tell,
	})
	progress.stop()
	if errors.Is(err, copydb.ErrNoExport) || errors.Is(err, copydb.ErrOtherSchema) {
		return errors.Join(fmt.Errorf("restore %s: %w; nothing was changed", c.File, err), forget())
	}
	if err != nil {
		return copyError(err, report)
	}
	if err := c.print(g.Stdout, report, report.Text); err != nil {
		return err
	}
	return judge(report)
}

// removeSQLite deletes a database that was made a moment ago. The lock of migrations stays:
// others may wait for it.
func removeSQLite(path string) error {
	for _, suffix := range []string{"-wal", "-shm", ""} {
		if err := os.Remove(path + suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("remove the database that was made: %w", err)
		}
	}
	return nil
}
