package cacheutil_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/hal9-ai/hal9/cacheutil"
	"github.com/hal9-ai/hal9/internal/testenv"
)

// A pool whose one connection brings the invalidations has one for a subscription too.
func TestSubscribeOfASmallPool(t *testing.T) {
	m := openLive(t, cacheutil.Config{URL: testenv.CacheURL(t), Prefix: prefix(t), MaxConnections: 1})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	up, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- m.Channel("c").Subscribe(ctx, func() { close(up) }, func(string) {}) }()
	select {
	case <-up:
	case <-time.After(patience):
		t.Fatal("nothing is subscribed to, and no error")
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// Reads after Close load, under a context that has not ended.
func TestReadAfterClose(t *testing.T) {
	m, err := cacheutil.Open(t.Context(), cacheutil.Config{})
	if err != nil {
		t.Fatal(err)
	}
	c := wordCache(t, m, nil)
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	got, err := c.Get(t.Context(), "k", func(ctx context.Context) (string, error) {
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-time.After(50 * time.Millisecond): // as a database takes its time
			return "loaded", nil
		}
	})
	if got != "loaded" || err != nil {
		t.Error(got, err)
	}
}
