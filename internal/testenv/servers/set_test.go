package servers_test

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hal9-ai/hal9/internal/testenv/servers"
)

// requireSetGone stops the set and fails if a process, a port or the directory is
// left.
func requireSetGone(t *testing.T, set *servers.Set) {
	t.Helper()
	dir, pids := set.Dir(), []int{}
	for _, node := range set.Nodes {
		pids = append(pids, node.PID())
	}
	if err := set.Stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("directory %s is still there: %v", dir, err)
	}
	for i, pid := range pids {
		if pid != 0 && !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			t.Errorf("process %d is still there", pid)
		}
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(set.Nodes[i].Port))
		if conn, err := net.DialTimeout("tcp", address, time.Second); err == nil {
			_ = conn.Close()
			t.Errorf("someone listens on %s", address)
		}
	}
}

func startSet(t *testing.T, start func(context.Context) (*servers.Set, error)) *servers.Set {
	t.Helper()
	began := time.Now()
	set, err := start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("started %d nodes in %v", len(set.Nodes), time.Since(began).Round(time.Millisecond))
	t.Cleanup(func() { _ = set.Stop() })
	return set
}

// A node that is killed comes back at its address with what it had answered for.
func TestStartCacheNode(t *testing.T) {
	set := startSet(t, func(ctx context.Context) (*servers.Set, error) {
		return servers.StartCacheNode(ctx, "--maxmemory-policy", "noeviction")
	})
	node := set.Nodes[0]
	url, pid := node.URL(), node.PID()
	ask(t, url, "SET", "k", "kept")
	if err := node.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) || node.PID() != 0 {
		t.Errorf("the process is still there: %v", err)
	}
	if err := node.Freeze(); err == nil {
		t.Error("a node that does not run can be frozen")
	}
	if err := node.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := ask(t, node.URL(), "GET", "k"); got != "kept" || node.URL() != url {
		t.Errorf("got %q at %s, want what was stored at %s", got, node.URL(), url)
	}
	if err := node.Start(t.Context()); err == nil {
		t.Error("it can be started twice")
	}
	// A frozen one can be ended as well.
	if err := node.Freeze(); err != nil {
		t.Fatal(err)
	}
	requireSetGone(t, set)
}

func TestStartCacheCluster(t *testing.T) {
	set := startSet(t, servers.StartCacheCluster)
	if len(set.Nodes) != 6 {
		t.Fatalf("%d nodes", len(set.Nodes))
	}
	for i, node := range set.Nodes {
		role := "role:master"
		if i >= 3 {
			role = "role:slave"
		}
		if info := ask(t, node.URL(), "INFO", "replication"); !strings.Contains(info, role) {
			t.Errorf("node %d is not %s:\n%s", i, role, info)
		}
	}
	requireSetGone(t, set)
}

func TestStartCacheSentinel(t *testing.T) {
	set := startSet(t, servers.StartCacheSentinel)
	if len(set.Nodes) != 5 {
		t.Fatalf("%d nodes", len(set.Nodes))
	}
	for i, want := range []string{"role:master", "role:slave"} {
		if info := ask(t, set.Nodes[i].URL(), "INFO", "replication"); !strings.Contains(info, want) {
			t.Errorf("node %d is not %s:\n%s", i, want, info)
		}
	}
	requireSetGone(t, set)
}

func TestStartCacheTLS(t *testing.T) {
	set := startSet(t, servers.StartCacheTLS)
	conn, err := net.DialTimeout("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(set.Nodes[0].Port)), time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	_, _ = conn.Write([]byte("PING\r\n"))
	answer := make([]byte, 64)
	if n, _ := conn.Read(answer); strings.Contains(string(answer[:n]), "PONG") {
		t.Error("it answers without TLS")
	}
	requireSetGone(t, set)
}

func TestStartSetWithoutProgram(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := servers.StartCacheCluster(t.Context())
	if _, ok := errors.AsType[*servers.MissingError](err); !ok {
		t.Fatalf("got %v, want a MissingError", err)
	}
}
