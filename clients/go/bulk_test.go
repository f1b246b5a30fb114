package hal9_test

import (
	"bytes"
	"context"
	"io"
	"iter"
	"net/http"
	"strconv"
	"testing"
	"time"

	hal9 "github.com/hal9-ai/hal9/clients/go"
	"github.com/hal9-ai/hal9/clients/go/api"
)

func TestLoad(t *testing.T) {
	t.Parallel()
	s := serve(t)
	text := append(lines(100), "{\"content\": \"x\", \"layer_to\": \"L9\"}\n"...)
	got, err := s.client().Load(t.Context(), bytes.NewReader(text), false)
	if err != nil || got.Received != 101 || got.Inserted != 100 || got.Failed != 1 || !got.Complete ||
		len(got.Errors) != 1 || got.Errors[0].Line != 101 || got.Errors[0].Field != "layer_to" {
		t.Errorf("%+v, %v", got, err)
	}
}

// atByte calls do once, when byte at of the stream is asked for.
type atByte struct {
	io.ReadSeeker
	at   int64
	do   func()
	done bool
}

func (r *atByte) Read(p []byte) (int, error) {
	pos, err := r.Seek(0, io.SeekCurrent)
	if err != nil {
		return 0, err
	}
	if pos >= r.at && !r.done {
		r.done = true
		r.do()
	}
	return r.ReadSeeker.Read(p[:min(len(p), 4096)])
}

// The service is stopped in the middle of a stream and started again: the rest is sent,
// and nothing twice or not at all, though no line has an id.
func TestLoadGoesOn(t *testing.T) {
	t.Parallel()
	const rows = 8_000
	s := serve(t, "--ingest-bulk-chunk-rows", "500")
	text := lines(rows)
	text = append(text, "{\"content\": \"x\", \"layer_to\": \"L9\"}\n"...)
	restarted := false
	stream := &atByte{ReadSeeker: bytes.NewReader(text), at: int64(len(text)) / 2, do: func() {
		s.awaitMetric(`hal9_signals_processed_total{status="success"} [1-9]`)
		if err := s.stop(); err != nil {
			t.Errorf("the service's end: %v", err)
		}
		s.start()
		restarted = true
	}}
	got, err := s.client().Load(t.Context(), stream, false)
	if err != nil || !restarted || got.Received != rows+1 || got.Inserted != rows || !got.Complete || got.Resume.Offset != int64(len(text)) ||
		len(got.Errors) != 1 || got.Errors[0].Line != rows+1 {
		t.Errorf("restarted %v: %+v, %v", restarted, got, err)
	}
	if n := s.count("bulk"); n != rows {
		t.Errorf("%d are stored, want %d", n, rows)
	}
}

// A connection that breaks before the answer leaves unknown what was stored. With ids all
// is sent again; without, that is the caller's to decide.
func TestLoadLostAnswer(t *testing.T) {
	t.Parallel()
	s := serve(t)
	f := between(t, s, func(_ http.ResponseWriter, r *http.Request, nth int) (bool, bool) {
		return false, r.URL.Path == "/api/v1/signals/bulk" && nth%2 == 1
	})
	c := clientOf(t, f.URL)
	if got, err := c.Load(t.Context(), bytes.NewReader(lines(10)), false); err == nil || got.Received != 0 || got.Complete {
		t.Errorf("without ids: %+v, %v", got, err)
	}
	f.count("")
	_, _ = c.Load(t.Context(), bytes.NewReader(nil), false) // the second is let through
	got, err := c.SendAll(t.Context(), made(1000))
	if err != nil || got.Received != 1000 || got.Duplicates != 1000 || got.Failed != 0 {
		t.Errorf("with ids: %+v, %v", got, err)
	}
	if n := s.count("made"); n != 1000 {
		t.Errorf("%d are stored, want 1000", n)
	}
}

// made are signals that differ.
func made(n int) iter.Seq[api.SignalFields] {
	return func(yield func(api.SignalFields) bool) {
		for i := range n {
			at := time.Now().Add(-time.Duration(i) * time.Second)
			s := api.SignalFields{Content: strconv.Itoa(i), LayerTo: "L3", ToNeuron: new("made")}
			if i%2 == 0 {
				s.Timestamp = &at
			}
			if !yield(s) {
				return
			}
		}
	}
}

// A caller that leaves gets his error at once, whatever is under way.
func TestLoadCancelled(t *testing.T) {
	t.Parallel()
	s := serve(t)
	ctx, cancel := context.WithCancel(t.Context())
	stream := &atByte{ReadSeeker: bytes.NewReader(lines(20_000)), at: 100_000, do: cancel}
	if _, err := s.client(hal9.WithUserAgent("leaver")).Load(ctx, stream, true); err == nil {
		t.Error("no error")
	}
}
