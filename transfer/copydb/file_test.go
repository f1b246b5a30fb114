package copydb_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/hal9-ai/hal9/model"
	"github.com/hal9-ai/hal9/transfer/copydb"
)

// TestExportAndRestore: what a database holds comes back from a file in either engine,
// and a second export of it differs in nothing but its first line and checksum.
func TestExportAndRestore(t *testing.T) {
	t.Parallel()
	from := newDatabase(t, "sqlite")
	fill(t, from, 300)
	first := export(t, from)
	var epoch, version int64
	withStore(t, from, func(st model.Store) { epoch, version = marks(t, st) })
	for _, engine := range []string{"postgres", "sqlite"} {
		to := newDatabase(t, engine)
		report, err := copydb.Restore(t.Context(), copydb.RestoreOptions{File: compressed(t, first), To: to, ToName: to})
		must(t, err)
		wantSame(t, report)
		// The file against the database is the restore's own comparison; this is another.
		again := export(t, to)
		if engine == "sqlite" && !bytes.Equal(rowsOf(first), rowsOf(again)) {
			t.Error("the restored database is another one")
		}
		withStore(t, to, func(st model.Store) { wantGoodCopy(t, st, epoch, version-1) })
		if _, err := copydb.Restore(t.Context(), copydb.RestoreOptions{File: write(t, first), To: to, ToName: to}); !errors.Is(err, copydb.ErrNotEmpty) {
			t.Errorf("%s: restored over what is there: %v", engine, err)
		}
	}
}

// A version names one state of a row for ever: what the source gave after it was copied, or
// exported, is not given again by the other database.
func TestCopyGivesNoVersionAgain(t *testing.T) {
	t.Parallel()
	from := newDatabase(t, "sqlite")
	fill(t, from, 300)
	file := write(t, export(t, from))
	for name, fill := range map[string]func(to string) error{
		"restored": func(to string) error {
			_, err := copydb.Restore(t.Context(), copydb.RestoreOptions{File: file, To: to, ToName: to})
			return err
		},
		"copied": func(to string) error {
			_, err := copydb.Copy(t.Context(), options(from, to))
			return err
		},
	} {
		for _, engine := range []string{"postgres", "sqlite"} {
			to := newDatabase(t, engine)
			must(t, fill(to))
			var given, own int64
			withStore(t, from, func(st model.Store) { _, given = marks(t, st) })
			withStore(t, to, func(st model.Store) { _, own = marks(t, st) })
			if own <= given {
				t.Errorf("%s, %s: version %d is given, and the source gave %d meanwhile", name, engine, own, given)
			}
		}
	}
}

// rowsOf is an export without its first and last line.
func rowsOf(file []byte) []byte {
	lines := bytes.SplitAfter(file, []byte("\n"))
	return bytes.Join(lines[1:len(lines)-2], nil)
}

func export(t *testing.T, url string) []byte {
	t.Helper()
	var out bytes.Buffer
	report, err := copydb.Export(t.Context(), copydb.ExportOptions{From: url}, &out)
	must(t, err)
	if len(report.Refused) > 0 || report.Rows["signals"] != 300 {
		t.Fatalf("%+v", report)
	}
	return out.Bytes()
}

func write(t *testing.T, content []byte) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "export")
	must(t, os.WriteFile(name, content, 0o600))
	return name
}

func compressed(t *testing.T, content []byte) string {
	t.Helper()
	z, err := zstd.NewWriter(nil)
	must(t, err)
	return write(t, z.EncodeAll(content, nil))
}

// TestRestoreRefusesDamagedFiles: a file that is not whole changes nothing.
func TestRestoreRefusesDamagedFiles(t *testing.T) {
	t.Parallel()
	from, to := newDatabase(t, "sqlite"), newDatabase(t, "sqlite")
	fill(t, from, 300)
	whole := export(t, from)
	lines := bytes.SplitAfter(whole, []byte("\n"))
	without := func(n int) []byte {
		return bytes.Join(append(append([][]byte{}, lines[:n]...), lines[n+1:]...), nil)
	}
	damaged := map[string]string{
		"empty":              write(t, nil),
		"cut in a line":      write(t, whole[:len(whole)/2]),
		"without its end":    write(t, bytes.Join(lines[:len(lines)-2], nil)),
		"without a row":      write(t, without(20)),
		"with a changed row": write(t, bytes.Replace(whole, []byte("number7,"), []byte("number8,"), 1)),
		"with more behind":   write(t, append(bytes.Clone(whole), "{}\n"...)),
		"no export":          write(t, []byte("{\"a\":1}\n")),
		"cut when packed":    write(t, read(t, compressed(t, whole))[:5000]),
	}
	for what, file := range damaged {
		if _, err := copydb.Restore(t.Context(), copydb.RestoreOptions{File: file, To: to, ToName: to}); !errors.Is(err, copydb.ErrNoExport) {
			t.Errorf("%s: %v", what, err)
		}
	}
	// Nothing of it is there: the whole one finds a new database.
	report, err := copydb.Restore(t.Context(), copydb.RestoreOptions{File: write(t, whole), To: to, ToName: to})
	must(t, err)
	wantSame(t, report)
}

// TestRestoreReadsOneFile: what is restored, and compared with, is what was checked, whatever
// becomes of the file or its name meanwhile.
func TestRestoreReadsOneFile(t *testing.T) {
	t.Parallel()
	from := newDatabase(t, "sqlite")
	fill(t, from, 300)
	whole := export(t, from)
	changed := bytes.Replace(whole, []byte("number7,"), []byte("number8,"), 1)
	restore := func(meanwhile func(file string)) (*copydb.Report, error) {
		to, file, once := newDatabase(t, "sqlite"), write(t, whole), sync.Once{}
		return copydb.Restore(t.Context(), copydb.RestoreOptions{File: file, To: to, ToName: to, Progress: func(p copydb.Progress) {
			if p.Phase != "checking" {
				once.Do(func() { meanwhile(file) })
			}
		}})
	}
	report, err := restore(func(file string) { must(t, os.Rename(write(t, changed), file)) })
	must(t, err)
	wantSame(t, report)
	_, err = restore(func(file string) { must(t, os.WriteFile(file, changed, 0o600)) })
	if !errors.Is(err, copydb.ErrNoExport) || !strings.Contains(err.Error(), "was changed while it was restored") {
		t.Errorf("a file that was written to: %v", err)
	}
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	content, err := os.ReadFile(file)
	must(t, err)
	return content
}
