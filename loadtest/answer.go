package loadtest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// answer is what a server answered.
type answer struct {
	status int
	body   []byte
	// closes says that the connection is of no more use.
	closes bool
}

// framing is what the headers tell about the body.
type framing struct {
	length  int // -1 if not told
	chunked bool
	closes  bool
}

var (
	errMalformed = errors.New("the answer is no HTTP/1.1")
	errTooLarge  = errors.New("the answer is too large")
)

// readAnswer reads one answer (RFC 9112, sections 4 to 7).
func (c *conn) readAnswer() (answer, error) {
	for {
		head, err := c.readHead()
		if err != nil {
			return answer{}, fmt.Errorf("read the answer's headers: %w", err)
		}
		a, f, err := parseHead(head)
		if err != nil {
			return answer{}, err
		}
		if a.status >= 100 && a.status < 200 {
			continue // an interim answer; the real one follows
		}
		a.body, err = c.readBody(a.status, &f)
		if err != nil {
			return answer{}, fmt.Errorf("read the answer's body: %w", err)
		}
		// Bytes that nobody asked for would be taken for the next answer.
		a.closes = f.closes || c.end > c.start
		return a, nil
	}
}

// readHead returns all up to the empty line.
func (c *conn) readHead() ([]byte, error) {
	seen := 0
	for {
		if i := bytes.Index(c.buf[c.start+seen:c.end], []byte("\r\n\r\n")); i >= 0 {
			head := c.buf[c.start : c.start+seen+i+2]
			c.start += seen + i + 4
			return head, nil
		}
		seen = max(0, c.end-c.start-3)
		if c.end-c.start > maxHeaderBytes {
			return nil, fmt.Errorf("%w: more than %d bytes of headers", errTooLarge, maxHeaderBytes)
		}
		if err := c.fill(); err != nil {
			if c.end > c.start && errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
	}
}

// parseHead reads the status line and the headers that frame the body.
func parseHead(head []byte) (answer, framing, error) {
	line, rest, _ := bytes.Cut(head, []byte("\r\n"))
	if bytes.ContainsAny(line, "\r\n") {
		return answer{}, framing{}, fmt.Errorf("%w: its first line is %.60q", errMalformed, line)
	}
	// HTTP/1.1 200 OK
	if len(line) < 12 || !bytes.HasPrefix(line, []byte("HTTP/1.")) || line[8] != ' ' || len(line) > 12 && line[12] != ' ' {
		return answer{}, framing{}, fmt.Errorf("%w: its first line is %.60q", errMalformed, line)
	}
	status, err := strconv.Atoi(string(line[9:12]))
	if err != nil || status < 100 {
		return answer{}, framing{}, fmt.Errorf("%w: its first line is %.60q", errMalformed, line)
	}
	old := line[7] == '0'
	f := framing{length: -1, closes: old}
	for len(rest) > 0 {
		line, rest, _ = bytes.Cut(rest, []byte("\r\n"))
		name, value, found := bytes.Cut(line, []byte(":"))
		if !found || bytes.ContainsAny(line, "\r\n") {
			return answer{}, framing{}, fmt.Errorf("%w: a header is %.60q", errMalformed, line)
		}
		if err := f.header(name, bytes.TrimSpace(value)); err != nil {
			return answer{}, framing{}, err
		}
	}
	if f.chunked && old {
		// RFC 9112, section 6.1: whoever sends that may not know what it means.
		return answer{}, framing{}, fmt.Errorf("%w: it is chunked, which HTTP/1.0 is not", errMalformed)
	}
	if f.chunked && f.length >= 0 {
		return answer{}, framing{}, fmt.Errorf("%w: it is chunked and has a Content-Length", errMalformed)
	}
	return answer{status: status}, f, nil
}

func (f *framing) header(name, value []byte) error {
	switch {
	case equalFold(name, "content-length"):
		n, err := strconv.Atoi(string(value))
		if err != nil || n < 0 || f.length >= 0 && f.length != n {
			return fmt.Errorf("%w: Content-Length is %.60q", errMalformed, value)
		}
		if n > maxBodyBytes {
			return fmt.Errorf("%w: %d bytes", errTooLarge, n)
		}
		f.length = n
	case equalFold(name, "transfer-encoding"):
		if !equalFold(value, "chunked") {
			return fmt.Errorf("%w: Transfer-Encoding is %.60q", errMalformed, value)
		}
		f.chunked = true
	case equalFold(name, "connection"):
		f.closes = f.closes && !equalFold(value, "keep-alive") || equalFold(value, "close")
	}
	return nil
}

// equalFold is bytes.EqualFold for ASCII; lower is in lower case.
func equalFold(b []byte, lower string) bool {
	if len(b) != len(lower) {
		return false
	}
	for i := range b {
		c := b[i]
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

func (c *conn) readBody(status int, f *framing) ([]byte, error) {
	switch {
	case status == 204 || status == 304:
		return nil, nil
	case f.chunked:
		return c.readChunks()
	case f.length >= 0:
		return c.take(f.length)
	default:
		f.closes = true
		return c.readToEnd()
	}
}

// take returns the next n bytes.
func (c *conn) take(n int) ([]byte, error) {
	if missing := n - (len(c.buf) - c.start); missing > 0 {
		c.buf = append(c.buf, make([]byte, missing)...)
	}
	for c.end-c.start < n {
		if err := c.fill(); err != nil {
			return nil, whole(err)
		}
	}
	part := c.buf[c.start : c.start+n]
	c.start += n
	return part, nil
}

// whole tells an answer that broke off from one that never began.
func whole(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

func (c *conn) readToEnd() ([]byte, error) {
	for {
		if c.end-c.start > maxBodyBytes {
			return nil, errTooLarge
		}
		if err := c.fill(); err != nil {
			if errors.Is(err, io.EOF) {
				return c.buf[c.start:c.end], nil
			}
			return nil, err
		}
	}
}

// readChunks puts the chunks together.
func (c *conn) readChunks() ([]byte, error) {
	c.body = c.body[:0]
	for {
		line, err := c.line()
		if err != nil {
			return nil, err
		}
		size, _, _ := bytes.Cut(line, []byte(";")) // extensions say nothing that matters here
		n, err := strconv.ParseUint(string(bytes.TrimSpace(size)), 16, 31)
		if err != nil {
			return nil, fmt.Errorf("%w: a chunk's size is %.60q", errMalformed, line)
		}
		if n == 0 {
			return c.body, c.skipTrailers()
		}
		if len(c.body)+int(n) > maxBodyBytes {
			return nil, errTooLarge
		}
		chunk, err := c.take(int(n) + 2)
		if err != nil {
			return nil, err
		}
		if !bytes.HasSuffix(chunk, []byte("\r\n")) {
			return nil, fmt.Errorf("%w: a chunk is longer than its size tells", errMalformed)
		}
		c.body = append(c.body, chunk[:n]...)
	}
}

func (c *conn) skipTrailers() error {
	for {
		line, err := c.line()
		if err != nil {
			return err
		}
		if len(line) == 0 {
			return nil
		}
	}
}

// line returns the next line without its end.
func (c *conn) line() ([]byte, error) {
	for {
		if i := bytes.Index(c.buf[c.start:c.end], []byte("\r\n")); i >= 0 {
			line := c.buf[c.start : c.start+i]
			c.start += i + 2
			return line, nil
		}
		if c.end-c.start > maxHeaderBytes {
			return nil, errTooLarge
		}
		if err := c.fill(); err != nil {
			return nil, whole(err)
		}
	}
}
