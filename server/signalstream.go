package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gin-gonic/gin"

	"github.com/hal9-ai/hal9/stream"
)

const (
	streamPath = "/api/v1/signals/stream"
	// streamWriteTimeout is how long a client may leave the network's buffers full.
	streamWriteTimeout = 15 * time.Second
	// streamRenew is how often a listener's credential is looked at again.
	streamRenew = 10 * time.Second
	// streamRetry is after how long a client that lost the stream comes back.
	streamRetry = 2 * time.Second
	// streamPace is how much longer each listener makes the time between two writes to
	// one: a write costs about 10 µs, so that writes take half a core at the most,
	// however many listen. What comes meanwhile goes by the same write.
	streamPace = 20 * time.Microsecond
	// maxStreamPace bounds it.
	maxStreamPace = 250 * time.Millisecond

	typeEventStream = "text/event-stream"
)

// Why a stream ends, in the event that says so.
const (
	endSlow     = "slow"
	endRevoked  = "revoked"
	endShutdown = "shutdown"
	endFailed   = "failed"
)

// signalStream sends committed signals as they come, by server-sent events, until the
// client leaves.
func (s *Server) signalStream(c *gin.Context) {
	filter, start, refusal := streamQuery(c.Request)
	if refusal != nil {
		refusal.abort(c)
		return
	}
	leave, refusal := s.streams.enter(streamClient(c.Request.Context()))
	if refusal != nil {
		refusal.abort(c)
		return
	}
	defer leave()
	w := &eventWriter{server: s, c: c, control: http.NewResponseController(c.Writer)}
	// The deadlines of ordinary requests do not hold; that of reading would look as if
	// the client had left.
	if err := errors.Join(w.control.SetReadDeadline(time.Time{}), w.control.SetWriteDeadline(time.Now().Add(streamWriteTimeout))); err != nil {
		s.fail(c.Request.Context(), fmt.Errorf("lift the deadlines: %w", err)).abort(c)
		return
	}
	h := c.Writer.Header()
	h.Set("Content-Type", typeEventStream)
	h.Set("X-Accel-Buffering", "no") // nginx would wait for more
	c.Status(http.StatusOK)
	if isHead(c.Request.Context()) {
		return
	}
	listener := s.stream.Listen(filter, start)
	defer listener.Close()
	_, _ = fmt.Fprintf(&w.buf, "retry: %d\n", streamRetry.Milliseconds())
	w.place(listener.Position(), "listening")
	if err := w.flush(); err == nil {
		s.runStream(c.Request.Context(), w, listener)
	}
}

// runStream sends what comes until the client leaves or may not go on.
func (s *Server) runStream(ctx context.Context, w *eventWriter, l *stream.Listener) {
	heartbeat := time.NewTicker(s.cfg.StreamHeartbeat)
	defer heartbeat.Stop()
	renew := time.NewTicker(s.cfg.StreamRenew)
	defer renew.Stop()
	more := make(chan struct{})
	close(more)
	for {
		b, wake, err := l.Poll(ctx)
		if ctx.Err() != nil {
			return
		}
		w.batch(&b)
		if err != nil {
			s.endStream(ctx, w, l, err)
			return
		}
		if len(b.Events) > 0 || b.Gap != nil {
			if w.flush() != nil {
				return
			}
		}
		if wake == nil {
			// There is more to read, and a client that reads slowly may take an hour over it:
			// what ends a stream must not wait for that.
			wake = more
		} else if len(b.Events) > 0 && !s.paced(ctx, w) {
			continue // ctx ended
		}
		select {
		case <-wake:
		case <-heartbeat.C:
			w.place(l.Position(), "heartbeat")
			if w.flush() != nil {
				return
			}
		case <-renew.C:
			if err := s.renew(ctx, routeKey{http.MethodGet, streamPath}); err != nil {
				s.endStream(ctx, w, l, err)
				return
			}
		case <-s.stopping.Done():
			s.endStream(ctx, w, l, errStreamStopping)
			return
		case <-ctx.Done():
			return
		}
	}
}

var errStreamStopping = errors.New("the server is shutting down")

// paced waits until a listener may be written to again; false: ctx ended.
func (s *Server) paced(ctx context.Context, w *eventWriter) bool {
	pace := min(time.Duration(s.streams.count.Load())*streamPace, maxStreamPace)
	left := pace - time.Since(w.written)
	if left <= 0 {
		return true
	}
	timer := time.NewTimer(left)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// endStream tells the client why the stream ends.
func (s *Server) endStream(ctx context.Context, w *eventWriter, l *stream.Listener, err error) {
	end := streamEnd{Reason: endFailed}
	var refusal *problem
	switch {
	case errors.Is(err, errStreamStopping):
		end.Reason, end.Message = endShutdown, "the server shuts down; come back with Last-Event-ID"
	case errors.Is(err, stream.ErrSlow):
		end.Reason, end.Message = endSlow, "this client reads more slowly than signals come; come back with Last-Event-ID, and ask for fewer by the filters"
	case errors.As(err, &refusal) && refusal.Status < http.StatusInternalServerError:
		end.Reason, end.Message = endRevoked, refusal.Detail
	default:
		end.Message = s.fail(ctx, err).Detail
	}
	s.streams.ended(end.Reason)
	w.place(l.Position(), "")
	w.event("end", end)
	_ = w.flush() // the client has left, or has been told
}

// streamEnd is the data of the event that ends a stream.
type streamEnd struct {
	Reason  string `json:"reason" enum:"slow,revoked,shutdown,failed"`
	Message string `json:"message"`
}

// streamGap is the data of the event that tells of signals left out.
type streamGap struct {
	Since   time.Time `json:"since" doc:"The time of the last signal before the gap."`
	Until   time.Time `json:"until" doc:"Signals from here on follow."`
	Message string    `json:"message"`
}

// eventWriter writes the stream of one client.
type eventWriter struct {
	server  *Server
	c       *gin.Context
	control *http.ResponseController
	buf     bytes.Buffer
	events  int
	written time.Time
}

// batch adds what came.
func (w *eventWriter) batch(b *stream.Batch) {
	for _, e := range b.Events {
		w.buf.Write(e.Encoded(encodeEvent))
	}
	w.events += len(b.Events)
	if b.Gap != nil {
		w.place(b.Position, "")
		w.event("gap", streamGap{
			Since: b.Gap.Since, Until: b.Gap.Until,
			Message: "there are too many signals between these times to send them here; read them from GET /api/v1/signals",
		})
	}
}

// place adds a client's place, which it sends back as Last-Event-ID; a block without data
// sets it and is no event.
func (w *eventWriter) place(p stream.Position, comment string) {
	w.buf.WriteString("id: " + p.String() + "\n")
	if comment != "" {
		w.buf.WriteString(": " + comment + "\n\n")
	}
}

// event adds an event of a kind.
func (w *eventWriter) event(kind string, v any) {
	data, err := marshalAnswer(v)
	if err != nil {
		return // these can be written
	}
	w.buf.WriteString("event: " + kind + "\ndata: ")
	w.buf.Write(bytes.TrimSpace(data))
	w.buf.WriteString("\n\n")
}

// flush sends what was added. After an error the client is gone, or too slow.
func (w *eventWriter) flush() error {
	w.written = time.Now()
	err := w.control.SetWriteDeadline(w.written.Add(streamWriteTimeout))
	if err == nil {
		_, err = w.c.Writer.Write(w.buf.Bytes())
	}
	if err == nil {
		err = w.control.Flush()
	}
	w.buf.Reset()
	if w.buf.Cap() > 4<<20 {
		w.buf = bytes.Buffer{} // not for the rest of a long life
	}
	w.server.streams.sent(w.events)
	w.events = 0
	if err != nil && w.c.Request.Context().Err() == nil {
		w.server.streams.ended(endSlow)
	}
	if err != nil {
		return fmt.Errorf("write to the stream: %w", err)
	}
	return nil
}

// encodeEvent writes a signal as all listeners are sent it.
func encodeEvent(e *stream.Event) []byte {
	data, err := marshalAnswer(signalOf(e.Signal))
	if err != nil {
		return []byte(": a signal that cannot be written\n\n") // what was stored can be
	}
	var b bytes.Buffer
	b.Grow(len(data) + 80)
	b.WriteString("id: " + e.Position.String() + "\nevent: signal\ndata: ")
	b.Write(bytes.TrimSpace(data))
	b.WriteString("\n\n")
	return b.Bytes()
}

// streamQuery reads what a client wants to hear, and from where on.
func streamQuery(r *http.Request) (f stream.Filter, start stream.Start, refusal *problem) {
	query := r.URL.Query()
	for _, name := range slices.Sorted(maps.Keys(query)) { // of several faults the same one each time
		v := query.Get(name)
		if utf8.RuneCountInString(v) > maxName {
			return f, start, invalidField("query."+name, "must not be longer than 255 characters")
		}
		switch name {
		case "neuron":
			f.Neuron = v
		case "from_neuron":
			f.FromNeuron = v
		case "to_neuron":
			f.ToNeuron = v
		case "propagation_type":
			f.PropagationType = v
		case "layer":
			if v == "" {
				continue
			}
			layer, err := signalLayer("query.layer", v)
			if err != nil && errors.As(err, &refusal) {
				return f, start, refusal
			}
			f.Layer = layer
		case "since":
			since, err := time.Parse(time.RFC3339, v)
			if err != nil {
				return f, start, invalidField("query.since", "must be a time such as 2026-01-31T00:00:00Z")
			}
			if start.Since = since.UTC(); start.Since.IsZero() {
				start.Since = start.Since.Add(1) // the first moment of the year 1, for which it has no word
			}
		default:
			return f, start, invalidField("query."+name, unknownQuery(queryNames(streamParameters())))
		}
	}
	if last := strings.TrimSpace(r.Header.Get("Last-Event-ID")); last != "" {
		p, err := stream.ParsePosition(last)
		if err != nil {
			return f, start, invalidField("header.Last-Event-ID", "must be the id of an event of this stream; leave it out to begin now, or give since")
		}
		start.After = &p
	}
	return f, start, nil
}
