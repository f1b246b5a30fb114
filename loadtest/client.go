package loadtest

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"time"
)

// target is the server under load.
type target struct {
	url    string
	host   string // the header
	dialer dialer
}

// ErrRemote says that a server is on another machine, and that this was not allowed.
var ErrRemote = errors.New("the server is not on this machine")

// newTarget reads the server's address.
func newTarget(address string, allowRemote bool, timeout time.Duration) (*target, error) {
	u, err := url.Parse(address)
	if err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https" ||
		u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.User != nil {
		return nil, errors.New("the server's address is not understood: write http://127.0.0.1:8080")
	}
	if !allowRemote && !isLoopback(u.Hostname()) {
		return nil, fmt.Errorf("%w: %s; a load test of a machine that is not yours is an attack", ErrRemote, u.Hostname())
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	t := &target{
		url: u.Scheme + "://" + u.Host, host: u.Host,
		dialer: dialer{address: net.JoinHostPort(u.Hostname(), port), timeout: timeout},
	}
	if u.Scheme == "https" {
		t.dialer.tls = &tls.Config{
			ServerName: u.Hostname(), MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"},
			ClientSessionCache: tls.NewLRUClientSessionCache(0),
		}
	}
	return t, nil
}

func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback() || host == "localhost"
}

// client sends requests over one connection, which it makes anew where it has to. It is
// used by one goroutine.
type client struct {
	target *target
	conn   *conn
	out    []byte
}

// send sends a request, and sends it again where the server had closed the idle
// connection before and the method may be repeated.
func (c *client) send(ctx context.Context, request []byte, repeatable bool, now time.Time) (answer, error) {
	for {
		if c.conn == nil {
			var err error
			if c.conn, err = c.target.dialer.dial(ctx); err != nil {
				return answer{}, err
			}
		}
		a, err := c.conn.exchange(request, now)
		if err == nil {
			if a.closes {
				c.drop()
			}
			return a, nil
		}
		c.drop()
		if !repeatable || !errors.Is(err, errNotSent) {
			return answer{}, err
		}
	}
}

func (c *client) drop() {
	if c.conn != nil {
		c.conn.close()
		c.conn = nil
	}
}

// appendRequest puts a request together.
func (t *target) appendRequest(dst []byte, method string, path, bearer, body []byte) []byte {
	dst = append(dst, method...)
	dst = append(dst, ' ')
	dst = append(dst, path...)
	dst = append(dst, " HTTP/1.1\r\nHost: "...)
	dst = append(dst, t.host...)
	dst = append(dst, "\r\nUser-Agent: hal9-loadtest\r\n"...)
	if len(bearer) > 0 {
		dst = append(dst, "Authorization: Bearer "...)
		dst = append(dst, bearer...)
		dst = append(dst, "\r\n"...)
	}
	switch {
	case len(body) > 0:
		dst = append(dst, "Content-Type: application/json\r\nContent-Length: "...)
		dst = strconv.AppendInt(dst, int64(len(body)), 10)
		dst = append(dst, "\r\n"...)
	case method != "GET":
		dst = append(dst, "Content-Length: 0\r\n"...)
	}
	dst = append(dst, "\r\n"...)
	return append(dst, body...)
}

// ask is for the calls around a run. It returns a body that stays valid.
func (c *client) ask(ctx context.Context, method, path, bearer string, body any) (status int, answered []byte, err error) {
	var raw []byte
	if body != nil {
		if raw, err = json.Marshal(body); err != nil {
			return 0, nil, fmt.Errorf("write the request: %w", err)
		}
	}
	c.out = c.target.appendRequest(c.out[:0], method, []byte(path), inHeader(nil, bearer), raw)
	a, err := c.send(ctx, c.out, method == "GET", time.Now())
	if err != nil {
		return 0, nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	return a.status, append([]byte(nil), a.body...), nil
}
