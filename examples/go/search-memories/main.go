// Command search-memories keeps a memory and finds it again.
package main

import (
	"cmp"
	"context"
	"fmt"
	"os"

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
	importance := 0.9
	_, err = client.MemoryCreateWithResponse(ctx, nil, api.MemoryFields{
		NeuronID: "strategic-planner", Content: "The antenna fails within 72 hours.", Importance: &importance,
	})
	if err != nil {
		return err
	}
	found, err := client.MemorySearchWithResponse(ctx, &api.MemorySearchParams{Q: "failing antennas"})
	if err != nil {
		return err
	}
	for _, hit := range found.JSON200.Data {
		fmt.Printf("%s: %s\n", hit.NeuronID, hit.Content)
	}
	return nil
}
