package loadtest

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

// Whatever a server sends, the reader ends without a panic; and where it and net/http
// both take an answer, they read the same.
func FuzzAnswer(f *testing.F) {
	for _, text := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nok\r\n0\r\nT: v\r\n\r\n",
		"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
		"HTTP/1.0 404 Not Found\r\nConnection: keep-alive\r\n\r\nto the end",
		"HTTP/1.1 200\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, sent []byte) {
		near, far := net.Pipe()
		defer near.Close()
		go func() {
			_, _ = far.Write(sent)
			_ = far.Close()
		}()
		c := &conn{nc: near, ctx: t.Context(), timeout: time.Minute, buf: make([]byte, 16)}
		a, err := c.readAnswer()
		if err != nil {
			return
		}
		status, body := readTheirs(sent)
		if status != 0 && (status != a.status || !bytes.Equal(body, a.body)) {
			t.Errorf("%q is read as %d %q, by net/http as %d %q", sent, a.status, a.body, status, body)
		}
	})
}

// readTheirs reads the first answer that is not interim as net/http does; 0 if it
// refuses it.
func readTheirs(sent []byte) (status int, body []byte) {
	r := bufio.NewReader(bytes.NewReader(sent))
	for {
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			return 0, nil
		}
		body, err = io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil {
			return 0, nil
		}
		if resp.StatusCode >= 200 {
			return resp.StatusCode, body
		}
	}
}
