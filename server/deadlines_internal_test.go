package server

import (
	"errors"
	"io"
	"net"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/nettest"
)

// pair is both ends of a connection over loopback, the first watched.
func pair(w *deadlineWatch) (watched, other net.Conn, err error) {
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	ln := &deadlineListener{plain, w}
	defer func() { err = errors.Join(err, ln.Close()) }()
	if other, err = net.Dial("tcp", ln.Addr().String()); err != nil {
		return nil, nil, err
	}
	watched, err = ln.Accept()
	return watched, other, err
}

func watching(t *testing.T, w *deadlineWatch) {
	t.Helper()
	stop, ended := make(chan struct{}), make(chan struct{})
	go func() { defer close(ended); w.run(stop) }()
	t.Cleanup(func() { close(stop); <-ended })
}

// A watched connection is one by the standard library's own measure.
func TestWatchedConnection(t *testing.T) {
	t.Parallel()
	w := newDeadlineWatch(&atomic.Int64{}, time.Millisecond)
	watching(t, w)
	nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
		c1, c2, err = pair(w)
		return c1, c2, func() { _, _ = c1.Close(), c2.Close() }, err
	})
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.conns) != 0 {
		t.Errorf("%d connections that are closed are watched", len(w.conns))
	}
}

// A connection is closed for writing alone, as net/http does before it gives one up.
func TestWatchedConnectionHalfClosed(t *testing.T) {
	t.Parallel()
	c, other, err := pair(newDeadlineWatch(&atomic.Int64{}))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = c.Close(), other.Close() }()
	half, ok := c.(interface{ CloseWrite() error })
	if !ok {
		t.Fatal("it cannot be")
	}
	if err := half.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if n, err := other.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("the other end read %d bytes, %v", n, err)
	}
	if _, err := other.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
		t.Errorf("read after that: %v", err)
	}
}

// What is past interrupts a read at once, whoever looks: nobody does here.
func TestPastDeadline(t *testing.T) {
	t.Parallel()
	c, other, err := pair(newDeadlineWatch(&atomic.Int64{}))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = c.Close(), other.Close() }()
	ended := make(chan error, 1)
	go func() {
		_, err := c.Read(make([]byte, 1))
		ended <- err
	}()
	if err := c.SetReadDeadline(time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the read ended with %v", err)
	}
	for _, d := range []time.Time{{}, time.Now().Add(time.Hour)} {
		if err := errors.Join(c.SetReadDeadline(time.Unix(1, 0)), c.SetReadDeadline(d)); err != nil {
			t.Fatal(err)
		}
		if _, err := other.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
			t.Errorf("read with the deadline %v: %v", d, err)
		}
	}
}
