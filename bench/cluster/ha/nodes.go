package ha

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/hal9-ai/hal9/internal/testenv/servers"
)

// Node is one PostgreSQL and the Patroni that looks after it.
type Node struct {
	Name    string
	Patroni *servers.Process

	port, rest int
	data       string
}

func (c *Cluster) startNodes(ctx context.Context) error {
	for i := range c.options.Nodes {
		n, err := c.addNode(ctx, "n"+strconv.Itoa(i+1))
		if err != nil {
			return err
		}
		c.Nodes = append(c.Nodes, n)
		if i > 0 {
			continue
		}
		// The first one makes the cluster; the others copy it.
		if err := Until(ctx, func() error { return n.is(ctx, "primary") }); err != nil {
			return err
		}
	}
	return nil
}

func (c *Cluster) addNode(ctx context.Context, name string) (n *Node, err error) {
	n = &Node{Name: name}
	if n.port, err = c.ports.next(ctx); err != nil {
		return nil, err
	}
	if n.rest, err = c.ports.next(ctx); err != nil {
		return nil, err
	}
	dir, err := c.home.MakeDir(name)
	if err != nil {
		return nil, err
	}
	n.data = filepath.Join(dir, "data")
	text, err := PatroniConfig{
		Name: name, REST: address(n.rest), Etcd: c.etcd, Address: address(n.port), Data: n.data, Bin: c.programs.postgres,
		PgPass: filepath.Join(dir, "pgpass"), Socket: "''", SharedBuffers: "64MB", MaxConnections: 200,
		Synchronous: !c.options.Asynchronous, Strict: c.options.Strict, Trust: true,
		HBA:        []string{"host hal9,postgres all 127.0.0.1/32 trust", "host replication all 127.0.0.1/32 trust"},
		Statements: c.options.Statements,
	}.Text()
	if err != nil {
		return nil, err
	}
	file, err := c.home.WriteFile(name+"/patroni.yml", text)
	if err != nil {
		return nil, err
	}
	n.Patroni, err = servers.StartProgram(ctx, servers.Program{
		Name: "patroni-" + name, Log: c.log(name), Command: []string{c.programs.patroni, file},
	})
	return n, err
}

// is fails unless Patroni says that the node is in the role, such as primary.
func (n *Node) is(ctx context.Context, role string) error {
	return wants200(ctx, "OPTIONS", "http://"+address(n.rest)+"/"+role)
}

// PostgresPID is the process id of the node's postmaster, 0 if there is none.
func (n *Node) PostgresPID() int {
	text, err := os.ReadFile(filepath.Join(n.data, "postmaster.pid"))
	if err != nil {
		return 0
	}
	line, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(line)
	if err != nil {
		return 0
	}
	// The file outlives a killed server; its number may be another's by now.
	if cwd, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid)); err != nil || cwd != n.data {
		return 0
	}
	return pid
}

// AwaitRestart returns when the node runs another postmaster than the given one, or is
// the primary no longer: Patroni takes a moment to notice that one is gone.
func (n *Node) AwaitRestart(ctx context.Context, pid int) error {
	return Until(ctx, func() error {
		if now := n.PostgresPID(); now != 0 && now != pid {
			return nil
		}
		if n.is(ctx, "primary") == nil {
			return fmt.Errorf("%s runs no new PostgreSQL yet", n.Name)
		}
		return nil
	})
}

// KillPostgres ends the node's postmaster by SIGKILL.
func (n *Node) KillPostgres() error {
	pid := n.PostgresPID()
	if pid == 0 {
		return fmt.Errorf("%s runs no PostgreSQL", n.Name)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		return fmt.Errorf("kill PostgreSQL of %s: %w", n.Name, err)
	}
	return nil
}

// Primary is the node that Patroni holds for the primary, nil if there is none.
func (c *Cluster) Primary(ctx context.Context) *Node {
	for _, n := range c.Nodes {
		if n.Patroni.PID() != 0 && n.is(ctx, "primary") == nil {
			return n
		}
	}
	return nil
}

// Standby is a node that takes over without loss: the synchronous one, or any replica
// where there is none by design.
func (c *Cluster) Standby(ctx context.Context) *Node {
	role := "sync"
	if c.options.Asynchronous {
		role = "replica"
	}
	for _, n := range c.Nodes {
		if n.Patroni.PID() != 0 && n.is(ctx, role) == nil {
			return n
		}
	}
	return nil
}

// AwaitWhole returns when there are one primary, a standby that is synchronous, all other
// nodes as replicas, and every server ready.
func (c *Cluster) AwaitWhole(ctx context.Context) error {
	return Until(ctx, func() error {
		primary := c.Primary(ctx)
		if primary == nil {
			return errors.New("there is no primary")
		}
		if c.options.Nodes > 1 && c.Standby(ctx) == nil {
			return errors.New("there is no synchronous standby")
		}
		for _, n := range c.Nodes {
			if n == primary {
				continue
			}
			if err := n.is(ctx, "replica"); err != nil {
				return fmt.Errorf("%s: %w", n.Name, err)
			}
		}
		for _, s := range c.Servers {
			if err := wants200(ctx, "GET", s.URL+"/readyz"); err != nil {
				return fmt.Errorf("%s: %w", s.Name, err)
			}
		}
		return wants200(ctx, "GET", c.API+"/readyz")
	})
}

// Switchover has the standby take the primary's place, in good order.
func (c *Cluster) Switchover(ctx context.Context) error {
	leader, candidate := c.Primary(ctx), c.Standby(ctx)
	if leader == nil || candidate == nil {
		return errors.New("switch over: there is no primary or no standby")
	}
	body := fmt.Sprintf(`{"leader":%q,"candidate":%q}`, leader.Name, candidate.Name)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+address(leader.rest)+"/switchover", bytes.NewReader([]byte(body)))
	if err != nil {
		return fmt.Errorf("switch over: %w", err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("switch over: %w", err)
	}
	text, err := io.ReadAll(resp.Body)
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		return fmt.Errorf("switch over: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("switch over: Patroni answers %s: %s", resp.Status, text)
	}
	return nil
}

const pollInterval = 100 * time.Millisecond

// Until repeats the attempt until it succeeds or the context ends.
func Until(ctx context.Context, attempt func() error) error {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		err := attempt()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-tick.C:
		}
	}
}

// wants200 asks once, for no longer than a second.
func wants200(ctx context.Context, method, url string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, url, http.NoBody)
	if err != nil {
		return fmt.Errorf("ask %s: %w", url, err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("ask %s: %w", url, err)
	}
	_, err = io.Copy(io.Discard, resp.Body)
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		return fmt.Errorf("ask %s: %w", url, err)
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", url, resp.Status)
	}
	return nil
}
