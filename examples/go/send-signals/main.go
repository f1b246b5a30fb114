// Command send-signals sends one signal and then several.
package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"

	hal9 "github.com/hal9-ai/hal9/clients/go"
	"github.com/hal9-ai/hal9/clients/go/api"
)

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	client, err := hal9.New(cmp.Or(os.Getenv("HAL9"), "http://localhost:8080"))
	if err != nil {
		return err
	}
	sent, err := client.SignalSendWithResponse(ctx, nil, api.ContractSignal{Content: "plan the day", Layer: "strategic"})
	if err != nil {
		return err
	}
	fmt.Println("sent", sent.JSON200.Data.SignalID)

	result, err := client.SendAll(ctx, slices.Values([]api.SignalFields{
		{Content: "split it into tasks", LayerTo: "L3"},
		{Content: "write the report", LayerTo: "L2"},
	}))
	if err != nil {
		return err
	}
	fmt.Println("stored", result.Inserted, "refused", result.Failed)
	return nil
}
