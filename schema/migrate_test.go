package schema_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hal9-ai/hal9/internal/testenv"
	"github.com/hal9-ai/hal9/schema"
)

func TestUpDownUp(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, url string) {
		ctx := t.Context()
		var seen []schema.Step
		m := open(t, url, schema.Options{Applied: func(s schema.Step) { seen = append(seen, s) }})
		n := latestOf(t, m)
		if err := m.Check(ctx); !errors.Is(err, schema.ErrNotMigrated) {
			t.Errorf("check of a new database: %v", err)
		}

		steps, err := m.Up(ctx)
		if err != nil || !slices.Equal(versions(steps), upTo(n)) {
			t.Fatalf("up: %v, %v", steps, err)
		}
		if !slices.Equal(versions(seen), upTo(n)) {
			t.Errorf("told of %v", seen)
		}
		if steps, err := m.Up(ctx); err != nil || len(steps) != 0 {
			t.Errorf("second up: %v, %v", steps, err)
		}
		if err := m.Check(ctx); err != nil {
			t.Errorf("check: %v", err)
		}
		db := connect(t, url)
		first := describe(t, db, m.Engine())
		if len(first) < 50 {
			t.Fatalf("a description of %d lines cannot be right", len(first))
		}

		if steps, err := m.Down(ctx); err != nil || !slices.Equal(versions(steps), []int64{-n}) {
			t.Errorf("down: %v, %v", steps, err)
		}
		if err := m.Check(ctx); !errors.Is(err, schema.ErrBehind) || !strings.Contains(err.Error(), "hal9 migrate up") {
			t.Errorf("check of a database behind: %v", err)
		}
		if steps, err := m.DownTo(ctx, 0); err != nil || len(steps) != int(n)-1 {
			t.Errorf("down to 0: %v, %v", steps, err)
		}
		if left := describe(t, db, m.Engine()); len(left) != 0 {
			t.Errorf("down left behind:\n%s", strings.Join(left, "\n"))
		}
		if _, err := m.Down(ctx); !errors.Is(err, schema.ErrNothingApplied) {
			t.Errorf("down below the ground: %v", err)
		}

		// One at a time, each undone and redone, which shows which Down is wrong.
		for v := int64(1); v <= n; v++ {
			before := describe(t, db, m.Engine())
			if steps, err := m.UpTo(ctx, v); err != nil || !slices.Equal(versions(steps), []int64{v}) {
				t.Fatalf("up to %d: %v, %v", v, steps, err)
			}
			after := describe(t, db, m.Engine())
			if _, err := m.Down(ctx); err != nil {
				t.Fatalf("down from %d: %v", v, err)
			}
			same(t, fmt.Sprintf("after down from %d", v), describe(t, db, m.Engine()), before)
			if _, err := m.UpTo(ctx, v); err != nil {
				t.Fatalf("up to %d again: %v", v, err)
			}
			if steps, err := m.Redo(ctx); err != nil || !slices.Equal(versions(steps), []int64{-v, v}) {
				t.Fatalf("redo of %d: %v, %v", v, steps, err)
			}
			same(t, fmt.Sprintf("after redo of %d", v), describe(t, db, m.Engine()), after)
		}
		same(t, "second time", describe(t, db, m.Engine()), first)
	})
}

func TestOverFilledTables(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, url string) {
		ctx := t.Context()
		m := open(t, url, schema.Options{})
		db := connect(t, url)
		if _, err := m.Up(ctx); err != nil {
			t.Fatal(err)
		}
		want := describe(t, db, m.Engine())
		fill(t, db, m.Engine())

		// Each Down works on the rows that the ones above it left.
		if _, err := m.DownTo(ctx, 0); err != nil {
			t.Fatalf("down: %v", err)
		}
		if left := describe(t, db, m.Engine()); len(left) != 0 {
			t.Errorf("down left behind:\n%s", strings.Join(left, "\n"))
		}
		// Each Up works on the rows that the ones below it hold.
		for v := int64(1); v <= latestOf(t, m); v++ {
			if _, err := m.UpTo(ctx, v); err != nil {
				t.Fatalf("up to %d: %v", v, err)
			}
			fill(t, db, m.Engine())
		}
		same(t, "after up over rows", describe(t, db, m.Engine()), want)
		if n := one[int](t, db, "SELECT count(*) FROM signals"); n == 0 {
			t.Error("no rows to migrate over")
		}
	})
}

func TestAheadAndUnknown(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, url string) {
		ctx := t.Context()
		m := open(t, url, schema.Options{})
		n := latestOf(t, m)
		if _, err := m.Up(ctx); err != nil {
			t.Fatal(err)
		}
		db := connect(t, url)
		run(t, db, fmt.Sprintf("INSERT INTO goose_db_version (version_id, is_applied) VALUES (%d, true)", n+1))

		err := m.Check(ctx)
		if !errors.Is(err, schema.ErrAhead) || errors.Is(err, schema.ErrBehind) {
			t.Errorf("check: %v", err)
		}
		status, err := m.Status(ctx)
		if err != nil || status.Version != n+1 || status.Latest != n || status.Pending != 0 ||
			status.Migrations[n].State != schema.StateUnknown {
			t.Errorf("status: %+v, %v", status, err)
		}
		if _, err := m.Down(ctx); !errors.Is(err, schema.ErrVersion) {
			t.Errorf("down of a stranger's migration: %v", err)
		}
		if _, err := m.DownTo(ctx, 0); !errors.Is(err, schema.ErrVersion) {
			t.Errorf("down to 0 past a stranger's migration: %v", err)
		}
		if steps, err := m.Up(ctx); err != nil || len(steps) != 0 {
			t.Errorf("up: %v, %v", steps, err)
		}
		if err := schema.Check(ctx, db, m.Engine()); !errors.Is(err, schema.ErrAhead) {
			t.Errorf("check by a handle: %v", err)
		}
	})
}

func TestLateMigrationIsRefused(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, url string) {
		m := open(t, url, schema.Options{})
		if _, err := m.Up(t.Context()); err != nil {
			t.Fatal(err)
		}
		run(t, connect(t, url), "DELETE FROM goose_db_version WHERE version_id = 2")
		if _, err := m.Up(t.Context()); err == nil || !strings.Contains(err.Error(), "00002_users.sql") {
			t.Errorf("up with a gap: %v", err)
		}
		if err := m.Check(t.Context()); !errors.Is(err, schema.ErrBehind) {
			t.Errorf("check with a gap: %v", err)
		}
	})
}

func TestReadingTouchesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	m := open(t, "sqlite://"+filepath.Join(dir, "hal9.db"), schema.Options{})
	if script, err := m.UpScript(t.Context()); err != nil || !strings.Contains(script, "CREATE TABLE signals") {
		t.Errorf("script: %v", err)
	}
	if n, err := m.Pending(t.Context()); err != nil || int64(n) != latestOf(t, m) {
		t.Errorf("pending: %d, %v", n, err)
	}
	if v, err := m.Version(t.Context()); err != nil || v != 0 {
		t.Errorf("version: %d, %v", v, err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
		t.Errorf("left behind: %v, %v", entries, err)
	}

	url := testenv.PostgresDatabase(t)
	p := open(t, url, schema.Options{})
	if _, err := p.UpScript(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := p.Status(t.Context()); err != nil {
		t.Error(err)
	}
	if left := query[string](t, connect(t, url), "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

// The script of a dry run, run by hand, does what the migrator would have done.
func TestScriptsRunByHand(t *testing.T) {
	t.Parallel()
	for engine, newURL := range engines() {
		t.Run(string(engine), func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			migrated, byHand := newURL(t), newURL(t)
			if _, err := open(t, migrated, schema.Options{}).Up(ctx); err != nil {
				t.Fatal(err)
			}
			want := describe(t, connect(t, migrated), engine)

			m, db := open(t, byHand, schema.Options{}), connect(t, byHand)
			byScript := func(what string, script string, err error) {
				t.Helper()
				if err != nil || script == "" {
					t.Fatalf("script of %s: %q, %v", what, script, err)
				}
				run(t, db, script)
			}
			script, err := m.UpToScript(ctx, 3)
			byScript("up to 3", script, err)
			script, err = m.UpScript(ctx)
			byScript("up", script, err)
			if err := m.Check(ctx); err != nil {
				t.Errorf("check: %v", err)
			}
			same(t, "by hand", describe(t, db, engine), want)
			script, err = m.RedoScript(ctx)
			byScript("redo", script, err)
			same(t, "redone by hand", describe(t, db, engine), want)
			script, err = m.DownScript(ctx)
			byScript("down", script, err)
			script, err = m.DownToScript(ctx, 0)
			byScript("down to 0", script, err)
			if left := describe(t, db, engine); len(left) != 0 {
				t.Errorf("left behind:\n%s", strings.Join(left, "\n"))
			}
		})
	}
}

func TestMigrateHandle(t *testing.T) {
	t.Parallel()
	memory, err := sql.Open("sqlite", "file:handle?mode=memory&cache=shared")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := memory.Close(); err != nil {
			t.Error(err)
		}
	})
	memory.SetMaxOpenConns(1)
	if err := schema.Migrate(t.Context(), memory, schema.SQLite); err != nil {
		t.Fatalf("in memory: %v", err)
	}
	if err := schema.Check(t.Context(), memory, schema.SQLite); err != nil {
		t.Errorf("in memory: %v", err)
	}
	onEach(t, func(t *testing.T, url string) {
		engine := schema.Postgres
		if strings.HasPrefix(url, "sqlite") {
			engine = schema.SQLite
		}
		db := connect(t, url)
		for range 2 {
			if err := schema.Migrate(t.Context(), db, engine); err != nil {
				t.Fatal(err)
			}
		}
		if err := schema.Check(t.Context(), db, engine); err != nil {
			t.Error(err)
		}
	})
}

// What the dry run and sqlc's way of reading the files lean on.
func TestFilesKeepToTheRules(t *testing.T) {
	t.Parallel()
	names := map[schema.Engine][]string{}
	for engine := range engines() {
		files, err := schema.Files(engine)
		if err != nil {
			t.Fatal(err)
		}
		names[engine], err = fs.Glob(files, "*")
		if err != nil {
			t.Fatal(err)
		}
		for i, name := range names[engine] {
			if !strings.HasPrefix(name, fmt.Sprintf("%05d_", i+1)) {
				t.Errorf("%s/%s: the numbers run without a gap and have five digits", engine, name)
			}
			text, err := fs.ReadFile(files, name)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(strings.ToUpper(string(text)), "+GOOSE ENVSUB") {
				t.Errorf("%s/%s: a migration that depends on the environment differs from place to place", engine, name)
			}
		}
	}
	if !slices.Equal(names[schema.Postgres], names[schema.SQLite]) {
		t.Errorf("the engines have different files: %v", names)
	}
}

func TestTimeoutRollsBack(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, url string) {
		// The time runs out within the second migration, however slow the first was.
		ctx, cancel := context.WithCancelCause(t.Context())
		defer cancel(nil)
		var start time.Time
		slow := open(t, url, schema.Options{Files: files(t, url, "slow"), Applied: func(schema.Step) {
			start = time.Now()
			time.AfterFunc(300*time.Millisecond, func() { cancel(context.DeadlineExceeded) })
		}})
		steps, err := slow.Up(ctx)
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "00002_slow.sql") {
			t.Errorf("up with a deadline: %v", err)
		}
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("the deadline of 0.3 s took %s", took)
		}
		if !slices.Equal(versions(steps), []int64{1}) {
			t.Errorf("reported as committed: %v", steps)
		}
		if v, err := slow.Version(t.Context()); err != nil || v != 1 {
			t.Errorf("version %d, %v", v, err)
		}
		if _, err := open(t, url, schema.Options{Files: files(t, url, "quick")}).Up(t.Context()); err != nil {
			t.Errorf("up after a deadline: %v", err)
		}
	})
}
