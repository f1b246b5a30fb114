package main

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// forgetful passes connections on like a firewall that can lose its table: what was open
// then stays open and silent for ever, in both directions, and no end learns of it. No
// toxic of the proxy's does that: it ends the connections when it goes.
type forgetful struct {
	listener net.Listener
	to       string
	ends     sync.WaitGroup

	mu     sync.Mutex
	silent bool // for those that come
	links  map[*forgetfulLink]struct{}
}

type forgetfulLink struct {
	near, far net.Conn
	silent    atomic.Bool
}

// startForgetful passes on to an address until the test ends.
func startForgetful(t *testing.T, to string) *forgetful {
	t.Helper()
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &forgetful{listener: ln, to: to, links: map[*forgetfulLink]struct{}{}}
	f.ends.Go(f.accept)
	t.Cleanup(func() {
		_ = ln.Close()
		f.mu.Lock()
		for l := range f.links {
			l.close()
		}
		f.mu.Unlock()
		f.ends.Wait()
	})
	return f
}

func (f *forgetful) address() string { return f.listener.Addr().String() }

// forget silences what is open and what comes, remember ends it for what comes.
func (f *forgetful) forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.silent = true
	for l := range f.links {
		l.silent.Store(true)
	}
}

func (f *forgetful) remember() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.silent = false
}

func (f *forgetful) accept() {
	for {
		near, err := f.listener.Accept()
		if err != nil {
			return
		}
		far, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", f.to)
		if err != nil {
			_ = near.Close()
			continue
		}
		l := &forgetfulLink{near: near, far: far}
		f.mu.Lock()
		l.silent.Store(f.silent)
		f.links[l] = struct{}{}
		f.mu.Unlock()
		f.ends.Go(func() { f.pass(l, near, far) })
		f.ends.Go(func() { f.pass(l, far, near) })
	}
}

// pass copies one direction, and swallows it while the link is silent; its end too.
func (f *forgetful) pass(l *forgetfulLink, from, to net.Conn) {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if !l.silent.Load() && err == nil {
			_, err = to.Write(buf[:n])
		}
		if err != nil {
			break
		}
	}
	if !l.silent.Load() || from == l.near { // the far end learns nothing of a near one that was forgotten, and goes with it here
		l.close()
		f.mu.Lock()
		delete(f.links, l)
		f.mu.Unlock()
	}
}

func (l *forgetfulLink) close() {
	_ = l.near.Close()
	_ = l.far.Close()
}
