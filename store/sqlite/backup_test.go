package sqlite_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hal9-ai/hal9/internal/testenv"
	"github.com/hal9-ai/hal9/model"
	"github.com/hal9-ai/hal9/schema"
	"github.com/hal9-ai/hal9/store/sqlite"
)

// onlyFiles fails if a folder holds other files: nothing half-made is left behind.
func onlyFiles(t *testing.T, dir string, names ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if strings.Join(got, " ") != strings.Join(names, " ") {
		t.Errorf("the folder holds %v, want %v", got, names)
	}
}

// TestBackupWhileAWriterWrites takes backups under load: each is whole, holds every
// write that was acknowledged before it began, and serves.
func TestBackupWhileAWriterWrites(t *testing.T) {
	t.Parallel()
	path, dir := filepath.Join(t.TempDir(), "hal9.db"), t.TempDir()
	st := openStore(t, sqlite.Config{Path: path})
	ctx, stop := context.WithCancel(t.Context())
	var acked atomic.Int64
	ended := make(chan error, 1)
	go func() {
		for i := int64(0); ctx.Err() == nil; i++ {
			if _, err := st.NeuronInsert(ctx, neuron(fmt.Sprintf("n-%06d", i))); err != nil && ctx.Err() == nil {
				ended <- err
				return
			}
			acked.Store(i + 1)
		}
		ended <- nil
	}()
	for round := range 5 {
		testenv.Eventually(t, "more writes", func() bool { return acked.Load() > int64(round*40) })
		before := acked.Load()
		copied := filepath.Join(dir, fmt.Sprintf("%d.db", round))
		pages := 0
		report, err := sqlite.Backup(t.Context(), path, copied, sqlite.BackupOptions{Progress: func(done, total int) {
			if done < pages || done > total {
				t.Errorf("progress %d of %d after %d", done, total, pages)
			}
			pages = done
		}})
		if err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(copied)
		if err != nil || info.Mode().Perm() != 0o600 || info.Size() != report.Bytes || pages == 0 {
			t.Errorf("the copy is %v (%v), the report %+v after %d pages", info, err, report, pages)
		}
		checkCopy(t, copied, before, report)
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("the writer: %v", err)
	}
	onlyFiles(t, dir, "0.db", "1.db", "2.db", "3.db", "4.db")
}

func checkCopy(t *testing.T, copied string, acked int64, report sqlite.BackupReport) {
	t.Helper()
	own := filepath.Join(t.TempDir(), "copy.db")
	data, err := os.ReadFile(copied)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(own, data, 0o600); err != nil {
		t.Fatal(err)
	}
	st := openStore(t, sqlite.Config{Path: own})
	for i := range acked {
		if _, err := st.NeuronGet(t.Context(), model.NeuronGetParams{ID: fmt.Sprintf("n-%06d", i)}); err != nil {
			t.Fatalf("write %d of %d that were acknowledged: %v", i, acked, err)
		}
	}
	if n := report.Rows["neurons"]; n < acked {
		t.Errorf("the report counts %d neurons, %d were acknowledged", n, acked)
	}
	wholeFile(t, neighbour(t, own))
}

func TestBackupRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, taken := filepath.Join(dir, "hal9.db"), filepath.Join(dir, "taken.db")
	st := openStore(t, sqlite.Config{Path: path})
	if err := os.WriteFile(taken, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		from, to string
		o        sqlite.BackupOptions
		want     error
	}{
		"a file that is there":     {path, taken, sqlite.BackupOptions{}, sqlite.ErrExists},
		"itself":                   {path, path, sqlite.BackupOptions{}, sqlite.ErrExists},
		"itself, with overwrite":   {path, path, sqlite.BackupOptions{Overwrite: true}, sqlite.ErrExists},
		"a folder":                 {path, dir, sqlite.BackupOptions{Overwrite: true}, sqlite.ErrExists},
		"no database":              {path + "x", taken + "x", sqlite.BackupOptions{}, sqlite.ErrNoFile},
		"what is no database":      {taken, taken + "x", sqlite.BackupOptions{}, nil},
		"a folder that is missing": {path, filepath.Join(dir, "no", "x.db"), sqlite.BackupOptions{}, os.ErrNotExist},
	} {
		if _, err := sqlite.Backup(t.Context(), c.from, c.to, c.o); err == nil || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if text, err := os.ReadFile(taken); err != nil || string(text) != "precious" {
		t.Errorf("the file that was there: %q, %v", text, err)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := sqlite.Backup(cancelled, path, taken+"x", sqlite.BackupOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("given up: %v", err)
	}
	if _, err := sqlite.Backup(t.Context(), path, taken, sqlite.BackupOptions{Overwrite: true}); err != nil {
		t.Errorf("overwrite: %v", err)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	onlyFiles(t, dir, "hal9.db", "hal9.db.migrate.lock", "taken.db")
}

// damage overwrites pages of a file's middle.
func damage(t *testing.T, path string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteAt([]byte(strings.Repeat("x", 3*4096)), info.Size()/2/4096*4096)
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}

func TestDamageIsNotBackedUpAndNotRestored(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "hal9.db")
	if err := openStore(t, sqlite.Config{Path: path}).Close(); err != nil {
		t.Fatal(err)
	}
	damage(t, path)
	if _, err := sqlite.Backup(t.Context(), path, filepath.Join(dir, "copy.db"), sqlite.BackupOptions{}); err == nil {
		t.Error("a damaged database was backed up")
	}
	if _, err := sqlite.Restore(t.Context(), path, filepath.Join(dir, "other.db"), time.Now()); !errors.Is(err, sqlite.ErrNotWhole) {
		t.Errorf("a damaged file was restored: %v", err)
	}
	onlyFiles(t, dir, "hal9.db", "hal9.db.migrate.lock")
}

func TestRestore(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, copied := filepath.Join(dir, "hal9.db"), filepath.Join(dir, "copy.db")
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	st := openStore(t, sqlite.Config{Path: path})
	put := func(st *sqlite.Store, id string) {
		t.Helper()
		if _, err := st.NeuronInsert(t.Context(), neuron(id)); err != nil {
			t.Fatal(err)
		}
	}
	has := func(st *sqlite.Store, id string) bool {
		t.Helper()
		_, err := st.NeuronGet(t.Context(), model.NeuronGetParams{ID: id})
		if err != nil && !errors.Is(err, model.ErrNotFound) {
			t.Fatal(err)
		}
		return err == nil
	}
	put(st, "before")
	if _, err := sqlite.Backup(t.Context(), path, copied, sqlite.BackupOptions{}); err != nil {
		t.Fatal(err)
	}
	put(st, "after")
	if _, err := sqlite.Restore(t.Context(), copied, path, now); !errors.Is(err, sqlite.ErrInUse) {
		t.Fatalf("restored under a running server: %v", err)
	}
	if !has(st, "after") {
		t.Error("the refused restore changed the database")
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}

	epochs := map[int64]bool{1: true}
	for round := range 3 {
		at := now.Add(time.Duration(-round) * time.Hour) // a clock that is set back
		report, err := sqlite.Restore(t.Context(), copied, path, at)
		if err != nil {
			t.Fatal(err)
		}
		if epochs[report.Epoch] || report.Rows["neurons"] == 0 {
			t.Errorf("round %d: %+v", round, report)
		}
		epochs[report.Epoch] = true
		restored := openStore(t, sqlite.Config{Path: path})
		if epoch, err := restored.DatabaseEpochGet(t.Context()); err != nil || epoch != report.Epoch {
			t.Errorf("the epoch is %d (%v), not %d", epoch, err, report.Epoch)
		}
		if !has(restored, "before") || has(restored, "after") {
			t.Error("it is not the backup")
		}
		replaced := openStore(t, sqlite.Config{Path: report.Replaced})
		if has(replaced, "after") != (round == 0) {
			t.Errorf("round %d: what was replaced is not kept", round)
		}
		if err := errors.Join(restored.Close(), replaced.Close()); err != nil {
			t.Fatal(err)
		}
	}
	wholeFile(t, neighbour(t, path))
	if _, err := sqlite.Restore(t.Context(), copied, filepath.Join(dir, "new.db"), now); err != nil {
		t.Errorf("restore where none was: %v", err)
	}
}

// A version names one state of a row for ever: who read a neuron before a restore must not
// write over another one by it.
func TestRestoreGivesNoVersionAgain(t *testing.T) {
	t.Parallel()
	for name, lost := range map[string]bool{"over the database": false, "where it was lost": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			path, copied := filepath.Join(dir, "hal9.db"), filepath.Join(dir, "copy.db")
			st := openStore(t, sqlite.Config{Path: path})
			set := func(st *sqlite.Store, state string, only *int64) (model.Neuron, error) {
				return st.NeuronSetState(t.Context(), model.NeuronSetStateParams{ID: "neuron-l1", State: state, Condition: "running", UpdatedAt: time.Now(), IfVersion: only})
			}
			if _, err := sqlite.Backup(t.Context(), path, copied, sqlite.BackupOptions{}); err != nil {
				t.Fatal(err)
			}
			read, err := set(st, "read by somebody", nil)
			if err := errors.Join(err, st.Close()); err != nil {
				t.Fatal(err)
			}
			if lost {
				if err := os.Remove(path); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := sqlite.Restore(t.Context(), copied, path, time.Now()); err != nil {
				t.Fatal(err)
			}
			st = openStore(t, sqlite.Config{Path: path})
			if _, err := set(st, "of somebody else", nil); err != nil {
				t.Fatal(err)
			}
			if n, err := set(st, "over it", &read.Version); !errors.Is(err, model.ErrNotFound) {
				t.Errorf("version %d was given again: %+v, %v", read.Version, n, err)
			}
		})
	}
}

// The commonest reason to restore: the database is damaged. Its log must not be read
// into the restored file.
func TestRestoreOverDamage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, copied := filepath.Join(dir, "hal9.db"), filepath.Join(dir, "copy.db")
	if err := openStore(t, sqlite.Config{Path: path}).Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := sqlite.Backup(t.Context(), path, copied, sqlite.BackupOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{path, path + "-wal", path + "-shm"} {
		if err := os.WriteFile(name, []byte(strings.Repeat("damage", 1000)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	report, err := sqlite.Restore(t.Context(), copied, path, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	st := openStore(t, sqlite.Config{Path: path})
	if _, err := st.NeuronGet(t.Context(), model.NeuronGetParams{ID: "neuron-l1"}); err != nil {
		t.Error(err)
	}
	wholeFile(t, neighbour(t, path))
	if text, err := os.ReadFile(report.Replaced); err != nil || !strings.HasPrefix(string(text), "damage") {
		t.Errorf("what was there is not kept: %v", err)
	}
}

// left makes a database with a backup, and hands out the log of what was written since, as
// a server that is killed leaves it.
func left(t *testing.T, path, copied string) (log []byte) {
	t.Helper()
	st := openStore(t, sqlite.Config{Path: path})
	if _, err := sqlite.Backup(t.Context(), path, copied, sqlite.BackupOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := st.NeuronInsert(t.Context(), neuron("later")); err != nil {
		t.Fatal(err)
	}
	log, err := os.ReadFile(path + "-wal")
	if err != nil {
		t.Fatal(err)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	return log
}

// isTheBackup tells that nothing of a log was read into a file.
func isTheBackup(t *testing.T, path string) {
	t.Helper()
	st := openStore(t, sqlite.Config{Path: path})
	if _, err := st.NeuronGet(t.Context(), model.NeuronGetParams{ID: "later"}); !errors.Is(err, model.ErrNotFound) {
		t.Errorf("what came after the backup is there: %v", err)
	}
	wholeFile(t, neighbour(t, path))
}

// SQLite reads a log into whatever file it lies beside: that of a database that was lost, or
// moved away, must not go into the one that takes its place.
func TestRestoreWhereALogIsLeft(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, copied := filepath.Join(dir, "hal9.db"), filepath.Join(dir, "copy.db")
	log := left(t, path, copied)
	if err := os.Rename(path, filepath.Join(dir, "lost.db")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+"-wal", log, 0o600); err != nil {
		t.Fatal(err)
	}
	report, err := sqlite.Restore(t.Context(), copied, path, time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC))
	if err != nil || report.Replaced != "" {
		t.Fatalf("%+v, %v", report, err)
	}
	isTheBackup(t, path)
	if kept, err := os.ReadFile(path + ".before-restore-20261125T120000Z-wal"); err != nil || !bytes.Equal(kept, log) {
		t.Errorf("the log is not kept: %v", err)
	}
}

func TestBackupWhereALogIsLeft(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, copied, again := filepath.Join(dir, "hal9.db"), filepath.Join(dir, "copy.db"), filepath.Join(dir, "again.db")
	log := left(t, path, copied)
	if err := os.WriteFile(again+"-wal", log, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, overwrite := range []bool{false, true} {
		if _, err := sqlite.Backup(t.Context(), copied, again, sqlite.BackupOptions{Overwrite: overwrite}); !errors.Is(err, sqlite.ErrLog) {
			t.Errorf("a backup beside a log, overwrite %v: %v", overwrite, err)
		}
	}
	if kept, err := os.ReadFile(again + "-wal"); err != nil || !bytes.Equal(kept, log) {
		t.Errorf("the log was touched: %v", err)
	}
	if err := os.Remove(again + "-wal"); err != nil {
		t.Fatal(err)
	}
	if _, err := sqlite.Backup(t.Context(), copied, again, sqlite.BackupOptions{}); err != nil {
		t.Fatal(err)
	}
	isTheBackup(t, again)
}

func TestRestoreRefuses(t *testing.T) {
	t.Parallel()
	dir, to := t.TempDir(), t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	for name, change := range map[string]string{"newer": "INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, 1)", "stranger": "DROP TABLE users", "whole": "SELECT 1"} {
		if err := openStore(t, sqlite.Config{Path: file(name)}, "PRAGMA foreign_keys = 0").Close(); err != nil {
			t.Fatal(err)
		}
		execute(t, neighbour(t, file(name)), change)
	}
	execute(t, neighbour(t, file("newer")), "PRAGMA wal_checkpoint(TRUNCATE)")
	whole, err := os.ReadFile(file("whole"))
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{"text": []byte("no database"), "empty": nil, "cut": whole[:len(whole)/2], "live": whole, "live-wal": []byte("log")} {
		if err := os.WriteFile(file(name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]error{
		"newer": schema.ErrAhead, "stranger": sqlite.ErrNotWhole, "text": sqlite.ErrNotWhole, "empty": sqlite.ErrNotWhole,
		"cut": sqlite.ErrNotWhole, "live": sqlite.ErrNotWhole, "missing": sqlite.ErrNoFile,
	} {
		if _, err := sqlite.Restore(t.Context(), file(name), filepath.Join(to, "hal9.db"), time.Now()); !errors.Is(err, want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	onlyFiles(t, to)
}
