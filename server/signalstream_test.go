package server_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hal9-ai/hal9/auth"
	"github.com/hal9-ai/hal9/ingest"
	"github.com/hal9-ai/hal9/server"
	"github.com/hal9-ai/hal9/stream"
)

// streaming connects the ingest to the stream.
func streaming(change ...func(*stream.Config, *server.Deps)) func(*server.Deps) {
	return func(d *server.Deps) {
		cfg := stream.Config{Store: d.Store, Clock: d.Clock, Metrics: d.Metrics}
		for _, f := range change {
			f(&cfg, d)
		}
		d.Stream = stream.New(cfg)
		d.Ingest = ingest.New(ingest.Config{Store: d.Store, Clock: d.Clock, Committed: d.Stream.Publish})
	}
}

func (s *harness) send(content string) {
	s.t.Helper()
	s.ask("POST", "/api/v1/signals", fmt.Sprintf(`{"content":%q,"layer_to":"L3"}`, content)).want(201)
}

func TestStreamTellsWhatIsCommitted(t *testing.T) {
	t.Parallel()
	onEnginesWith(t, func(t *testing.T, s *harness) {
		all, some := s.listen(""), s.listen("?layer=strategic&to_neuron=n1")
		if ct, buffering := all.header.Get("Content-Type"), all.header.Get("X-Accel-Buffering"); ct != "text/event-stream" || buffering != "no" {
			t.Errorf("Content-Type %q, X-Accel-Buffering %q", ct, buffering)
		}
		s.send("one")
		s.ask("POST", "/api/v1/signal", `{"content":"two","layer":"L4","neuron_id":"n1"}`).want(200)
		s.ask("POST", "/api/v1/signals", `[{"content":"three","layer_to":"L4","to_neuron":"n1"},{"content":"four","layer_to":"L2"}]`).want(201)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/api/v1/signals/bulk",
			strings.NewReader(`{"content":"five","layer_to":"L1"}`+"\n"+`{"content":"six","layer_to":"L4","to_neuron":"n1"}`+"\n"))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-ndjson")
		s.do(req).want(200)
		all.wantContents("one", "two", "three", "four", "five", "six")
		some.wantContents("two", "three", "six")

		// The event is the signal in the shape of GET.
		e := s.listen("?since=2020-01-01T00:00:00Z")
		first, _ := e.next()
		id := first.data[strings.Index(first.data, `"id":"`)+6:][:36]
		stored := s.ask("GET", "/api/v1/signals/"+id, "").want(200).body
		if body := strings.TrimSuffix(first.data, "}"); !strings.Contains(stored, strings.TrimPrefix(body, "{")) {
			t.Errorf("the event %s is not as stored: %s", first.data, stored)
		}
		e.wantContents("two", "three", "four", "five", "six")
		s.listen("?since=0001-01-01T00:00:00Z").wantContents("one", "two", "three", "four", "five", "six")
		// A repeated signal is no event.
		s.ask("POST", "/api/v1/signals", `{"id":"`+id+`","content":"one","layer_to":"L3"}`).want(201)
		s.send("seven")
		all.wantContents("seven")
	}, streaming())
}

// TestStreamTellsAllOfABurst: what comes at once in greater number than a listener is handed
// at a time follows, and does not wait for the next signal.
func TestStreamTellsAllOfABurst(t *testing.T) {
	t.Parallel()
	s := newServer(t, sqliteEngine, streaming(func(_ *stream.Config, d *server.Deps) {
		d.Config.StreamHeartbeat, d.Config.StreamRenew = time.Hour, time.Hour // neither brings the rest
	}))
	const count = 3000
	l := s.listen("")
	var lines strings.Builder
	for i := range count {
		fmt.Fprintf(&lines, "{\"content\":\"%d\",\"layer_to\":\"L1\"}\n", i)
	}
	s.bulk(strings.NewReader(lines.String())).want(200)
	for i := range count {
		l.wantContents(strconv.Itoa(i))
	}
}

func TestStreamResumes(t *testing.T) {
	t.Parallel()
	onEnginesWith(t, func(_ *testing.T, s *harness) {
		l := s.listen("")
		s.send("one")
		s.send("two")
		l.wantContents("one")
		l.leave()
		s.send("three")
		// At the same server: from the very place.
		l = s.listen("", "Last-Event-ID", l.last)
		l.wantContents("two", "three")
		// From a place of another server: what was before comes again, each once.
		at, _, _ := strings.Cut(l.last, ".")
		other := s.listen("", "Last-Event-ID", at+".otherserver.7")
		s.send("four")
		other.wantContents("one", "two", "three", "four")
		l.wantContents("four")
		s.ask("GET", "/metrics", "").want(200, `hal9_signal_stream_resumes_total{from="place"} 1`,
			"hal9_signal_stream_listeners ", "hal9_signal_stream_events_total ")
	}, streaming())
}

// A listener with a filter that nothing passes resumes from where it was, not from where
// something last passed.
func TestStreamHeartbeats(t *testing.T) {
	t.Parallel()
	s := newServer(t, sqliteEngine, streaming(), func(d *server.Deps) { d.Config.StreamHeartbeat = 5 * time.Millisecond })
	l := s.listen("?neuron=nobody")
	began := l.last
	s.send("one")
	s.clock.Advance(time.Second)
	eventually(t, func() bool {
		e := <-l.events
		return e.event == "heartbeat" && e.id != began
	})
}

func TestStreamRefusals(t *testing.T) {
	t.Parallel()
	s := newServer(t, sqliteEngine, streaming(), func(d *server.Deps) { d.Config.Streams, d.Config.StreamsPerClient = 3, 2 })
	const path = "/api/v1/signals/stream"
	s.ask("GET", path+"?layer=L9", "").problem(422, "query.layer")
	s.ask("GET", path+"?since=yesterday", "").problem(422, "query.since")
	s.ask("GET", path+"?limit=5", "").problem(422, "query.limit")
	s.ask("GET", path+"?neuron="+strings.Repeat("n", 256), "").problem(422, "query.neuron")
	s.ask("GET", path, "", "Last-Event-ID", "7").problem(422, "Last-Event-ID")
	s.ask("HEAD", path, "").want(200)
	s.listen("")
	second := s.listen("")
	s.ask("GET", path, "").problem(429, "limits.streams_per_client")
	key := s.key(s.user("ann", auth.RoleUser))
	s.listen("", "X-API-Key", key)
	if r := s.ask("GET", path, "", "X-API-Key", key).problem(503, "limits.streams"); r.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	second.leave()
	eventually(t, func() bool { return s.beginning(path).status == 200 })
}

func TestStreamEndsWithTheCredential(t *testing.T) {
	t.Parallel()
	s := newServer(t, postgresEngine, streaming(), inMode(server.AuthRequired), func(d *server.Deps) { d.Config.StreamRenew = 10 * time.Millisecond })
	ann := s.user("ann", auth.RoleUser)
	token := s.login(ann).AccessToken
	l, other := s.listen("", bearer(token)...), s.listen("", "X-API-Key", s.key(ann))
	s.ask("POST", "/api/v1/auth/logout", "", bearer(token)...).want(200)
	l.wantEnd("revoked")
	s.ask("POST", "/api/v1/signal", `{"content":"still","layer":"L4"}`, bearer(s.login(ann).AccessToken)...).want(200)
	other.wantContents("still")
	role := auth.RoleGuest
	if _, err := s.auth.UserUpdate(t.Context(), auth.Principal{}, ann.id, auth.UserUpdateParams{Role: &role}); err != nil {
		t.Fatal(err)
	}
	// A guest may view.
	inactive := false
	if _, err := s.auth.UserUpdate(t.Context(), auth.Principal{}, ann.id, auth.UserUpdateParams{IsActive: &inactive}); err != nil {
		t.Fatal(err)
	}
	other.wantEnd("revoked")
}

// A client that does not read is ended, and hears so if it reads after all; then it
// resumes with nothing missing.
func TestStreamEndsSlowReaders(t *testing.T) {
	t.Parallel()
	s := newServer(t, sqliteEngine, streaming(func(c *stream.Config, _ *server.Deps) { c.MaxBytes = 1 << 20 }))
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/api/v1/signals/stream", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if err := req.Write(conn); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool {
		return strings.Contains(s.ask("GET", "/metrics", "").body, "hal9_signal_stream_listeners 1")
	})
	// More than the network's buffers hold, and than the ring does.
	body := "[" + strings.TrimSuffix(strings.Repeat(`{"content":"`+strings.Repeat("x", 500_000)+`","layer_to":"L1"},`, 20), ",") + "]"
	for range 2 {
		s.ask("POST", "/api/v1/signals", body).want(201)
	}
	heard := make(chan string, 1)
	go func() {
		var all strings.Builder
		buf := make([]byte, 1<<20)
		for !strings.Contains(all.String(), "event: end") {
			n, err := conn.Read(buf)
			all.Write(buf[:n])
			if err != nil {
				break
			}
		}
		heard <- all.String()
	}()
	select {
	case text := <-heard:
		if _, end, ok := strings.Cut(text, "event: end"); !ok || !strings.Contains(end, `"reason":"slow"`) {
			t.Fatalf("it ends with %.300s", end)
		}
		before := strings.LastIndex(text, "\nid: ")
		last, _, _ := strings.Cut(text[before+5:], "\n")
		got := strings.Count(text, "event: signal")
		l := s.listen("", "Last-Event-ID", last)
		for l.last = ""; got < 40; got++ {
			if e, ok := l.next(); !ok || e.event != "signal" {
				t.Fatalf("%d signals came, then %.100s", got, e.data)
			}
		}
	case <-time.After(patience):
		t.Fatal("the slow reader is not ended")
	}
}

func TestStreamEndsAtShutdown(t *testing.T) {
	t.Parallel()
	s := newServer(t, sqliteEngine, streaming())
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.url = "http://" + ln.Addr().String()
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- s.server.Serve(ctx, ln) }()
	l := s.listen("")
	stop()
	l.wantEnd("shutdown")
	if err := <-served; err != nil {
		t.Errorf("serve: %v", err)
	}
}

// The deadlines of ordinary requests do not end a stream.
func TestStreamOutlivesTheTimeouts(t *testing.T) {
	t.Parallel()
	s := newServer(t, sqliteEngine, streaming(), func(d *server.Deps) {
		d.Config.ReadTimeout, d.Config.RequestTimeout, d.Config.StreamHeartbeat = 50*time.Millisecond, 50*time.Millisecond, 20*time.Millisecond
		d.Config.ReadHeaderTimeout = 50 * time.Millisecond
	})
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- s.server.Serve(ctx, ln) }()
	defer func() {
		stop()
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
	}()
	s.url = "http://" + ln.Addr().String()
	l := s.listen("")
	for range 10 { // heartbeats, 200 ms in all
		if e, ok := <-l.events; !ok || e.event != "heartbeat" {
			t.Fatalf("got %+v, the stream goes on: %v", e, ok)
		}
	}
}
