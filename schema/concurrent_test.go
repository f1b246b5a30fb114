package schema_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/hal9-ai/hal9/schema"
)

// childVariable makes this test binary a migrator: a process that can be killed.
const childVariable = "HAL9_TEST_MIGRATE"

func TestMain(m *testing.M) {
	if job := os.Getenv(childVariable); job != "" {
		if err := child(job); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// child runs "up URL" or "slow URL" and says when it has the lock.
func child(job string) error {
	kind, url, _ := strings.Cut(job, " ")
	var o schema.Options
	if kind != "up" {
		o.Files = variants(url)[kind]
		o.Applied = func(s schema.Step) { fmt.Println("applied", s.Version) }
	}
	m, err := schema.Open(context.Background(), url, o)
	if err != nil {
		return err
	}
	_, err = m.Up(context.Background())
	return errors.Join(err, m.Close())
}

func childCommand(ctx context.Context, kind, url string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), childVariable+"="+kind+" "+url)
	cmd.Stderr = os.Stderr
	return cmd
}

// variants are migrations of which the second takes its time in the middle, and the
// same ones without a delay.
func variants(url string) map[string]fs.FS {
	pause := "SELECT pg_sleep(60);"
	if strings.HasPrefix(url, "sqlite") {
		pause = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 1000000000) INSERT INTO slow SELECT i FROM n WHERE i < 0;"
	}
	first := &fstest.MapFile{Data: []byte("-- +goose Up\nCREATE TABLE fast (id int);\n-- +goose Down\nDROP TABLE fast;\n")}
	second := func(pause string) *fstest.MapFile {
		return &fstest.MapFile{Data: []byte("-- +goose Up\nCREATE TABLE slow (id int);\nINSERT INTO slow VALUES (1);\n" + pause +
			"\nCREATE TABLE after_slow (id int);\n-- +goose Down\nDROP TABLE after_slow;\nDROP TABLE slow;\n")}
	}
	return map[string]fs.FS{
		"slow":  fstest.MapFS{"00001_fast.sql": first, "00002_slow.sql": second(pause)},
		"quick": fstest.MapFS{"00001_fast.sql": first, "00002_slow.sql": second("")},
	}
}

func files(tb testing.TB, url, kind string) fs.FS {
	tb.Helper()
	return variants(url)[kind]
}

func TestFiveMigratorsAtOnce(t *testing.T) {
	t.Parallel()
	const rounds = 5
	for engine, newURL := range engines() {
		t.Run(string(engine), func(t *testing.T) {
			t.Parallel()
			for range rounds {
				url := newURL(t)
				ran := make([][]schema.Step, 5)
				var group sync.WaitGroup
				for i := range ran {
					group.Go(func() {
						m, err := schema.Open(t.Context(), url, schema.Options{})
						if err == nil {
							ran[i], err = m.Up(t.Context())
							err = errors.Join(err, m.Close())
						}
						if err != nil {
							t.Errorf("migrator %d: %v", i, err)
						}
					})
				}
				group.Wait()
				n, err := schema.Latest(engine)
				if err != nil {
					t.Fatal(err)
				}
				all := slices.Concat(ran...)
				if len(all) != int(n) {
					t.Errorf("%d migrations were run, not %d", len(all), n)
				}
				checkComplete(t, url)
			}
		})
	}
}

func TestFiveProcessesAtOnce(t *testing.T) {
	t.Parallel()
	const rounds = 3
	for engine, newURL := range engines() {
		t.Run(string(engine), func(t *testing.T) {
			t.Parallel()
			for range rounds {
				url := newURL(t)
				var group sync.WaitGroup
				for i := range 5 {
					group.Go(func() {
						if err := childCommand(t.Context(), "up", url).Run(); err != nil {
							t.Errorf("process %d: %v", i, err)
						}
					})
				}
				group.Wait()
				checkComplete(t, url)
			}
		})
	}
}

// checkComplete fails unless each migration was run exactly once.
func checkComplete(tb testing.TB, url string) {
	tb.Helper()
	m := open(tb, url, schema.Options{})
	if err := m.Check(tb.Context()); err != nil {
		tb.Errorf("check: %v", err)
	}
	got := query[int64](tb, connect(tb, url), "SELECT version_id FROM goose_db_version WHERE version_id > 0 ORDER BY id")
	if !slices.Equal(got, upTo(latestOf(tb, m))) {
		tb.Errorf("versions %v", got)
	}
}

// A migrator that is killed within a statement leaves whole migrations behind, and
// its lock is free for the next one.
func TestKilledWithinAStatement(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, url string) {
		ctx := t.Context()
		cmd := childCommand(ctx, "slow", url)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		text := make([]byte, len("applied 1\n"))
		if _, err := io.ReadFull(out, text); err != nil || string(text) != "applied 1\n" {
			t.Fatalf("the child says %q, %v", text, err)
		}
		// The second migration runs now. Whoever comes must wait, and say so.
		waiting := make(chan string, 1)
		next := open(t, url, schema.Options{Files: files(t, url, "quick"), Waiting: func(holder string) { waiting <- holder }})
		done := make(chan error, 1)
		go func() {
			_, err := next.Up(ctx)
			done <- err
		}()
		select {
		case holder := <-waiting:
			if !strings.Contains(holder, "process") {
				t.Errorf("waits for %q", holder)
			}
		case err := <-done:
			t.Fatalf("up while another migrates: %v", err)
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err == nil {
			t.Error("the child was not killed")
		}
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("up after the kill: %v", err)
			}
		case <-time.After(20 * time.Second):
			t.Fatal("the lock of a killed migrator is still held after 20 s")
		}
		if v, err := next.Version(ctx); err != nil || v != 2 {
			t.Errorf("version %d, %v", v, err)
		}
		db := connect(t, url)
		if n := one[int](t, db, "SELECT count(*) FROM slow"); n != 1 {
			t.Errorf("%d rows: the killed migration was not rolled back whole", n)
		}
	})
}

// Killed at any moment of the real migrations, running them again completes them.
func TestKilledAnywhere(t *testing.T) {
	t.Parallel()
	const kills = 8
	for engine, newURL := range engines() {
		t.Run(string(engine), func(t *testing.T) {
			t.Parallel()
			whole := newURL(t)
			start := time.Now()
			if err := childCommand(t.Context(), "up", whole).Run(); err != nil {
				t.Fatal(err)
			}
			took := time.Since(start)
			want := describe(t, connect(t, whole), engine)
			for i := range kills {
				url := newURL(t)
				cmd := childCommand(t.Context(), "up", url)
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				killer := time.AfterFunc(took*time.Duration(i+1)/(kills+1), func() { _ = cmd.Process.Kill() })
				_ = cmd.Wait() // killed, or done before
				killer.Stop()
				if err := childCommand(t.Context(), "up", url).Run(); err != nil {
					t.Fatalf("up after a kill: %v", err)
				}
				checkComplete(t, url)
				same(t, "after a kill", describe(t, connect(t, url), engine), want)
			}
		})
	}
}

func TestWaitEndsWithTheContext(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, url string) {
		locked, release := make(chan struct{}), make(chan struct{})
		first := open(t, url, schema.Options{Applied: func(s schema.Step) {
			if s.Version == 1 {
				close(locked)
				<-release
			}
		}})
		done := make(chan error, 1)
		go func() {
			_, err := first.Up(t.Context())
			done <- err
		}()
		<-locked
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		_, err := open(t, url, schema.Options{}).Up(ctx)
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "wait for the migration lock") {
			t.Errorf("up while another has the lock: %v", err)
		}
		if v, err := open(t, url, schema.Options{}).Version(t.Context()); err != nil || v != 1 {
			t.Errorf("version while another migrates: %d, %v", v, err)
		}
		close(release)
		if err := <-done; err != nil {
			t.Error(err)
		}
		checkComplete(t, url)
	})
}
