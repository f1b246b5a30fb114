package server

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// handshakeListener hands out connections whose TLS handshake is done: those of HTTP/2 as
// net/http wants them, a *tls.Conn, and those of HTTP/1 as one that sees what is said on
// them, which net/http would otherwise keep to itself. It is made by newHandshakeListener,
// and has ended when Accept says net.ErrClosed.
type handshakeListener struct {
	net.Listener

	server  *Server
	config  *tls.Config
	timeout time.Duration // of a handshake; 0 for none
	ready   chan accepted // closed when no more come

	ctx      context.Context //nolint:containedctx // ends the handshakes, not a call
	stop     context.CancelFunc
	underWay sync.WaitGroup // handshakes
}

// accepted is what an Accept returns.
type accepted struct {
	conn net.Conn
	err  error
}

// newHandshakeListener begins to accept. Who stops to ask it closes it, and calls stop.
func newHandshakeListener(ctx context.Context, s *Server, ln net.Listener, config *tls.Config, timeout time.Duration) *handshakeListener {
	l := &handshakeListener{Listener: ln, server: s, config: config, timeout: timeout, ready: make(chan accepted)}
	l.ctx, l.stop = context.WithCancel(context.WithoutCancel(ctx))
	go l.run() //nolint:contextcheck // what it logs belongs to no call
	return l
}

// Accept implements net.Listener.
func (l *handshakeListener) Accept() (net.Conn, error) {
	a, ok := <-l.ready
	if !ok {
		return nil, net.ErrClosed
	}
	return a.conn, a.err
}

// run accepts until the listener is closed. Handshakes that are under way then have a
// moment to end, as newcomers have for their request.
func (l *handshakeListener) run() {
	defer close(l.ready)
	for {
		conn, err := l.Listener.Accept()
		if err == nil {
			l.underWay.Go(func() { l.shake(conn) })
			continue
		}
		if errors.Is(err, net.ErrClosed) {
			break
		}
		if !l.hand(accepted{nil, err}) { // net/http waits, and asks again
			break
		}
	}
	late := time.AfterFunc(l.server.newcomerTimeout, l.stop)
	defer late.Stop()
	l.underWay.Wait()
}

// hand gives to Accept; false says that nobody asks any longer.
func (l *handshakeListener) hand(a accepted) bool {
	select {
	case l.ready <- a:
		return true
	case <-l.ctx.Done():
		return false
	}
}

// shake makes the handshake of one connection, which it hands on or closes.
func (l *handshakeListener) shake(conn net.Conn) {
	ctx, cancel := l.ctx, context.CancelFunc(func() {})
	if l.timeout > 0 {
		ctx, cancel = context.WithTimeout(ctx, l.timeout)
	}
	defer cancel()
	secured := tls.Server(conn, l.config)
	if err := secured.HandshakeContext(ctx); err != nil {
		l.fail(conn, err)
		return
	}
	var ready net.Conn = secured
	if watched := watchedConn(secured); watched != nil && secured.ConnectionState().NegotiatedProtocol != protocolHTTP2 {
		ready = &securedConn{secured, watched}
	}
	if !l.hand(accepted{ready, nil}) {
		_ = ready.Close() // its client has asked nothing yet
	}
}

// fail ends a connection without a handshake. Who speaks HTTP without TLS is told so.
func (l *handshakeListener) fail(conn net.Conn, err error) {
	l.server.unreadable.handshakes.Inc()
	l.server.log.LogAttrs(l.ctx, slog.LevelDebug, "TLS handshake failed",
		slog.String("remote", conn.RemoteAddr().String()), slog.String("error", err.Error()))
	if plain := (tls.RecordHeaderError{}); errors.As(err, &plain) && plain.Conn != nil && looksLikeHTTP(plain.RecordHeader) {
		answer := l.server.refuseUnreadable(conn, newProblem(http.StatusBadRequest, "this server speaks HTTPS here; ask for https:// in place of http://"))
		if watched := watchedConn(conn); watched != nil {
			watched.taken.Store(true) // it is an answer already
		}
		_, _ = conn.Write(answer) // what is left to fail is the client's connection
	}
	_ = conn.Close()
}

// looksLikeHTTP tells whether what should be TLS begins with a method.
func looksLikeHTTP(begin [5]byte) bool {
	for _, b := range begin[:3] {
		if b < 'A' || b > 'Z' {
			return false
		}
	}
	return true
}

const (
	protocolHTTP1 = "http/1.1"
	protocolHTTP2 = "h2"
)

// securedConn is a connection of HTTP/1 over TLS. net/http learns of TLS by its
// ConnectionState.
type securedConn struct {
	*tls.Conn

	watched *deadlineConn
}

// Write implements net.Conn, as deadlineConn does.
func (c *securedConn) Write(p []byte) (int, error) {
	if !c.watched.taken.Load() && c.watched.watch.refuse != nil {
		if answer := c.watched.refusal(c, p); answer != nil {
			return writeInstead(c.Conn, answer, len(p))
		}
	}
	return c.Conn.Write(p) //nolint:wrapcheck // it stands for the connection
}
