package main

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	_ "modernc.org/sqlite"

	"github.com/hal9-ai/hal9/internal/testenv"
	"github.com/hal9-ai/hal9/schema"
	"github.com/hal9-ai/hal9/transfer"
)

// oldMemories writes a file as the memory store of the original server did, of
// which one row is bad.
func oldMemories(t *testing.T, rows int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "old.db")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	run := func(query string, args ...any) {
		if _, err := db.ExecContext(t.Context(), query, args...); err != nil {
			t.Fatal(err)
		}
	}
	run(`CREATE TABLE memories (id TEXT PRIMARY KEY, neuron_id TEXT, layer TEXT, timestamp INTEGER, entry_type TEXT,
		content TEXT, metadata TEXT, embedding BLOB, importance REAL, access_count INTEGER, last_accessed INTEGER)`)
	for n := range rows {
		run(`INSERT INTO memories VALUES (?, 'planner', 'L4', 1749722400, '"Task"', 'remember this', '{}', NULL, 0.5, 0, 1749722400)`,
			fmt.Sprintf("00000000-0000-4000-8000-%012d", n))
	}
	run(`INSERT INTO memories (id, neuron_id, timestamp, content) VALUES ('bad', 'planner', 'never', 'x')`)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func reportOf(t *testing.T, o outcome) transfer.TableReport {
	t.Helper()
	var r transfer.Report
	if err := json.Unmarshal([]byte(o.out), &r); err != nil || o.code != exitOK || len(r.Tables) != 1 {
		t.Fatalf("exit %d, %v\n%s\n%s", o.code, err, o.out, o.errors)
	}
	return *r.Tables[0]
}

func TestImport(t *testing.T) {
	t.Parallel()
	postgres := testenv.PostgresDatabase(t)
	m, err := schema.Open(t.Context(), postgres, schema.Options{})
	if err != nil {
		t.Fatal(err)
	}
	hal9(t, nil, "import", oldMemories(t, 1), "--database-url="+postgres).want(t, exitPending, "", "hal9 migrate up")
	if _, err := m.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	for engine, target := range map[string]string{"postgres": postgres, "sqlite": "sqlite://" + filepath.Join(t.TempDir(), "new.db")} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			file := oldMemories(t, 3)
			environ := []string{"HAL9_DATABASE_URL=" + target}
			text := hal9(t, environ, "import", file)
			text.want(t, exitOK, "variant C", "")
			text.want(t, exitOK, `row 4, id "bad": timestamp is no known form of a time: never`, "")
			again := reportOf(t, hal9(t, environ, "import", file, "--json"))
			if again.Read != 4 || again.AlreadyThere != 3 || again.Skipped != 1 || again.Written != 0 {
				t.Errorf("the second import: %+v", again)
			}
			dry := reportOf(t, hal9(t, environ, "import", file, "--json", "--dry-run"))
			if dry.AlreadyThere != 3 {
				t.Errorf("the dry run: %+v", dry)
			}
		})
	}
}

// Nothing is made where nothing may be written.
func TestImportLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	target := "--database-url=sqlite://" + filepath.Join(dir, "new.db")
	file := oldMemories(t, 2)
	dry := reportOf(t, hal9(t, nil, "import", file, target, "--dry-run", "--json"))
	if dry.Written != 2 || dry.Skipped != 1 {
		t.Errorf("the dry run: %+v", dry)
	}
	hal9(t, nil, "import", file, target, "--dry-run").want(t, exitOK, "does not exist yet", "")

	broken := filepath.Join(t.TempDir(), "broken.db")
	if err := os.WriteFile(broken, []byte("SQLite format 3\x00"), 0o600); err != nil {
		t.Fatal(err)
	}
	hal9(t, nil, "import", broken, target).want(t, exitFailure, "", "is truncated")
	hal9(t, nil, "import", dir, target).want(t, exitFailure, "", "is a directory")
	hal9(t, nil, "import", filepath.Join(dir, "none.db"), target).want(t, exitFailure, "", "does not exist")
	hal9(t, nil, "import", file, "--database-url=sqlite://"+file).want(t, exitUsage, "", "this is the file to be imported itself")
	hal9(t, nil, "import", file, "--database-url=sqlite::memory:").want(t, exitUsage, "", "a database in memory is gone")
	hal9(t, nil, "import", target).want(t, exitUsage, "", "FILE")
	hal9(t, nil, "import", file, "--database-url=postgres://u:sekret@127.0.0.1:1/x?connect_timeout=1").want(t, exitUnreachable, "", "")

	left, err := os.ReadDir(dir)
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestLineProgress(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		p := newLineProgress(&out, "old\x1b.db")
		time.Sleep(lineEvery + time.Millisecond)
		synctest.Wait()
		p.update(transfer.Progress{Table: "signals", Done: 5, Total: 20})
		p.update(transfer.Progress{Table: "signals", Done: 10, Total: 20})
		time.Sleep(lineEvery)
		p.stop()
		p.stop()
		want := "hal9: checking \"old\\x1b.db\"\nhal9: importing signals: 10 of 20 rows, 50 %\n"
		if out.String() != want {
			t.Errorf("got %q, want %q", out.String(), want)
		}
	})
}

func TestBarProgress(t *testing.T) {
	t.Parallel()
	for name, done := range map[string]int64{"complete": 20, "broken off": 10} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			p := &barProgress{w: &out}
			p.update(transfer.Progress{Table: "signals", Done: 5, Total: 20})
			p.update(transfer.Progress{Table: "signals", Done: done, Total: 20})
			p.stop()
			p.stop()
			if want := fmt.Sprintf("signals %d/20", done); !strings.Contains(out.String(), want) {
				t.Errorf("%q lacks %q", out.String(), want)
			}
		})
	}
}
