package servers

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// nodeScript makes a primary's data, or with a PRIMARY port a replica's, unless they are
// there, and becomes their server:
//
//	sh -c "$script" postgres BIN DATA PRIMARY [SERVER ARGUMENT...]
const nodeScript = `bin=$1 data=$2 primary=$3
shift 3
if [ -e "$data/PG_VERSION" ]; then
	:
elif [ "$primary" = 0 ]; then
	"$bin/initdb" --pgdata="$data" --username=postgres --auth=trust --encoding=UTF8 --locale=C.UTF-8 --no-sync || exit
else
	"$bin/pg_basebackup" -d "host=127.0.0.1 port=$primary user=postgres" -D "$data" -R -X stream -c fast --no-sync || exit
fi
exec "$bin/postgres" -D "$data" "$@"`

// PostgresNode is a PostgreSQL that can be ended and started again at the same address,
// with its data. Its methods are for one goroutine.
type PostgresNode struct {
	Port    int
	recipe  recipe
	current *Server
}

// URL is the address of a database for the superuser postgres.
func (n *PostgresNode) URL(database string) string {
	return fmt.Sprintf("postgres://postgres@127.0.0.1:%d/%s?sslmode=disable", n.Port, url.PathEscape(database))
}

// Start starts the node again after Kill, and returns when it answers.
func (n *PostgresNode) Start(ctx context.Context) error {
	if n.current != nil {
		return errors.New("the node runs already")
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	server, err := startAt(ctx, n.recipe, n.Port)
	if err != nil {
		return fmt.Errorf("start the node at port %d: %w", n.Port, err)
	}
	n.current = server
	return nil
}

// Kill ends the node at once, as a crash does: what it had not written is replayed at the
// next start.
func (n *PostgresNode) Kill() error {
	if n.current == nil {
		return nil
	}
	err := syscall.Kill(n.current.pid, syscall.SIGQUIT)
	if errors.Is(err, syscall.ESRCH) {
		err = nil
	}
	err = errors.Join(err, n.current.Stop())
	n.current = nil
	return err
}

// Replication is a primary and a streaming replica of it. The data are in one directory,
// which is removed when it is stopped or this process ends.
type Replication struct {
	Primary, Replica *PostgresNode

	keeper *Server
}

// StartReplication starts a primary, then a replica from a base backup of it. Commits are
// flushed as by default, though not to the disk.
func StartReplication(ctx context.Context) (*Replication, error) {
	bin, err := FindPostgres(ctx)
	if err != nil {
		return nil, err
	}
	account, err := findAccount()
	if err != nil {
		return nil, err
	}
	dir, err := account.makeDir("hal9-test-replication-")
	if err != nil {
		return nil, err
	}
	keeper, err := supervise(ctx, account, dir, "TERM", []string{"tail", "-f", "/dev/null"})
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	r := &Replication{keeper: keeper}
	if r.Primary, err = startPostgresNode(ctx, bin, filepath.Join(dir, "primary"), 0); err != nil {
		return nil, errors.Join(err, r.Stop())
	}
	if r.Replica, err = startPostgresNode(ctx, bin, filepath.Join(dir, "replica"), r.Primary.Port); err != nil {
		return nil, errors.Join(err, r.Stop())
	}
	return r, nil
}

// Stop ends both and removes their data.
func (r *Replication) Stop() error {
	var errs []error
	for _, n := range []*PostgresNode{r.Replica, r.Primary} {
		if n != nil {
			errs = append(errs, n.Kill())
		}
	}
	return errors.Join(append(errs, r.keeper.Stop())...)
}

func startPostgresNode(ctx context.Context, bin, data string, primary int) (*PostgresNode, error) {
	n := &PostgresNode{}
	n.recipe = recipe{
		name:   "PostgreSQL",
		signal: "INT",
		command: func(port int) []string {
			n.Port = port
			return []string{
				"/bin/sh", "-c", nodeScript, "postgres", bin, data, strconv.Itoa(primary),
				"--port=" + strconv.Itoa(port), "--listen_addresses=127.0.0.1", "--unix_socket_directories=",
				"--timezone=UTC", "--max_connections=100", "--fsync=off", "--full_page_writes=off", "--shared_buffers=32MB",
			}
		},
		url: func(int) string { return n.URL("postgres") },
		ready: func(ctx context.Context, _ *Server) error {
			var dir string
			if err := queryRow(ctx, n.URL("postgres"), "SHOW data_directory", &dir); err != nil {
				return err
			}
			if dir != data {
				return fmt.Errorf("the server of %s answers at port %d", dir, n.Port)
			}
			return nil
		},
	}
	server, err := start(ctx, n.recipe)
	if err != nil {
		return nil, err
	}
	n.current = server
	return n, nil
}
