package server

import (
	"crypto/tls"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"time"
)

// A client that is refused and comes again at once costs the server another refusal, and
// some thousand such clients cost it more than the requests that it lets in. What takes next
// to nothing is not to look: a connection whose client was told when to come again is left
// unread until then. Who heeds Retry-After never notices; who does not waits in the kernel,
// as with a server that is slow. Decision 39 has what was measured.
//
// Behind a connection of a proxy are many clients, of whom one was refused: it is read on.

const (
	// refusalsPerSecond is how many there should be if all come again when they are told to:
	// a few hundredths of a core.
	refusalsPerSecond = 1000
	// mostRetryBase bounds Retry-After, which is up to three times that.
	mostRetryBase = 5.0 // seconds
)

// retryIn draws how long a refused request should wait: from once to three times a base, so
// that not all come together, which is longer the more wait already.
func retryIn(waiting int64) time.Duration {
	base := min(max(1, float64(waiting)/(2*refusalsPerSecond)), mostRetryBase)
	return time.Duration(base * (1 + 2*rand.Float64()) * float64(time.Second)) //nolint:gosec // not a secret
}

// retryAfter is the header of a request that a lane refused, whose connection is left unread
// until then. Who looks after the server is not kept waiting.
func (s *Server) retryAfter(r *http.Request, a *admission) string {
	wait := retryIn(s.unread.Load())
	if a == s.general {
		s.leaveUnread(r, wait)
	}
	return strconv.Itoa(int(math.Ceil(wait.Seconds())))
}

// leaveUnread leaves the connection of a refused request unread for a time, of which the
// setting is the most.
func (s *Server) leaveUnread(r *http.Request, d time.Duration) {
	d = min(d, s.cfg.Limits.RefusalPause)
	if d <= 0 || r.ProtoMajor != 1 || s.ofProxy(r) {
		return
	}
	if c := watchedConn(connOf(r.Context())); c != nil {
		c.unreadFor.Store(int64(d))
	}
}

// ofProxy tells whether a request came by a connection that several clients may share.
func (s *Server) ofProxy(r *http.Request) bool {
	for _, name := range [...]string{"X-Forwarded-For", "Forwarded", "Via"} {
		if len(r.Header[name]) > 0 {
			return true
		}
	}
	peer, ok := peerOf(r)
	return ok && s.trusted(peer)
}

// watchedConn is the connection below a request's, if it can be left unread; else nil.
func watchedConn(c net.Conn) *deadlineConn {
	switch c := c.(type) {
	case *deadlineConn:
		return c
	case *securedConn:
		return c.watched
	case *tls.Conn:
		watched, _ := c.NetConn().(*deadlineConn)
		return watched
	default:
		return nil
	}
}

// answered says that net/http has sent an answer and goes on to the next request: during a
// request it reads, too, to see whether the client is there, and that must not wait.
func (c *deadlineConn) answered() {
	if d := time.Duration(c.unreadFor.Load()); d != 0 {
		c.unreadFor.Store(0)
		c.unreadUntil.Store(int64(time.Since(c.watch.begun) + d))
		c.watch.unread.Add(1)
	}
}

// Read implements net.Conn. A connection that is left unread is read when that is over, or
// when the server shuts down.
func (c *deadlineConn) Read(p []byte) (int, error) {
	if until := time.Duration(c.unreadUntil.Load()); until != 0 {
		c.waitFor(until - time.Since(c.watch.begun))
		c.readOn()
	}
	return c.Conn.Read(p) //nolint:wrapcheck // it stands for the connection
}

func (c *deadlineConn) waitFor(d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-c.watch.hurry:
	}
}

// readOn says that a connection is no longer left unread.
func (c *deadlineConn) readOn() {
	if c.unreadUntil.Swap(0) != 0 {
		c.watch.unread.Add(-1)
		c.readSince.Store(int64(time.Since(c.watch.begun)))
	}
}

// arrived is how long ago bytes came that arrived age ago, or, if the connection was left
// unread then, since when the server might have looked.
func (c *deadlineConn) arrived(age time.Duration) time.Duration {
	if since := c.readSince.Load(); since != 0 {
		return min(age, time.Since(c.watch.begun)-time.Duration(since))
	}
	return age
}
