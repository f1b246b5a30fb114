package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hal9-ai/hal9/cacheutil"
	"github.com/hal9-ai/hal9/gen/cachedstore"
	"github.com/hal9-ai/hal9/model"
)

// Cache says how the store is cached: in the process's memory, and behind it in
// Valkey if there is a URL. Epoch and EpochSource are the store's to say.
type Cache struct {
	cacheutil.Config

	// Settings tells how each entity is cached; DefaultCacheSettings if nil.
	Settings func(cachedstore.Entity) cachedstore.Settings

	// Behind is what is stored later. It needs a URL, and somebody who runs LaterOf.
	Behind Behind
}

// CachePrefix begins every key in Valkey unless the configuration says otherwise.
const CachePrefix = "hal9:"

// DefaultCacheSettings are for who does not care, as tests and single commands.
func DefaultCacheSettings(cachedstore.Entity) cachedstore.Settings {
	return cachedstore.Settings{TTL: time.Hour, NegativeTTL: 10 * time.Second, HardTimeout: cacheHardTimeout}
}

// cacheHardTimeout ends a load that even the statement's own time limit did not end.
const cacheHardTimeout = 30 * time.Second

// cached is a store behind its cache.
type cached struct {
	*cachedstore.Store

	later     *Later       // nil: everything is stored at once
	positions *Consistency // nil: there are no replicas
}

func (c *cached) consistency() *Consistency { return c.positions }

// APIKeySetLastUsed accepts the use to be stored later, if that is asked for: it
// returns a key that holds no more than it was given then.
func (c *cached) APIKeySetLastUsed(ctx context.Context, arg model.APIKeySetLastUsedParams) (model.APIKey, error) {
	queued, err := c.later.setLastUsed(ctx, arg)
	if err != nil {
		return model.APIKey{}, fmt.Errorf("queue the use of an API key: %w", err)
	}
	if queued {
		return model.APIKey{ID: arg.ID, LastUsedAt: &arg.LastUsedAt}, nil
	}
	return c.Store.APIKeySetLastUsed(ctx, arg)
}

// withCache puts the cache around a store, which it closes when that fails.
func withCache(ctx context.Context, st model.Store, cfg Cache) (*cached, error) {
	// Past the cache: an epoch that was cached would never change.
	cfg.EpochSource = func(ctx context.Context) (int64, error) {
		return st.DatabaseEpochGet(ctx)
	}
	if cfg.Prefix == "" {
		cfg.Prefix = CachePrefix
	}
	if cfg.Settings == nil {
		cfg.Settings = DefaultCacheSettings
	}
	m, err := cacheutil.Open(ctx, cfg.Config)
	if err != nil {
		return nil, errors.Join(err, st.Close())
	}
	c, err := cachedstore.New(st, m, cfg.Settings)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open the cache: %w", err), m.Close(), st.Close())
	}
	out := &cached{Store: c}
	if cfg.Behind != (Behind{}) {
		if out.later, err = newLater(c, m, cfg.Behind); err != nil {
			return nil, errors.Join(fmt.Errorf("open the cache: %w", err), c.Close())
		}
	}
	return out, nil
}

// LaterOf returns what stores later what a store accepted, nil where nothing is.
func LaterOf(st model.Store) *Later {
	if c, ok := st.(*cached); ok {
		return c.later
	}
	return nil
}

// CacheOf returns what the caches of a store share, nil for a store without.
func CacheOf(st model.Store) *cacheutil.Manager {
	if c, ok := st.(*cached); ok {
		return c.Manager()
	}
	return nil
}
