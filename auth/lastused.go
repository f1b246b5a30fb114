package auth

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/hal9-ai/hal9/model"
)

// maxLastUsed bounds the keys whose last use is remembered between two writes.
const maxLastUsed = 100_000

// lastUsed gathers when API keys were used, so that no request waits for the write.
type lastUsed struct {
	mu    sync.Mutex
	seen  map[uuid.UUID]time.Time // the last use that was noted for writing
	dirty []uuid.UUID
}

// use notes a use, unless one within the interval is noted already.
func (l *lastUsed) use(id uuid.UUID, now time.Time, interval time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at, known := l.seen[id]
	if known && now.Sub(at) < interval || !known && len(l.seen) >= maxLastUsed {
		return
	}
	l.seen[id] = now
	l.dirty = append(l.dirty, id)
}

type keyUse struct {
	id uuid.UUID
	at time.Time
}

// take returns what is to be written, and forgets keys that were not used lately.
func (l *lastUsed) take(now time.Time, interval time.Duration) []keyUse {
	l.mu.Lock()
	defer l.mu.Unlock()
	uses := make([]keyUse, len(l.dirty))
	for i, id := range l.dirty {
		uses[i] = keyUse{id, l.seen[id]}
	}
	l.dirty = nil
	for id, at := range l.seen {
		if now.Sub(at) >= interval {
			delete(l.seen, id)
		}
	}
	return uses
}

// lastUsedEvery is how often the last uses are written.
const lastUsedEvery = 2 * time.Second

// Run writes the last use of API keys until ctx ends, and what is left then. A use
// that cannot be written is logged and given up.
func (s *Service) Run(ctx context.Context) error {
	tick := time.NewTicker(lastUsedEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			s.writeLastUsed(ctx)
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastUsedEvery)
			defer cancel()
			s.writeLastUsed(last)
			return nil
		}
	}
}

func (s *Service) writeLastUsed(ctx context.Context) {
	failed := 0
	for _, u := range s.lastUsed.take(s.now(), s.cfg.LastUsedInterval) {
		_, err := s.store.APIKeySetLastUsed(ctx, model.APIKeySetLastUsedParams{ID: u.id, LastUsedAt: u.at})
		if err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, model.ErrNotFound) {
			failed++
		}
	}
	if failed > 0 {
		s.log.WarnContext(ctx, "the last use of API keys could not be written", slog.Int("keys", failed))
	}
}
