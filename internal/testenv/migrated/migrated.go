// Package migrated gives tests databases whose schema is up to date.
//
// Running the migrations costs a test more than most of what it then does, above all
// under the race detector. So they run once: on PostgreSQL for all packages of a test
// run, in a database that the others are copied from, on SQLite once for each test
// binary. Tests of the migrations themselves start from testenv.PostgresDatabase.
package migrated

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hal9-ai/hal9/internal/testenv"
	"github.com/hal9-ai/hal9/schema"
)

// templateTimeout bounds the making of a template: other packages wait for it.
const templateTimeout = 2 * time.Minute

// PostgresDatabase makes a migrated database for the test and returns its URL. It goes
// as testenv.PostgresDatabase's does.
func PostgresDatabase(tb testing.TB) string {
	tb.Helper()
	server := testenv.PostgresURL(tb)
	template, err := postgresTemplate(tb.Context(), server)
	if err != nil {
		tb.Fatalf("migrated: make the template: %v", err)
	}
	return testenv.PostgresCopy(tb, template)
}

// SQLiteDatabase makes a migrated file for the test and returns its URL. The file goes
// when the test ends.
func SQLiteDatabase(tb testing.TB) string {
	tb.Helper()
	content, err := sqliteTemplate()
	if err != nil {
		tb.Fatalf("migrated: make the template: %v", err)
	}
	file := filepath.Join(tb.TempDir(), "hal9.db")
	if err := os.WriteFile(file, content, 0o600); err != nil {
		tb.Fatalf("migrated: %v", err)
	}
	// A subtest's directory may have its number in it: Test/sub#01.
	return "sqlite://" + strings.NewReplacer("%", "%25", "?", "%3F", "#", "%23").Replace(file)
}

//nolint:gochecknoglobals // the tests of a binary have nothing else in common
var sqliteTemplate = sync.OnceValues(func() (content []byte, err error) {
	// It outlives the test that asks first.
	ctx, cancel := context.WithTimeout(context.Background(), templateTimeout)
	defer cancel()
	dir, err := os.MkdirTemp("", "hal9-template-")
	if err != nil {
		return nil, fmt.Errorf("make a directory: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	file := filepath.Join(dir, "hal9.db")
	// Closing moves the log into the file, which then is the whole database.
	if err := migrate(ctx, "sqlite://"+file); err != nil {
		return nil, err
	}
	content, err = os.ReadFile(file) //nolint:gosec // the file was made here
	if err != nil {
		return nil, fmt.Errorf("read the template: %w", err)
	}
	return content, nil
})

// postgresTemplate returns the name of the migrated database on the server, which it
// makes if no other test has. A server that outlives the tests keeps it for the next
// ones: its name changes with the migrations, and with the month, since a migration
// makes partitions of the present.
func postgresTemplate(ctx context.Context, server string) (name string, err error) {
	ctx, cancel := context.WithTimeout(ctx, templateTimeout)
	defer cancel()
	if name, err = templateName(time.Now()); err != nil {
		return "", err
	}
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		return "", fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	// This also gives back the lock, by which one of all packages makes the template.
	defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()
	if there, err := exists(ctx, conn, name); there || err != nil {
		return name, err
	}
	if _, err := conn.Exec(ctx, "SELECT pg_advisory_lock(hashtextextended($1, 0))", name); err != nil {
		return "", fmt.Errorf("wait for the template: %w", err)
	}
	if there, err := exists(ctx, conn, name); there || err != nil {
		return name, err
	}
	// It gets its name when it is whole: whoever made it before may have been killed.
	unfinished := name + "_unfinished"
	for _, statement := range []string{
		"DROP DATABASE IF EXISTS " + unfinished + " WITH (FORCE)",
		"CREATE DATABASE " + unfinished + " TEMPLATE template0 ENCODING 'UTF8'",
	} {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return "", fmt.Errorf("run %s: %w", statement, err)
		}
	}
	address, err := url.Parse(server)
	if err != nil {
		return "", fmt.Errorf("read the server's URL: %w", err)
	}
	address.Path = "/" + unfinished
	if err := migrate(ctx, address.String()); err != nil {
		return "", err
	}
	// A template that somebody is connected to cannot be copied.
	for _, statement := range []string{
		"ALTER DATABASE " + unfinished + " ALLOW_CONNECTIONS false",
		"SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = '" + unfinished + "'",
		"ALTER DATABASE " + unfinished + " RENAME TO " + name,
	} {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return "", fmt.Errorf("run %s: %w", statement, err)
		}
	}
	return name, nil
}

func exists(ctx context.Context, conn *pgx.Conn, name string) (there bool, err error) {
	err = conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", name).Scan(&there)
	if err != nil {
		return false, fmt.Errorf("look for the template: %w", err)
	}
	return there, nil
}

func templateName(now time.Time) (string, error) {
	files, err := schema.Files(schema.Postgres)
	if err != nil {
		return "", fmt.Errorf("find the migrations: %w", err)
	}
	digest := sha256.New()
	err = fs.WalkDir(files, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := fs.ReadFile(files, path)
		if err != nil {
			return fmt.Errorf("read %s: %w", path, err)
		}
		_, _ = fmt.Fprintf(digest, "%s %d\n%s", path, len(content), content)
		return nil
	})
	if err != nil {
		return "", fmt.Errorf("read the migrations: %w", err)
	}
	return "hal9_template_" + now.UTC().Format("200601") + "_" + hex.EncodeToString(digest.Sum(nil))[:16], nil
}

func migrate(ctx context.Context, databaseURL string) error {
	m, err := schema.Open(ctx, databaseURL, schema.Options{})
	if err != nil {
		return fmt.Errorf("migrate the template: %w", err)
	}
	if _, err := m.Up(ctx); err != nil {
		return errors.Join(fmt.Errorf("migrate the template: %w", err), m.Close())
	}
	return m.Close()
}
