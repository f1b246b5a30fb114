package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hal9-ai/hal9/internal/testenv"
	"github.com/hal9-ai/hal9/schema"
)

// onBothEngines runs a test with an environment that names a new database.
func onBothEngines(t *testing.T, test func(t *testing.T, environ []string)) {
	t.Helper()
	for engine, newURL := range map[string]func() string{
		"postgres": func() string { return testenv.PostgresDatabase(t) },
		"sqlite":   func() string { return "sqlite://" + filepath.Join(t.TempDir(), "hal9.db") },
	} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			test(t, []string{"HAL9_DATABASE_URL=" + newURL()})
		})
	}
}

// versions returns the versions that the migrations have, and the file of the last.
func versions(t *testing.T) (all []int64, lastFile string) {
	t.Helper()
	var status schema.Status
	url := "sqlite://" + filepath.Join(t.TempDir(), "none.db")
	if err := json.Unmarshal([]byte(hal9(t, []string{"HAL9_DATABASE_URL=" + url}, "migrate", "status", "--json").out), &status); err != nil {
		t.Fatal(err)
	}
	for _, m := range status.Migrations {
		all, lastFile = append(all, m.Version), m.File
	}
	if len(all) < 2 {
		t.Fatalf("these are all migrations: %v", all)
	}
	return all, lastFile
}

// migrated is what a migrator says when it is done.
func migrated(t *testing.T) string {
	t.Helper()
	all, _ := versions(t)
	return fmt.Sprintf("database is at version %d.", all[len(all)-1])
}

func TestMigrate(t *testing.T) {
	t.Parallel()
	onBothEngines(t, func(t *testing.T, environ []string) {
		all, lastFile := versions(t)
		last, before := all[len(all)-1], all[len(all)-2]
		hal9 := func(args ...string) outcome { t.Helper(); return hal9(t, environ, args...) }
		hal9("migrate", "status").want(t, exitOK, "00001_base.sql", "")
		checked := hal9("migrate", "status", "--check")
		if checked.code != exitPending || !strings.Contains(checked.errors, "hal9 migrate up") {
			t.Errorf("status --check of a new database: %+v", checked)
		}
		hal9("migrate", "up", "--dry-run").want(t, exitOK, "CREATE TABLE signals", "")
		hal9("migrate", "status").want(t, exitOK, fmt.Sprintf("at version 0, this program at %d; %d pending", last, len(all)), "")

		hal9("migrate", "up", "--to", "2", "--timeout", "1m").want(t, exitOK, "applied 00002_users.sql in ", "")
		hal9("migrate", "up").want(t, exitOK, migrated(t), "")
		hal9("migrate", "up").want(t, exitOK, "Nothing to do", "")
		hal9("migrate", "up", "--dry-run").want(t, exitOK, "-- nothing to do", "")
		hal9("migrate", "status", "--check").want(t, exitOK, "0 pending", "")

		var status schema.Status
		if err := json.Unmarshal([]byte(hal9("migrate", "status", "--json").out), &status); err != nil {
			t.Errorf("status --json: %v", err)
		}
		if status.Version != last || status.Latest != last || len(status.Migrations) != len(all) || status.Migrations[0].AppliedAt == nil {
			t.Errorf("status --json: %+v", status)
		}

		// Without a terminal nothing is destroyed unasked.
		for _, command := range []string{"down", "redo"} {
			hal9("migrate", command).want(t, exitUsage, "", "--yes")
			hal9("migrate", command, "--dry-run").want(t, exitOK, lastFile, "")
		}
		hal9("migrate", "status").want(t, exitOK, fmt.Sprintf("at version %d", last), "")
		hal9("migrate", "redo", "--yes").want(t, exitOK, "undid "+lastFile, "")
		hal9("migrate", "down", "--yes").want(t, exitOK, fmt.Sprintf("The database is at version %d.", before), "")
		hal9("migrate", "down", "--to", "99", "--yes").want(t, exitUsage, "", "no such migration: 99")
		hal9("migrate", "up", "--to", "99").want(t, exitUsage, "", "no such migration: 99")
		hal9("migrate", "down", "--to", "0", "--yes").want(t, exitOK, "The database is at version 0.", "")
		hal9("migrate", "down", "--yes").want(t, exitFailure, "", "no migration is applied")
		hal9("migrate", "up", "--timeout", "-1s").want(t, exitUsage, "", "--timeout")
	})
}

func TestMigrateTimeoutNamesTheFlag(t *testing.T) {
	t.Parallel()
	url := testenv.PostgresDatabase(t)
	environ := []string{"HAL9_DATABASE_URL=" + url}
	hal9(t, environ, "migrate", "up", "--to", "6").want(t, exitOK, "at version 6.", "")
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	if _, err := conn.Exec(t.Context(), "BEGIN; SELECT 1 FROM audit_log"); err != nil {
		t.Fatal(err)
	}
	failed := hal9(t, environ, "migrate", "down", "--yes", "--timeout", "500ms")
	failed.want(t, exitFailure, "", "00006_metrics_audit.sql: --timeout 500ms passed (it was rolled back)")
	hal9(t, environ, "migrate", "status").want(t, exitOK, "at version 6", "")
}

func TestMigrateUnreachable(t *testing.T) {
	t.Parallel()
	nowhere := "postgres://hal9:secret@127.0.0.1:1/hal9?connect_timeout=5"
	for _, args := range [][]string{
		{"migrate", "up"}, {"migrate", "status"}, {"migrate", "down", "--yes"}, {"partitions", "list"},
	} {
		got := hal9(t, []string{"HAL9_DATABASE_URL=" + nowhere}, args...)
		got.want(t, exitUnreachable, "", "127.0.0.1:1, database hal9, as user hal9: nobody listens there\nIs PostgreSQL running, and is database.url (postgres://hal9:***@127.0.0.1:1/")
		if strings.Contains(got.errors, "secret") {
			t.Errorf("%v shows the password: %s", args, got.errors)
		}
	}
	missing := "sqlite://" + filepath.Join(t.TempDir(), "no", "hal9.db")
	hal9(t, []string{"HAL9_DATABASE_URL=" + missing}, "migrate", "up").want(t, exitUnreachable, "", "folder that does not exist")
	for _, command := range []string{"migrate", "partitions"} {
		last := map[string]string{"migrate": "up", "partitions": "list"}[command]
		hal9(t, []string{"HAL9_DATABASE_URL=sqlite::memory:"}, command, last).want(t, exitUsage, "", "name a file")
	}
}

// A role that lacks rights is told what to do, by the commands and by a server that starts.
func TestRoleWithoutRights(t *testing.T) {
	t.Parallel()
	owner := testenv.PostgresDatabase(t)
	hal9(t, []string{"HAL9_DATABASE_URL=" + owner + "&pool_max_conns=3"}, "migrate", "up").want(t, exitOK, migrated(t), "")
	conn, err := pgx.Connect(t.Context(), owner)
	if err != nil {
		t.Fatal(err)
	}
	role := "hal9_test_" + strings.ToLower(rand.Text()[:12])
	statements := []string{"CREATE ROLE " + role + " LOGIN PASSWORD 'pw'", "GRANT SELECT ON ALL TABLES IN SCHEMA public TO " + role}
	t.Cleanup(func() {
		for _, s := range []string{"DROP OWNED BY " + role, "DROP ROLE " + role} {
			if _, err := conn.Exec(context.WithoutCancel(t.Context()), s); err != nil {
				t.Errorf("%s: %v", s, err)
			}
		}
		_ = conn.Close(context.WithoutCancel(t.Context())) // it is the test's own
	})
	u, err := url.Parse(owner)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword(role, "pw")
	environ := []string{"HAL9_DATABASE_URL=" + u.String(), "HAL9_SERVER_LISTEN=127.0.0.1:0"}
	run := func(statement string) {
		t.Helper()
		if _, err := conn.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	serve := func() outcome { // for ten seconds, should it not be refused
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		var stderr bytes.Buffer
		code := Run(ctx, []string{"serve", "--server-drain-delay", "0s"}, strings.NewReader(""), io.Discard, &stderr, environ)
		return outcome{code, "", stderr.String()}
	}
	run(statements[0])
	serve().want(t, exitFailure, "", "'hal9 migrate grant ROLE', run by the owner of the tables")
	run(statements[1])
	hal9(t, environ, "user", "list").want(t, exitOK, "NAME", "")
	hal9(t, environ, "admin", "create-key").want(t, exitFailure, "", "the role may not do this")
	hal9(t, environ, "migrate", "redo", "--yes").want(t, exitFailure, "", "This is for the owner of the tables")
	serve().want(t, exitFailure, "", "the role "+role+" lacks rights that a server needs: INSERT, UPDATE, DELETE on database_epoch,")
}

// Migrations go past the pooler.
func TestMigrateByAdminURL(t *testing.T) {
	t.Parallel()
	environ := []string{
		"HAL9_DATABASE_URL=postgres://nobody@127.0.0.1:1/pooler", "HAL9_DATABASE_ADMIN_URL=" + testenv.PostgresDatabase(t),
	}
	hal9(t, environ, "migrate", "up").want(t, exitOK, migrated(t), "")
	hal9(t, environ, "partitions", "list").want(t, exitOK, "signals_default", "")
}

func TestMigrateCreate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	hal9(t, nil, "migrate", "create", "--dir", dir, "first").want(t, exitUsage, "", "--dir")
	for _, engine := range []string{"postgres", "sqlite"} {
		if err := os.Mkdir(filepath.Join(dir, engine), 0o750); err != nil {
			t.Fatal(err)
		}
	}
	// One engine is ahead of the other, by somebody's mistake.
	if err := os.WriteFile(filepath.Join(dir, "sqlite", "00041_old.sql"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	hal9(t, nil, "migrate", "create", "--dir", dir, "add_labels").want(t, exitOK, filepath.Join(dir, "sqlite", "00042_add_labels.sql"), "")
	for _, engine := range []string{"postgres", "sqlite"} {
		text, err := os.ReadFile(filepath.Join(dir, engine, "00042_add_labels.sql"))
		if err != nil || !strings.Contains(string(text), "-- +goose Up\n\n-- +goose Down") {
			t.Errorf("%s: %q, %v", engine, text, err)
		}
	}
	for _, bad := range []string{"add_labels", "", "../x", "Add", "a b", "_x", "x_", "a__b", "a.sql", "ä", strings.Repeat("a", 61)} {
		hal9(t, nil, "migrate", "create", "--dir", dir, "--", bad).want(t, exitUsage, "", "new migration")
	}
	if found, err := filepath.Glob(filepath.Join(dir, "*", "*")); err != nil || len(found) != 3 {
		t.Errorf("refused names left files: %v, %v", found, err)
	}
}

// A server may run under a role that can change no table.
func TestMigrateGrant(t *testing.T) {
	t.Parallel()
	address := testenv.PostgresDatabase(t)
	environ := []string{"HAL9_DATABASE_URL=" + address}
	role := "hal9_grant_" + strings.ToLower(rand.Text()[:10])
	owner, err := pgx.Connect(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = owner.Close(context.Background()) })
	do := func(statement string) {
		if _, err := owner.Exec(context.WithoutCancel(t.Context()), statement); err != nil {
			t.Errorf("%s: %v", statement, err)
		}
	}
	do("CREATE ROLE " + role)
	t.Cleanup(func() { do("DROP OWNED BY " + role); do("DROP ROLE " + role) })

	hal9(t, environ, "migrate", "grant", role).want(t, exitPending, "", "hal9 migrate up")
	hal9(t, environ, "migrate", "up").want(t, exitOK, migrated(t), "")
	hal9(t, environ, "migrate", "grant", "hal9_nobody").want(t, exitUsage, "", "CREATE ROLE")
	hal9(t, environ, "migrate", "grant", role, "--dry-run").want(t, exitOK, "TO \""+role+"\";", "")
	var may bool
	if err := owner.QueryRow(t.Context(), "SELECT has_table_privilege($1, 'signals', 'INSERT')", role).Scan(&may); err != nil || may {
		t.Fatalf("after a dry run: %v, %v", may, err)
	}
	hal9(t, environ, "migrate", "grant", role).want(t, exitOK, role+" has what a server needs.", "")
	hal9(t, environ, "migrate", "grant", role, "--json").want(t, exitOK, `"role": "`+role+`"`, "")
	if err := owner.QueryRow(t.Context(), "SELECT has_table_privilege($1, 'signals', 'INSERT')", role).Scan(&may); err != nil || !may {
		t.Errorf("after the grant: %v, %v", may, err)
	}
	sqlite := []string{"HAL9_DATABASE_URL=sqlite://" + filepath.Join(t.TempDir(), "hal9.db")}
	hal9(t, sqlite, "migrate", "up").want(t, exitOK, migrated(t), "")
	hal9(t, sqlite, "migrate", "grant", role).want(t, exitUsage, "", "SQLite has no roles")
}
