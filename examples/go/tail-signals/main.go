// Command tail-signals prints signals as they are committed, until it is interrupted.
package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/signal"

	hal9 "github.com/hal9-ai/hal9/clients/go"
	"github.com/hal9-ai/hal9/clients/go/api"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil && ctx.Err() == nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	client, err := hal9.New(cmp.Or(os.Getenv("HAL9"), "http://localhost:8080"))
	if err != nil {
		return err
	}
	layer := "L4"
	for event, err := range client.Tail(ctx, &api.SignalStreamParams{Layer: &layer}) {
		if err != nil {
			return err
		}
		if event.Signal != nil {
			fmt.Println(event.Signal.Timestamp, event.Signal.ToNeuron, event.Signal.Content)
		}
	}
	return nil
}
