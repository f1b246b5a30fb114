package server_test

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// streamed is an event of a stream.
type streamed struct{ id, event, data string }

// listening is a client of the stream of signals.
type listening struct {
	t      *testing.T
	status int
	header http.Header
	events chan streamed // closed at the end
	leave  context.CancelFunc
	last   string // the client's Last-Event-ID
}

// listen begins to listen and returns when the server has let the client in.
func (s *harness) listen(query string, headers ...string) *listening {
	s.t.Helper()
	ctx, cancel := context.WithCancel(s.t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/api/v1/signals/stream"+query, http.NoBody)
	if err != nil {
		s.t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := s.client.Do(req) //nolint:bodyclose // by the goroutine below
	if err != nil {
		s.t.Fatalf("listen: %v", err)
	}
	l := &listening{t: s.t, status: resp.StatusCode, header: resp.Header, events: make(chan streamed, 10_000), leave: cancel}
	ended := make(chan struct{})
	listens := make(chan struct{})
	go func() {
		defer close(ended)
		defer close(l.events)
		defer func() { _ = resp.Body.Close() }()
		lines := bufio.NewScanner(resp.Body)
		lines.Buffer(nil, 8<<20)
		var e streamed
		for lines.Scan() {
			field, value, _ := strings.Cut(lines.Text(), ": ")
			switch field {
			case "id":
				e.id = value
			case "event":
				e.event = value
			case "data":
				e.data = value
			case "":
				if value == "listening" || value == "heartbeat" {
					e.event = value
				}
				if lines.Text() != "" {
					continue
				}
				if e.event == "listening" {
					l.last = e.id
					close(listens)
				} else if e.event != "" {
					l.events <- e
				}
				e = streamed{}
			}
		}
	}()
	s.t.Cleanup(func() { cancel(); <-ended })
	if l.status == http.StatusOK {
		select {
		case <-listens:
		case <-ended:
			s.t.Fatal("the stream ended before it began")
		case <-time.After(patience):
			s.t.Fatal("the stream does not begin")
		}
	}
	return l
}

// next waits for the next event that is no heartbeat; ok is false at the end.
func (l *listening) next() (e streamed, ok bool) {
	l.t.Helper()
	limit := time.After(patience)
	for {
		select {
		case e, ok = <-l.events:
			if e.id != "" {
				l.last = e.id
			}
			if !ok || e.event != "heartbeat" {
				return e, ok
			}
		case <-limit:
			l.t.Fatal("no event comes")
		}
	}
}

// wantContents waits for signals of these contents, in this order.
func (l *listening) wantContents(contents ...string) {
	l.t.Helper()
	for _, want := range contents {
		e, ok := l.next()
		if !ok || e.event != "signal" || !strings.Contains(e.data, `"content":"`+want+`"`) {
			l.t.Fatalf("got %+v (the stream goes on: %v), want the signal %q", e, ok, want)
		}
	}
}

// wantEnd waits for the event that ends the stream, and for its end.
func (l *listening) wantEnd(reason string) {
	l.t.Helper()
	e, ok := l.next()
	if !ok || e.event != "end" || !strings.Contains(e.data, `"reason":"`+reason+`"`) {
		l.t.Fatalf("got %+v (the stream goes on: %v), want the end for %q", e, ok, reason)
	}
	if e, ok := l.next(); ok {
		l.t.Fatalf("%+v after the end", e)
	}
}

// beginning is the status and headers of an answer that may never end.
func (s *harness) beginning(path string, headers ...string) response {
	s.t.Helper()
	ctx, cancel := context.WithCancel(s.t.Context())
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+path, http.NoBody)
	if err != nil {
		s.t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := s.client.Do(req)
	if err != nil {
		s.t.Fatalf("GET %s: %v", path, err)
	}
	defer func() { _ = resp.Body.Close() }()
	var body []byte
	if resp.StatusCode != http.StatusOK { // a refusal ends
		if body, err = io.ReadAll(resp.Body); err != nil {
			s.t.Fatalf("GET %s: read the answer: %v", path, err)
		}
	}
	return response{s.t, resp.StatusCode, resp.Header, string(body)}
}
