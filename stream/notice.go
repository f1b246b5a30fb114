package stream

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/hal9-ai/hal9/model"
)

// noticeIDs is how many ids one notice carries: PostgreSQL refuses a payload of 8000
// bytes, and 300 ids are 6400 in base64.
const noticeIDs = 300

// notice tells other servers of signals that were committed.
type notice struct {
	Origin string `json:"o"`
	// Since and Until are the times of the first and the last, in microseconds.
	Since int64 `json:"s"`
	Until int64 `json:"u"`
	// IDs are 16 bytes each, one after another. None says that all signals from Since
	// on are to be looked for, but for the two that follow.
	IDs []byte `json:"i,omitempty"`
	// Alive says that the server is there and has nothing to tell; Gone that it ends and
	// has told all. A server of before these takes the first for a look at what came since,
	// of which there is next to nothing.
	Alive bool `json:"a,omitempty"`
	Gone  bool `json:"g,omitempty"`
}

// noticeHead is what the notices of a server begin with: one's own, which a bus brings
// back, are known by it and are not taken apart. origin is letters and digits.
func noticeHead(origin string) string { return `{"o":"` + origin + `",` }

func (n *notice) encode() string {
	text, err := json.Marshal(n)
	if err != nil {
		return "" // numbers and letters can be written
	}
	return string(text)
}

func decodeNotice(text string) (notice, error) {
	var n notice
	if err := json.Unmarshal([]byte(text), &n); err != nil {
		return n, fmt.Errorf("read a notice: %w", err)
	}
	if n.Origin == "" || n.Since > n.Until || len(n.IDs)%len(uuid.UUID{}) != 0 {
		return n, fmt.Errorf("read a notice: it is none of this program's: %.80q", text)
	}
	return n, nil
}

// maxOut is how many signals may wait to be told to others; of more, only the time is.
const maxOut = 50_000

// outbox is what other servers are yet to be told.
type outbox struct {
	origin string
	kick   chan struct{}

	mu      sync.Mutex
	waiting []noted
	// owed is the time of the earliest signal of which others were not told by its id, in
	// microseconds; 0: none.
	owed int64
}

// noted is a signal as a notice tells it.
type noted struct {
	id    uuid.UUID
	micro int64
}

func newOutbox(origin string) *outbox { return &outbox{origin: origin, kick: make(chan struct{}, 1)} }

func (o *outbox) add(signals []model.SignalInsertParams) {
	o.mu.Lock()
	for i := range signals {
		n := noted{signals[i].ID, model.NormalTime(signals[i].Timestamp).UnixMicro()}
		if len(o.waiting) < maxOut {
			o.waiting = append(o.waiting, n)
		} else {
			o.owe(n.micro)
		}
	}
	o.mu.Unlock()
	select {
	case o.kick <- struct{}{}:
	default:
	}
}

// owe notes a signal that others will have to look for. o.mu is held.
func (o *outbox) owe(micro int64) {
	if o.owed == 0 || micro < o.owed {
		o.owed = micro
	}
}

// take returns the notices that are due, and the earliest time in them.
func (o *outbox) take(now time.Time) (messages []string, since int64) {
	o.mu.Lock()
	waiting, owed := o.waiting, o.owed
	o.waiting, o.owed = nil, 0
	o.mu.Unlock()
	since = owed
	for len(waiting) > 0 {
		part := waiting[:min(len(waiting), noticeIDs)]
		waiting = waiting[len(part):]
		n := notice{Origin: o.origin, Since: part[0].micro, Until: part[0].micro, IDs: make([]byte, 0, len(part)*len(uuid.UUID{}))}
		for i := range part {
			n.Since, n.Until = min(n.Since, part[i].micro), max(n.Until, part[i].micro)
			n.IDs = append(n.IDs, part[i].id[:]...)
		}
		messages = append(messages, n.encode())
		if since == 0 || n.Since < since {
			since = n.Since
		}
	}
	if owed != 0 {
		n := notice{Origin: o.origin, Since: owed, Until: max(owed, now.UnixMicro())}
		messages = append(messages, n.encode())
	}
	return messages, since
}

const (
	publishTimeout = 2 * time.Second
	// sendGap is how long after others were told the next signals gather: under load
	// there are hundreds of commits a second, and each message wakes all servers.
	sendGap = 5 * time.Millisecond
	// A bus that is away is tried again after a while that doubles.
	minBackoff = 50 * time.Millisecond
	maxBackoff = 2 * time.Second
)

// send tells other servers what is in the outbox until ctx ends, and that this one is
// there. What cannot be told is told later by its time alone: the others look for it.
func (f *Feed) send(ctx context.Context) {
	backoff := minBackoff
	alive := time.NewTicker(f.cfg.Presence)
	defer alive.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			f.leave(context.WithoutCancel(ctx))
			return
		case <-f.out.kick:
			err = f.sendOne(ctx)
		case <-alive.C:
			// If it is not heard the others look for what it did not tell: no need to try again.
			_ = f.say(ctx, notice{Alive: true})
		}
		if err == nil {
			backoff = minBackoff
			pause(ctx, sendGap) // if ctx ends, so does the loop, after the last signals
			continue
		}
		pause(ctx, backoff)
		backoff = min(2*backoff, maxBackoff)
		select {
		case f.out.kick <- struct{}{}:
		default:
		}
	}
}

// leave tells the last signals, and that there will be no more. Whom it does not reach
// looks for them: see silence.
func (f *Feed) leave(ctx context.Context) {
	if f.sendOne(ctx) == nil {
		_ = f.say(ctx, notice{Gone: true})
	}
}

// say tells others of this server itself.
func (f *Feed) say(ctx context.Context, n notice) error {
	now := f.now().UnixMicro()
	n.Origin, n.Since, n.Until = f.origin, now, now
	return f.publish(ctx, []string{n.encode()})
}

// sendOne empties the outbox.
func (f *Feed) sendOne(ctx context.Context) error {
	messages, since := f.out.take(f.now())
	if len(messages) == 0 {
		return nil
	}
	if err := f.publish(ctx, messages); err != nil {
		f.out.mu.Lock()
		f.out.owe(since)
		f.out.mu.Unlock()
		return err
	}
	return nil
}

func (f *Feed) publish(ctx context.Context, messages []string) error {
	ctx, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	if err := f.cfg.Bus.Publish(ctx, messages); err != nil {
		f.figures.failed.Inc()
		return fmt.Errorf("tell other servers of signals: %w", err)
	}
	f.figures.sent.Add(len(messages))
	return nil
}

// idList is a JSON array of ids.
func idList(ids []uuid.UUID) model.JSON {
	text := make([]byte, 0, 2+39*len(ids))
	text = append(text, '[')
	for i, id := range ids {
		if i > 0 {
			text = append(text, ',')
		}
		text = append(append(append(text, '"'), id.String()...), '"')
	}
	return model.JSON(append(text, ']'))
}
