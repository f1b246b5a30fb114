package stream

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/hal9-ai/hal9/model"
)

const (
	// readIDs is how many ids are read from the database at once.
	readIDs = 900
	// maxInbox is how many ids may wait to be read; of more, only the time is kept.
	maxInbox = 50_000
	// While the bus is away the database is asked each pollInterval, a little further
	// back than the last time.
	pollInterval = time.Second
	pollOverlap  = 5 * time.Second
	// maxLookBack bounds how far back signals are looked for that a bus lost.
	maxLookBack = time.Hour
)

// inbox is what other servers told and is yet to be read.
type inbox struct {
	kick chan struct{}

	mu           sync.Mutex
	ids          []uuid.UUID
	since, until int64
	// owed is the time from which on signals are to be looked for; zero: they are not.
	owed time.Time
	up   bool
	// lost is when the bus was last known to work, or the database was last asked for all
	// that might have been committed since; asked when it was last asked for the newest.
	lost, asked time.Time
	// swept is the moment that lost will be when what is owed was read; zero: it stays.
	swept time.Time
	// heard is when each of the other servers was heard last, by its origin.
	heard map[string]time.Time
}

func newInbox() *inbox {
	return &inbox{kick: make(chan struct{}, 1), heard: map[string]time.Time{}}
}

func (i *inbox) wake() {
	select {
	case i.kick <- struct{}{}:
	default:
	}
}

// owe notes from when on signals are to be looked for. i.mu is held.
func (i *inbox) owe(since time.Time) {
	if i.owed.IsZero() || since.Before(i.owed) {
		i.owed = since
	}
}

// follow keeps the subscription up until ctx ends.
func (f *Feed) follow(ctx context.Context) {
	backoff, told := minBackoff, false
	f.in.mu.Lock()
	f.in.lost = f.now()
	f.in.mu.Unlock()
	for {
		began := f.now()
		err := f.cfg.Bus.Subscribe(ctx, func() {
			f.found()
			if told {
				f.cfg.Logger.InfoContext(ctx, "other servers' signals arrive again")
				told = false
			}
		}, f.receive)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			err = errAway
		}
		f.in.mu.Lock()
		if f.in.up {
			f.in.up, f.in.lost = false, f.now()
			backoff = minBackoff
		}
		f.in.mu.Unlock()
		if !told {
			f.cfg.Logger.WarnContext(ctx, "other servers' signals are looked for in the database each second, since notices of them do not arrive",
				slog.String("error", err.Error()))
			told = true
		}
		if f.now().Sub(began) > maxBackoff {
			backoff = minBackoff
		}
		if !pause(ctx, backoff) {
			return
		}
		backoff = min(2*backoff, maxBackoff)
	}
}

// found notes that notices arrive, and has looked for what was not told meanwhile.
func (f *Feed) found() {
	f.in.mu.Lock()
	f.in.up = true
	f.in.owe(f.in.lost.Add(-f.cfg.Overlap))
	for origin := range f.in.heard {
		f.in.heard[origin] = f.now() // who was silent may have spoken meanwhile
	}
	f.in.mu.Unlock()
	f.in.wake()
}

// receive takes a notice.
func (f *Feed) receive(message string) {
	if message == "" || strings.HasPrefix(message, f.own) {
		return // a bus tries itself, or brings back what this server sent
	}
	n, err := decodeNotice(message)
	if err != nil {
		f.cfg.Logger.Warn("a notice of signals was passed over", slog.String("error", err.Error()))
		return
	}
	f.figures.received.Inc()
	f.in.met(&n, f.now())
	if n.Alive || n.Gone || !f.active.Load() {
		return
	}
	in := f.in
	in.mu.Lock()
	switch {
	case len(n.IDs) == 0 || len(in.ids)+len(n.IDs)/len(uuid.UUID{}) > maxInbox:
		in.owe(time.UnixMicro(n.Since))
	default:
		if len(in.ids) == 0 {
			in.since, in.until = n.Since, n.Until
		}
		in.since, in.until = min(in.since, n.Since), max(in.until, n.Until)
		for at := 0; at < len(n.IDs); at += len(uuid.UUID{}) {
			in.ids = append(in.ids, uuid.UUID(n.IDs[at:at+len(uuid.UUID{})]))
		}
	}
	in.mu.Unlock()
	in.wake()
}

// read brings in the rows that others told of, until ctx ends.
func (f *Feed) read(ctx context.Context) {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-f.in.kick:
		case <-tick.C:
			f.ask()
			f.silence(ctx)
		}
		if err := f.readAll(ctx); err != nil && ctx.Err() == nil {
			f.cfg.Logger.WarnContext(ctx, "other servers' signals could not be read; it is tried again", slog.String("error", err.Error()))
			if !pause(ctx, pollInterval) {
				return
			}
			f.in.wake()
		}
	}
}

// ask has the database asked while the bus is away.
func (f *Feed) ask() {
	in := f.in
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.up || !f.active.Load() {
		return
	}
	now := f.now()
	if now.Sub(in.lost) >= f.cfg.Overlap {
		// What was committed late is looked for now and then, and not all of it in the end:
		// the ids of an hour are not known any more.
		in.owe(in.lost.Add(-f.cfg.Overlap))
		in.asked, in.swept = now, now
		return
	}
	since := in.lost
	if in.asked.After(since) {
		since = in.asked
	}
	in.asked = now
	in.owe(since.Add(-pollOverlap))
}

func (f *Feed) readAll(ctx context.Context) error {
	in := f.in
	for {
		in.mu.Lock()
		ids, since, until, owed, swept := in.ids, in.since, in.until, in.owed, in.swept
		in.ids, in.owed, in.swept = nil, time.Time{}, time.Time{}
		in.mu.Unlock()
		if len(ids) == 0 && owed.IsZero() || !f.active.Load() {
			return nil
		}
		err := f.readIDs(ctx, ids, since, until)
		if err == nil && !owed.IsZero() {
			err = f.catchUp(ctx, owed)
		}
		if err != nil { // looked for by their time, the next time
			in.mu.Lock()
			if len(ids) > 0 {
				in.owe(time.UnixMicro(since))
			}
			if !owed.IsZero() {
				in.owe(owed)
			}
			in.mu.Unlock()
			return err
		}
		if !swept.IsZero() {
			in.mu.Lock()
			if swept.After(in.lost) {
				in.lost = swept
			}
			in.mu.Unlock()
		}
	}
}

// readIDs reads signals by their keys. Several notices that waited are read together.
func (f *Feed) readIDs(ctx context.Context, ids []uuid.UUID, since, until int64) error {
	for len(ids) > 0 {
		part := ids[:min(len(ids), readIDs)]
		ids = ids[len(part):]
		rows, err := f.cfg.Store.SignalListByIDs(ctx, model.SignalListByIDsParams{
			Ids: idList(part), Since: time.UnixMicro(since).UTC(), Until: time.UnixMicro(until).UTC(),
		})
		if err != nil {
			return err
		}
		f.figures.rowsRead.Add(len(rows))
		f.append(rows)
	}
	return nil
}

// catchUp reads all signals from a time on; those that are known are passed over.
func (f *Feed) catchUp(ctx context.Context, since time.Time) error {
	now := f.now()
	f.mu.RLock()
	began := f.began
	f.mu.RUnlock()
	// Who listens from now on is not told of what was stored before anybody listened.
	for _, floor := range []time.Time{began.Add(-pollOverlap), now.Add(-maxLookBack)} {
		if since.Before(floor) {
			since = floor
		}
	}
	f.figures.caughtUp.Inc()
	cursor, id := model.NormalTime(since), uuid.UUID{}
	for {
		rows, err := f.page(ctx, cursor, id, now.Add(ahead), replayPage)
		if err != nil {
			return err
		}
		f.append(rows)
		if len(rows) < replayPage {
			return nil
		}
		cursor, id = rows[len(rows)-1].Timestamp, rows[len(rows)-1].ID
	}
}
