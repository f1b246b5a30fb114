package cacheutil

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/fxamacker/cbor/v2"
	"github.com/valkey-io/valkey-go"
)

// ErrNoEntry tells that the cache holds nothing under a key.
var ErrNoEntry = errors.New("the cache holds nothing under this key")

// What Entry.Kind can be.
const (
	KindValue     = "value"
	KindNegative  = "negative"
	KindTombstone = "tombstone"
)

// Entry is what Valkey holds under a key.
type Entry struct {
	Key string
	// Kind is KindValue, KindNegative, or KindTombstone, which is what an
	// invalidation leaves for a while.
	Kind    string
	Version int64
	// TTL is what is left of the fresh time; it is negative for a value that only
	// stands in for failed loads.
	TTL time.Duration
	// Size is the encoded length in bytes.
	Size int
	// JSON is the value, if it can be decoded: by a cache of this manager, or
	// because it is CBOR. Else it is empty.
	JSON []byte
}

// Peek returns what Valkey holds under the key, without counting as a read. It
// returns ErrNoEntry if that is nothing, or an error of Valkey's.
func (m *Manager) Peek(ctx context.Context, key string) (Entry, error) {
	entry := Entry{Key: key}
	if m.remote == nil {
		return entry, ErrNoEntry
	}
	client, space, err := m.remote.usable()
	if err != nil {
		return entry, fmt.Errorf("look into the cache: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, m.cfg.CallTimeout)
	defer cancel()
	physical := space.entry(key, 1)[0]
	answers := client.DoMulti(ctx,
		client.B().Get().Key(physical).Build(),
		client.B().Pttl().Key(physical).Build())
	data, err := answers[0].ToString()
	if valkey.IsValkeyNil(err) {
		return entry, ErrNoEntry
	}
	if err != nil {
		return entry, fmt.Errorf("look into the cache: %w", err)
	}
	left, err := answers[1].ToInt64()
	if err != nil {
		return entry, fmt.Errorf("look into the cache: %w", err)
	}
	s, err := decodeStored(data)
	if err != nil {
		return entry, fmt.Errorf("look at %q: %w", key, err)
	}
	entry.Version, entry.Size = s.version, len(s.payload)
	entry.TTL = time.Duration(left)*time.Millisecond - s.stale
	switch s.kind {
	case kindNegative:
		entry.Kind = KindNegative
	case kindTombstone:
		entry.Kind = KindTombstone
	default:
		entry.Kind, entry.JSON = KindValue, m.json(s)
	}
	return entry, nil
}

// json makes JSON of a payload, or nothing.
func (m *Manager) json(s stored) []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, cache := range m.caches {
		if cache.shape != s.shape {
			continue
		}
		if text, err := cache.json(s.payload); err == nil {
			return text
		}
	}
	var value any
	mode, err := cbor.DecOptions{DefaultMapType: reflect.TypeFor[map[string]any]()}.DecMode()
	if err != nil || mode.Unmarshal(s.payload, &value) != nil {
		return nil
	}
	text, err := json.Marshal(value)
	if err != nil {
		return nil
	}
	return text
}

// Drop drops the entry of the key everywhere, as InvalidateKeys does, but tells
// Valkey's error: the invalidation is repeated by this process alone.
func (m *Manager) Drop(ctx context.Context, key string) error {
	if err := m.invalidate(ctx, invalidation{subject: subject{name: key}}); err != nil {
		return fmt.Errorf("drop %q from the cache: %w", key, err)
	}
	return nil
}
