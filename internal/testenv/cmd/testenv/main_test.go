package main_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hal9-ai/hal9/internal/testenv"
	"github.com/hal9-ai/hal9/internal/testenv/servers"
)

const printServers = `echo "$HAL9_TEST_POSTGRES_URL"; echo "$HAL9_TEST_CACHE_URL"`

func TestRun(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "testenv")
	if output, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("build testenv: %v\n%s", err, output)
	}
	postgres, cache := testenv.StartPostgres(t), testenv.StartCache(t)
	given := []string{
		servers.PostgresVariable + "=" + postgres.URL(),
		servers.CacheVariable + "=" + cache.URL(),
	}
	none := []string{servers.PostgresVariable + "=", servers.CacheVariable + "="}

	t.Run("given servers are passed on", func(t *testing.T) {
		got := run(t, binary, given, "sh", "-c", printServers)
		if want := postgres.URL() + "\n" + cache.URL() + "\n"; got.stdout != want || got.code != 0 {
			t.Errorf("got %+v, want %q", got, want)
		}
		if !listens(t, postgres.URL()) || !listens(t, cache.URL()) {
			t.Error("testenv has ended servers that are not its own")
		}
	})

	t.Run("private servers run with the command and end with it", func(t *testing.T) {
		got := run(t, binary, none, "sh", "-c", printServers+`; exit 7`)
		if got.code != 7 {
			t.Errorf("exit code %d, want the command's 7\n%s", got.code, got.stderr)
		}
		urls := strings.Fields(got.stdout)
		if len(urls) != 2 {
			t.Fatalf("got %q, want two URLs", got.stdout)
		}
		for _, private := range urls {
			if listens(t, private) {
				t.Errorf("%s is still there", private)
			}
		}
	})

	for name, test := range map[string]struct {
		args []string
		code int
		want string
	}{
		"command that is killed": {[]string{"sh", "-c", "kill -s KILL $$"}, 128 + int(syscall.SIGKILL), ""},
		"no such command":        {[]string{"/no/such/command"}, 127, "/no/such/command"},
		"no command":             {nil, 2, "usage: testenv run"},
	} {
		t.Run(name, func(t *testing.T) {
			got := run(t, binary, given, test.args...)
			if got.code != test.code || !strings.Contains(got.stderr, test.want) {
				t.Errorf("got %+v, want code %d and %q", got, test.code, test.want)
			}
		})
	}

	t.Run("signals reach the command", func(t *testing.T) {
		cmd := start(t, binary, given, `trap "exit 42" TERM; echo ready; for _ in $(seq 400); do sleep 0.05; done`)
		cmd.readLine(t)
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		if got := cmd.ProcessState.ExitCode(); got != 42 {
			t.Errorf("exit code %d, want the trap's 42\n%s", got, &cmd.errors)
		}
	})

	t.Run("killed with its servers running", func(t *testing.T) {
		cmd := start(t, binary, none, printServers+`; echo $$; exec cat`)
		private := []string{cmd.readLine(t), cmd.readLine(t)}
		child, err := strconv.Atoi(cmd.readLine(t))
		if err != nil {
			t.Fatal(err)
		}
		for _, server := range private {
			if !listens(t, server) {
				t.Errorf("%s does not run", server)
			}
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		awaitSilence(t, private)
		if err := syscall.Kill(child, syscall.SIGKILL); err != nil {
			t.Error(err)
		}
		_ = cmd.Wait()
	})

	t.Run("missing program", func(t *testing.T) {
		empty := t.TempDir()
		env := []string{servers.PostgresVariable + "=", given[1], servers.PostgresBinVariable + "=" + empty, "PATH=" + empty}
		got := run(t, binary, env, "sh", "-c", "echo not reached")
		if got.code != 1 || got.stdout != "" {
			t.Errorf("got %+v, want code 1 and no command", got)
		}
		for _, want := range []string{"PostgreSQL 14 or newer is not installed", "install"} {
			if !strings.Contains(got.stderr, want) {
				t.Errorf("%q does not tell %q", got.stderr, want)
			}
		}
	})

	t.Run("given server that does not answer", func(t *testing.T) {
		env := []string{servers.PostgresVariable + "=postgres://postgres@127.0.0.1:1/postgres", given[1]}
		got := run(t, binary, env, "sh", "-c", "echo not reached")
		if got.code != 1 || got.stdout != "" || !strings.Contains(got.stderr, servers.PostgresVariable) {
			t.Errorf("got %+v, want code 1, no command and the variable's name", got)
		}
	})
}

type outcome struct {
	code           int
	stdout, stderr string
}

// run runs testenv to its end.
func run(t *testing.T, binary string, env []string, args ...string) outcome {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), binary, append([]string{"run", "--"}, args...)...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.Env = append(os.Environ(), env...)
	if err := cmd.Run(); err != nil {
		if _, ok := errors.AsType[*exec.ExitError](err); !ok {
			t.Fatal(err)
		}
	}
	return outcome{code: cmd.ProcessState.ExitCode(), stdout: stdout.String(), stderr: stderr.String()}
}

type running struct {
	*exec.Cmd

	stdout io.Reader
	errors bytes.Buffer
}

// start starts testenv with a shell script. Its input stays open until the test
// has ended.
func start(t *testing.T, binary string, env []string, script string) *running {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	cmd := &running{Cmd: exec.CommandContext(ctx, binary, "run", "--", "sh", "-c", script)}
	cmd.Env = append(os.Environ(), env...)
	cmd.Stderr = &cmd.errors
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = stdin.Close() })
	if cmd.stdout, err = cmd.StdoutPipe(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd
}

// readLine reads one line, no byte more.
func (r *running) readLine(t *testing.T) string {
	t.Helper()
	var line []byte
	for buffer := make([]byte, 1); ; {
		if _, err := io.ReadFull(r.stdout, buffer); err != nil {
			t.Fatalf("read a line after %q: %v", line, err)
		}
		if buffer[0] == '\n' {
			return string(line)
		}
		line = append(line, buffer[0])
	}
}

// awaitSilence waits until no one listens at the servers' addresses.
func awaitSilence(t *testing.T, servers []string) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for listens(t, servers[0]) || listens(t, servers[1]) {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("the servers are still there: %v", servers)
		}
	}
}

func listens(t *testing.T, server string) bool {
	t.Helper()
	address, err := url.Parse(server)
	if err != nil || address.Host == "" {
		t.Fatalf("no server in %q: %v", server, err)
	}
	conn, err := net.DialTimeout("tcp", address.Host, time.Second)
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}

// A name that no benchmark has is a mistake, and no success.
func TestBenchmarksThatAreNone(t *testing.T) {
	t.Parallel()
	bench := func(name string) (int, string) {
		cmd := exec.CommandContext(t.Context(), "sh", "tools/bench.sh")
		cmd.Dir = filepath.Join("..", "..", "..", "..")
		cmd.Env = append(os.Environ(), "PKG=./internal/searchtext", "BENCHTIME=1x", "BENCH="+name)
		out, err := cmd.CombinedOutput()
		if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		return cmd.ProcessState.ExitCode(), string(out)
	}
	if code, out := bench("^BenchmarkParseQuery"); code != 0 || !strings.Contains(out, "BenchmarkParseQuery") {
		t.Errorf("exit code %d\n%s", code, out)
	}
	if code, out := bench("NoSuchBenchmark"); code != 2 || !strings.Contains(out, "is called BENCH=NoSuchBenchmark; the names are told by: go test -list") {
		t.Errorf("exit code %d\n%s", code, out)
	}
}
