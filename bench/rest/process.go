package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/hal9-ai/hal9/bench/loopback"
)

// process is a program under way.
type process struct{ command *exec.Cmd }

// patience bounds the wait for an answer; between two tries there is a short pause.
const (
	patience = 30 * time.Second
	pause    = 200 * time.Microsecond
)

// start runs a program in a folder and returns how long its first answer took.
func (o options) start(ctx context.Context, folder, program, path string, arguments func(string) []string) (*process, time.Duration, error) {
	binary, err := o.binary(program)
	if err != nil {
		return nil, 0, err
	}
	address, err := loopback.FreeAddress(ctx)
	if err != nil {
		return nil, 0, err
	}
	log, err := os.Create(filepath.Join(folder, program+".log")) //nolint:gosec // in its own folder
	if err != nil {
		return nil, 0, fmt.Errorf("make a log: %w", err)
	}
	c := exec.Command(binary, arguments(address)...) //nolint:gosec,noctx // our own program, which end ends
	c.Dir, c.Stdout, c.Stderr = folder, log, log
	begin := time.Now()
	if err := errors.Join(c.Start(), log.Close()); err != nil {
		return nil, 0, fmt.Errorf("start %s: %w", program, err)
	}
	p := &process{c}
	for !answers(ctx, address, path) {
		if ctx.Err() != nil || time.Since(begin) > patience {
			text, _ := os.ReadFile(log.Name())
			return nil, 0, errors.Join(fmt.Errorf("%s does not answer at %s\n%s", program, address, text), p.end())
		}
		time.Sleep(pause)
	}
	return p, time.Since(begin), nil
}

// answers tells whether a request is answered with 200. It is written on a socket, which
// costs less than an HTTP client where each try counts.
func answers(ctx context.Context, address, path string) bool {
	conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", address)
	if err != nil {
		return false
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(time.Second)); err != nil {
		return false
	}
	if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", path, address); err != nil {
		return false
	}
	status := make([]byte, len("HTTP/1.1 200"))
	n, err := conn.Read(status)
	return err == nil && string(status[:n]) == "HTTP/1.1 200"
}

// memory adds what Linux tells of a process's memory.
func (p *process) memory(to figures) error {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.command.Process.Pid))
	if err != nil {
		return fmt.Errorf("read a process's memory, as Linux tells it: %w", err)
	}
	for name, measure := range map[string]string{"VmRSS:": resident, "RssAnon:": anonymous, "RssFile:": mapped} {
		_, rest, _ := bytes.Cut(status, []byte(name))
		fields := bytes.Fields(rest)
		if len(fields) == 0 {
			return fmt.Errorf("there is no %s in the status of a process", name)
		}
		kilobytes, err := strconv.ParseFloat(string(fields[0]), 64)
		if err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
		to.add(measure, kilobytes*1024/1e6)
	}
	return nil
}

// end asks a process to end and waits for it.
func (p *process) end() error {
	if err := p.command.Process.Signal(syscall.SIGINT); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("end %s: %w", p.command.Path, err)
	}
	if err := p.command.Wait(); err != nil && p.command.ProcessState == nil {
		return fmt.Errorf("wait for %s: %w", p.command.Path, err)
	}
	return nil
}
