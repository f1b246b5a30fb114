package hal9

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/hal9-ai/hal9/clients/go/api"
)

const (
	ndjson = "application/x-ndjson"
	// maxLineErrors is how many faults a result tells, as the service does.
	maxLineErrors = 100
	// batchBytes is about how much SendAll keeps, to be sent again if need be.
	batchBytes = 1 << 20
)

// Load sends a stream of signals, one JSON object a line as api.SignalFields, and goes on
// where the service stopped reading. Memory does not grow with the stream.
//
// The result counts all lines; bad ones are in Failed and, the first 100, in Errors by
// their line, and take no other along. With an error the result tells how far it came:
// everything before Resume is decided.
//
// If a connection breaks before the answer, what was stored behind Resume is unknown. Where
// haveIDs says that every line has an id of its own, those lines are sent again, and what
// is stored already counts in Duplicates; otherwise Load returns the error.
func (c *Client) Load(ctx context.Context, lines io.ReadSeeker, haveIDs bool) (api.BulkResult, error) {
	total := api.BulkResult{Errors: []api.BulkLineError{}, Resume: api.BulkPosition{Line: 1}}
	begin, err := lines.Seek(0, io.SeekCurrent)
	if err != nil {
		return total, fmt.Errorf("hal9: find the beginning of the lines: %w", err)
	}
	again := refused
	if haveIDs {
		again = always
	}
	for failures := 0; ; {
		if _, err := lines.Seek(begin+total.Resume.Offset, io.SeekStart); err != nil {
			return total, fmt.Errorf("hal9: go on at byte %d of the lines: %w", total.Resume.Offset, err)
		}
		part, err := c.stream(ctx, lines)
		if part != nil {
			if part.Resume.Offset > 0 {
				failures = 0 // it goes on, so patience begins anew
			}
			addBulk(&total, part)
		}
		if err == nil {
			return total, nil
		}
		failures++
		var problem *Problem
		_ = errors.As(err, &problem)
		wait, worth := c.t.pause(ctx, problem, err, failures, again)
		if !worth || c.t.sleep(ctx, wait) != nil {
			return total, err
		}
	}
}

// stream sends lines once, from where they stand. The result may come with an error.
func (c *Client) stream(ctx context.Context, lines io.Reader) (*api.BulkResult, error) {
	body := &borrowed{r: lines}
	answer, err := c.SignalCreateBulkWithBodyWithResponse(ctx, ndjson, body)
	// net/http may go on reading after an early answer: it must not while we seek.
	_ = body.Close()
	if p, ok := errors.AsType[*Problem](err); ok {
		return p.Stream, err
	}
	switch {
	case err != nil:
		return nil, err
	case answer.JSON200 != nil:
		return &answer.JSON200.Data, nil
	case answer.JSON207 != nil:
		return &answer.JSON207.Data, nil
	default:
		return nil, fmt.Errorf("hal9: the answer %s to a stream tells no result", answer.Status())
	}
}

// addBulk adds the result of what was sent from total.Resume on.
func addBulk(total, part *api.BulkResult) {
	total.Received += part.Received
	total.Inserted += part.Inserted
	total.Duplicates += part.Duplicates
	total.Failed += part.Failed
	total.Complete = part.Complete
	for _, e := range part.Errors {
		if len(total.Errors) == maxLineErrors {
			break
		}
		e.Line += total.Resume.Line - 1
		total.Errors = append(total.Errors, e)
	}
	total.Resume.Offset += part.Resume.Offset
	total.Resume.Line += part.Resume.Line - 1
}

// borrowed reads from r until it is closed, which leaves r open.
type borrowed struct {
	mu     sync.Mutex
	r      io.Reader
	closed bool
}

func (b *borrowed) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return 0, http.ErrBodyReadAfterClose
	}
	return b.r.Read(p) //nolint:wrapcheck // io.EOF must stay io.EOF
}

func (b *borrowed) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	return nil
}

// SendAll sends signals as they are made, in streams of about a megabyte. It gives each
// an id if it has none (changing nothing in what the caller holds), so that all may be sent
// again after any failure. The results of the streams are added up; Line counts the signals
// from 1.
func (c *Client) SendAll(ctx context.Context, signals iter.Seq[api.SignalFields]) (api.BulkResult, error) {
	total := api.BulkResult{Errors: []api.BulkLineError{}, Resume: api.BulkPosition{Line: 1}}
	var batch bytes.Buffer
	send := func() error {
		part, err := c.Load(ctx, bytes.NewReader(batch.Bytes()), true)
		addBulk(&total, &part)
		batch.Reset()
		return err
	}
	for s := range signals {
		if s.ID == nil && s.Timestamp == nil {
			id, err := uuid.NewV7()
			if err != nil {
				return total, fmt.Errorf("hal9: make the id of a signal: %w", err)
			}
			s.ID = &id
		} else if s.ID == nil {
			id := idAt(*s.Timestamp)
			s.ID = &id
		}
		line, err := json.Marshal(s)
		if err != nil {
			return total, fmt.Errorf("hal9: write signal %d: %w", total.Resume.Line, err)
		}
		batch.Write(line)
		batch.WriteByte('\n')
		if batch.Len() >= batchBytes {
			if err := send(); err != nil {
				return total, err
			}
		}
	}
	if batch.Len() > 0 {
		if err := send(); err != nil {
			return total, err
		}
	}
	total.Complete = true
	return total, nil
}

// idAt is a new UUID of version 7 whose time is at, in milliseconds (RFC 9562).
func idAt(at time.Time) uuid.UUID {
	id := uuid.New() // random but for version and variant
	ms := at.UnixMilli()
	for i := range 6 {
		id[i] = byte(ms >> (40 - 8*i)) //nolint:gosec // the byte is meant to be cut out
	}
	id[6] = 0x70 | id[6]&0x0f
	return id
}
