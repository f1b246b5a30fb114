package hal9

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"

	"github.com/hal9-ai/hal9/clients/go/api"
)

// maxEvent bounds one line of a stream: a signal has at most 1 MiB of text, which JSON may
// write six times as long, and metadata.
const maxEvent = 8 << 20

// Event is what a listener hears: a signal, or that some were left out.
type Event struct {
	// ID is the place in the stream: LastEventID of a later Tail goes on behind it.
	ID string
	// Signal is nil in an event that tells of a gap.
	Signal *api.Signal
	// Gap says that there were too many to catch up with: read them by Signals.
	Gap *Gap
}

// Gap is the time between which signals were left out.
type Gap struct {
	Since time.Time `json:"since"`
	Until time.Time `json:"until"`
}

// Tail listens to signals as they are committed, until ctx ends or the caller breaks off.
// It comes back where it was when the connection breaks, the service restarts or the
// listener was too slow. At another server signals of the last 90 seconds may come again;
// who minds drops those whose id he knows. LastEventID in filter, which may be nil, is
// where to begin.
//
// An error is yielded last: a *Problem, or that the service could not be reached in as
// many attempts as WithRetries says.
func (c *Client) Tail(ctx context.Context, filter *api.SignalStreamParams) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		var p api.SignalStreamParams
		if filter != nil {
			p = *filter
		}
		for failures := 0; ; {
			place := p.LastEventID
			left, err := c.listen(ctx, &p, yield)
			if left {
				return
			}
			if p.LastEventID != place {
				failures = 0 // it was connected
			}
			failures++
			var problem *Problem
			_ = errors.As(err, &problem)
			wait, worth := c.t.pause(ctx, problem, err, failures, always)
			if !worth || errors.Is(err, errRevoked) || c.t.sleep(ctx, wait) != nil {
				yield(Event{}, err)
				return
			}
		}
	}
}

var errRevoked = errors.New("hal9: the right to listen was taken away")

// listen yields the events of one connection and keeps the place in p. left says that the
// caller broke off.
func (c *Client) listen(ctx context.Context, p *api.SignalStreamParams, yield func(Event, error) bool) (left bool, err error) {
	resp, err := c.SignalStream(ctx, p)
	if err != nil {
		return false, err
	}
	defer func() { _ = resp.Body.Close() }()
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, maxEvent)
	var name, data []byte
	id := ""
	for lines.Scan() {
		field, value, _ := bytes.Cut(lines.Bytes(), []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch string(field) {
		case "id":
			id = string(value)
		case "event":
			name = bytes.Clone(value)
		case "data":
			data = bytes.Clone(value)
		case "": // the end of an event, or a comment
			if len(lines.Bytes()) > 0 {
				continue
			}
			event, err := eventOf(string(name), data)
			if err != nil {
				return false, err
			}
			if id != "" {
				place := id
				p.LastEventID = &place
			}
			event.ID, name, data = id, nil, nil
			if (event.Signal != nil || event.Gap != nil) && !yield(event, nil) {
				return true, nil
			}
		}
	}
	if err := lines.Err(); err != nil {
		return false, fmt.Errorf("hal9: listen to signals: %w", err)
	}
	return false, fmt.Errorf("hal9: listen to signals: %w", io.ErrUnexpectedEOF)
}

func eventOf(name string, data []byte) (e Event, err error) {
	switch name {
	case "signal":
		e.Signal = &api.Signal{}
		err = json.Unmarshal(data, e.Signal)
	case "gap":
		e.Gap = &Gap{}
		err = json.Unmarshal(data, e.Gap)
	case "end":
		var end struct {
			Reason  string `json:"reason"`
			Message string `json:"message"`
		}
		if err = json.Unmarshal(data, &end); err == nil {
			if end.Reason == "revoked" {
				return e, errRevoked
			}
			return e, fmt.Errorf("hal9: the service ended the stream: %s: %s", end.Reason, end.Message)
		}
	}
	if err != nil {
		return e, fmt.Errorf("hal9: read an event %q: %w", name, err)
	}
	return e, nil
}
