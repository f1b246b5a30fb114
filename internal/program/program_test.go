package program //nolint:testpackage // Main ends the process

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"syscall"
	"testing"
)

func TestCode(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err  error
		code int
		told string
	}{
		{nil, 0, ""},
		{fmt.Errorf("parse: %w", flag.ErrHelp), 0, ""},
		{errors.New("no such file"), 1, "soak: no such file\n"},
	} {
		var told bytes.Buffer
		got := code("soak", []string{"--users", "1"}, io.Discard, &told, func(_ context.Context, args []string, _, _ io.Writer) error {
			if len(args) != 2 {
				t.Errorf("arguments %q", args)
			}
			return c.err
		})
		if got != c.code || told.String() != c.told {
			t.Errorf("%v: %d, %q", c.err, got, told.String())
		}
	}
}

// A signal ends the context, and not the process.
func TestSignalEndsTheContext(t *testing.T) { //nolint:paralleltest // the process's own signal
	var told bytes.Buffer
	got := code("soak", nil, io.Discard, &told, func(ctx context.Context, _ []string, _, _ io.Writer) error {
		if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		<-ctx.Done()
		return ctx.Err()
	})
	if got != 1 || told.String() != "soak: context canceled\n" {
		t.Errorf("%d, %q", got, told.String())
	}
}
