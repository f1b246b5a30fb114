package cacheutil_test

import (
	"bytes"
	"net"
	"sync"
	"testing"
	"time"
)

// gate is a proxy before a Valkey that can keep back the answers to calls, and lets
// through what is on the connections that carry invalidations.
type gate struct {
	listener net.Listener
	to       string

	mu   sync.Mutex
	held chan struct{} // closed when answers may pass; nil: they pass
	late time.Duration // of every answer
}

func newGate(t *testing.T, to string) *gate {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	g := &gate{listener: listener, to: to}
	t.Cleanup(func() {
		_ = listener.Close()
		g.pass()
	})
	go g.run()
	return g
}

func (g *gate) url() string { return "redis://" + g.listener.Addr().String() }

// hold keeps answers back until pass.
func (g *gate) hold() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.held = make(chan struct{})
}

func (g *gate) pass() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.held != nil {
		close(g.held)
	}
	g.held, g.late = nil, 0
}

// delay has every answer come so late.
func (g *gate) delay(by time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.late = by
}

func (g *gate) run() {
	for {
		in, err := g.listener.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("tcp", g.to)
		if err != nil {
			_ = in.Close()
			continue
		}
		tracking := make(chan struct{})
		go g.ask(in, out, tracking)
		go g.answer(in, out, tracking)
	}
}

// ask forwards commands, and closes tracking when one asks for invalidations.
func (*gate) ask(in, out net.Conn, tracking chan struct{}) {
	defer func() { _, _ = in.Close(), out.Close() }()
	data := make([]byte, 64<<10)
	for known := false; ; {
		n, err := in.Read(data)
		if !known && bytes.Contains(data[:n], []byte("TRACKING")) {
			known = true
			close(tracking)
		}
		if _, failed := out.Write(data[:n]); err != nil || failed != nil {
			return
		}
	}
}

// answer forwards answers, on a connection without invalidations when they may pass.
func (g *gate) answer(in, out net.Conn, tracking chan struct{}) {
	defer func() { _, _ = in.Close(), out.Close() }()
	data := make([]byte, 64<<10)
	for {
		n, err := out.Read(data)
		if n > 0 {
			g.wait(tracking)
		}
		if _, failed := in.Write(data[:n]); err != nil || failed != nil {
			return
		}
	}
}

func (g *gate) wait(tracking chan struct{}) {
	g.mu.Lock()
	held, late := g.held, g.late
	g.mu.Unlock()
	if late > 0 {
		lapse := make(chan struct{})
		time.AfterFunc(late, func() { close(lapse) })
		held = lapse
	}
	if held == nil {
		return
	}
	select {
	case <-held:
	case <-tracking:
	}
}
