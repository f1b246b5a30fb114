// Package servers starts private PostgreSQL and Valkey or Redis processes for
// tests and ends them again.
//
// A server lives in a temporary directory, listens on a free port of 127.0.0.1
// and is the child of a small supervising shell (supervise.sh). The shell ends
// the server, by its pid, as soon as the process that started it has ended: no
// server outlives its test, not even one that is killed with kill -9.
package servers

import (
	"bufio"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	startTimeout = 90 * time.Second
	// stopTimeout is longer than the 30 s after which the supervisor kills a
	// server that does not end.
	stopTimeout = 45 * time.Second
	// pollInterval is the pause between two attempts to reach a server that is
	// starting.
	pollInterval = 20 * time.Millisecond
	portAttempts = 5
	logTail      = 4 << 10
)

//go:embed supervise.sh
var superviseScript string

// errPortTaken tells that another process took the port between its choice and
// the server's start.
var errPortTaken = errors.New("the chosen port was taken")

// Server is a private server that runs until Stop is called or this process
// ends.
type Server struct {
	url    string
	dir    string
	pid    int
	events *events
	stop   func() error
}

// URL is the address for clients.
func (s *Server) URL() string { return s.url }

// PID is the server's process id.
func (s *Server) PID() int { return s.pid }

// Dir is the server's temporary directory.
func (s *Server) Dir() string { return s.dir }

// Stop ends the server and removes its directory. It returns when both are
// gone; further calls return the first one's result.
func (s *Server) Stop() error { return s.stop() }

// recipe is what the kinds of server differ in.
type recipe struct {
	name string
	// signal is the name of the one that ends the server without waiting for
	// its clients.
	signal  string
	command func(port int) []string
	url     func(port int) string
	// ready fails until the server answers; it also fails when another server
	// answers at the address.
	ready func(ctx context.Context, s *Server) error
}

// start runs the recipe, on another port if the first one is taken.
func start(ctx context.Context, r recipe) (*Server, error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()

	var err error
	for range portAttempts {
		var server *Server
		if server, err = startOnce(ctx, r); err == nil {
			return server, nil
		}
		if !errors.Is(err, errPortTaken) {
			break
		}
	}
	return nil, fmt.Errorf("start a private %s: %w", r.name, err)
}

func startOnce(ctx context.Context, r recipe) (*Server, error) {
	port, err := freePort(ctx)
	if err != nil {
		return nil, err
	}
	return startAt(ctx, r, port)
}

func startAt(ctx context.Context, r recipe, port int) (*Server, error) {
	account, err := findAccount()
	if err != nil {
		return nil, err
	}
	dir, err := account.makeDir("hal9-test-" + strings.ToLower(r.name) + "-")
	if err != nil {
		return nil, err
	}
	server, err := supervise(ctx, account, dir, r.signal, r.command(port))
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	server.url = r.url(port)
	if err := server.awaitReady(ctx, r.ready); err != nil {
		return nil, errors.Join(err, server.Stop())
	}
	return server, nil
}

// supervise starts the command under a supervisor of its own.
func supervise(ctx context.Context, account account, dir, signal string, command []string) (*Server, error) {
	heldOpen, hold, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("make the supervisor's input: %w", err)
	}
	defer func() { _ = heldOpen.Close() }()
	output, told, err := os.Pipe()
	if err != nil {
		_ = hold.Close()
		return nil, fmt.Errorf("make the supervisor's output: %w", err)
	}
	defer func() { _ = told.Close() }()

	// The server outlives the context under which it is started.
	args := append([]string{"-c", superviseScript, "supervise", dir, signal}, command...)
	cmd := exec.CommandContext(context.WithoutCancel(ctx), "/bin/sh", args...) //nolint:gosec // the programs that were found
	cmd.Stdin, cmd.Stdout = heldOpen, told
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LANG=C.UTF-8", "TZ=UTC", "TMPDIR=" + dir}
	// A session of its own keeps the terminal's Ctrl-C away from the server.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Credential: account.credential}
	if err := cmd.Start(); err != nil {
		_, _ = hold.Close(), output.Close()
		return nil, fmt.Errorf("start the supervisor: %w", err)
	}

	server := &Server{dir: dir, events: &events{file: output, lines: bufio.NewReader(output)}}
	server.stop = sync.OnceValue(func() error {
		_ = hold.Close()
		err := server.events.drain(time.Now().Add(stopTimeout))
		_ = output.Close()
		if err != nil {
			return fmt.Errorf("end the server with pid %d: %w", server.pid, err)
		}
		_ = cmd.Wait() // its status says nothing that matters any more
		// The supervisor may lack the right to remove the directory itself.
		return os.RemoveAll(dir)
	})

	line, err := server.events.next(time.Now().Add(startTimeout))
	if err == nil {
		server.pid, err = strconv.Atoi(line)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("read the server's pid: %w", err), server.stop())
	}
	return server, nil
}

// awaitReady returns when the server answers, ends or takes too long.
func (s *Server) awaitReady(ctx context.Context, ready func(context.Context, *Server) error) error {
	for {
		notReady := ready(ctx, s)
		if notReady == nil {
			return nil
		}
		event, err := s.events.next(time.Now().Add(pollInterval))
		switch {
		case err == nil:
			return s.diedEarly(event)
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return fmt.Errorf("watch the server: %w", err)
		case ctx.Err() != nil:
			return fmt.Errorf("it does not answer (%w): %w\n%s", ctx.Err(), notReady, s.log())
		}
	}
}

// diedEarly tells why a server ended before it answered.
func (s *Server) diedEarly(event string) error {
	log := s.log()
	if strings.Contains(log, "ddress already in use") {
		return fmt.Errorf("%w:\n%s", errPortTaken, log)
	}
	return fmt.Errorf("the server has %s:\n%s", event, log)
}

// log returns the end of the server's log.
func (s *Server) log() string {
	text, err := os.ReadFile(filepath.Join(s.dir, "log"))
	if err != nil {
		return "(" + err.Error() + ")"
	}
	return string(text[max(0, len(text)-logTail):])
}

// freePort asks the kernel for a port that no one listens on.
func freePort(ctx context.Context) (int, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp4", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	address, ok := listener.Addr().(*net.TCPAddr)
	if err := listener.Close(); err != nil {
		return 0, fmt.Errorf("give the port free again: %w", err)
	}
	if !ok {
		return 0, fmt.Errorf("find a free port: unexpected address %v", listener.Addr())
	}
	return address.Port, nil
}

// events reads what a supervisor tells, without a goroutine of its own: tests
// that look for leaked goroutines find none.
type events struct {
	file  *os.File
	lines *bufio.Reader
}

// next returns the next line, or os.ErrDeadlineExceeded if there is none yet.
func (e *events) next(deadline time.Time) (string, error) {
	if err := e.file.SetReadDeadline(deadline); err != nil {
		return "", fmt.Errorf("set the deadline: %w", err)
	}
	line, err := e.lines.ReadString('\n')
	return strings.TrimSpace(line), err
}

// drain waits until the supervisor is gone.
func (e *events) drain(deadline time.Time) error {
	if err := e.file.SetReadDeadline(deadline); err != nil {
		return fmt.Errorf("set the deadline: %w", err)
	}
	if _, err := io.Copy(io.Discard, e.lines); err != nil {
		return fmt.Errorf("wait for the supervisor: %w", err)
	}
	return nil
}
