package stream

import (
	"context"
	"log/slog"
	"time"
)

// silentFor is how many times Presence a server may be silent: a notice is tried for
// publishTimeout, and again after maxBackoff.
const silentFor = 4

// met notes that a server was heard. One that never says that it is there, as those of
// before there was such a notice, is not waited for.
func (i *inbox) met(n *notice, now time.Time) {
	i.mu.Lock()
	defer i.mu.Unlock()
	_, known := i.heard[n.Origin]
	switch {
	case n.Gone:
		delete(i.heard, n.Origin)
	case n.Alive || known:
		i.heard[n.Origin] = now
	}
}

// silence has the last signals looked for of servers that are heard no more and did not
// take their leave: one that was killed may have committed what it never told.
func (f *Feed) silence(ctx context.Context) {
	in, now := f.in, f.now()
	in.mu.Lock()
	defer in.mu.Unlock()
	if !in.up {
		return // nobody is heard, and the database is asked in any case
	}
	for origin, at := range in.heard {
		if now.Sub(at) <= silentFor*f.cfg.Presence {
			continue
		}
		delete(in.heard, origin)
		in.owe(at.Add(-f.cfg.Overlap))
		f.cfg.Logger.InfoContext(ctx, "another server is heard no more; signals that it may not have told are looked for in the database",
			slog.Duration("silent", now.Sub(at)))
	}
}
