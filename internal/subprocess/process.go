// Package subprocess has a child of this program do work that must not take the processor
// from the program itself: the child can have a lower priority, which goroutines cannot.
// Both speak by frames over the child's standard input and output: 4 bytes of length, 8 of
// the request's number, then the payload.
package subprocess

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os/exec"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/VictoriaMetrics/metrics"
)

// Errors of Do that callers tell apart.
var (
	// ErrNotStarted says that there is no child and none can be started.
	ErrNotStarted = errors.New("the child process cannot be started")
	// ErrDied says that the child ended during the request, and the next one as well.
	ErrDied = errors.New("the child process died at its work")
)

const (
	// hello is the number of the frame by which a child says that it is there.
	hello = 0
	// startTimeout is how long a child may take to say so.
	startTimeout = 5 * time.Second
	// retryMost is how long nothing is started at the most after starts that failed.
	retryMost = time.Minute
)

// Config is what a Process works with. Command is required.
type Config struct {
	// Command is the program of the child, with its arguments.
	Command []string
	// Name is what the child is called in lists of processes, as its argument 0:
	// Command[0] by default.
	Name string
	// Environ is the child's whole environment.
	Environ []string
	// Concurrency is how many requests are under way at once, 1 by default.
	Concurrency int
	// Idle is after how long without a request the child is ended. 1 min.
	Idle time.Duration
	// Stuck is how long a child may answer nothing until it is killed when somebody gives up
	// waiting for it: it may be stopped, and another one would not be. 5 s.
	Stuck time.Duration
	// Retry is how long nothing is started after a start that failed, and twice as long
	// after each further one, up to a minute. 1 s.
	Retry  time.Duration
	Logger *slog.Logger
	// Starts counts the children that were started, Failures those that could not be.
	Starts, Failures *metrics.Counter
}

// Process is a child process that is started by the first request, again when it ended,
// and ended when it is idle. It is safe for concurrent use. Close ends it.
type Process struct {
	cfg    Config
	turns  chan struct{}
	ending chan struct{} // closed by Close

	mu       sync.Mutex
	child    *child
	starting *startup // nil: none is under way
	closed   bool
	failed   time.Time // when a start failed last
	retry    time.Duration

	alive atomic.Int64
	all   sync.WaitGroup // of starts and children
}

// startup is the start of a child, for which each waits as long as he likes.
type startup struct {
	done  chan struct{}
	child *child // after done, as err is
	err   error

	waiting int // how many; under the Process's mu
}

// New makes a Process that has no child yet.
func New(cfg Config) *Process {
	cfg.Concurrency = max(1, cfg.Concurrency)
	if cfg.Idle == 0 {
		cfg.Idle = time.Minute
	}
	if cfg.Retry == 0 {
		cfg.Retry = time.Second
	}
	if cfg.Stuck == 0 {
		cfg.Stuck = 5 * time.Second
	}
	if cfg.Starts == nil {
		cfg.Starts = new(metrics.Counter)
	}
	if cfg.Failures == nil {
		cfg.Failures = new(metrics.Counter)
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Process{cfg: cfg, turns: make(chan struct{}, cfg.Concurrency), ending: make(chan struct{})}
}

// Running is how many children there are: 0 or 1, and 2 while one replaces another.
func (p *Process) Running() int64 { return p.alive.Load() }

// Do has the child answer one request. A request whose child dies is asked once more of
// the next one. ErrNotStarted says that nothing was done, ErrDied that two of them died.
func (p *Process) Do(ctx context.Context, request []byte) ([]byte, error) {
	if len(request) > maxFrame {
		return nil, fmt.Errorf("a request of %d bytes is too long: at most %d", len(request), maxFrame)
	}
	select {
	case p.turns <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	const tries = 2
	for range tries {
		c, err := p.get(ctx)
		if err != nil {
			<-p.turns
			return nil, err
		}
		answer := c.ask(request)
		select {
		case payload, ok := <-answer:
			if ok {
				<-p.turns
				return payload, nil
			}
		case <-ctx.Done():
			// The child goes on with it, and the turn is taken for as long.
			go func() { <-answer; <-p.turns }()
			c.checkStuck()
			return nil, ctx.Err()
		}
	}
	<-p.turns
	return nil, ErrDied
}

// get returns the child, once it is started if there is none.
func (p *Process) get(ctx context.Context) (*child, error) {
	c, start, err := p.look() //nolint:contextcheck // a start outlives who asked first
	if start == nil {
		return c, err
	}
	select {
	case <-start.done:
		return start.child, start.err
	case <-ctx.Done():
		p.mu.Lock()
		defer p.mu.Unlock()
		if start.waiting--; start.waiting == 0 && start.child != nil {
			start.child.rest()
		}
		return nil, ctx.Err()
	}
}

// look returns the child, or the start to wait for.
func (p *Process) look() (*child, *startup, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.closed:
		return nil, nil, ErrNotStarted
	case p.child != nil && !p.child.ended():
		return p.child, nil, nil
	case p.starting != nil:
	case !p.failed.IsZero() && time.Since(p.failed) < p.retry:
		return nil, nil, ErrNotStarted
	default:
		start := &startup{done: make(chan struct{})}
		p.starting = start
		p.all.Go(func() {
			c, err := p.start()
			p.started(start, c, err)
		})
	}
	p.starting.waiting++
	return nil, p.starting, nil
}

// started hands the outcome of a start to those who wait for it.
func (p *Process) started(start *startup, c *child, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	defer close(start.done)
	p.starting = nil
	switch {
	case p.closed:
		start.err = ErrNotStarted
		if c != nil {
			c.endIdle()
			c.kill()
		}
	case err != nil:
		start.err = ErrNotStarted
		p.cfg.Failures.Inc()
		p.failed, p.retry = time.Now(), max(p.cfg.Retry, min(2*p.retry, retryMost))
		p.cfg.Logger.WarnContext(context.Background(), "a child process cannot be started; its work is done in this one",
			slog.Any("error", err), slog.String("again_after", p.retry.String()))
	default:
		p.cfg.Starts.Inc()
		p.child, p.failed, p.retry, start.child = c, time.Time{}, 0, c
		if start.waiting == 0 {
			c.rest()
		}
	}
}

// Close ends the child and waits for it. What is asked later is ErrNotStarted.
func (p *Process) Close() {
	p.mu.Lock()
	if !p.closed {
		p.closed = true
		close(p.ending)
	}
	c := p.child
	p.mu.Unlock()
	if c != nil {
		c.close()
	}
	p.all.Wait()
}

// start starts a child and waits for its hello.
func (p *Process) start() (*child, error) {
	cmd := exec.Command(p.cfg.Command[0], p.cfg.Command[1:]...) //nolint:gosec,noctx // this program; it ends with its input
	if p.cfg.Name != "" {
		cmd.Args[0] = p.cfg.Name
	}
	cmd.Env = p.cfg.Environ
	if cmd.Env == nil {
		cmd.Env = []string{}
	}
	tie(cmd)
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("make a pipe: %w", err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("make a pipe: %w", err), in.Close())
	}
	c := &child{
		in: in, requests: make(chan request, p.cfg.Concurrency), waiting: map[uint64]chan []byte{}, cmd: cmd, done: make(chan struct{}),
		idle: p.cfg.Idle, stuck: p.cfg.Stuck, log: p.cfg.Logger,
	}
	c.heard.Store(time.Now().UnixNano())
	started, greeted := make(chan error, 1), make(chan error, 1)
	p.all.Go(func() {
		// Linux ends a tied child with the thread that started it, which so stays until then.
		runtime.LockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			p.alive.Add(1)
			c.run(out, greeted)
			p.alive.Add(-1)
		}
	})
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", p.cfg.Command[0], err) // which has closed the pipes
	}
	timer := time.NewTimer(startTimeout)
	defer timer.Stop()
	select {
	case err := <-greeted:
		if err == nil {
			p.all.Go(c.send)
			return c, nil
		}
		c.kill()
		<-c.done
		return nil, fmt.Errorf("it did not say hello: %w", errors.Join(err, c.exit))
	case <-timer.C:
		c.kill()
		return nil, errors.New("it did not say hello in time")
	case <-p.ending:
		c.kill()
		return nil, ErrNotStarted
	}
}
