package servers_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/hal9-ai/hal9/internal/testenv/servers"
)

func TestStartPostgres(t *testing.T) {
	for name, test := range map[string]struct {
		durability servers.Durability
		fsync      string
	}{
		"fast":    {servers.Fast, "off"},
		"durable": {servers.Durable, "on"},
	} {
		t.Run(name, func(t *testing.T) {
			server, err := servers.StartPostgres(t.Context(), test.durability, "shared_buffers=48MB")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = server.Stop() })

			conn, err := pgx.Connect(t.Context(), server.URL())
			if err != nil {
				t.Fatal(err)
			}
			for setting, want := range map[string]string{
				"fsync":              test.fsync,
				"synchronous_commit": test.fsync,
				"full_page_writes":   test.fsync,
				"max_connections":    "300",
				"shared_buffers":     "48MB",
				"listen_addresses":   "127.0.0.1",
				"is_superuser":       "on",
				"server_encoding":    "UTF8",
			} {
				var got string
				if err := conn.QueryRow(t.Context(), "SELECT current_setting($1)", setting).Scan(&got); err != nil {
					t.Fatal(err)
				}
				if got != want {
					t.Errorf("%s = %q, want %q", setting, got, want)
				}
			}

			// An open connection must not hold the server up.
			if err := server.Stop(); err != nil {
				t.Fatal(err)
			}
			requireGone(t, server)
			_ = conn.Close(t.Context()) // the server has closed it
			if err := server.Stop(); err != nil {
				t.Errorf("second Stop: %v", err)
			}
		})
	}
}

func TestStartPostgresRefusesOldVersion(t *testing.T) {
	dir := t.TempDir()
	program(t, dir, "initdb", "exit 1")
	program(t, dir, "postgres", `echo "postgres (PostgreSQL) 13.21"`)
	t.Setenv(servers.PostgresBinVariable, dir)

	_, err := servers.StartPostgres(t.Context(), servers.Fast)
	missing, ok := errors.AsType[*servers.MissingError](err)
	if !ok {
		t.Fatalf("got %v, want a MissingError", err)
	}
	for _, want := range []string{"PostgreSQL 14 or newer", dir, servers.PostgresBinVariable, "version 13"} {
		if !strings.Contains(missing.Error(), want) {
			t.Errorf("%q does not tell %q", missing, want)
		}
	}
}

func TestStartPostgresShowsLogOfServerThatDies(t *testing.T) {
	dir := tempRoot(t)
	bin := filepath.Join(dir, "bin")
	if err := os.Mkdir(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	program(t, bin, "postgres", `echo "postgres (PostgreSQL) 17.1"`)
	program(t, bin, "initdb", `echo "initdb: no space left"; exit 3`)
	t.Setenv(servers.PostgresBinVariable, bin)

	_, err := servers.StartPostgres(t.Context(), servers.Fast)
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"start a private PostgreSQL", "ended 3", "initdb: no space left"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not tell %q", err, want)
		}
	}
	if err := os.RemoveAll(bin); err != nil {
		t.Fatal(err)
	}
	requireEmpty(t, dir)
}

// execute runs a statement on a connection of its own.
func execute(t *testing.T, url, statement string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}
