// Command bulk-load loads a file of signals, one JSON object a line.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"

	hal9 "github.com/hal9-ai/hal9/clients/go"
)

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	if len(os.Args) != 2 {
		return errors.New("usage: bulk-load FILE")
	}
	client, err := hal9.New(cmp.Or(os.Getenv("HAL9"), "http://localhost:8080"))
	if err != nil {
		return err
	}
	file, err := os.Open(os.Args[1])
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	result, err := client.Load(ctx, file, false)
	for _, e := range result.Errors {
		fmt.Printf("line %d: %s: %s\n", e.Line, e.Field, e.Message)
	}
	fmt.Println("stored", result.Inserted, "refused", result.Failed)
	return err
}
