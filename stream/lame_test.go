package stream_test

import (
	"context"
	"errors"
	"sync"

	"github.com/hal9-ai/hal9/stream"
)

// lame is a bus that can be away.
type lame struct {
	stream.Bus

	mu     sync.Mutex
	away   bool
	cancel func()
}

func newLame(bus stream.Bus) *lame { return &lame{Bus: bus} }

var errLame = errors.New("the bus is away")

func (l *lame) set(away bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.away = away
	if away && l.cancel != nil {
		l.cancel()
	}
}

// Publish fails while the bus is away.
func (l *lame) Publish(ctx context.Context, messages []string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.away {
		return errLame
	}
	return l.Bus.Publish(ctx, messages)
}

// Subscribe fails while the bus is away, and when it goes.
func (l *lame) Subscribe(ctx context.Context, up func(), message func(string)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	l.mu.Lock()
	away := l.away
	l.cancel = cancel
	l.mu.Unlock()
	if away {
		return errLame
	}
	return l.Bus.Subscribe(ctx, up, message)
}
