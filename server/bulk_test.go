package server_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"runtime/metrics"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/hal9-ai/hal9/model"
	"github.com/hal9-ai/hal9/server"
)

const bulkRoute = "/api/v1/signals/bulk"

type bulkAnswer struct {
	Received, Inserted, Duplicates, Failed int64
	Complete                               bool
	Errors                                 []struct {
		Line           int64
		Field, Message string
	}
	Resume struct{ Offset, Line int64 }
}

// bulk sends a stream; headers come in pairs.
func (h *harness) bulk(body io.Reader, headers ...string) response {
	h.t.Helper()
	req, err := http.NewRequestWithContext(h.t.Context(), http.MethodPost, h.url+bulkRoute, body)
	if err != nil {
		h.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-ndjson")
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	return h.do(req)
}

// bulkLine is a signal with an id of its own.
func bulkLine(id uuid.UUID, n int) string {
	return fmt.Sprintf(`{"id":"%s","from_neuron":"strategic-planner","to_neuron":"neuron-%03d","layer_from":"L4","layer_to":"L3","propagation_type":"forward",`+
		`"content":"Plan the deployment of service number %d and tell the others what is to be done about it, in order, and by whom.","metadata":{"priority":3,"tags":["a","b"]}}`+"\n", id, n%500, n)
}

func bulkLines(s *harness, n int) string {
	ids := model.NewIDGenerator(s.clock.Now)
	var b strings.Builder
	for i := range n {
		b.WriteString(bulkLine(ids.New(), i))
	}
	return b.String()
}

// storedSignals counts over the pages of the list.
func (h *harness) storedSignals() int {
	h.t.Helper()
	total, cursor := 0, ""
	for {
		page := decode[list[signal]](h.ask("GET", "/api/v1/signals?limit=1000&cursor="+cursor, "").want(200))
		total += len(page.Data)
		if page.NextCursor == nil {
			return total
		}
		cursor = *page.NextCursor
	}
}

// smallChunks makes a stream of a few lines take several commits.
func smallChunks(d *server.Deps) { d.Config.BulkChunkRows = 7 }

func onEnginesWith(t *testing.T, test func(t *testing.T, s *harness), change ...func(*server.Deps)) {
	t.Helper()
	for _, engine := range []string{sqliteEngine, postgresEngine} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			test(t, newServer(t, engine, change...))
		})
	}
}

// A stream of 22,000 lines, 91 MB, is taken in the memory that ingest.bulk_streams tells of,
// which knows nothing of its length, and answered after all of it is stored.
func TestBulkMemoryIsBounded(t *testing.T) { //nolint:paralleltest // measures the memory of the process
	const lines = 22_000
	const bound = 64 << 20
	padding := strings.Repeat("x", 4000)
	for _, engine := range []string{sqliteEngine, postgresEngine} {
		t.Run(engine, func(t *testing.T) {
			s := newServer(t, engine)
			before, most := liveHeap(), uint64(0)
			from, to := io.Pipe()
			sentBytes := make(chan int64, 1)
			go func() {
				ids := model.NewIDGenerator(s.clock.Now)
				var sent int64
				for i := range lines {
					n, err := io.WriteString(to, strings.Replace(bulkLine(ids.New(), i), "Plan the", padding, 1))
					sent += int64(n)
					if err != nil {
						break
					}
					if i%500 == 0 {
						most = max(most, liveHeap())
					}
				}
				sentBytes <- sent
				_ = to.Close()
			}()
			b := data[bulkAnswer](s.bulk(from).want(200))
			sent := <-sentBytes
			if b.Received != lines || b.Inserted != lines || !b.Complete || b.Resume.Offset != sent || b.Resume.Line != lines+1 {
				t.Errorf("after %d bytes: %+v", sent, b)
			}
			if got := s.ingest.Stats().Committed; got != lines {
				t.Errorf("%d are counted as committed", got)
			}
			if sent < bound+bound/4 {
				t.Errorf("%d bytes prove nothing about a bound of %d", sent, bound)
			}
			if most > before+bound {
				t.Errorf("the heap grew from %d to %d MiB, want no more than %d MiB", before>>20, most>>20, bound>>20)
			}
		})
	}
}

// liveHeap is what the last collection found in use.
func liveHeap() uint64 {
	samples := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(samples)
	return samples[0].Value.Uint64()
}

// Bad lines fail alone, whoever refuses them, and are told by their numbers.
func TestBulkBadLines(t *testing.T) {
	t.Parallel()
	onEnginesWith(t, func(t *testing.T, s *harness) {
		ids := model.NewIDGenerator(s.clock.Now)
		taken := ids.New()
		good := func() string { return strings.TrimSpace(bulkLine(ids.New(), 1)) }
		lines := []string{
			bulkLine(taken, 1)[:len(bulkLine(taken, 1))-1], // 1
			"",                                // 2: nothing
			" \t\r",                           // 3: nothing
			`{"content":"x","layer_to":"L9"}`, // 4
			good() + "\r",                     // 5
			`{"content":"x","content":"y","layer_to":"L1"}`,                                                            // 6
			`{"content":"a` + "\xff" + `","layer_to":"L1"}`,                                                            // 7
			`{"content":"a\u0000b","layer_to":"L1"}`,                                                                   // 8
			`{"content":"x","layer_to":"L1","metadata":` + strings.Repeat(`{"a":`, 70) + "1" + strings.Repeat("}", 71), // 9
			`not JSON`,                             // 10
			`{"content":"x","layer_to":"L1"`,       // 11: cut
			good(),                                 // 12
			`{"content":"\ud800","layer_to":"L1"}`, // 13
			strings.Replace(bulkLine(taken, 2)[:len(bulkLine(taken, 2))-1], "L3", "L2", 1), // 14: the id of line 1 with other content
			bulkLine(taken, 1)[:len(bulkLine(taken, 1))-1],                                 // 15: line 1 again
			`{"content":"x","layer_to":"L1","colour":"red"}`,                               // 16
			`{"content":"x","Layer_to":"L1"}`,                                              // 17
			`[{"content":"x","layer_to":"L1"}]`,                                            // 18
			`{"content":"x","layer_to":"L1"} {}`,                                           // 19
			good(),                                                                         // 20, without a line feed
		}
		stream := strings.Join(lines, "\n")
		r := s.bulk(strings.NewReader(stream)).want(207)
		b := data[bulkAnswer](r)
		if b.Received != 18 || b.Inserted != 4 || b.Duplicates != 1 || b.Failed != 13 || !b.Complete ||
			b.Resume.Offset != int64(len(stream)) || b.Resume.Line != int64(len(lines)+1) {
			t.Errorf("%+v", b)
		}
		var numbers []int64
		for _, e := range b.Errors {
			numbers = append(numbers, e.Line)
			if e.Message == "" {
				t.Errorf("line %d: no message", e.Line)
			}
		}
		want := []int64{4, 6, 7, 8, 9, 10, 11, 13, 14, 16, 17, 18, 19}
		if numbers = slices.Compact(numbers); !slices.Equal(numbers, want) {
			t.Errorf("faults of lines %v, want %v\n%s", numbers, want, r.body)
		}
		if e := b.Errors[0]; e.Field != "layer_to" || !strings.Contains(e.Message, "unknown layer") {
			t.Errorf("the first fault: %+v", e)
		}
		if got := s.storedSignals(); got != 4 {
			t.Errorf("%d signals are stored, want 4", got)
		}
		// No more than a hundred faults are told, and all are counted.
		b = data[bulkAnswer](s.bulk(strings.NewReader(strings.Repeat("bad\n", 1000))).want(207))
		if b.Failed != 1000 || len(b.Errors) != 100 || b.Errors[99].Line != 100 {
			t.Errorf("%d failed, %d told", b.Failed, len(b.Errors))
		}
		// An empty stream is one too.
		if b := data[bulkAnswer](s.bulk(strings.NewReader("")).want(200)); b.Received != 0 || !b.Complete || b.Resume.Line != 1 {
			t.Errorf("of nothing: %+v", b)
		}
	}, smallChunks)
}

func compressGzip(t *testing.T, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := io.WriteString(z, text); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func compressZstd(t *testing.T, text string, options ...zstd.EOption) []byte {
	t.Helper()
	var b bytes.Buffer
	z, err := zstd.NewWriter(&b, options...)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(z, text); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestBulkCompressed(t *testing.T) {
	t.Parallel()
	s := newServer(t, sqliteEngine)
	stored := 0
	for encoding, compress := range map[string]func(string) []byte{
		"gzip": func(text string) []byte { return compressGzip(t, text) },
		"zstd": func(text string) []byte { return compressZstd(t, text) },
		// More than one member or frame is one stream.
		"GZIP": func(text string) []byte {
			return append(compressGzip(t, text[:1000]), compressGzip(t, text[1000:])...)
		},
		"Zstd": func(text string) []byte {
			return append(compressZstd(t, text[:1000]), compressZstd(t, text[1000:])...)
		},
	} {
		text := bulkLines(s, 100)
		whole := compress(text)
		b := data[bulkAnswer](s.bulk(bytes.NewReader(whole), "Content-Encoding", encoding).want(200))
		if b.Inserted != 100 || b.Resume.Offset != int64(len(text)) {
			t.Errorf("%s: %+v", encoding, b)
		}
		stored += 100
		// What is cut off or damaged is no end, and no more than what came whole is taken.
		r := s.bulk(bytes.NewReader(whole[:len(whole)-9]), "Content-Encoding", encoding).problem(400, "ends too early")
		if b := decode[struct{ Data bulkAnswer }](r).Data; b.Inserted != 0 || b.Complete || b.Received != b.Duplicates || b.Resume.Line != b.Received+1 {
			t.Errorf("%s, cut: %+v", encoding, b)
		}
		s.bulk(strings.NewReader("this is not compressed"), "Content-Encoding", encoding).problem(400, "damaged")
	}
	if got := s.storedSignals(); got != stored {
		t.Errorf("%d signals are stored, want %d", got, stored)
	}
	s.bulk(strings.NewReader("x"), "Content-Encoding", "br").problem(415, "gzip or zstd")
	s.bulk(strings.NewReader("x"), "Content-Encoding", "gzip, zstd").problem(415, "gzip or zstd")
	s.ask("POST", bulkRoute, `{"content":"x","layer_to":"L1"}`).problem(415, "application/x-ndjson")
	s.ask("POST", bulkRoute+"?x=1", "x", "Content-Type", "application/x-ndjson").problem(422, "query.x")
	wide := compressZstd(t, bulkLines(s, 60_000), zstd.WithWindowSize(16<<20))
	s.bulk(bytes.NewReader(wide), "Content-Encoding", "zstd").problem(400, "window")
}

// A line that swells to a gigabyte ends the stream early; the lines before it stay.
func TestBulkBombs(t *testing.T) { //nolint:paralleltest // measures the memory of the process
	s := newServer(t, sqliteEngine)
	first := bulkLines(s, 10)
	start := first + `{"layer_to":"L1","content":"`
	// Members and frames one after the other are one stream, so that a piece is packed once.
	piece := strings.Repeat("0", 32<<20)
	for encoding, pack := range map[string]func(string) []byte{
		"gzip": func(text string) []byte { return compressGzip(t, text) },
		"zstd": func(text string) []byte { return compressZstd(t, text) },
	} {
		bomb := append(pack(start), bytes.Repeat(pack(piece), 32)...)
		before := liveHeap()
		r := s.bulk(bytes.NewReader(bomb), "Content-Encoding", encoding).problem(413, "longer than 8 MiB")
		b := decode[struct{ Data bulkAnswer }](r).Data
		if b.Received != 10 || b.Complete || b.Resume.Offset != int64(len(first)) || b.Resume.Line != 11 {
			t.Errorf("%s: %+v", encoding, b)
		}
		if after := liveHeap(); after > before+64<<20 {
			t.Errorf("%s: %d bytes swelled the heap from %d to %d MiB", encoding, len(bomb), before>>20, after>>20)
		}
	}
}

// cutting lets so many chunks through and fails the one after them before it is tried.
type cutting struct {
	server.Ingest
	left int
}

func (c *cutting) SubmitMany(ctx context.Context, signals []model.SignalInsertParams) (model.BulkResult, error) {
	if c.left--; c.left == -1 {
		return model.BulkResult{}, &model.Error{Kind: model.ErrUnavailable, Entity: "signal", Reason: "told to"}
	}
	return c.Ingest.SubmitMany(ctx, signals)
}

// After a database that failed in the middle, what is sent from the resume point
// makes one of each, though the lines have no ids.
func TestBulkResumesByOffset(t *testing.T) {
	t.Parallel()
	onEnginesWith(t, func(t *testing.T, s *harness) {
		var b strings.Builder
		for i := range 100 {
			_, _ = fmt.Fprintf(&b, `{"content":"row %d","layer_to":"L1"}`+"\n", i)
		}
		stream := b.String()
		r := s.bulk(strings.NewReader(stream)).problem(503, "try again later")
		if r.header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
		got := decode[struct{ Data bulkAnswer }](r).Data
		if got.Received != 21 || got.Inserted != 21 || got.Complete || got.Resume.Line != 22 ||
			!strings.HasPrefix(stream[got.Resume.Offset:], `{"content":"row 21"`) {
			t.Fatalf("%+v", got)
		}
		rest := data[bulkAnswer](s.bulk(strings.NewReader(stream[got.Resume.Offset:])).want(200))
		if rest.Inserted != 79 || !rest.Complete {
			t.Errorf("the rest: %+v", rest)
		}
		contents := map[string]int{}
		for _, x := range decode[list[signal]](s.ask("GET", "/api/v1/signals?limit=1000", "").want(200)).Data {
			contents[x.Content]++
		}
		for i := range 100 {
			if n := contents[fmt.Sprint("row ", i)]; n != 1 {
				t.Errorf("row %d is stored %d times", i, n)
			}
		}
	}, smallChunks, func(d *server.Deps) { d.Ingest = &cutting{Ingest: d.Ingest, left: 3} })
}

// A client that vanishes in the middle of a line, and sends all again, has one of
// each by the ids.
func TestBulkResumesByIDs(t *testing.T) {
	t.Parallel()
	onEnginesWith(t, func(t *testing.T, s *harness) {
		stream := bulkLines(s, 100)
		ctx, leave := context.WithCancel(t.Context())
		from, to := io.Pipe()
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+bulkRoute, from)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-ndjson")
		left := make(chan struct{})
		go func() {
			defer close(left)
			if resp, err := s.client.Do(req); err == nil {
				_ = resp.Body.Close()
				t.Error("an answer before the end")
			}
		}()
		if _, err := io.WriteString(to, stream[:len(stream)*2/3]); err != nil {
			t.Fatal(err)
		}
		eventually(t, func() bool { return s.ingest.Stats().Committed >= 50 })
		leave()
		_ = to.CloseWithError(context.Canceled) // the transport waits for its body
		<-left
		// What came whole is stored, though nobody hears of it; the cut line is not.
		eventually(t, func() bool { return s.ingest.Stats().Committed == 66 })
		b := data[bulkAnswer](s.bulk(strings.NewReader(stream)).want(200))
		if b.Received != 100 || b.Inserted != 34 || b.Duplicates != 66 {
			t.Errorf("%+v", b)
		}
		if got := s.storedSignals(); got != 100 {
			t.Errorf("%d signals are stored, want 100", got)
		}
	}, smallChunks)
}

// slowly opens a stream and sends its beginning; the answer follows.
func (h *harness) slowly(beginning string) (*io.PipeWriter, <-chan response) {
	h.t.Helper()
	from, to := io.Pipe()
	answer := make(chan response, 1)
	go func() { answer <- h.bulk(from) }()
	if _, err := io.WriteString(to, beginning); err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { _ = to.Close() })
	return to, answer
}

func TestBulkIdleClients(t *testing.T) {
	t.Parallel()
	s := newServer(t, sqliteEngine, func(d *server.Deps) { d.Config.BulkIdleTimeout = 100 * time.Millisecond })
	_, answer := s.slowly(bulkLines(s, 3) + `{"content`)
	r := (<-answer).problem(408, "ingest.bulk_idle_timeout")
	if b := decode[struct{ Data bulkAnswer }](r).Data; b.Inserted != 3 || b.Complete || b.Resume.Line != 4 {
		t.Errorf("%+v", b)
	}
	// The time of an ordinary request does not bound a stream that goes on.
	s = newServer(t, sqliteEngine, func(d *server.Deps) { d.Config.RequestTimeout, d.Config.BulkChunkRows = time.Nanosecond, 1 })
	to, answer := s.slowly(bulkLines(s, 1))
	eventually(t, func() bool { return s.ingest.Stats().Committed == 1 })
	if _, err := io.WriteString(to, bulkLines(s, 1)); err != nil {
		t.Fatal(err)
	}
	_ = to.Close()
	if b := data[bulkAnswer]((<-answer).want(200)); b.Inserted != 2 {
		t.Errorf("%+v", b)
	}
}

func TestBulkStreamsAreFew(t *testing.T) {
	t.Parallel()
	s := newServer(t, sqliteEngine, func(d *server.Deps) {
		d.Config.BulkStreams, d.Config.BulkChunkRows, d.Config.BulkMinRate = 2, 1, 1 // which all of them bring
	})
	to, first := s.slowly(bulkLines(s, 1))
	other, second := s.slowly(bulkLines(s, 1))
	eventually(t, func() bool { return s.ingest.Stats().Committed == 2 })
	s.ask("GET", "/metrics", "").want(200, "hal9_ingest_bulk_streams 2")
	r := s.bulk(strings.NewReader(bulkLines(s, 1))).problem(503, "ingest.bulk_streams")
	if r.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	_ = to.Close()
	(<-first).want(200)
	s.bulk(strings.NewReader(bulkLines(s, 1))).want(200)
	_ = other.Close()
	(<-second).want(200)
}

// Clients that drip their streams keep nobody out who sends his at once, and take no place
// from each other.
func TestDrippingStreams(t *testing.T) {
	t.Parallel()
	s := newServer(t, sqliteEngine, func(d *server.Deps) { d.Config.BulkStreams, d.Config.BulkChunkRows = 2, 1 })
	kept, first := s.slowly(bulkLines(s, 1) + `{"content`)
	other, second := s.slowly(bulkLines(s, 1) + `{"content`)
	eventually(t, func() bool { return s.ingest.Stats().Committed == 2 })
	// Each second they bring less than they must; who drips as well gets no place by it.
	dripping := make(chan response, 3)
	for range cap(dripping) {
		from, to := io.Pipe()
		go func() { dripping <- s.bulk(from) }()
		if _, err := io.WriteString(to, `{"con`); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = to.Close() })
	}
	for range cap(dripping) {
		if r := (<-dripping).problem(503, "ingest.bulk_streams"); r.header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
	}
	s.ask("GET", "/metrics", "").want(200, "hal9_ingest_bulk_streams 2")
	var stored response
	eventually(t, func() bool { stored = s.bulk(strings.NewReader(bulkLines(s, 3))); return stored.status != 503 })
	stored.want(200, `"inserted":3`)

	going, rest := second, other
	var r response
	select {
	case r = <-first:
	case r = <-second:
		going, rest = first, kept
	}
	if b := decode[struct{ Data bulkAnswer }](r.problem(408, "ingest.bulk_min_rate")).Data; b.Inserted != 1 || b.Complete || b.Resume.Line != 2 {
		t.Errorf("%+v", b)
	}
	// The place that is free is not for the next one that drips.
	again, drip := io.Pipe()
	t.Cleanup(func() { _ = drip.Close() })
	go func() { _, _ = io.WriteString(drip, `{"con`) }()
	s.bulk(again).problem(503, "were a moment ago")
	// The other one is in nobody's way and goes on.
	if _, err := io.WriteString(rest, `":"plan the day","layer_to":"L3"}`+"\n"); err != nil {
		t.Fatal(err)
	}
	_ = rest.Close()
	(<-going).want(200, `"inserted":2`)
}

// At shutdown a stream ends, and its client learns how far it came.
func TestBulkAtShutdown(t *testing.T) {
	t.Parallel()
	s := serve(t)
	stream := bulkLines(s.harness, 5)
	_, answer := s.slowly(stream + `{"content"`)
	eventually(t, func() bool { return strings.Contains(s.ask("GET", "/metrics", "").body, "hal9_ingest_bulk_streams 1") })
	s.stop()
	r := (<-answer).problem(503, "shutting down")
	b := decode[struct{ Data bulkAnswer }](r).Data
	if b.Inserted != 5 || b.Complete || b.Resume.Offset != int64(len(stream)) {
		t.Errorf("%+v", b)
	}
	if err := <-s.ended; err != nil {
		t.Errorf("Serve: %v", err)
	}
}

// A transfer that breaks off is answered with what came whole, if anybody listens.
func TestBulkBrokenTransfer(t *testing.T) {
	t.Parallel()
	s := serve(t)
	line := bulkLines(s.harness, 1)
	got := s.raw(fmt.Sprintf("POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\nzz\r\n",
		bulkRoute, len(line), line))
	if !strings.HasPrefix(got, "HTTP/1.1 400 ") || !strings.Contains(got, "broke off") || !strings.Contains(got, `"inserted":1`) {
		t.Errorf("%q", got)
	}
}
