package cacheutil

import (
	"fmt"
	"log/slog"
	"math"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"
)

// local is the first tier: decoded values of all caches in process memory,
// bounded by bytes.
type local struct {
	entries *otter.Cache[string, entry]
	fences  *fences
	clock   *clock
	// usable is false while invalidations of other processes do not arrive: then
	// nothing is stored. Suspended with it is what was stored before.
	usable atomic.Bool
}

func newLocal(maxBytes int64, clock *clock, logger *slog.Logger) (*local, error) {
	l := &local{fences: newFences(), clock: clock}
	entries, err := otter.New(&otter.Options[string, entry]{
		MaximumWeight: uint64(maxBytes), //nolint:gosec // validated: not negative
		Weigher:       func(_ string, e entry) uint32 { return e.about().weight.Load() },
		ExpiryCalculator: otter.ExpiryWritingFunc(func(e otter.Entry[string, entry]) time.Duration {
			// Otter keeps an entry forever that has no time left.
			return max(time.Duration(e.Value.about().gone-clock.NowNano()), 1)
		}),
		OnAtomicDeletion: func(e otter.DeletionEvent[string, entry]) {
			e.Value.about().stats.removed(e.Value.about().weight.Load(), e.Cause == otter.CauseOverflow)
		},
		Clock:  clock,
		Logger: otterLogger{logger},
	})
	if err != nil {
		return nil, fmt.Errorf("make the first tier: %w", err)
	}
	l.entries = entries
	l.usable.Store(true)
	return l, nil
}

// store keeps the entry, unless something was invalidated since the fence.
func (l *local) store(key string, e entry, at fence) bool {
	e.about().epoch = at.epoch
	stored := false
	l.entries.Compute(key, func(entry, bool) (entry, otter.ComputeOp) {
		// Whoever moves the fence drops the entry afterwards, and waits for this.
		if at.suspended() || l.fences.current(key) != at || !l.usable.Load() {
			return nil, otter.CancelOp
		}
		stored = true
		e.about().stats.added(e.about().weight.Load())
		return e, otter.WriteOp
	})
	return stored
}

// grow tells that an entry that may be in the tier has become larger.
func (l *local) grow(key string, e entry, by int) {
	l.entries.Compute(key, func(there entry, found bool) (entry, otter.ComputeOp) {
		if !found || there != e {
			return nil, otter.CancelOp
		}
		about := e.about()
		weight := uint32(min(uint64(about.weight.Load())+uint64(by), math.MaxUint32)) //nolint:gosec // bounded
		about.stats.bytes.Add(int64(weight) - int64(about.weight.Load()))
		about.weight.Store(weight)
		about.stats.added(weight) // the tier tells that the entry was replaced
		return e, otter.WriteOp
	})
}

// write keeps a value that was just written to the database, unless a later
// write of the key is known, or this one: it may have been dropped since.
func (l *local) write(key string, e entry) {
	stripe := l.fences.stripe(key)
	l.fences.move(key)
	e.about().epoch = l.fences.epoch.Load()
	l.entries.Compute(key, func(there entry, found bool) (entry, otter.ComputeOp) {
		if stripe.raise(e.about().version) {
			e.about().stats.added(e.about().weight.Load())
			return e, otter.WriteOp
		}
		if found && there.about().version >= e.about().version {
			return nil, otter.CancelOp
		}
		return nil, otter.InvalidateOp
	})
}

// drop forgets the key, and what is being read of it.
func (l *local) drop(key string, version int64) {
	stripe := l.fences.stripe(key)
	stripe.raise(version)
	stripe.moves.Add(1)
	l.entries.Invalidate(key)
}

// suspend leaves the tier as it is, and unused until resume: it is not known to be
// right. It goes on forgetting what is dropped. Calls are not concurrent.
func (l *local) suspend() {
	l.usable.Store(false)
	l.fences.suspend()
}

func (l *local) resume() {
	l.fences.resume()
	l.usable.Store(true)
}

// clear forgets everything.
func (l *local) clear() {
	l.fences.advance()
	l.entries.InvalidateAll()
}

func (l *local) close() {
	l.entries.StopAllGoroutines()
	l.clear()
}
