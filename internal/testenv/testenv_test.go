package testenv_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hal9-ai/hal9/internal/testenv"
	"github.com/hal9-ai/hal9/internal/testenv/servers"
)

// TestExample runs the test binary of a package that uses testenv, because what
// matters is what remains when the process has ended.
func TestExample(t *testing.T) {
	binary := buildExample(t)
	postgres, cache := testenv.StartPostgres(t), testenv.StartCache(t)
	given := []string{
		servers.PostgresVariable + "=" + postgres.URL(),
		servers.CacheVariable + "=" + cache.URL(),
	}

	t.Run("servers of the environment", func(t *testing.T) {
		got := example(t, binary, "TestReport", given...).mustPass(t)
		if got["postgres"] != postgres.URL() || got["cache"] != cache.URL() {
			t.Errorf("got %v, want %v", got, given)
		}
	})

	t.Run("private servers", func(t *testing.T) {
		got := example(t, binary, "TestReport").mustPass(t)
		if got["postgres"] == postgres.URL() || got["cache"] == cache.URL() {
			t.Errorf("the servers are not private: %v", got)
		}
		awaitGone(t, got)
	})

	t.Run("killed", func(t *testing.T) {
		awaitGone(t, killWaiting(t, binary))
	})

	t.Run("database is empty and dropped", func(t *testing.T) {
		got := example(t, binary, "TestDatabase", given...).mustPass(t)
		if got["tables"] != "0" {
			t.Errorf("the database has %s tables", got["tables"])
		}
		if databaseExists(t, postgres.URL(), got["database"]) {
			t.Errorf("database %s is still there", got["database"])
		}
		if left := databases(t, postgres.URL()); left != 0 {
			t.Errorf("%d databases are left", left)
		}
	})

	t.Run("database of a failed test is kept", func(t *testing.T) {
		result := example(t, binary, "TestDatabaseOfFailedTest", given...)
		if result.err == nil {
			t.Fatalf("the test has passed:\n%s", result.output)
		}
		name := result.values()["database"]
		if !databaseExists(t, postgres.URL(), name) {
			t.Errorf("database %q is gone", name)
		}
		if want := "kept database " + name; !strings.Contains(result.output, want) {
			t.Errorf("the output does not tell %q:\n%s", want, result.output)
		}
	})

	t.Run("missing programs fail and tell the mend", func(t *testing.T) {
		none := t.TempDir()
		for variable, test := range map[string]struct{ env, want string }{
			servers.PostgresVariable: {servers.PostgresBinVariable + "=" + none, "apt-get install postgresql"},
			servers.CacheVariable:    {"PATH=" + none, "apt-get install redis-server"},
		} {
			// The other server is given.
			env := []string{test.env}
			for _, assignment := range given {
				if !strings.HasPrefix(assignment, variable) {
					env = append(env, assignment)
				}
			}
			result := example(t, binary, "TestReport", env...)
			if result.err == nil {
				t.Fatalf("the test has passed:\n%s", result.output)
			}
			for _, want := range []string{"is not installed", "make test", test.want, variable} {
				if !strings.Contains(result.output, want) {
					t.Errorf("the output does not tell %q:\n%s", want, result.output)
				}
			}
		}
	})

	t.Run("server of the environment that does not answer", func(t *testing.T) {
		result := example(t, binary, "TestReport", given[1], servers.PostgresVariable+"=postgres://postgres@127.0.0.1:1/postgres")
		if want := "the server that HAL9_TEST_POSTGRES_URL names cannot be used"; result.err == nil || !strings.Contains(result.output, want) {
			t.Errorf("the output does not tell %q:\n%s", want, result.output)
		}
	})
}

func buildExample(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "example.test")
	output, err := exec.CommandContext(t.Context(), "go", "test", "-c", "-o", binary, "./testdata/example").CombinedOutput()
	if err != nil {
		t.Fatalf("build the example: %v\n%s", err, output)
	}
	return binary
}

type result struct {
	output string
	err    error
}

// example runs one test of the example, with the variables as its only servers.
func example(t *testing.T, binary, test string, variables ...string) result {
	t.Helper()
	output, err := exampleCommand(t, binary, test, variables...).CombinedOutput()
	return result{output: string(output), err: err}
}

func exampleCommand(t *testing.T, binary, test string, variables ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), binary, "-test.v", "-test.run", "^"+test+"$")
	cmd.Env = append(os.Environ(), servers.PostgresVariable+"=", servers.CacheVariable+"=")
	cmd.Env = append(cmd.Env, variables...)
	return cmd
}

func (r result) mustPass(t *testing.T) map[string]string {
	t.Helper()
	if r.err != nil {
		t.Fatalf("%v\n%s", r.err, r.output)
	}
	return r.values()
}

// values are the lines KEY=VALUE of the output.
func (r result) values() map[string]string {
	values := map[string]string{}
	for line := range strings.Lines(r.output) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && !strings.Contains(key, " ") {
			values[key] = value
		}
	}
	return values
}

// killWaiting kills the example with SIGKILL while its servers run, and returns
// what it has reported.
func killWaiting(t *testing.T, binary string) map[string]string {
	t.Helper()
	cmd := exampleCommand(t, binary, "TestWait")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = stdin.Close() }()
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var seen bytes.Buffer
	for scanner := bufio.NewScanner(io.TeeReader(stdout, &seen)); scanner.Scan() && scanner.Text() != "state=waiting"; {
	}
	reported := result{output: seen.String()}.values()
	if !reachable(t, reported["postgres"]) || !reachable(t, reported["cache"]) {
		t.Errorf("the servers do not run:\n%s", &seen)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	return reported
}

// awaitGone waits until a supervisor has ended the servers that were reported.
func awaitGone(t *testing.T, reported map[string]string) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		_, err := os.Stat(reported["directory"])
		gone := errors.Is(err, fs.ErrNotExist)
		if gone && !reachable(t, reported["postgres"]) && !reachable(t, reported["cache"]) {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("the servers are still there: %v", reported)
		}
	}
}

func reachable(t *testing.T, server string) bool {
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

func databaseExists(t *testing.T, server, name string) bool {
	t.Helper()
	return count(t, server, "SELECT count(*) FROM pg_database WHERE datname = $1", name) == 1
}

func databases(t *testing.T, server string) int {
	t.Helper()
	return count(t, server, "SELECT count(*) FROM pg_database WHERE datname LIKE 'hal9_test_%'")
}

func count(t *testing.T, server, query string, args ...any) int {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), server)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	var n int
	if err := conn.QueryRow(t.Context(), query, args...).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}
