package server

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// net/http moves the deadlines of a connection six times a request, for its headers, its
// body, its answer and the pause behind it; each time a timer of the runtime is stopped or
// started, together a thirtieth of a cached GET. Deadlines of seconds need not be that
// precise: here they are taken down, and one goroutine looks each grain whether one has
// passed. What was past when it last looked, as net/http sets to interrupt a read, holds at
// once.

// deadlineListener is a listener whose connections are looked after like that.
type deadlineListener struct {
	net.Listener

	watch *deadlineWatch
}

// Accept implements net.Listener.
func (l *deadlineListener) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if err != nil {
		return nil, err //nolint:wrapcheck // net/http looks at it
	}
	if _, ok := nc.(syscall.Conn); !ok {
		return nc, nil // of no kind that is known here
	}
	return l.watch.add(nc), nil
}

// deadlineWatch looks after connections. It is safe for concurrent use; run ends it.
type deadlineWatch struct {
	grain time.Duration
	wake  chan struct{} // takes one word when there is a first connection
	begun time.Time
	// now is when it last looked, since begun.
	now atomic.Int64
	// unread counts the connections that are left unread at present.
	unread *atomic.Int64
	// hurry is closed when none is to be left unread any longer.
	hurry chan struct{}
	// refuse makes an answer of a refusal of net/http, nil of what is none; nil lets all pass.
	refuse func(on net.Conn, said []byte) []byte

	mu    sync.Mutex
	conns map[*deadlineConn]struct{}
}

// A deadline is late by deadlineGrain at the most, and by a part of the shortest that
// there is.
const (
	deadlineGrain = 250 * time.Millisecond
	leastGrain    = 5 * time.Millisecond
	grainPart     = 20
)

// newDeadlineWatch makes one for deadlines of these lengths, of which 0 is none, which counts
// connections that are left unread.
func newDeadlineWatch(unread *atomic.Int64, lengths ...time.Duration) *deadlineWatch {
	w := &deadlineWatch{grain: deadlineGrain, wake: make(chan struct{}, 1), unread: unread, hurry: make(chan struct{}), conns: map[*deadlineConn]struct{}{}, begun: time.Now()}
	for _, d := range lengths {
		if d > 0 {
			w.grain = max(leastGrain, min(w.grain, d/grainPart))
		}
	}
	return w
}

func (w *deadlineWatch) add(nc net.Conn) *deadlineConn {
	c := &deadlineConn{Conn: nc, watch: w}
	w.mu.Lock()
	w.conns[c] = struct{}{}
	first := len(w.conns) == 1
	w.mu.Unlock()
	if first {
		select {
		case w.wake <- struct{}{}:
		default:
		}
	}
	return c
}

// run looks until stop is closed. Without connections it rests.
func (w *deadlineWatch) run(stop <-chan struct{}) {
	tick := time.NewTicker(w.grain)
	defer tick.Stop()
	for {
		if w.look(time.Now()) == 0 {
			tick.Stop()
			select {
			case <-w.wake:
			case <-stop:
				return
			}
			tick.Reset(w.grain)
		}
		select {
		case <-tick.C:
		case <-stop:
			return
		}
	}
}

// look ends what is over, and tells how many connections there are.
func (w *deadlineWatch) look(at time.Time) int {
	now := at.Sub(w.begun)
	w.now.Store(int64(now))
	w.mu.Lock()
	defer w.mu.Unlock()
	for c := range w.conns {
		c.read.look(now, c.Conn.SetReadDeadline)
		c.write.look(now, c.Conn.SetWriteDeadline)
	}
	return len(w.conns)
}

// deadlineConn is a connection whose deadlines cost next to nothing.
type deadlineConn struct {
	net.Conn

	watch       *deadlineWatch
	read, write deadline
	// unreadFor is how long it is to be left unread after the answer under way; 0 is not at
	// all.
	unreadFor atomic.Int64
	// Since the watch began: until when it is left unread, 0 if it is not; and since when it
	// is read again, 0 if it always was.
	unreadUntil, readSince atomic.Int64
	// Of HTTP/1: bytes of a request came, it is with the handler, it was refused without.
	begun, taken, refused atomic.Bool
}

// deadline is one of a connection.
type deadline struct {
	at atomic.Int64 // when it is, since the watch began; 0 for never

	mu   sync.Mutex // held to tell the connection
	over bool       // the connection was told that it is over
}

// past is a deadline that is over, whatever a clock says.
func past() time.Time { return time.Unix(1, 0) }

// set takes a deadline down, and tells the connection what cannot wait.
func (d *deadline) set(t time.Time, w *deadlineWatch, tell func(time.Time) error) error {
	at, over := time.Duration(0), false
	if !t.IsZero() {
		at = t.Sub(w.begun)
		over = int64(at) <= w.now.Load()
		if at == 0 {
			at = -1
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.at.Store(int64(at))
	if !over && !d.over {
		return nil
	}
	d.over = over
	if over {
		return tell(past())
	}
	return tell(time.Time{})
}

func (d *deadline) look(now time.Duration, tell func(time.Time) error) {
	if at := d.at.Load(); at == 0 || int64(now) < at {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if at := d.at.Load(); d.over || at == 0 || int64(now) < at {
		return
	}
	d.over = true
	_ = tell(past()) // of a connection that is closed nobody waits
}

// SetDeadline implements net.Conn.
func (c *deadlineConn) SetDeadline(t time.Time) error {
	if err := c.SetReadDeadline(t); err != nil {
		return err
	}
	return c.SetWriteDeadline(t)
}

// SetReadDeadline implements net.Conn.
func (c *deadlineConn) SetReadDeadline(t time.Time) error {
	return c.read.set(t, c.watch, c.Conn.SetReadDeadline)
}

// SetWriteDeadline implements net.Conn.
func (c *deadlineConn) SetWriteDeadline(t time.Time) error {
	return c.write.set(t, c.watch, c.Conn.SetWriteDeadline)
}

// Close implements net.Conn.
func (c *deadlineConn) Close() error {
	c.watch.mu.Lock()
	delete(c.watch.conns, c)
	c.watch.mu.Unlock()
	c.readOn()
	return c.Conn.Close() //nolint:wrapcheck // it stands for the connection
}

// CloseWrite says that nothing more is sent, as net/http does where it gives a connection
// up: the client learns of it, and reads what it was told, before the connection breaks.
func (c *deadlineConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

// NetConn is the connection below.
func (c *deadlineConn) NetConn() net.Conn { return c.Conn }
