package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// Password is the part of a command that takes a new password. It is never an argument:
// those show in the list of processes and in the shell's history.
type Password struct {
	PasswordStdin bool `help:"Read the password from the standard input, its first line."`
}

// maxPasswordInput bounds what is read; auth has the limit that counts.
const maxPasswordInput = 64 << 10

// read returns the password: from the standard input if that was asked for, otherwise
// from a terminal, twice and without showing it.
func (p Password) read(g *Globals, command string) (string, error) {
	if p.PasswordStdin {
		data, err := io.ReadAll(io.LimitReader(g.Stdin, maxPasswordInput))
		if err != nil {
			return "", fmt.Errorf("read the password: %w", err)
		}
		line, rest, _ := strings.Cut(string(data), "\n")
		if strings.TrimSpace(rest) != "" {
			return "", usageError(errors.New("the standard input has more than one line; a password is one line"), command)
		}
		return strings.TrimSuffix(line, "\r"), nil
	}
	terminal, ok := g.Stdin.(*os.File)
	if !ok || !term.IsTerminal(int(terminal.Fd())) {
		return "", usageError(errors.New("the standard input is no terminal to ask for the password at. Give it by --password-stdin"), command)
	}
	first, err := g.askSecret(terminal, "New password: ")
	if err != nil {
		return "", err
	}
	again, err := g.askSecret(terminal, "The same again: ")
	if err != nil {
		return "", err
	}
	if first != again {
		return "", errors.New("the passwords differ; nothing was done")
	}
	return first, nil
}

// askSecret reads a line that the terminal does not show.
func (g *Globals) askSecret(terminal *os.File, prompt string) (string, error) {
	fd := int(terminal.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return "", fmt.Errorf("ask for the password: %w", err)
	}
	if _, err := io.WriteString(g.Stderr, prompt); err != nil {
		return "", fmt.Errorf("ask for the password: %w", err)
	}
	type answer struct {
		text []byte
		err  error
	}
	// As in confirm: the goroutine ends with the read or with the process.
	answers := make(chan answer, 1)
	go func() {
		text, err := term.ReadPassword(fd)
		answers <- answer{text, err}
	}()
	select {
	case <-g.Context.Done():
		// Or the terminal would go on showing nothing after Ctrl-C.
		return "", errors.Join(fmt.Errorf("ask for the password: %w", context.Cause(g.Context)), term.Restore(fd, before))
	case a := <-answers:
		_, _ = io.WriteString(g.Stderr, "\n")
		if a.err != nil {
			return "", fmt.Errorf("ask for the password: %w", a.err)
		}
		return string(a.text), nil
	}
}
