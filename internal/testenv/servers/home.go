package servers

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

//go:embed reap.sh
var reapScript string

// Home is the directory of programs that work together. It is removed, and what ran as
// a PostgreSQL in it is ended, by Close or when this process ends, even by kill -9.
type Home struct {
	keeper  *Server
	account account
}

// NewHome makes the directory for the account that servers run as.
func NewHome(ctx context.Context) (*Home, error) {
	account, err := findAccount()
	if err != nil {
		return nil, err
	}
	dir, err := account.makeDir("hal9-cluster-")
	if err != nil {
		return nil, err
	}
	keeper, err := supervise(ctx, account, dir, "TERM", []string{"/bin/sh", "-c", reapScript, "reap", dir})
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return &Home{keeper: keeper, account: account}, nil
}

// Dir is the directory.
func (h *Home) Dir() string { return h.keeper.dir }

// Close ends what is left of PostgreSQL there and removes the directory.
func (h *Home) Close() error { return h.keeper.Stop() }

// MakeDir makes a directory that belongs to the servers' account.
func (h *Home) MakeDir(name string) (string, error) {
	path := filepath.Join(h.Dir(), name)
	if err := os.Mkdir(path, 0o700); err != nil {
		return "", fmt.Errorf("make a directory: %w", err)
	}
	return path, h.chown(path)
}

// WriteFile writes a file that belongs to the servers' account.
func (h *Home) WriteFile(name, text string) (string, error) {
	path := filepath.Join(h.Dir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return "", fmt.Errorf("write a file: %w", err)
	}
	return path, h.chown(path)
}

func (h *Home) chown(path string) error {
	if h.account.credential == nil {
		return nil
	}
	if err := os.Chown(path, int(h.account.credential.Uid), int(h.account.credential.Gid)); err != nil {
		return fmt.Errorf("hand a file to user %s: %w", h.account.name, err)
	}
	return nil
}

// Program is a program of any kind, under a supervisor of its own.
type Program struct {
	Name    string
	Command []string
	// Log is where both its outputs go, one start after the other.
	Log string
	// AsCaller lets it run as this process does, and not as the servers' account.
	AsCaller bool
	// Ready fails until the program answers; nil takes it for ready at once.
	Ready func(ctx context.Context) error
}

// Process is a Program that can be killed, frozen and started again. Its methods are
// for one goroutine.
type Process struct {
	program Program
	current *Server
}

// StartProgram starts the program and returns when it is ready.
func StartProgram(ctx context.Context, p Program) (*Process, error) {
	process := &Process{program: p}
	return process, process.Start(ctx)
}

// PID is the process id, 0 while it does not run.
func (p *Process) PID() int {
	if p.current == nil {
		return 0
	}
	return p.current.pid
}

// Start starts it again.
func (p *Process) Start(ctx context.Context) error {
	if p.current != nil {
		return fmt.Errorf("%s runs already", p.program.Name)
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	account, err := findAccount()
	if p.program.AsCaller {
		account.credential, err = nil, nil
	}
	if err != nil {
		return err
	}
	dir, err := account.makeDir("hal9-cluster-" + p.program.Name + "-")
	if err != nil {
		return err
	}
	// The supervisor's own log goes with its directory; this one stays.
	command := append([]string{"/bin/sh", "-c", `log=$1; shift; exec "$@" >>"$log" 2>&1`, "log", p.program.Log}, p.program.Command...)
	server, err := supervise(ctx, account, dir, "TERM", command)
	if err != nil {
		return errors.Join(fmt.Errorf("start %s: %w", p.program.Name, err), os.RemoveAll(dir))
	}
	ready := func(ctx context.Context, _ *Server) error {
		if p.program.Ready == nil {
			return nil
		}
		return p.program.Ready(ctx)
	}
	if err := server.awaitReady(ctx, ready); err != nil {
		text, _ := os.ReadFile(p.program.Log) // what there is of it
		return errors.Join(fmt.Errorf("start %s: %w\n%s", p.program.Name, err, text[max(0, len(text)-logTail):]), server.Stop())
	}
	p.current = server
	return nil
}

// Signal sends it a signal.
func (p *Process) Signal(signal syscall.Signal) error {
	if p.current == nil {
		return fmt.Errorf("%s does not run", p.program.Name)
	}
	if err := syscall.Kill(p.current.pid, signal); err != nil {
		return fmt.Errorf("send %v to %s: %w", signal, p.program.Name, err)
	}
	return nil
}

// Kill ends it by SIGKILL; its children live on.
func (p *Process) Kill() error {
	return errors.Join(p.Signal(syscall.SIGKILL), p.Stop())
}

// Stop ends it by SIGTERM and returns when it is gone.
func (p *Process) Stop() error {
	_, err := p.End()
	return err
}

// End is Stop that tells the exit status as a shell does: 128 and the signal's number more
// for who was killed. It is 0 where nothing ran.
func (p *Process) End() (status int, err error) {
	if p.current == nil {
		return 0, nil
	}
	_ = syscall.Kill(p.current.pid, syscall.SIGCONT) // a frozen one would not notice
	// Once: the supervisor repeats its signal, and a second one cuts a shutdown short.
	_ = syscall.Kill(p.current.pid, syscall.SIGTERM)
	event, err := p.current.events.next(time.Now().Add(stopTimeout)) // "ended STATUS"
	if err == nil {
		_, err = fmt.Sscanf(event, "ended %d", &status)
	}
	if err != nil {
		err = fmt.Errorf("wait for the end of %s: %w", p.program.Name, err)
	}
	err = errors.Join(err, p.current.Stop())
	p.current = nil
	return status, err
}
