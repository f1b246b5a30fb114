package servers

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"

	"github.com/jackc/pgx/v5"
)

//go:embed postgres.sh
var postgresScript string

// Durability says whether a PostgreSQL server survives a crash.
type Durability bool

const (
	// Fast trades durability for speed: the data live as long as the tests.
	Fast Durability = false
	// Durable keeps PostgreSQL's own settings, as benchmarks need them.
	Durable Durability = true
)

// StartPostgres starts a private PostgreSQL. Its URL is that of the superuser
// postgres and the database postgres. Further settings, each NAME=VALUE, come last.
func StartPostgres(ctx context.Context, durability Durability, further ...string) (*Server, error) {
	bin, err := FindPostgres(ctx)
	if err != nil {
		return nil, err
	}
	return start(ctx, recipe{
		name:   "PostgreSQL",
		signal: "INT", // fast shutdown: clients are cut off
		command: func(port int) []string {
			settings := []string{
				"--port=" + strconv.Itoa(port),
				"--listen_addresses=127.0.0.1",
				"--unix_socket_directories=", // a socket's path may be too long for the kernel
				"--max_connections=300",
				"--timezone=UTC",
			}
			if durability == Fast {
				settings = append(settings, "--fsync=off", "--synchronous_commit=off", "--full_page_writes=off")
			}
			for _, setting := range further {
				settings = append(settings, "--"+setting)
			}
			return append([]string{"/bin/sh", "-c", postgresScript, "postgres", bin}, settings...)
		},
		url: func(port int) string {
			return fmt.Sprintf("postgres://postgres@127.0.0.1:%d/postgres?sslmode=disable", port)
		},
		ready: func(ctx context.Context, s *Server) error {
			var dir string
			if err := queryRow(ctx, s.url, "SHOW data_directory", &dir); err != nil {
				return err
			}
			if dir != filepath.Join(s.dir, "data") {
				return fmt.Errorf("the server of %s answers at %s", dir, s.url)
			}
			return nil
		},
	})
}

// checkPostgres tells whether the tests can work with the server at the URL.
func checkPostgres(ctx context.Context, url string) error {
	var (
		version   int
		superuser bool
	)
	err := queryRow(ctx, url, `SELECT current_setting('server_version_num')::int, rolsuper
		FROM pg_roles WHERE rolname = current_user`, &version, &superuser)
	if err != nil {
		return err
	}
	if version/10_000 < oldestPostgres {
		return fmt.Errorf("the server is PostgreSQL %d: use %d or newer", version/10_000, oldestPostgres)
	}
	if !superuser {
		return errors.New("the user is no superuser, as the tests need one: name another in the URL")
	}
	return nil
}

// queryRow runs one query on a connection of its own.
func queryRow(ctx context.Context, url, query string, values ...any) (err error) {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }()
	if err := conn.QueryRow(ctx, query).Scan(values...); err != nil {
		return fmt.Errorf("query PostgreSQL: %w", err)
	}
	return nil
}
