package hal9_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	hal9 "github.com/hal9-ai/hal9/clients/go"
)

// program is the service under test: `make test` says where it is.
func program(tb testing.TB) string {
	tb.Helper()
	path := os.Getenv("HAL9_TEST_PROGRAM")
	if path == "" {
		path = filepath.Join("..", "..", "bin", "hal9")
	}
	path, err := filepath.Abs(path)
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		tb.Fatalf("there is no service to test with: run 'make build' at the root of the repository, or name one in HAL9_TEST_PROGRAM (%v)", err)
	}
	return path
}

// service is a running 'hal9 serve'.
type service struct {
	t       testing.TB
	url     string
	address string
	folder  string   // with its database
	args    []string // of its command line
	cmd     *exec.Cmd
	ended   chan error
	log     *syncBuffer
}

var serving = regexp.MustCompile(`"msg":"serving","address":"([^"]+)"`)

// serve starts a service on a new database in a folder of its own.
func serve(tb testing.TB, args ...string) *service {
	tb.Helper()
	s := &service{t: tb, folder: tb.TempDir(), address: "127.0.0.1:0", args: args, log: &syncBuffer{}}
	s.start()
	tb.Cleanup(func() {
		_ = s.stop()
		if tb.Failed() {
			tb.Logf("the service's log:\n%s", s.log)
		}
	})
	return s
}

// start begins to serve, where it served before if it did.
func (s *service) start() {
	s.t.Helper()
	before := len(s.log.String())
	s.cmd = exec.Command(program(s.t), append([]string{
		"serve", "--server-listen", s.address, "--server-drain-delay", "0s",
		"--database-url", "sqlite://hal9.db", "--log-format", "json",
	}, s.args...)...)
	s.cmd.Dir, s.cmd.Env, s.cmd.Stderr, s.cmd.Stdout = s.folder, environment(), s.log, io.Discard
	s.ended = make(chan error, 1)
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	go func() { s.ended <- s.cmd.Wait() }()
	deadline := time.After(time.Minute)
	for {
		if m := serving.FindStringSubmatch(s.log.String()[before:]); m != nil {
			s.address, s.url = m[1], "http://"+m[1]
			return
		}
		select {
		case err := <-s.ended:
			s.t.Fatalf("the service ended: %v\n%s", err, s.log)
		case <-deadline:
			s.t.Fatalf("the service does not begin:\n%s", s.log)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// stop asks the service to end and waits for it.
func (s *service) stop() error {
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	err := <-s.ended
	s.ended <- err // for the next who asks
	return err
}

// awaitMetric waits until a line of the service's metrics matches.
func (s *service) awaitMetric(line string) {
	s.t.Helper()
	wanted := regexp.MustCompile("(?m)^" + line)
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		metrics, err := s.client().PrometheusGetWithResponse(context.Background())
		if err == nil && wanted.Match(metrics.Body) {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("the metrics never say %s: %v", line, err)
		}
	}
}

// command runs a command of the program on the service's database.
func (s *service) command(args ...string) string {
	s.t.Helper()
	cmd := exec.Command(program(s.t), append(args, "--database-url", "sqlite://hal9.db")...)
	cmd.Dir, cmd.Env = s.folder, environment()
	out, err := cmd.Output()
	if err != nil {
		s.t.Fatalf("hal9 %v: %v", args, err)
	}
	return string(bytes.TrimSpace(out))
}

// environment is this one without a developer's own settings of the service.
func environment() []string {
	return slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "HAL9_") })
}

// client is one that is quick to try again.
func (s *service) client(options ...hal9.Option) *hal9.Client {
	s.t.Helper()
	return clientOf(s.t, s.url, options...)
}

func clientOf(tb testing.TB, url string, options ...hal9.Option) *hal9.Client {
	tb.Helper()
	quick := hal9.WithRetries(hal9.Retries{Attempts: 300, Base: time.Millisecond, Longest: 200 * time.Millisecond})
	c, err := hal9.New(url, append([]hal9.Option{quick}, options...)...)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// count is how many signals a neuron was sent.
func (s *service) count(neuron string) int {
	s.t.Helper()
	n := 0
	for _, err := range s.client().Signals(context.Background(), signalsTo(neuron, 1000)) {
		if err != nil {
			s.t.Fatal(err)
		}
		n++
	}
	return n
}

// syncBuffer may be read while it is written.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// faults stands between client and service and spoils answers.
type faults struct {
	*faultServer
	mu   sync.Mutex
	seen map[string]int // requests by method and path
	// spoil may answer itself, or return true to lose the service's answer.
	spoil func(w http.ResponseWriter, r *http.Request, nth int) (answered, lose bool)
}

func (f *faults) count(route string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.seen[route]
}

func (f *faults) nth(r *http.Request) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seen[r.Method+" "+r.URL.Path]++
	return f.seen[r.Method+" "+r.URL.Path]
}

func lines(n int) []byte {
	var b bytes.Buffer
	for i := range n {
		fmt.Fprintf(&b, "{\"content\": \"row %d\", \"layer_to\": \"L3\", \"to_neuron\": \"bulk\"}\n", i+1)
	}
	return b.Bytes()
}
