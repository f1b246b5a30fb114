package stream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/hal9-ai/hal9/model"
)

// ErrSlow says that a listener read so slowly that its place was overwritten.
var ErrSlow = errors.New("the listener fell behind what the feed keeps")

const (
	// pollEvents and pollBytes bound what one Poll returns.
	pollEvents = 512
	pollBytes  = 1 << 20
	// replayPage is how many rows are read from the database at once, by maxReplays listeners
	// at a time; of long ones fewer, as soon as they are met.
	replayPage = 100
	// replayBytes bounds what of that a listener holds, but for one row, while its client takes
	// it, as slowly as it may: thousands do so at once. It is counted as in the ring.
	replayBytes = 512 << 10
	// ahead is how far the time of a signal may lie in the future.
	ahead = time.Minute + time.Second
)

// Start says where a listener begins. The zero value is now.
type Start struct {
	// After is the place of the last event that the listener has; nil: it has none.
	After *Position
	// Since is the time from which on stored signals come first; zero: none do.
	Since time.Time
}

// Batch is what came.
type Batch struct {
	Events []*Event
	// Position is the place behind what was looked at, wanted or not.
	Position Position
	// Gap tells that signals between two times are left out, since there are too many:
	// they are found in the database.
	Gap *Gap
}

// Gap is a stretch of time, from Since to before Until.
type Gap struct{ Since, Until time.Time }

// Listener is somebody's place in the feed. It belongs to one goroutine, which closes it.
type Listener struct {
	feed   *Feed
	filter Filter
	next   uint64 // in the ring
	past   *past  // what is to be read from the database first; nil: nothing
	// told are ids that came from the database and may come from the ring too, as late as
	// toldUntil: who stored one may be about to tell the feed. nil: there are none.
	told      *recent
	toldUntil time.Time
}

// toldIDs is how many ids a listener knows at least that came from the database, and half of
// how many at the most, which take 32 KiB. Thousands of listeners come back at once when a
// server was restarted; what was in the ring when they came, or comes into it while they are
// told of the past, none of them has to remember.
const toldIDs = 1 << 10

// past is a reading of the database, from the cursor on.
type past struct {
	cursor time.Time
	id     uuid.UUID
	until  time.Time
	began  time.Time
	rows   int
	page   int // how many are read next
}

// Listen begins to listen. After a place of this server's that the ring still holds
// nothing is missing and nothing comes twice; after any other, signals of the overlap may
// come again, but each once.
func (f *Feed) Listen(filter Filter, start Start) *Listener {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.awake()
	f.listeners++
	l := &Listener{feed: f, filter: filter, next: f.ring.next}
	switch from := start.After; {
	case from != nil && from.Era == f.era && from.Seq < f.ring.next && from.Seq+1 >= f.ring.first:
		l.next = from.Seq + 1
		f.figures.resumedExact.Inc()
	case from != nil && !from.At.Add(-f.cfg.Overlap).Before(f.ring.since):
		l.next = f.ring.firstAt(from.At.Add(-f.cfg.Overlap))
		f.figures.resumedMemory.Inc()
	case from != nil:
		l.replay(from.At.Add(-f.cfg.Overlap))
	case !start.Since.IsZero():
		l.replay(start.Since)
	}
	return l
}

func (l *Listener) replay(since time.Time) {
	now := l.feed.now()
	if floor := time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC); since.Before(floor) {
		since = floor
	}
	l.past = &past{cursor: model.NormalTime(since), until: now.Add(ahead), began: now, page: replayPage}
	told := newRecent(toldIDs)
	l.told = &told
	l.feed.figures.resumedDatabase.Inc()
}

// Close ends the listening.
func (l *Listener) Close() {
	f := l.feed
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.listeners--; f.listeners == 0 {
		f.idle = f.now()
	}
}

// Position is the place behind all that was polled.
func (l *Listener) Position() Position {
	f := l.feed
	f.mu.RLock()
	defer f.mu.RUnlock()
	if l.past != nil {
		return Position{At: l.past.place()}
	}
	return f.place(l.next)
}

// place is the position before event next. f.mu is held.
func (f *Feed) place(next uint64) Position {
	p := Position{At: f.began, Era: f.era, Seq: next - 1}
	switch {
	case next > f.ring.first && next <= f.ring.next:
		p.At = f.ring.at(next - 1).Position.At
	case next == f.ring.first:
		p.At = f.ring.since
	}
	// What came until now is known: a listener that hears nothing for hours, and then
	// comes back to another server, need not be told of hours.
	if next == f.ring.next {
		p.At = f.now()
	}
	return p
}

// Poll returns what has come, without waiting for more. wake is nil if there is more to be
// had at once, a batch being bounded, and else closed when more comes. ErrSlow says that events were overwritten; any
// other error comes from the database.
func (l *Listener) Poll(ctx context.Context) (b Batch, wake <-chan struct{}, err error) {
	if l.past != nil {
		b, err = l.pollPast(ctx)
		return b, nil, err
	}
	f := l.feed
	f.mu.RLock()
	defer f.mu.RUnlock()
	wake = f.wake
	if l.next < f.ring.first {
		return b, wake, ErrSlow
	}
	bytes := 0
	for l.next < f.ring.next && len(b.Events) < pollEvents && bytes < pollBytes {
		e := f.ring.at(l.next)
		l.next++
		if l.filter.Wants(&e.Signal) && !l.known(e) {
			b.Events = append(b.Events, e)
			bytes += e.size()
		}
	}
	if l.next < f.ring.next {
		wake = nil
	}
	if l.told != nil && f.now().After(l.toldUntil) {
		l.told = nil
	}
	b.Position = f.place(l.next)
	return b, wake, nil
}

// known tells whether the database has told of an event already.
func (l *Listener) known(e *Event) bool { return l.told != nil && l.told.knows(e.Signal.ID) }

// place is where a listener that leaves now would begin again.
func (p *past) place() time.Time {
	if p.cursor.After(p.began) {
		return p.began
	}
	return p.cursor
}

// pollPast returns the next page of what is stored.
func (l *Listener) pollPast(ctx context.Context) (Batch, error) {
	f, p := l.feed, l.past
	select {
	case f.replays <- struct{}{}:
		defer func() { <-f.replays }()
	case <-ctx.Done():
		return Batch{}, ctx.Err()
	}
	rows, err := f.page(ctx, p.cursor, p.id, p.until, p.page)
	if err != nil {
		return Batch{}, err
	}
	more := len(rows) == p.page
	if fit := l.fitting(rows); fit < len(rows) {
		rows, more, p.page = rows[:fit], true, fit
	} else {
		p.page = min(2*p.page, replayPage)
	}
	var b Batch
	comes := l.remember(rows)
	for i := range rows {
		row := &rows[i]
		p.cursor, p.id = row.Timestamp, row.ID
		if comes[i] {
			continue
		}
		if l.filter.Wants(row) {
			b.Events = append(b.Events, &Event{Signal: *row, Position: Position{At: p.place()}})
		}
	}
	p.rows += len(rows)
	b.Position = Position{At: p.place()}
	full := p.rows >= f.cfg.ReplayRows && more
	if full {
		b.Gap = &Gap{Since: p.cursor, Until: p.began}
	}
	if full || !more {
		l.past = nil
		f.mu.RLock()
		l.toldUntil = f.now().Add(f.cfg.Overlap)
		if l.next < f.ring.first { // so much came meanwhile; the client comes back from here
			err = ErrSlow
		}
		f.mu.RUnlock()
	}
	return b, err
}

// fitting is how many of the rows a listener is given at once, one at least: what is left is
// read again.
func (l *Listener) fitting(rows []model.Signal) int {
	bytes := 0
	for i := range rows {
		if !l.filter.Wants(&rows[i]) {
			continue
		}
		e := Event{Signal: rows[i]}
		if bytes += e.size(); bytes > replayBytes && i > 0 {
			return i
		}
	}
	return len(rows)
}

// remember tells which rows the ring is going to tell anyway, and notes those of which the
// feed does not know: they may be in a transaction that ended a moment ago, of which a
// notice is on its way.
func (l *Listener) remember(rows []model.Signal) (comes []bool) {
	f := l.feed
	comes = make([]bool, len(rows))
	f.mu.RLock()
	defer f.mu.RUnlock()
	for i := range rows {
		id := rows[i].ID
		if number, held := f.ring.numbers[id]; held {
			comes[i] = number >= l.next
		} else if !f.recent.knows(id) {
			l.told.add(id)
		}
	}
	return comes
}

// page reads up to so many signals after a cursor, the oldest first.
func (f *Feed) page(ctx context.Context, cursor time.Time, id uuid.UUID, until time.Time, most int) ([]model.Signal, error) {
	if latest := model.MaxTime(); until.After(latest) {
		until = latest
	}
	rows, err := f.cfg.Store.SignalListAfter(ctx, model.SignalListAfterParams{
		CursorTimestamp: cursor, CursorID: id, Until: model.NormalTime(until), PageLimit: int64(most),
	})
	if err != nil {
		return nil, fmt.Errorf("read signals for the stream: %w", err)
	}
	f.figures.rowsRead.Add(len(rows))
	return rows, nil
}
