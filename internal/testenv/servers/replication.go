package servers

import (
	"bytes"
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

// Crash ends the node by SIGKILL, its postmaster and all its processes, and returns when
// they are gone.
func (n *PostgresNode) Crash() error {
	if n.current == nil {
		return errors.New("the node does not run")
	}
	// Held still, it starts no further ones meanwhile.
	if err := syscall.Kill(n.current.pid, syscall.SIGSTOP); err != nil {
		return fmt.Errorf("stop the postmaster: %w", err)
	}
	children, err := childrenOf(n.current.pid)
	for _, pid := range append(children, n.current.pid) {
		if killed := syscall.Kill(pid, syscall.SIGKILL); killed != nil && !errors.Is(killed, syscall.ESRCH) {
			err = errors.Join(err, fmt.Errorf("kill process %d of PostgreSQL: %w", pid, killed))
		}
	}
	err = errors.Join(err, n.current.Stop())
	n.current = nil
	return err
}

// childrenOf are the processes that a process has started, by what Linux tells of all.
func childrenOf(pid int) ([]int, error) {
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, fmt.Errorf("look for the processes of PostgreSQL: %w", err)
	}
	var children []int
	for _, file := range files {
		text, err := os.ReadFile(file) //nolint:gosec // of the kernel
		if err != nil {
			continue // it has ended
		}
		// PID (NAME) STATE PPID …, where the name may hold anything.
		var state string
		var parent int
		rest := text[bytes.LastIndexByte(text, ')')+1:]
		if _, err := fmt.Sscan(string(rest), &state, &parent); err != nil || parent != pid {
			continue
		}
		child, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if err != nil {
			return nil, fmt.Errorf("look for the processes of PostgreSQL: %w", err)
		}
		children = append(children, child)
	}
	return children, nil
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
	dir, _, keeper, err := keptDir(ctx, "hal9-test-replication-")
	if err != nil {
		return nil, err
	}
	r := &Replication{keeper: keeper}
	if r.Primary, err = startPostgresNode(ctx, bin, filepath.Join(dir, "primary"), 0, Fast); err != nil {
		return nil, errors.Join(err, r.Stop())
	}
	if r.Replica, err = startPostgresNode(ctx, bin, filepath.Join(dir, "replica"), r.Primary.Port, Fast); err != nil {
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

// StartPostgresNode starts a primary that can be killed and started again with its data.
// stop ends it and removes the data.
func StartPostgresNode(ctx context.Context, durability Durability) (n *PostgresNode, stop func() error, err error) {
	bin, err := FindPostgres(ctx)
	if err != nil {
		return nil, nil, err
	}
	dir, _, keeper, err := keptDir(ctx, "hal9-test-postgres-")
	if err != nil {
		return nil, nil, err
	}
	if n, err = startPostgresNode(ctx, bin, filepath.Join(dir, "data"), 0, durability); err != nil {
		return nil, nil, errors.Join(err, keeper.Stop())
	}
	return n, func() error { return errors.Join(n.Kill(), keeper.Stop()) }, nil
}

func startPostgresNode(ctx context.Context, bin, data string, primary int, durability Durability) (*PostgresNode, error) {
	n := &PostgresNode{}
	settings := []string{"--timezone=UTC", "--max_connections=100", "--shared_buffers=32MB"}
	if durability == Fast {
		settings = append(settings, "--fsync=off", "--full_page_writes=off")
	}
	n.recipe = recipe{
		name:   "PostgreSQL",
		signal: "INT",
		command: func(port int) []string {
			n.Port = port
			return append([]string{
				"/bin/sh", "-c", nodeScript, "postgres", bin, data, strconv.Itoa(primary),
				"--port=" + strconv.Itoa(port), "--listen_addresses=127.0.0.1", "--unix_socket_directories=",
			}, settings...)
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
