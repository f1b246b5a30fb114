package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"
)

// requestTimeout bounds one exchange: longer than the service's own limit, so that what
// it promises is seen.
const requestTimeout = 15 * time.Second

// answer is what is looked at of an answer.
type answer struct {
	status     int
	retryAfter time.Duration // 0: none
	closes     bool
	body       []byte // valid until the next exchange
}

// conn is one connection with one request under way at the most. It does little, since
// it shares the processor with what it measures, and is used by one goroutine.
type conn struct {
	address string
	nc      net.Conn
	buf     []byte
	till    time.Time
}

func (c *conn) open(ctx context.Context) error {
	if c.nc != nil {
		return nil
	}
	nc, err := (&net.Dialer{Timeout: requestTimeout}).DialContext(ctx, "tcp", c.address)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	c.nc, c.till = nc, time.Time{}
	if c.buf == nil {
		c.buf = make([]byte, 0, 4<<10)
	}
	return nil
}

func (c *conn) close() {
	if c.nc != nil {
		_ = c.nc.Close() // nothing is lost by it
		c.nc = nil
	}
}

// exchange sends a request on an open connection and reads the answer.
func (c *conn) exchange(request []byte, now time.Time) (answer, error) {
	if c.till.Sub(now) < requestTimeout { // seldom: each costs a good part of a request
		c.till = now.Add(2 * requestTimeout)
		if err := c.nc.SetDeadline(c.till); err != nil {
			return answer{}, fmt.Errorf("set the time-out: %w", err)
		}
	}
	if _, err := c.nc.Write(request); err != nil {
		return answer{}, fmt.Errorf("send: %w", err)
	}
	a, err := c.read()
	if err != nil || a.closes {
		c.close()
	}
	return a, err
}

func (c *conn) read() (answer, error) {
	c.buf = c.buf[:0]
	head := -1
	for head < 0 {
		seen := max(0, len(c.buf)-3)
		if err := c.fill(); err != nil {
			return answer{}, err
		}
		if at := bytes.Index(c.buf[seen:], []byte("\r\n\r\n")); at >= 0 {
			head = seen + at + 4
		}
	}
	a, length, err := readHead(c.buf[:head])
	if err != nil {
		return a, err
	}
	for !complete(c.buf[head:], length) {
		if err := c.fill(); err != nil {
			return answer{}, err
		}
	}
	a.body = c.buf[head:]
	return a, nil
}

func (c *conn) fill() error {
	if len(c.buf) == cap(c.buf) {
		c.buf = append(c.buf, 0)[:len(c.buf)]
	}
	n, err := c.nc.Read(c.buf[len(c.buf):cap(c.buf)])
	c.buf = c.buf[:len(c.buf)+n]
	if n > 0 {
		return nil
	}
	return fmt.Errorf("read the answer: %w", err)
}

// chunked stands for a length that the end of the body tells.
const chunked = -1

func complete(body []byte, length int) bool {
	if length == chunked {
		return bytes.HasSuffix(body, []byte("0\r\n\r\n"))
	}
	return len(body) >= length
}

// readHead reads what matters of a status line and headers in net/http's spelling.
func readHead(head []byte) (a answer, length int, err error) {
	if len(head) < len("HTTP/1.1 200") || !bytes.HasPrefix(head, []byte("HTTP/1.1 ")) {
		return a, 0, errors.New("the answer is not HTTP/1.1")
	}
	if a.status, err = strconv.Atoi(string(head[9:12])); err != nil {
		return a, 0, errors.New("the answer has no status")
	}
	if _, text, found := bytes.Cut(head, []byte("\r\nRetry-After: ")); found {
		seconds, err := strconv.Atoi(string(text[:bytes.IndexByte(text, '\r')]))
		if err != nil {
			return a, 0, fmt.Errorf("read Retry-After: %w", err)
		}
		a.retryAfter = time.Duration(seconds) * time.Second
	}
	a.closes = bytes.Contains(head, []byte("\r\nConnection: close\r\n"))
	const name = "\r\nContent-Length: "
	if _, text, found := bytes.Cut(head, []byte(name)); found {
		length, err = strconv.Atoi(string(text[:bytes.IndexByte(text, '\r')]))
		return a, length, err //nolint:wrapcheck // says which text is no number
	}
	if bytes.Contains(head, []byte("\r\nTransfer-Encoding: chunked\r\n")) {
		return a, chunked, nil
	}
	return a, 0, nil
}

// request puts one together.
func request(method, path, bearer, contentType, body string) []byte {
	text := method + " " + path + " HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: hal9-overload\r\n"
	if bearer != "" {
		text += "Authorization: Bearer " + bearer + "\r\n"
	}
	if body != "" {
		text += "Content-Type: " + contentType + "\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n"
	}
	return []byte(text + "\r\n" + body)
}
