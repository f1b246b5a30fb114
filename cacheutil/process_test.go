package cacheutil_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"

	"go.uber.org/goleak"
)

// roleVariable makes a process of this test binary play a part of a test.
const roleVariable = "CACHEUTIL_TEST_ROLE"

func TestMain(m *testing.M) {
	roles := map[string]func(*conversation) error{
		"racer":    race,
		"reader":   readTogether,
		"stand-by": standBy,
	}
	role, ok := roles[os.Getenv(roleVariable)]
	if !ok {
		goleak.VerifyTestMain(m, clientsOwn())
		return
	}
	if err := role(newConversation(os.Stdin, os.Stdout)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// conversation is how processes of a test talk: JSON values in turns.
type conversation struct {
	in   *json.Decoder
	out  *json.Encoder
	kill func() // ends the other process at once
	end  func() // ends its input, and so itself
}

func newConversation(in io.Reader, out io.Writer) *conversation {
	return &conversation{in: json.NewDecoder(bufio.NewReader(in)), out: json.NewEncoder(out)}
}

// startProcess starts this binary in a role. The process ends with the test: its
// input does.
func startProcess(t *testing.T, role string) *conversation {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), roleVariable+"="+role)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	killed := false
	t.Cleanup(func() {
		_ = stdin.Close()
		if err := cmd.Wait(); err != nil && !killed && t.Context().Err() == nil {
			t.Errorf("process %s: %v", role, err)
		}
	})
	c := newConversation(stdout, stdin)
	c.end = func() { _ = stdin.Close() } // the process may have ended
	c.kill = func() {
		killed = true
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

func (c *conversation) tell(t *testing.T, v any) {
	t.Helper()
	if err := c.out.Encode(v); err != nil {
		t.Fatal(err)
	}
}

func (c *conversation) hear(t *testing.T, v any) {
	t.Helper()
	if err := c.in.Decode(v); err != nil {
		t.Fatalf("the other process has ended: %v", err)
	}
}
