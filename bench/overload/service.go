package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/hal9-ai/hal9/bench/benchdb"
	"github.com/hal9-ai/hal9/bench/loopback"
)

// service is a running server with an empty database, and what asks it.
type service struct {
	name    string
	address string
	token   string   // of an account
	deck    [][]byte // requests in the shares of the scenario peak
	pin     []string // stands before the server's command
	process *exec.Cmd
	folder  string
	drop    func() error
}

const password = "correct horse battery"

// accounts are who logs in during the flood.
const accounts = 8

func username(n int) string { return "load" + strconv.Itoa(n) }

// start starts a service on an engine: "sqlite", or "postgres" with the cache beside it,
// with further settings.
func start(ctx context.Context, o options, engine string, pin []string, environ ...string) (s *service, err error) {
	s = &service{pin: pin, drop: func() error { return nil }}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.stop())
		}
	}()
	if s.folder, err = os.MkdirTemp("", "hal9-overload-"); err != nil {
		return s, fmt.Errorf("make a folder: %w", err)
	}
	database := "sqlite://" + filepath.Join(s.folder, "hal9.db")
	if engine == postgres {
		s.name = "PostgreSQL + Valkey"
		if database, s.drop, err = benchdb.New(ctx, o.postgres, "overload"); err != nil {
			return s, fmt.Errorf("make a database: %w", err)
		}
		environ = append(environ, "HAL9_CACHE_URL="+o.cache, "HAL9_CACHE_KEY_PREFIX=overload-"+strconv.Itoa(os.Getpid())+":")
	} else {
		s.name = "SQLite"
	}
	if s.address, err = loopback.FreeAddress(ctx); err != nil {
		return s, err
	}
	if err := s.launch(o, database, environ); err != nil {
		return s, err
	}
	return s, s.prepare(ctx)
}

func (s *service) launch(o options, database string, environ []string) error {
	program, err := filepath.Abs(filepath.Join(o.bin, "hal9"))
	if err != nil {
		return fmt.Errorf("find hal9: %w", err)
	}
	command := append(slices.Clone(s.pin), program, "serve", "--migrate", "--server-listen", s.address)
	s.process = exec.Command(command[0], command[1:]...) //nolint:gosec,noctx // our own program, which stop ends
	s.process.Dir = s.folder
	s.process.Env = append(os.Environ(), append(environ, "HAL9_LOG_ACCESS_SAMPLE=0", "HAL9_LOG_FORMAT=json", "HAL9_DATABASE_URL="+database)...)
	log, err := os.Create(filepath.Join(s.folder, "log"))
	if err != nil {
		return fmt.Errorf("make a log: %w", err)
	}
	s.process.Stdout, s.process.Stderr = log, log
	if err := errors.Join(s.process.Start(), log.Close()); err != nil {
		s.process = nil
		return fmt.Errorf("start hal9: %w", err)
	}
	return nil
}

// prepare waits until the service is ready, and makes accounts and requests.
func (s *service) prepare(ctx context.Context) error {
	c := &conn{address: s.address}
	defer c.close()
	ready := func() bool {
		a, err := s.ask(ctx, c, request("GET", "/readyz", "", "", ""))
		return err == nil && a.status == 200
	}
	for deadline := time.Now().Add(time.Minute); !ready(); {
		if ctx.Err() != nil || time.Now().After(deadline) {
			text, _ := os.ReadFile(filepath.Join(s.folder, "log"))
			return fmt.Errorf("the service does not start\n%s", text)
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
		}
	}
	for n := range accounts {
		body := fmt.Sprintf(`{"username":%q,"password":%q}`, username(n), password)
		if a, err := s.ask(ctx, c, request("POST", "/api/v1/auth/register", "", "application/json", body)); err != nil || a.status/100 != 2 {
			return fmt.Errorf("register an account: status %d, %w", a.status, err)
		}
	}
	a, err := s.ask(ctx, c, loginRequest(0))
	if err != nil {
		return err
	}
	var grant struct {
		Data struct {
			Token string `json:"access_token"`
		} `json:"data"`
	}
	if err := json.Unmarshal(a.body, &grant); err != nil || grant.Data.Token == "" {
		return fmt.Errorf("log in: status %d", a.status)
	}
	s.token = grant.Data.Token
	s.deck = s.peakDeck()
	return nil
}

func (*service) ask(ctx context.Context, c *conn, request []byte) (answer, error) {
	if err := c.open(ctx); err != nil {
		return answer{}, err
	}
	return c.exchange(request, time.Now())
}

func loginRequest(n int) []byte {
	return request("POST", "/api/v1/auth/login", "", "application/json", fmt.Sprintf(`{"username":%q,"password":%q}`, username(n%accounts), password))
}

// peakDeck is the scenario peak of hal9 loadtest, dealt out evenly: 40 % signals, 20 %
// status, 20 % the list of neurons and one of them, 15 % profiles, 5 % metrics.
func (s *service) peakDeck() [][]byte {
	signal := request("POST", "/api/v1/signal", "", "application/json", `{"content":"Test signal of the overload","layer":"L3","neuron_id":"task-analyzer"}`)
	status := request("GET", "/api/v1/status", "", "", "")
	neurons := request("GET", "/api/v1/neurons", "", "", "")
	neuron := request("GET", "/api/v1/neurons/neuron-l4", "", "", "")
	profile := request("GET", "/api/v1/auth/profile", s.token, "", "")
	metrics := request("GET", "/api/v1/metrics", "", "", "")
	return [][]byte{
		signal, status, neurons, signal, profile, neuron, signal, status, signal, profile, neurons, neuron,
		signal, status, metrics, signal, neurons, neuron, signal, status, profile, signal, neurons, neuron,
	}
}

// cpu is the processor time that the server has taken.
func (s *service) cpu() time.Duration {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(s.process.Process.Pid) + "/stat")
	if err != nil {
		return 0
	}
	_, after, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(after)
	const utime, stime, hertz = 11, 12, 100
	if len(fields) <= stime {
		return 0
	}
	user, _ := strconv.ParseInt(fields[utime], 10, 64)
	system, _ := strconv.ParseInt(fields[stime], 10, 64)
	return time.Duration(user+system) * time.Second / hertz
}

// ownCPU is the processor time of this program.
func ownCPU() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func (s *service) stop() error {
	var all []error
	if s.process != nil {
		if err := s.process.Process.Signal(syscall.SIGINT); err != nil && !errors.Is(err, os.ErrProcessDone) {
			all = append(all, fmt.Errorf("end the service: %w", err))
		}
		_ = s.process.Wait() // how it ends is another test's matter
	}
	all = append(all, s.drop())
	if s.folder != "" {
		all = append(all, os.RemoveAll(s.folder))
	}
	return errors.Join(all...)
}
