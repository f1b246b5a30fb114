package transfer_test

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	_ "modernc.org/sqlite"

	"github.com/hal9-ai/hal9/internal/testenv/migrated"
	"github.com/hal9-ai/hal9/model"
	"github.com/hal9-ai/hal9/store"
	"github.com/hal9-ai/hal9/transfer"
)

// onEngines runs a test on a fresh store of each engine.
func onEngines(t *testing.T, test func(t *testing.T, st model.Store)) {
	t.Helper()
	for _, engine := range []string{"postgres", "sqlite"} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			test(t, openStore(t, engine))
		})
	}
}

func openStore(t *testing.T, engine string) model.Store {
	t.Helper()
	address := migrated.SQLiteDatabase(t)
	if engine == "postgres" {
		address = migrated.PostgresDatabase(t)
	}
	return openAt(t, address)
}

func openAt(t *testing.T, address string) model.Store {
	t.Helper()
	st, err := store.Open(t.Context(), store.Config{URL: address})
	if err != nil {
		t.Fatalf("open the target: %v", err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Errorf("close the target: %v", err)
		}
	})
	return st
}

// The tables of variant C, with the full-text index and the triggers beside them.
const ddlC = `
CREATE TABLE memories (
    id TEXT PRIMARY KEY, neuron_id TEXT NOT NULL, layer TEXT NOT NULL, timestamp INTEGER NOT NULL,
    entry_type TEXT NOT NULL, content TEXT NOT NULL, metadata TEXT NOT NULL, embedding BLOB,
    importance REAL NOT NULL, access_count INTEGER NOT NULL DEFAULT 0, last_accessed INTEGER NOT NULL);
CREATE INDEX idx_neuron ON memories (neuron_id);
CREATE VIRTUAL TABLE memories_fts USING fts5(id UNINDEXED, content, content=memories, content_rowid=rowid);
CREATE TRIGGER memories_ai AFTER INSERT ON memories BEGIN
    INSERT INTO memories_fts (rowid, id, content) VALUES (new.rowid, new.id, new.content);
END;`

// looseC is variant C without types and constraints, for values that went wrong.
const looseC = `
CREATE TABLE memories (
    id, neuron_id, layer, timestamp, entry_type, content, metadata, embedding, importance, access_count, last_accessed);`

const ddlD = `
CREATE TABLE signals (
    id TEXT PRIMARY KEY, from_neuron TEXT NOT NULL, to_neuron TEXT NOT NULL, layer_from TEXT NOT NULL,
    layer_to TEXT NOT NULL, content TEXT NOT NULL, timestamp INTEGER NOT NULL);
CREATE TABLE neurons (
    id TEXT PRIMARY KEY, state TEXT NOT NULL,
    created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP, updated_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP);`

// sourceDB is a database file that a test builds.
type sourceDB struct {
	*sql.DB
	path string
}

// newSource makes a file with a schema, in a directory of its own.
func newSource(t *testing.T, ddl string) *sourceDB {
	t.Helper()
	path := filepath.Join(t.TempDir(), "a source?#%.db")
	s := openSource(t, path)
	s.exec(t, ddl)
	return s
}

// openSource opens a file by one connection.
func openSource(t *testing.T, path string) *sourceDB {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(path))
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { _ = db.Close() })
	return &sourceDB{db, path}
}

func (s *sourceDB) exec(t *testing.T, query string, args ...any) {
	t.Helper()
	if _, err := s.ExecContext(t.Context(), query, args...); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}

// done closes the database and returns its path.
func (s *sourceDB) done(t *testing.T) string {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return s.path
}

// memoryC is a row of variant C with values that are fine.
type memoryC map[string]any

func (s *sourceDB) memory(t *testing.T, differing memoryC) {
	t.Helper()
	row := memoryC{
		"id": "7d3b5c1e-6f0a-4a53-9d53-0d3b7a3a1f01", "neuron_id": "neuron-l4", "layer": "L4", "timestamp": 1749722400,
		"entry_type": `"Task"`, "content": "something to remember", "metadata": "{}", "embedding": nil,
		"importance": 0.5, "access_count": 0, "last_accessed": 1749722400,
	}
	maps.Copy(row, differing)
	s.insert(t, "memories", row)
}

func (s *sourceDB) signal(t *testing.T, differing map[string]any) {
	t.Helper()
	row := map[string]any{
		"id": "7d3b5c1e-6f0a-4a53-9d53-0d3b7a3a1f01", "from_neuron": "neuron-l4", "to_neuron": "neuron-l3",
		"layer_from": "L4", "layer_to": "L3", "content": "do it", "timestamp": 1749722400,
	}
	maps.Copy(row, differing)
	s.insert(t, "signals", row)
}

func (s *sourceDB) insert(t *testing.T, table string, row map[string]any) {
	t.Helper()
	var columns, marks []string
	var args []any
	for column, v := range row {
		columns = append(columns, column)
		marks = append(marks, "?")
		args = append(args, v)
	}
	s.exec(t, fmt.Sprintf("INSERT INTO %s (%s) VALUES (%s)", table, strings.Join(columns, ","), strings.Join(marks, ",")), args...)
}

// numbered is a UUID of version 4.
func numbered(n int) string { return fmt.Sprintf("00000000-0000-4000-8000-%012x", n) }

// traces is what the directory of a file holds: names and hashes.
func traces(t *testing.T, path string) string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, e := range entries {
		content := []byte(e.Type().String())
		if e.Type().IsRegular() {
			if content, err = os.ReadFile(filepath.Join(filepath.Dir(path), e.Name())); err != nil {
				t.Fatal(err)
			}
		}
		fmt.Fprintf(&b, "%s %x\n", e.Name(), sha256.Sum256(content))
	}
	return b.String()
}

// imported imports a file, and checks that it leaves no trace beside the source.
func imported(t *testing.T, path string, st model.Store, options transfer.Options) *transfer.Report {
	t.Helper()
	report, err := tryImport(t, t.Context(), path, st, options)
	if err != nil {
		t.Fatalf("import: %v", err)
	}
	for _, table := range report.Tables {
		if table.Read != table.Written+table.AlreadyThere+table.Skipped {
			t.Errorf("%s: %d rows read are not %d + %d + %d", table.Table, table.Read, table.Written, table.AlreadyThere, table.Skipped)
		}
	}
	return report
}

func tryImport(t *testing.T, ctx context.Context, path string, st model.Store, options transfer.Options) (*transfer.Report, error) { //nolint:revive // t first, as everywhere here
	t.Helper()
	before := traces(t, path)
	defer func() {
		if after := traces(t, path); after != before {
			t.Errorf("the import left traces:\nbefore:\n%safter:\n%s", before, after)
		}
	}()
	source, err := transfer.Open(ctx, path)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err := source.Close(); err != nil {
			t.Errorf("close the source: %v", err)
		}
	}()
	return transfer.Import(ctx, source, st, options)
}

// table returns the report of one table.
func table(t *testing.T, r *transfer.Report, name string) *transfer.TableReport {
	t.Helper()
	for _, found := range r.Tables {
		if found.Table == name {
			return found
		}
	}
	t.Fatalf("no table %q in the report", name)
	return nil
}

func (s *sourceDB) String() string { return s.path }

// wantCounts compares read, written, already there and skipped.
func wantCounts(t *testing.T, got *transfer.TableReport, read, written, there, skipped int64) {
	t.Helper()
	if got.Read != read || got.Written != written || got.AlreadyThere != there || got.Skipped != skipped {
		t.Errorf("%s: read %d, written %d, already there %d, skipped %d; want %d, %d, %d, %d\n%+v", got.Table,
			got.Read, got.Written, got.AlreadyThere, got.Skipped, read, written, there, skipped, got.SkippedRows)
	}
}

// adapted tells how many rows bear a note that contains the words.
func adapted(report *transfer.TableReport, words string) int64 {
	var n int64
	for _, c := range report.Adapted {
		if strings.Contains(c.Reason, words) {
			n += c.Rows
		}
	}
	return n
}

func contextWithCancel(t *testing.T) (context.Context, context.CancelFunc) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	return ctx, cancel
}
