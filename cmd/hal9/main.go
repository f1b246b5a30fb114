// Command hal9 is the HAL9 data service: the server and the tools around it.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/hal9-ai/hal9/server"
)

func main() {
	outliveFileLimit()
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() { // ends with the process
		first := <-signals
		// Giving signals back lets a second one end a shutdown that hangs.
		signal.Stop(signals)
		if first == os.Interrupt {
			cancel(server.ErrNoDrain) // somebody at a terminal, who is kept waiting
			return
		}
		cancel(nil)
	}()
	os.Exit(run(&Globals{Context: ctx, Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Environ: os.Environ(), Self: self(), Alone: true}, os.Args[1:]))
}
