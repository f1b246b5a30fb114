package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/hal9-ai/hal9/internal/testenv"
)

const hashPassword = "correct horse battery"

// startProgram runs 'hal9 serve' as a process of its own and waits until it serves.
func startProgram(t *testing.T, database string, environ ...string) (*served, *os.Process) {
	t.Helper()
	s := &served{stderr: &testenv.Log{}}
	c := exec.Command(os.Args[0], "serve", "--server-listen", "127.0.0.1:0", "--database-url", database, "--auth-failures-per-account", "100000")
	c.Env, c.Stderr = append(append(os.Environ(), asProgram+"=1"), environ...), s.stderr
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = c.Process.Kill(), c.Wait() })
	testenv.Eventually(t, "the server to serve", func() bool {
		m := servingLine.FindStringSubmatch(s.stderr.String())
		if m != nil {
			s.url = "http://" + m[1]
		}
		return m != nil
	})
	return s, c.Process
}

// password posts a name and the password to a route, and returns the answer's status.
func (s *served) password(ctx context.Context, t *testing.T, route string) (status int, retryAfter string) {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+"/api/v1/auth/"+route, strings.NewReader(`{"username":"ann","password":"`+hashPassword+`"}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Error(err)
		return 0, ""
	}
	defer resp.Body.Close()
	var body map[string]any
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&body); err != nil {
		t.Error(err)
	}
	return resp.StatusCode, resp.Header.Get("Retry-After")
}

// hashers are the processes that hash for a server, by their ids.
func hashers(parent int) []int {
	entries, _ := filepath.Glob("/proc/[0-9]*/stat")
	var all []int
	for _, name := range entries {
		text, err := os.ReadFile(name)
		if err != nil {
			continue // it has ended
		}
		_, after, _ := strings.Cut(string(text), ") ")
		if fields := strings.Fields(after); len(fields) > 1 && fields[1] == strconv.Itoa(parent) && fields[0] != "Z" {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(name)))
			all = append(all, pid)
		}
	}
	return all
}

// alive tells whether a process is there and no zombie.
func alive(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, after, _ := strings.Cut(string(text), ") ")
	return err == nil && !strings.HasPrefix(after, "Z")
}

// Passwords are hashed in a process of a low priority, which sees no secret but them, is
// replaced when it dies, and does not outlive its server, however that ends.
func TestHashProcess(t *testing.T) {
	t.Parallel()
	s, server := startProgram(t, "sqlite://"+filepath.Join(t.TempDir(), "hal9.db"))
	if n := hashers(server.Pid); len(n) != 0 {
		t.Errorf("%d processes before the first password", len(n))
	}
	ctx := t.Context()
	if status, _ := s.password(ctx, t, "register"); status != 200 {
		t.Fatalf("register: %d", status)
	}
	children := hashers(server.Pid)
	if len(children) != 1 {
		t.Fatalf("children: %v", children)
	}
	own := "/proc/" + strconv.Itoa(children[0])
	command, _ := os.ReadFile(own + "/cmdline")
	environ, _ := os.ReadFile(own + "/environ")
	if seen := string(command) + string(environ); strings.Contains(seen, hashPassword) || strings.Contains(seen, "sqlite") || !strings.Contains(seen, "GOMAXPROCS=") {
		t.Errorf("others on the machine see %q", seen)
	}
	if comm, _ := os.ReadFile(own + "/comm"); string(command) != "hal9\x00"+hashWorker+"\x00" || string(comm) != "hal9\n" {
		t.Errorf("lists of processes show %q and %q", command, comm)
	}
	threads, _ := filepath.Glob(own + "/task/*/stat")
	for _, thread := range threads {
		text, _ := os.ReadFile(thread)
		_, after, _ := strings.Cut(string(text), ") ")
		fields := strings.Fields(after)
		if len(fields) < 39 || fields[16] != strconv.Itoa(hashNice) || fields[38] != strconv.Itoa(unix.SCHED_IDLE) {
			t.Errorf("%s: nice level or policy: %v", thread, fields)
		}
	}

	var logins sync.WaitGroup
	killing, stop := context.WithCancel(ctx)
	for range 3 {
		logins.Go(func() {
			for killing.Err() == nil {
				if status, wait := s.password(ctx, t, "login"); status != 200 && (status != 503 || wait == "") {
					t.Errorf("login: %d, Retry-After %q", status, wait)
				}
			}
		})
	}
	for range 3 {
		before := hashers(server.Pid)
		for _, pid := range before {
			_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended
		}
		testenv.Eventually(t, "another process to hash", func() bool {
			now := hashers(server.Pid)
			return len(now) == 1 && !slices.Equal(now, before)
		})
	}
	stop()
	logins.Wait()
	if status, _ := s.password(ctx, t, "login"); status != 200 {
		t.Errorf("login after the kills: %d", status)
	}
	if text := s.get(t, "/metrics"); strings.Contains(text, "\nhal9_auth_hash_process_starts_total 1\n") {
		t.Error("the metrics do not tell of the processes")
	}
	if strings.Contains(s.stderr.String(), hashPassword) {
		t.Error("the password is in the log")
	}

	last := hashers(server.Pid)
	if err := server.Kill(); err != nil {
		t.Fatal(err)
	}
	testenv.Eventually(t, "the process that hashes to end with its server", func() bool {
		return !slices.ContainsFunc(last, alive)
	})
}

// Where no process can be started, or the one that is dies at once as under a filter of
// system calls, the server hashes by itself, and says so.
func TestHashProcessCannotStart(t *testing.T) {
	t.Parallel()
	for _, program := range []string{"/nowhere/hal9", "/bin/false"} {
		ctx, stop := context.WithCancel(t.Context())
		s := &served{stderr: &testenv.Log{}, stop: stop, code: make(chan int, 1)}
		args := []string{"serve", "--server-listen", "127.0.0.1:0", "--server-drain-delay", "0s", "--database-url", "sqlite://" + filepath.Join(t.TempDir(), "hal9.db")}
		go func() {
			s.code <- run(&Globals{Context: ctx, Stdin: strings.NewReader(""), Stdout: io.Discard, Stderr: s.stderr, Self: program}, args)
		}()
		testenv.Eventually(t, "the server to serve", func() bool {
			m := servingLine.FindStringSubmatch(s.stderr.String())
			if m != nil {
				s.url = "http://" + m[1]
			}
			return m != nil
		})
		for _, route := range []string{"register", "login", "login"} {
			if status, _ := s.password(ctx, t, route); status != 200 {
				t.Errorf("%s: %d", route, status)
			}
		}
		if text := s.get(t, "/metrics"); !strings.Contains(text, "\nhal9_auth_hash_process_failures_total ") || strings.Contains(text, "\nhal9_auth_hash_process_failures_total 0\n") {
			t.Error("the metrics do not tell of the failure")
		}
		if !strings.Contains(s.stderr.String(), "cannot be started") {
			t.Error("the log does not tell of the failure")
		}
		if code := s.end(); code != exitOK {
			t.Errorf("exit %d\n%s", code, s.stderr)
		}
	}
}
