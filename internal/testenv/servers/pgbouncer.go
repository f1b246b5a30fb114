package servers

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"strconv"
)

// FindPgBouncer returns the path of pgbouncer, or a MissingError.
func FindPgBouncer() (string, error) {
	for _, name := range []string{"pgbouncer", "/usr/sbin/pgbouncer"} {
		path, err := exec.LookPath(name)
		if err == nil {
			return path, nil
		}
		if !errors.Is(err, exec.ErrNotFound) && !errors.Is(err, os.ErrNotExist) {
			return "", fmt.Errorf("look for pgbouncer: %w", err)
		}
	}
	return "", &MissingError{
		What: "PgBouncer", Looked: "on PATH and in /usr/sbin", Packages: []string{"pgbouncer"},
	}
}

// pgbouncerScript writes the configuration and becomes the pooler:
//
//	sh -c "$script" pgbouncer PROGRAM HOST PORT LISTEN USER PASSWORD
//
// Fewer connections than clients, so that clients meet each other's leavings.
const pgbouncerScript = `cat >pgbouncer.ini <<END
[databases]
* = host=$2 port=$3 user=$5${6:+ password='$6'}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = $4
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 3
max_client_conn = 500
max_db_connections = 3
ignore_startup_parameters = extra_float_digits
END
exec "$1" pgbouncer.ini`

// StartPgBouncer starts a PgBouncer in transaction mode before the PostgreSQL at the URL,
// for all its databases, with three connections to each. Its URL is that of the database
// postgres.
func StartPgBouncer(ctx context.Context, postgres string) (*Server, error) {
	program, err := FindPgBouncer()
	if err != nil {
		return nil, err
	}
	target, err := url.Parse(postgres)
	if err != nil {
		return nil, fmt.Errorf("read PostgreSQL's URL: %w", err)
	}
	port := target.Port()
	if port == "" {
		port = "5432"
	}
	password, _ := target.User.Password()
	return start(ctx, recipe{
		name:   "PgBouncer",
		signal: "TERM", // immediate shutdown
		command: func(listen int) []string {
			return []string{"/bin/sh", "-c", pgbouncerScript, "pgbouncer", program, target.Hostname(), port, strconv.Itoa(listen), target.User.Username(), password}
		},
		url: func(listen int) string {
			u := url.URL{
				Scheme: "postgres", User: target.User, Host: "127.0.0.1:" + strconv.Itoa(listen), Path: "/postgres", RawQuery: "sslmode=disable",
			}
			return u.String()
		},
		ready: func(ctx context.Context, s *Server) error {
			var one int
			return queryRow(ctx, s.url+"&default_query_exec_mode=exec", "SELECT 1", &one)
		},
	})
}
