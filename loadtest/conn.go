package loadtest

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// The bounds of what a server may answer.
const (
	maxHeaderBytes = 64 << 10
	maxBodyBytes   = 64 << 20
	readChunk      = 8 << 10
)

// dialer makes connections to one server.
type dialer struct {
	address string      // host:port
	tls     *tls.Config // nil for HTTP without TLS
	timeout time.Duration
}

// conn is one connection with at most one request under way, as HTTP/1.1 has it without
// pipelining. It is used by one goroutine.
type conn struct {
	nc       net.Conn
	ctx      context.Context //nolint:containedctx // lives as long as the connection
	release  func() bool
	timeout  time.Duration
	deadline time.Time // as it was set last

	buf        []byte // what was read
	start, end int    // what of it is not used yet
	body       []byte // of a chunked answer, put together
	used       bool   // a request was answered on it
}

// dial connects. The connection breaks off whatever it is doing when the context ends.
func (d *dialer) dial(ctx context.Context) (*conn, error) {
	nd := net.Dialer{Timeout: d.timeout}
	nc, err := nd.DialContext(ctx, "tcp", d.address)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	if d.tls != nil {
		secured := tls.Client(nc, d.tls)
		handshake, cancel := context.WithTimeout(ctx, d.timeout)
		defer cancel()
		if err := secured.HandshakeContext(handshake); err != nil {
			return nil, errors.Join(fmt.Errorf("connect: %w", err), nc.Close())
		}
		nc = secured
	}
	c := &conn{nc: nc, ctx: ctx, timeout: d.timeout, buf: make([]byte, readChunk)}
	c.release = context.AfterFunc(ctx, func() { _ = nc.SetDeadline(time.Unix(1, 0)) })
	return c, nil
}

func (c *conn) close() {
	c.release()
	_ = c.nc.Close() // nothing is lost: the answer was read, or is given up
}

// errNotSent marks a failure before the first byte of an answer on a connection that
// had been used: the server most likely closed it while it was idle.
var errNotSent = errors.New("the connection was closed while idle")

// exchange sends a request and reads the answer. The answer's parts are valid until
// the next exchange.
func (c *conn) exchange(request []byte, now time.Time) (answer, error) {
	if err := c.extend(now); err != nil {
		return answer{}, err
	}
	c.start, c.end = 0, 0
	if _, err := c.nc.Write(request); err != nil {
		if c.used {
			return answer{}, fmt.Errorf("%w: %w", errNotSent, err)
		}
		return answer{}, fmt.Errorf("send the request: %w", err)
	}
	a, err := c.readAnswer()
	if err != nil && c.used && c.end == 0 && !isTimeout(err) && c.ctx.Err() == nil {
		return answer{}, fmt.Errorf("%w: %w", errNotSent, err)
	}
	c.used = true
	return a, err
}

// extend moves the deadline when less than the timeout is left. To set one for each
// request would cost a tenth of a request; so one lives up to a tenth too long.
func (c *conn) extend(now time.Time) error {
	if c.deadline.Sub(now) >= c.timeout {
		return nil
	}
	c.deadline = now.Add(c.timeout + c.timeout/10)
	if err := c.nc.SetDeadline(c.deadline); err != nil {
		return fmt.Errorf("set the time-out: %w", err)
	}
	// Otherwise the end of the context, if it came just now, would be undone.
	return c.ctx.Err()
}

// fill reads more; at least one byte, or it fails.
func (c *conn) fill() error {
	if c.end == len(c.buf) {
		if c.start > 0 {
			copy(c.buf, c.buf[c.start:c.end])
			c.start, c.end = 0, c.end-c.start
		} else {
			c.buf = append(c.buf, make([]byte, len(c.buf))...)
		}
	}
	n, err := c.nc.Read(c.buf[c.end:])
	c.end += n
	switch {
	case n > 0:
		return nil
	case err == nil:
		return io.ErrNoProgress
	default:
		return err //nolint:wrapcheck // readAnswer tells what was being read
	}
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}
