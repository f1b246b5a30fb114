package cacheutil_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/url"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hal9-ai/hal9/cacheutil"
	"github.com/hal9-ai/hal9/internal/testenv"
)

// relay forwards connections from one address to another.
func relay(t *testing.T, from, to string) {
	t.Helper()
	listener, err := net.Listen("tcp", from)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			in, err := listener.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", to)
			if err != nil {
				_ = in.Close()
				continue
			}
			go pipe(in, out)
			go pipe(out, in)
		}
	}()
}

func pipe(to, from net.Conn) {
	_, _ = io.Copy(to, from)
	_, _ = to.Close(), from.Close()
}

func hostOf(t *testing.T, raw string) string {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u.Host
}

// A Valkey that is away at the start is no error, and is used when it comes.
func TestAwayAtStart(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	_ = listener.Close()
	m := open(t, cacheutil.Config{URL: "redis://" + address, Prefix: prefix(t)})
	c := wordCache(t, m, nil)
	load := func(context.Context) (string, error) { return "value", nil }
	read := func() {
		t.Helper()
		if got, err := c.Get(t.Context(), "k", load); got != "value" || err != nil {
			t.Fatal(got, err)
		}
	}
	read()
	c.Invalidate(t.Context(), "k", 1)
	m.InvalidateGroup(t.Context(), "g")
	if s := m.State(); s.Valkey != "down" || s.Tracking || s.Pending != 2 || m.Client() != nil {
		t.Errorf("got %+v", s)
	}
	if _, err := m.Peek(t.Context(), "k"); err == nil || errors.Is(err, cacheutil.ErrNoEntry) {
		t.Errorf("Peek says %v", err)
	}
	read()
	relay(t, address, hostOf(t, testenv.CacheURL(t)))
	testenv.Eventually(t, "Valkey is used", func() bool {
		s := m.State()
		return s.Valkey == "up" && s.Tracking && s.Pending == 0
	})
	testenv.Eventually(t, "the value is in memory", func() bool {
		read()
		return m.Stats()[0].HitsLocal > 0
	})
}

// While Valkey is frozen the breaker opens, reads go on, and it closes again.
func TestBreaker(t *testing.T) {
	p := newPair(t, cacheutil.Config{CallTimeout: 20 * time.Millisecond})
	p.warm("k")
	thaw := p.freeze()
	p.open()
	if s := p.ma.State(); s.Valkey != "down" {
		t.Errorf("got %+v", s)
	}
	errs := p.ma.Stats()[0].Errors
	for i := range 100 {
		p.get(p.a, keyOf(i))
	}
	if got := p.ma.Stats()[0].Errors; got != errs {
		t.Errorf("an open breaker let %d calls through", got-errs)
	}
	thaw()
	testenv.Eventually(t, "the breaker closes", func() bool {
		s := p.ma.State()
		return !s.BreakerOpen && s.Tracking
	})
	p.warm("k")
}

// Closing ends everything, while reads are in progress and Valkey is frozen.
func TestClose(t *testing.T) {
	server := testenv.StartCache(t)
	m, err := cacheutil.Open(t.Context(), cacheutil.Config{URL: server.URL()})
	if err != nil {
		t.Fatal(err)
	}
	c := wordCache(t, m, nil)
	begun := make(chan struct{})
	ended := make(chan error, 1)
	go func() {
		_, err := c.Get(t.Context(), "k", func(ctx context.Context) (string, error) {
			close(begun)
			<-ctx.Done()
			return "", ctx.Err()
		})
		ended <- err
	}()
	<-begun
	if err := syscall.Kill(server.PID(), syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = syscall.Kill(server.PID(), syscall.SIGCONT) }()
	if err := m.Close(); err != nil {
		t.Error(err)
	}
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the reader got %v", err)
	}
	if _, err := c.Get(t.Context(), "k", func(context.Context) (string, error) { return "a", nil }); err != nil {
		t.Errorf("a read after Close: %v", err)
	}
}

// Another epoch puts everything out of reach.
func TestEpoch(t *testing.T) {
	for name, server := range map[string]string{"local": "", "two tiers": testenv.CacheURL(t)} {
		t.Run(name, func(t *testing.T) {
			var epoch atomic.Int64
			epoch.Store(7)
			broken := errors.New("the database is away")
			var away atomic.Bool
			m := open(t, cacheutil.Config{
				URL: server, Prefix: prefix(t), EpochInterval: time.Millisecond, CallTimeout: time.Second,
				EpochSource: func(context.Context) (int64, error) {
					if away.Load() {
						return 0, broken
					}
					return epoch.Load(), nil
				},
			})
			c := wordCache(t, m, nil)
			var row atomic.Value
			read := func() string {
				got, err := c.Get(t.Context(), "k", func(context.Context) (string, error) {
					text, _ := row.Load().(string)
					return text, nil
				})
				if err != nil {
					t.Fatal(err)
				}
				return got
			}
			row.Store("old")
			read()
			row.Store("new")
			away.Store(true)
			if got := read(); got != "old" {
				t.Errorf("the epoch is the same, and got %q", got)
			}
			epoch.Add(1)
			away.Store(false)
			testenv.Eventually(t, "the epoch has changed", func() bool { return read() == "new" })
		})
	}
}

func TestConfigErrors(t *testing.T) {
	for want, cfg := range map[string]cacheutil.Config{
		"braces":                    {Prefix: "{x}:"},
		"LocalMaxBytes is negative": {LocalMaxBytes: -1},
		"CallTimeout is negative":   {CallTimeout: -1},
		"names no cache server":     {URL: "http://127.0.0.1"},
	} {
		m, err := cacheutil.Open(t.Context(), cfg)
		if err == nil {
			_ = m.Close()
			t.Errorf("%s: opened", want)
			continue
		}
		if !strings.Contains(err.Error(), want) {
			t.Errorf("got %q, want %q", err, want)
		}
	}
	m := open(t, cacheutil.Config{})
	for want, o := range map[string]cacheutil.Options[int]{
		"no name":          {},
		"TTL is negative":  {Name: "x", TTL: -1},
		"not a share":      {Name: "x", RefreshAhead: 1},
		"no strategy 9":    {Name: "x", Strategy: 9},
		"MaxBytes is nega": {Name: "x", MaxBytes: -1},
	} {
		if _, err := cacheutil.New(m, o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}
