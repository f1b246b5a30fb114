package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/term"
)

// confirm returns nil if the user agrees. Who cannot be asked has to say --yes.
func (g *Globals) confirm(ctx context.Context, yes bool, consequence, command string) error {
	if yes {
		return nil
	}
	terminal, ok := g.Stdin.(*os.File)
	if !ok || !term.IsTerminal(int(terminal.Fd())) {
		return usageError(fmt.Errorf("%s Add --yes if that is meant", consequence), command)
	}
	if _, err := fmt.Fprintf(g.Stderr, "%s Type yes to go on: ", consequence); err != nil {
		return fmt.Errorf("ask for confirmation: %w", err)
	}
	// A read from a terminal cannot be interrupted: the goroutine ends with it or,
	// after Ctrl-C, with the process.
	answer := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(terminal).ReadString('\n')
		answer <- strings.TrimSpace(line)
	}()
	select {
	case <-ctx.Done():
		return fmt.Errorf("ask for confirmation: %w", context.Cause(ctx))
	case text := <-answer:
		if text != "yes" {
			return errors.New("nothing was done")
		}
		return nil
	}
}
