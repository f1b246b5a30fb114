package loadtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func clientOf(t *testing.T, url string, timeout time.Duration) *client {
	t.Helper()
	target, err := newTarget(url, false, timeout)
	if err != nil {
		t.Fatal(err)
	}
	c := &client{target: target}
	t.Cleanup(c.drop)
	return c
}

func (c *client) get(t *testing.T, path string) answer {
	t.Helper()
	a, err := c.send(t.Context(), c.target.appendRequest(nil, "GET", []byte(path), nil, nil), true, time.Now())
	if err != nil {
		t.Fatalf("GET %s: %v", path, err)
	}
	return a
}

// What net/http's server answers is read as net/http's client would read it, all on one
// connection where that can be.
func TestClientAgainstNetHTTP(t *testing.T) {
	t.Parallel()
	large := strings.Repeat("0123456789abcdef", 40_000)
	var connections atomic.Int64
	mux := http.NewServeMux()
	mux.HandleFunc("GET /length", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "short") })
	mux.HandleFunc("GET /none", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("GET /chunked", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Trailer", "Sum")
		for i := range len(large) / 1000 {
			_, _ = io.WriteString(w, large[i*1000:(i+1)*1000])
			if i%7 == 0 {
				_ = http.NewResponseController(w).Flush()
			}
		}
		w.Header().Set("Sum", "x")
	})
	mux.HandleFunc("GET /large", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(len(large)))
		_, _ = io.WriteString(w, large)
	})
	mux.HandleFunc("GET /headers", func(w http.ResponseWriter, _ *http.Request) {
		for i := range 50 {
			w.Header().Set(fmt.Sprintf("X-%d", i), strings.Repeat("v", 1000))
		}
		_, _ = io.WriteString(w, "after many headers")
	})
	mux.HandleFunc("GET /hints", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusEarlyHints)
		w.WriteHeader(http.StatusTeapot)
	})
	mux.HandleFunc("GET /close", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Connection", "close")
		_, _ = io.WriteString(w, "bye")
	})
	mux.HandleFunc("POST /echo", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(w, r.Body)
		_, _ = io.WriteString(w, r.Header.Get("Authorization")+r.Header.Get("Content-Type"))
	})
	server := httptest.NewUnstartedServer(mux)
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	server.Start()
	t.Cleanup(server.Close)

	c := clientOf(t, server.URL, time.Minute)
	for range 2 {
		for path, want := range map[string]string{
			"/length": "short", "/none": "", "/chunked": large[:len(large)/1000*1000], "/large": large,
			"/headers": "after many headers", "/missing": "404 page not found\n",
		} {
			if a := c.get(t, path); string(a.body) != want || a.closes {
				t.Errorf("%s: %d, %d bytes, want %d, closes %v", path, a.status, len(a.body), len(want), a.closes)
			}
		}
	}
	if a := c.get(t, "/hints"); a.status != http.StatusTeapot {
		t.Errorf("after an interim answer: %d", a.status)
	}
	status, body, err := c.ask(t.Context(), "POST", "/echo", "secret\r\nX-Forged: 1", map[string]string{"a": "b"})
	if want := `{"a":"b"}Bearer secretX-Forged: 1application/json`; err != nil || status != 200 || string(body) != want {
		t.Errorf("%d %s %v, want %s", status, body, err, want)
	}
	if n := connections.Load(); n != 1 {
		t.Errorf("%d connections for what one serves", n)
	}
	if a := c.get(t, "/close"); string(a.body) != "bye" || !a.closes {
		t.Errorf("the server closes: %+v", a)
	}
	c.get(t, "/length")
	if n := connections.Load(); n != 2 {
		t.Errorf("%d connections after one was closed", n)
	}
}

// answering serves raw bytes, one text for each connection in turn, and closes it where
// the text ends with an exclamation mark.
func answering(t *testing.T, texts ...string) *client {
	t.Helper()
	var lc net.ListenConfig
	ln, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { _ = ln.Close(); <-done })
	go func() {
		defer close(done)
		for _, text := range texts {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			buf := make([]byte, 4096)
			_, _ = nc.Read(buf)
			raw, closes := strings.CutSuffix(text, "!")
			_, _ = io.WriteString(nc, raw)
			if closes {
				_ = nc.Close()
			} else {
				defer func() { _ = nc.Close() }()
			}
		}
		<-t.Context().Done()
	}()
	return clientOf(t, "http://"+ln.Addr().String(), 300*time.Millisecond)
}

func TestClientRefusesBrokenAnswers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text string
		want error
	}{
		"no HTTP":                   {"SSH-2.0-OpenSSH_9.2\r\n\r\n", errMalformed},
		"a status of letters":       {"HTTP/1.1 abc OK\r\n\r\n", errMalformed},
		"a header without colon":    {"HTTP/1.1 200 OK\r\nwhat\r\n\r\n", errMalformed},
		"a length of letters":       {"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", errMalformed},
		"a negative length":         {"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", errMalformed},
		"two lengths":               {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", errMalformed},
		"chunks and a length":       {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", errMalformed},
		"an unknown encoding":       {"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", errMalformed},
		"a chunk of letters":        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", errMalformed},
		"a chunk that is too long":  {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabcdef\r\n0\r\n\r\n", errMalformed},
		"a gigantic length":         {"HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\n", errTooLarge},
		"endless headers":           {"HTTP/1.1 200 OK\r\n" + strings.Repeat("A: b\r\n", 20_000) + "!", errTooLarge},
		"an end within the headers": {"HTTP/1.1 200 OK\r\nConte!", io.ErrUnexpectedEOF},
		"an end within the body":    {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc!", io.ErrUnexpectedEOF},
		"an end within a chunk":     {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab!", io.ErrUnexpectedEOF},
		"nothing":                   {"!", io.EOF},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := answering(t, c.text)
			a, err := client.send(t.Context(), client.target.appendRequest(nil, "GET", []byte("/"), nil, nil), true, time.Now())
			if !errors.Is(err, c.want) {
				t.Errorf("%+v, %v; want %v", a, err, c.want)
			}
			if client.conn != nil {
				t.Error("the connection is kept")
			}
		})
	}
}

func TestClientReadsToTheEnd(t *testing.T) {
	t.Parallel()
	c := answering(t, "HTTP/1.0 200 OK\r\n\r\nall of it!")
	if a := c.get(t, "/"); string(a.body) != "all of it" || !a.closes {
		t.Errorf("%+v", a)
	}
	// A second answer that nobody asked for is not taken for the next one.
	c = answering(t, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\naHTTP/1.1 500 No\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nb")
	if a := c.get(t, "/"); string(a.body) != "a" || !a.closes {
		t.Errorf("%+v", a)
	}
	if a := c.get(t, "/"); string(a.body) != "b" {
		t.Errorf("%+v", a)
	}
}

func TestClientTimesOut(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{"no answer": "", "a slow body": "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := answering(t, text)
			_, err := c.send(t.Context(), c.target.appendRequest(nil, "GET", []byte("/"), nil, nil), true, time.Now())
			if err == nil || describe(err, time.Second).Error() != "no answer within 1s" {
				t.Errorf("%v", err)
			}
		})
	}
	t.Run("the end of the context", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			cancel() // while the client waits
			<-r.Context().Done()
		}))
		t.Cleanup(server.Close)
		c := clientOf(t, server.URL, time.Hour) // nothing else would end it
		if _, err := c.send(ctx, c.target.appendRequest(nil, "GET", []byte("/"), nil, nil), true, time.Now()); err == nil {
			t.Error("it went on")
		}
	})
}

// A server closes connections that are idle. A GET is sent again, a POST is not: it may
// have been carried out.
func TestClientAfterAnIdleConnection(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"GET", "POST"} {
		closed := make(chan struct{})
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }))
		server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
			if state == http.StateClosed {
				select {
				case <-closed:
				default:
					close(closed)
				}
			}
		}
		server.Start()
		t.Cleanup(server.Close)
		c := clientOf(t, server.URL, time.Minute)
		c.get(t, "/")
		server.CloseClientConnections()
		<-closed
		a, err := c.send(t.Context(), c.target.appendRequest(nil, method, []byte("/"), nil, nil), method == "GET", time.Now())
		if method == "GET" && (err != nil || !bytes.Equal(a.body, []byte("ok"))) || method == "POST" && !errors.Is(err, errNotSent) {
			t.Errorf("%s: %+v %v", method, a, err)
		}
	}
}

func TestTarget(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"http://127.0.0.1:8080": "127.0.0.1:8080", "http://localhost": "localhost:80", "https://[::1]": "[::1]:443", "http://127.9.9.9/": "127.9.9.9:80",
	} {
		if target, err := newTarget(address, false, time.Second); err != nil || target.dialer.address != want {
			t.Errorf("%s: %+v %v", address, target, err)
		}
	}
	for _, address := range []string{"", "127.0.0.1:8080", "ftp://127.0.0.1", "http://127.0.0.1/api", "http://u:p@127.0.0.1", "http://127.0.0.1?x=1", "http://"} {
		if _, err := newTarget(address, true, time.Second); err == nil {
			t.Errorf("%q is taken", address)
		}
	}
	for _, address := range []string{"http://example.org", "http://10.0.0.1:80", "http://localhost.example.org", "http://0.0.0.0:80"} {
		if _, err := newTarget(address, false, time.Second); !errors.Is(err, ErrRemote) {
			t.Errorf("%s: %v", address, err)
		}
		if _, err := newTarget(address, true, time.Second); err != nil {
			t.Errorf("%s, allowed: %v", address, err)
		}
	}
}

func TestClientOverTLS(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Proto) }))
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.StartTLS()
	t.Cleanup(server.Close)
	c := clientOf(t, server.URL, time.Minute)
	if _, _, err := c.ask(t.Context(), "GET", "/", "", nil); err == nil {
		t.Error("a certificate of nobody is taken")
	}
	transport, ok := server.Client().Transport.(*http.Transport)
	if !ok {
		t.Fatal("no transport")
	}
	c.target.dialer.tls.RootCAs = transport.TLSClientConfig.RootCAs
	for range 2 {
		if _, body, err := c.ask(t.Context(), "GET", "/", "", nil); err != nil || string(body) != "HTTP/1.1" {
			t.Errorf("%s %v", body, err)
		}
	}
}
