package servers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/valkey-io/valkey-go"
)

// setTimeout bounds the start of all servers of a set.
const setTimeout = 30 * time.Second

// Node is a Valkey or Redis that can be frozen, killed and started again at the
// same address, with what it wrote to disk. Its methods are for one goroutine.
type Node struct {
	// Port is where it listens, on 127.0.0.1.
	Port int

	recipe  recipe
	current *Server
	connect func(port int) valkey.ClientOption
}

// URL is the address for clients.
func (n *Node) URL() string { return n.recipe.url(n.Port) }

// PID is the process id, 0 while it does not run.
func (n *Node) PID() int {
	if n.current == nil {
		return 0
	}
	return n.current.pid
}

func (n *Node) option() valkey.ClientOption { return n.connect(n.Port) }

// Start starts the node again after Kill, and returns when it answers.
func (n *Node) Start(ctx context.Context) error {
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

// Kill ends the node by SIGKILL, and returns when it is gone.
func (n *Node) Kill() error { return n.end(syscall.SIGKILL) }

// Freeze stops the node by SIGSTOP: its connections stay open and get no answer.
func (n *Node) Freeze() error { return n.signal(syscall.SIGSTOP) }

// Thaw lets a frozen node go on.
func (n *Node) Thaw() error { return n.signal(syscall.SIGCONT) }

func (n *Node) signal(signal syscall.Signal) error {
	if n.current == nil {
		return errors.New("the node does not run")
	}
	if err := syscall.Kill(n.current.pid, signal); err != nil {
		return fmt.Errorf("send %v to pid %d: %w", signal, n.current.pid, err)
	}
	return nil
}

// end sends a signal and lets the supervisor see to the rest. A frozen process
// would not notice.
func (n *Node) end(signal syscall.Signal) error {
	if n.current == nil {
		return nil
	}
	err := errors.Join(n.signal(signal), n.signal(syscall.SIGCONT))
	if errors.Is(err, syscall.ESRCH) {
		err = nil // it had ended of itself
	}
	err = errors.Join(err, n.current.Stop())
	n.current = nil
	return err
}

// Set is several nodes that work together. Their data are in one directory, which
// is removed when the set is stopped or this process ends.
type Set struct {
	Nodes []*Node

	keeper  *Server
	account account
	program string
}

// keptDir makes a directory for several servers. It belongs to a process that only waits,
// so that the supervisor removes it whatever happens to us.
func keptDir(ctx context.Context, pattern string) (dir string, owner account, keeper *Server, err error) {
	if owner, err = findAccount(); err != nil {
		return "", owner, nil, err
	}
	if dir, err = owner.makeDir(pattern); err != nil {
		return "", owner, nil, err
	}
	if keeper, err = supervise(ctx, owner, dir, "TERM", []string{"tail", "-f", "/dev/null"}); err != nil {
		return "", owner, nil, errors.Join(err, os.RemoveAll(dir))
	}
	return dir, owner, keeper, nil
}

// newSet makes a set without nodes.
func newSet(ctx context.Context) (*Set, error) {
	program, err := FindCache()
	if err != nil {
		return nil, err
	}
	_, account, keeper, err := keptDir(ctx, "hal9-test-set-")
	if err != nil {
		return nil, err
	}
	return &Set{keeper: keeper, account: account, program: program}, nil
}

// Dir is the directory of the set.
func (s *Set) Dir() string { return s.keeper.dir }

// Stop ends all nodes and removes the directory.
func (s *Set) Stop() error {
	errs := make([]error, 0, len(s.Nodes)+1)
	for _, node := range s.Nodes {
		errs = append(errs, node.end(syscall.SIGTERM))
	}
	return errors.Join(append(errs, s.keeper.Stop())...)
}

// node describes one node of a set.
type node struct {
	name string
	// arguments are the whole command line; the node's directory is there, and
	// prepare has put into it what it needs.
	arguments func(port int) []string
	prepare   func(port int) error
	// url and option are for nodes that want more than an address.
	url    func(port int) string
	option func(port int) valkey.ClientOption
}

// add starts a node, on another port if the first one is taken.
func (s *Set) add(ctx context.Context, n node) (*Node, error) {
	if n.url == nil {
		n.url = func(port int) string { return fmt.Sprintf("redis://127.0.0.1:%d/0", port) }
	}
	if n.option == nil {
		n.option = loopback
	}
	dir := filepath.Join(s.Dir(), n.name)
	if err := s.makeDir(dir); err != nil {
		return nil, err
	}
	made := &Node{connect: n.option}
	var failed error
	made.recipe = recipe{
		name:   "Valkey",
		signal: "TERM",
		command: func(port int) []string {
			// A node that is started again finds its files.
			if n.prepare != nil && made.Port != port {
				failed = n.prepare(port)
			}
			made.Port = port
			return append([]string{s.program}, n.arguments(port)...)
		},
		url: n.url,
		ready: func(ctx context.Context, server *Server) error {
			return answers(ctx, made.option(), server)
		},
	}
	server, err := start(ctx, made.recipe)
	if err = errors.Join(failed, err); err != nil {
		return nil, fmt.Errorf("node %s: %w", n.name, err)
	}
	made.current = server
	s.Nodes = append(s.Nodes, made)
	return made, nil
}

func (s *Set) makeDir(dir string) error {
	err := os.Mkdir(dir, 0o700)
	if err == nil && s.account.credential != nil {
		err = os.Chown(dir, int(s.account.credential.Uid), int(s.account.credential.Gid))
	}
	if err != nil {
		return fmt.Errorf("make a node's directory: %w", err)
	}
	return nil
}

// StartCacheNode starts a Valkey or Redis of its own that keeps an append-only file
// and syncs it before it answers. Further arguments are added to its command line.
func StartCacheNode(ctx context.Context, arguments ...string) (*Set, error) {
	return buildSet(ctx, func(ctx context.Context, s *Set) error {
		_, err := s.add(ctx, node{name: "node", arguments: func(port int) []string {
			return append([]string{
				"--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--dir", filepath.Join(s.Dir(), "node"),
				"--save", "", "--appendonly", "yes", "--appendfsync", "always",
			}, arguments...)
		}})
		return err
	})
}

// buildSet makes a set, and leaves nothing behind if that fails.
func buildSet(ctx context.Context, build func(context.Context, *Set) error) (*Set, error) {
	ctx, cancel := context.WithTimeout(ctx, setTimeout)
	defer cancel()
	set, err := newSet(ctx)
	if err != nil {
		return nil, err
	}
	if err := build(ctx, set); err != nil {
		return nil, errors.Join(err, set.Stop())
	}
	return set, nil
}

// answers fails until the very process answers at its address.
func answers(ctx context.Context, option valkey.ClientOption, s *Server) error {
	info, err := askOnce(ctx, option, "INFO", "server")
	if err != nil {
		return err
	}
	return isProcess(info, s)
}

// askOnce sends a command on a connection of its own and returns the answer as text.
func askOnce(ctx context.Context, option valkey.ClientOption, command ...string) (string, error) {
	option.DisableCache = true
	option.ForceSingleClient = true
	option.DisableRetry = true
	client, err := valkey.NewClient(option)
	if client == nil {
		return "", fmt.Errorf("connect to the node: %w", err)
	}
	defer client.Close()
	if err != nil {
		return "", fmt.Errorf("connect to the node: %w", err)
	}
	answer, err := client.Do(ctx, client.B().Arbitrary(command...).Build()).ToString()
	if err != nil {
		return "", fmt.Errorf("ask the node: %s: %w", command[0], err)
	}
	return answer, nil
}
