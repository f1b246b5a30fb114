// Package program is what the measuring programs of bench have in common: how they begin
// and end.
package program

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// Run is what a program does. The arguments are without its name. What it was asked for
// goes to out, what it tells meanwhile to told. flag.ErrHelp says that help was asked for
// and given.
type Run func(ctx context.Context, args []string, out, told io.Writer) error

// Main runs a program and ends the process: with 0, or with 1 and the error's text behind
// the program's name on the standard error. Its context ends at SIGINT, SIGTERM and SIGHUP,
// so that what it started ends too.
func Main(name string, run Run) {
	os.Exit(code(name, os.Args[1:], os.Stdout, os.Stderr, run))
}

func code(name string, args []string, out, told io.Writer, run Run) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if err := run(ctx, args, out, told); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(told, name+":", err)
		return 1
	}
	return 0
}
