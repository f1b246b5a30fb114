package subprocess_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/hal9-ai/hal9/internal/subprocess"
	"github.com/hal9-ai/hal9/internal/testenv"
)

// child is the argument that makes the test binary a child: it answers with its process
// id, except what it is told.
const child = "answer"

func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == child { // once there is the file
		for _, err := os.Stat(os.Args[2]); err != nil; _, err = os.Stat(os.Args[2]) {
			time.Sleep(time.Millisecond)
		}
	}
	if len(os.Args) >= 2 && os.Args[1] == child {
		err := subprocess.Serve(os.Stdin, os.Stdout, 2, func(request []byte) []byte {
			switch string(request) {
			case "die":
				os.Exit(1)
			case "environment":
				return []byte(strconv.Itoa(len(os.Environ())))
			case "name":
				return []byte(os.Args[0])
			case "hang":
				select {}
			}
			return []byte(strconv.Itoa(os.Getpid()))
		})
		if err != nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

const patience = 30 * time.Second

type process struct {
	*subprocess.Process

	t                *testing.T
	starts, failures *metrics.Counter
}

func newProcess(t *testing.T, change func(*subprocess.Config)) *process {
	t.Helper()
	p := &process{t: t, starts: new(metrics.Counter), failures: new(metrics.Counter)}
	cfg := subprocess.Config{Command: []string{os.Args[0], child}, Concurrency: 2, Starts: p.starts, Failures: p.failures}
	if change != nil {
		change(&cfg)
	}
	p.Process = subprocess.New(cfg)
	t.Cleanup(p.Close)
	return p
}

// pid asks the child who it is.
func (p *process) pid() int {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	answer, err := p.Do(ctx, []byte("pid"))
	if err != nil {
		p.t.Fatal(err)
	}
	pid, err := strconv.Atoi(string(answer))
	if err != nil {
		p.t.Fatal(err)
	}
	return pid
}

// One child serves many at once, with no environment but what it is given.
func TestProcessAnswers(t *testing.T) {
	t.Parallel()
	p := newProcess(t, nil)
	if p.Running() != 0 {
		t.Error("a child runs before the first request")
	}
	first := p.pid()
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if pid := p.pid(); pid != first {
				t.Errorf("answered by %d, want %d", pid, first)
			}
		})
	}
	all.Wait()
	if answer, err := p.Do(t.Context(), []byte("environment")); err != nil || string(answer) != "0" {
		t.Errorf("%s variables in the environment, %v", answer, err)
	}
	p.Close()
	if p.Running() != 0 {
		t.Error("the child outlives Close")
	}
	if _, err := p.Do(t.Context(), nil); !errors.Is(err, subprocess.ErrNotStarted) {
		t.Errorf("after Close: %v", err)
	}
}

// A child that is killed is replaced, and who asked it is answered by the next one.
func TestProcessKilled(t *testing.T) {
	t.Parallel()
	p := newProcess(t, nil)
	for range 3 {
		pid := p.pid()
		killed, err := os.FindProcess(pid)
		if err != nil {
			t.Fatal(err)
		}
		if err := killed.Kill(); err != nil {
			t.Fatal(err)
		}
		testenv.Eventually(t, "another child to answer", func() bool { return p.pid() != pid })
	}
	if n := p.starts.Get(); n != 4 {
		t.Errorf("%d starts", n)
	}
}

// What kills two children is asked of no third one; others are answered meanwhile.
func TestProcessDies(t *testing.T) {
	t.Parallel()
	p := newProcess(t, nil)
	if _, err := p.Do(t.Context(), []byte("die")); !errors.Is(err, subprocess.ErrDied) {
		t.Errorf("%v", err)
	}
	p.pid()
	if n := p.starts.Get(); n != 3 {
		t.Errorf("%d starts", n)
	}
}

// A child that answers nothing is killed when somebody has waited for long.
func TestProcessHangs(t *testing.T) {
	t.Parallel()
	p := newProcess(t, func(c *subprocess.Config) { c.Concurrency, c.Stuck = 1, time.Millisecond })
	first := p.pid()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := p.Do(ctx, []byte("hang")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	if second := p.pid(); second == first {
		t.Error("the child that hangs was not replaced")
	}
}

// What cannot be started, or is no child of ours, is told at once, and not tried again
// soon.
func TestProcessCannotStart(t *testing.T) {
	t.Parallel()
	for _, command := range [][]string{{"/nowhere/hal9"}, {os.Args[0], "-test.run=^$"}} {
		p := newProcess(t, func(c *subprocess.Config) { c.Command, c.Retry = command, time.Hour })
		for range 3 {
			if _, err := p.Do(t.Context(), nil); !errors.Is(err, subprocess.ErrNotStarted) {
				t.Errorf("%v: %v", command, err)
			}
		}
		if n := p.failures.Get(); n != 1 {
			t.Errorf("%v: tried %d times", command, n)
		}
	}
}

// A child without work is ended, and started again when there is some.
func TestProcessIdle(t *testing.T) {
	t.Parallel()
	p := newProcess(t, func(c *subprocess.Config) { c.Idle = time.Millisecond })
	first := p.pid()
	testenv.Eventually(t, "the idle child to end", func() bool { return p.Running() == 0 })
	if p.pid() == first {
		t.Error("answered by a process that ended")
	}
}

// Nobody waits longer for a child's start than he likes, and one that nobody waited for is
// ended as any other without work.
func TestProcessStartsLate(t *testing.T) {
	t.Parallel()
	signal := filepath.Join(t.TempDir(), "start")
	p := newProcess(t, func(c *subprocess.Config) { c.Command, c.Idle = append(c.Command, signal), time.Millisecond })
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			if _, err := p.Do(ctx, []byte("pid")); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%v", err)
			}
		})
	}
	all.Wait()
	if err := os.WriteFile(signal, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	testenv.Eventually(t, "the child to start", func() bool { return p.starts.Get() == 1 })
	testenv.Eventually(t, "the idle child to end", func() bool { return p.Running() == 0 })
	p.pid()
}

// A child is called what it is told to be, not what its file is.
func TestProcessName(t *testing.T) {
	t.Parallel()
	p := newProcess(t, func(c *subprocess.Config) { c.Name = "worker" })
	if name, err := p.Do(t.Context(), []byte("name")); err != nil || string(name) != "worker" {
		t.Errorf("%s, %v", name, err)
	}
}

// A request that no frame holds is refused, and no child is ended by it.
func TestProcessRequestTooLong(t *testing.T) {
	t.Parallel()
	p := newProcess(t, nil)
	first := p.pid()
	if _, err := p.Do(t.Context(), make([]byte, 1<<20)); err == nil || errors.Is(err, subprocess.ErrDied) {
		t.Errorf("%v", err)
	}
	if p.pid() != first {
		t.Error("the child was replaced")
	}
}

// Bytes that are no frame end a child, and take no memory.
func TestServeBadInput(t *testing.T) {
	t.Parallel()
	for _, input := range []string{"\xff\xff\xff\xff12345678", "\x00\x00\x00\x0912345678short"} {
		var out bytes.Buffer
		err := subprocess.Serve(bytes.NewBufferString(input), &out, 1, func(b []byte) []byte { return b })
		if err == nil {
			t.Errorf("%q is taken", input)
		}
	}
}
