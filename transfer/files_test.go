package transfer_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/hal9-ai/hal9/model"
	"github.com/hal9-ai/hal9/transfer"
)

// wantRefused checks that a file is refused in these words, with a mend, and that
// neither a trace is left beside it nor a private copy anywhere.
func wantRefused(t *testing.T, path, words string) {
	t.Helper()
	before := traces(t, path)
	source, err := transfer.Open(t.Context(), path)
	if err == nil {
		_ = source.Close()
		t.Fatalf("%s was accepted as variant %s", path, source.Variant())
	}
	var refused *transfer.SourceError
	if !errors.As(err, &refused) || refused.Mend == "" {
		t.Errorf("no SourceError with a mend: %v", err)
	}
	if !strings.Contains(err.Error(), words) || !strings.Contains(err.Error(), filepath.Base(path)) {
		t.Errorf("%v\ndoes not name the file and %q", err, words)
	}
	if after := traces(t, path); after != before {
		t.Errorf("traces were left:\n%s\n%s", before, after)
	}
}

func write(t *testing.T, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file.db")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// filled is a file of variant C with many pages.
func filled(t *testing.T) string {
	t.Helper()
	source := newSource(t, ddlC)
	for n := range 200 {
		source.memory(t, memoryC{"id": numbered(n), "content": strings.Repeat("word ", 100)})
	}
	return source.done(t)
}

func TestFilesThatAreNoDatabase(t *testing.T) {
	t.Parallel()
	whole, err := os.ReadFile(filled(t))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		content []byte
		words   string
	}{
		"empty":               {nil, "is empty"},
		"text":                {[]byte(strings.Repeat("hello ", 100)), "is no SQLite database"},
		"dump":                {[]byte("PRAGMA foreign_keys=OFF;\nBEGIN;\nCREATE TABLE x (y);\n"), "looks like an SQL dump"},
		"gzip":                {append([]byte{0x1f, 0x8b}, make([]byte, 200)...), "compressed by gzip"},
		"encrypted":           {bytes.Repeat([]byte{0x5a, 0xa5, 0x13}, 4096), "is no SQLite database"},
		"magic only":          {whole[:16], "is truncated"},
		"half a magic":        {whole[:7], "is truncated"},
		"header only":         {whole[:100], "is truncated"},
		"one page":            {whole[:4096], "is truncated"},
		"half":                {whole[:len(whole)/2/4096*4096], "is truncated"},
		"not a whole page":    {whole[:len(whole)-100], "is truncated"},
		"page size":           {append(append(append([]byte{}, whole[:16]...), 0x12, 0x34), whole[18:]...), "impossible page size"},
		"first page is noise": {append(append(append([]byte{}, whole[:100]...), bytes.Repeat([]byte{0xff}, 3996)...), whole[4096:]...), "is damaged"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wantRefused(t, write(t, c.content), c.words)
		})
	}
}

func TestPathsThatAreNoFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	wantRefused(t, filepath.Join(dir, "missing.db"), "does not exist")
	sub := filepath.Join(dir, "directory")
	pipe := filepath.Join(dir, "pipe")
	dangling := filepath.Join(dir, "dangling")
	if err := errors.Join(os.Mkdir(sub, 0o700), unix.Mkfifo(pipe, 0o600), os.Symlink(filepath.Join(dir, "nowhere"), dangling)); err != nil {
		t.Fatal(err)
	}
	wantRefused(t, sub, "is a directory")
	wantRefused(t, dangling, "does not exist")
	source, err := transfer.Open(t.Context(), pipe)
	if err == nil || !strings.Contains(err.Error(), "is no regular file") {
		t.Errorf("a pipe: %v, %v", source, err)
	}
}

func TestFileWithoutPermission(t *testing.T) {
	t.Parallel()
	path := filled(t)
	if err := os.Chmod(path, 0o000); err != nil {
		t.Fatal(err)
	}
	result := make(chan error)
	go func() {
		// The superuser may read anything, so this thread becomes another user. It
		// is not unlocked: it ends with the goroutine.
		runtime.LockOSThread()
		_ = unix.Setfsuid(65534)
		_, err := transfer.Open(t.Context(), path)
		result <- err
	}()
	err := <-result
	if err == nil || !strings.Contains(err.Error(), "permission denied") {
		t.Errorf("a file without permission: %v", err)
	}
}

func TestForeignDatabases(t *testing.T) {
	t.Parallel()
	eight := "CREATE TABLE users (id, username); CREATE TABLE api_keys (id); CREATE TABLE neurons (id, state); CREATE TABLE memories (id, content, context, created_at);" +
		"CREATE TABLE signals (id, from_neuron, to_neuron, layer_from, layer_to, propagation_type, content, metadata, timestamp);"
	for name, c := range map[string]struct{ ddl, words string }{
		"other users": {"CREATE TABLE users (id, email); CREATE TABLE api_keys (id, last_used);", "none that HAL9 wrote"},
		"other sqlx":  {"CREATE TABLE _sqlx_migrations (version);" + eight, "none that HAL9 wrote"},
		"foreign":     {"CREATE TABLE tracks (id); CREATE TABLE albums (id);", `it holds the tables "albums", "tracks"`},
		"many tables": {"CREATE TABLE a(x);CREATE TABLE b(x);CREATE TABLE c(x);CREATE TABLE d(x);CREATE TABLE e(x);CREATE TABLE f(x);CREATE TABLE g(x);CREATE TABLE h(x);CREATE TABLE i(x);", "and 1 more"},
		"no table":    {"CREATE TABLE x (y); DROP TABLE x;", "it holds no table"},
		"views":       {"CREATE TABLE t (id); CREATE VIEW memories AS SELECT id, id AS content, id AS layer, id AS timestamp, id AS entry_type, id AS metadata, id AS embedding, id AS access_count, id AS last_accessed FROM t;", "none that HAL9 wrote"},
		"newer":       {eight, "none that HAL9 wrote"},
		"own":         {"CREATE TABLE goose_db_version (id);" + eight, "of this service itself"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wantRefused(t, newSource(t, c.ddl).done(t), c.words)
		})
	}
}

// A page of the table that matters, or of one of its indexes, is noise: nothing of
// the file is imported.
func TestDamagedTable(t *testing.T) {
	t.Parallel()
	path := filled(t)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	root := rootPage(t, path, "memories")
	for name, page := range map[string]int{
		"root": root,
		// The root page lists its children; the first of them is a leaf with rows.
		"leaf":  int(binary.BigEndian.Uint32(whole[(root-1)*4096+8:])),
		"index": rootPage(t, path, "sqlite_autoindex_memories_1"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			content := bytes.Clone(whole)
			copy(content[(page-1)*4096:], bytes.Repeat([]byte{0xaa}, 4096))
			wantRefused(t, write(t, content), "is damaged")
		})
	}
}

func rootPage(t *testing.T, path, table string) int {
	t.Helper()
	db := openSource(t, path)
	defer db.Close()
	var page int
	if err := db.QueryRowContext(t.Context(), "SELECT rootpage FROM sqlite_schema WHERE name = ?", table).Scan(&page); err != nil {
		t.Fatal(err)
	}
	return page
}

// The full-text index is never read: neither wrong content nor noise in its pages
// matters.
func TestCorruptFullTextIndexIsNoMatter(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, st model.Store) {
		source := newSource(t, ddlC)
		for n := range 200 {
			source.memory(t, memoryC{"id": numbered(n), "content": fmt.Sprintf("number %d", n)})
		}
		path := source.done(t)
		for _, shadow := range []string{"memories_fts_data", "memories_fts_idx"} {
			page := rootPage(t, path, shadow)
			f, err := os.OpenFile(path, os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := f.WriteAt(bytes.Repeat([]byte{0xaa}, 4096), int64(page-1)*4096); err != nil {
				t.Fatal(err)
			}
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
		}
		var n int
		reopened := openSource(t, path)
		if err := reopened.QueryRowContext(t.Context(), "SELECT count(*) FROM memories_fts WHERE memories_fts MATCH 'number'").Scan(&n); err == nil {
			t.Fatal("the index is not corrupt: this test proves nothing")
		}
		reopened.done(t)
		report := imported(t, path, st, transfer.Options{})
		wantCounts(t, table(t, report, "memories"), 200, 200, 0, 0)
		if len(report.NotImported) != 0 {
			t.Errorf("the index counts as a table: %v", report.NotImported)
		}
	})
}

// copyAs copies a database with its logs, as a crash would leave it.
func copyAs(t *testing.T, path string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "crashed.db")
	for _, suffix := range []string{"", "-wal", "-shm", "-journal"} {
		content, err := os.ReadFile(path + suffix)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err == nil {
			err = os.WriteFile(to+suffix, content, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return to
}

func TestWriteAheadLog(t *testing.T) {
	stores := []model.Store{openStore(t, "postgres"), openStore(t, "sqlite")}
	temporary := t.TempDir()
	t.Setenv("TMPDIR", temporary)
	source := newSource(t, "PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0;"+ddlC)
	source.memory(t, memoryC{"id": numbered(1)})
	source.exec(t, "PRAGMA wal_checkpoint(TRUNCATE)")
	source.memory(t, memoryC{"id": numbered(2)}) // in the log alone
	// A connection is open: the file may change any time. This comes before
	// anything else that reads the file, since closing a descriptor drops the locks
	// of the whole process.
	wantInUse(t, source.path)

	crashed := copyAs(t, source.path)
	if info, err := os.Stat(crashed + "-wal"); err != nil || info.Size() == 0 {
		t.Fatalf("there is no log: %v", err)
	}

	for _, st := range stores {
		wantCounts(t, table(t, imported(t, crashed, st, transfer.Options{}), "memories"), 2, 2, 0, 0)
		left, err := os.ReadDir(temporary)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range left {
			if strings.HasPrefix(e.Name(), "hal9-import-") {
				t.Errorf("the private copy %s is left", e.Name())
			}
		}
	}

	// Closed in order, it has no log, but says that it would be opened with one.
	path := source.done(t)
	if _, err := os.Stat(path + "-wal"); err == nil {
		t.Fatal("the log is still there")
	}
	wantCounts(t, table(t, imported(t, path, openStore(t, "sqlite"), transfer.Options{}), "memories"), 2, 2, 0, 0)
}

func wantInUse(t *testing.T, path string) {
	t.Helper()
	source, err := transfer.Open(t.Context(), path)
	if err == nil {
		_ = source.Close()
		t.Fatal("a file in use was accepted")
	}
	if !strings.Contains(err.Error(), "is in use by another process") || !strings.Contains(err.Error(), "stop the server") {
		t.Errorf("a file in use: %v", err)
	}
}

// A transaction was cut off midway: what it wrote into the file is not imported.
//
// Not parallel: SQLite's connections share one page cache in a process, and the
// transaction gets into the file only when that is full.
func TestHotJournal(t *testing.T) {
	const rows = 1000 // many more pages than the cache holds
	source := newSource(t, ddlC)
	source.exec(t, "BEGIN")
	for n := range rows {
		source.memory(t, memoryC{"id": numbered(n), "content": strings.Repeat("old ", 300)})
	}
	source.exec(t, "COMMIT")
	source.exec(t, "PRAGMA cache_size=10")
	source.exec(t, "BEGIN IMMEDIATE")
	source.exec(t, "UPDATE memories SET content = replace(content, 'old', 'new')")
	source.exec(t, "DELETE FROM memories WHERE rowid > 500")
	wantInUse(t, source.path) // before the file is read otherwise: see TestWriteAheadLog
	crashed := copyAs(t, source.path)
	content, err := os.ReadFile(crashed)
	if err != nil || !bytes.Contains(content, []byte("new new")) {
		t.Fatalf("nothing of the transaction is in the file, so this test proves nothing: %v", err)
	}
	st := openStore(t, "sqlite")
	wantCounts(t, table(t, imported(t, crashed, st, transfer.Options{}), "memories"), rows, rows, 0, 0)
	for _, m := range allMemories(t, st) {
		if strings.Contains(m.Content, "new") {
			t.Fatal("a transaction that never committed was imported")
		}
	}
}

// Another process writes to a file whose log was empty when it was opened.
func TestFileThatChangesMeanwhile(t *testing.T) {
	t.Parallel()
	source := newSource(t, "PRAGMA journal_mode=WAL;"+ddlC)
	for n := range 30 {
		source.memory(t, memoryC{"id": numbered(n)})
	}
	path := source.done(t)
	st := openStore(t, "sqlite")
	opened, err := transfer.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	writer := openSource(t, path)
	writer.exec(t, "UPDATE memories SET content = 'changed'")
	report, err := transfer.Import(t.Context(), opened, st, transfer.Options{})
	if err == nil || !strings.Contains(err.Error(), "while it was read") {
		t.Errorf("a file that changes: %v", err)
	}
	if got := len(allMemories(t, st)); got != 0 || table(t, report, "memories").Written != 0 {
		t.Errorf("%d memories were imported", got)
	}
	if err := errors.Join(writer.Close(), opened.Close()); err != nil {
		t.Error(err)
	}
}

func TestOddTables(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, st model.Store) {
		source := newSource(t,
			`CREATE TABLE "MEMORIES" ("ID" TEXT PRIMARY KEY, Neuron_ID, layer, "timestamp", entry_type, content, metadata, embedding, importance, access_count, last_accessed) WITHOUT ROWID;
			CREATE TABLE notes (x); CREATE TABLE memories_extra (x); INSERT INTO notes VALUES (1);`)
		source.memory(t, memoryC{"id": numbered(1)})
		source.memory(t, memoryC{"id": numbered(2), "timestamp": "never"})
		report := imported(t, source.done(t), st, transfer.Options{})
		wantCounts(t, table(t, report, "memories"), 2, 1, 0, 1)
		if got := table(t, report, "memories").SkippedRows[0]; got.RowID != nil || got.ID != numbered(2) {
			t.Errorf("skipped: %+v", got)
		}
		left := report.NotImported
		if len(left) != 2 || left[0].Table != "memories_extra" || *left[0].Rows != 0 || left[1].Table != "notes" || *left[1].Rows != 1 {
			t.Errorf("not imported: %+v", left)
		}
		var text bytes.Buffer
		if err := report.Text(&text); err != nil || !strings.Contains(text.String(), `stay behind: "memories_extra" (0 rows), "notes" (1 rows)`) {
			t.Errorf("%v\n%s", err, text.String())
		}
	})
}

// A file can hold what two variants know.
func TestBothVariantsInOneFile(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, st model.Store) {
		source := newSource(t, ddlC+ddlD)
		source.memory(t, memoryC{"id": numbered(1)})
		source.signal(t, map[string]any{"id": numbered(2)})
		report := imported(t, source.done(t), st, transfer.Options{})
		if report.Variant != "C+D" {
			t.Errorf("variant %s", report.Variant)
		}
		wantCounts(t, table(t, report, "memories"), 1, 1, 0, 0)
		wantCounts(t, table(t, report, "signals"), 1, 1, 0, 0)
	})
}
