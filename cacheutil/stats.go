package cacheutil

import (
	"sync/atomic"
	"time"
)

// Stats are the figures of one cache since its manager was opened, save Entries
// and Bytes, which are those of the moment.
type Stats struct {
	Name string

	Requests   int64         // reads; a key of GetMany counts as one
	HitsLocal  int64         // served from process memory, negative entries included
	HitsRemote int64         // served from Valkey
	Misses     int64         // served by a load, be it another caller's
	Loads      int64         // calls of a load
	LoadErrors int64         // loads that failed, "not found" not among them
	LoadTime   time.Duration // of all loads
	Stale      int64         // values served past their time to live
	Errors     int64         // calls to Valkey that failed or took too long
	Corrupt    int64         // values in Valkey that could not be read
	Discarded  int64         // loaded values that were not kept because of an invalidation meanwhile
	Refreshes  int64         // loads ahead of time
	Evictions  int64         // entries that the first tier dropped for others
	Entries    int64         // in the first tier
	Bytes      int64         // in the first tier, as estimated
}

// counters are where the figures of one cache are counted.
type counters struct {
	hitsLocal counter // on the way of every hit
	// beyond counts the reads that the first tier did not serve.
	beyond atomic.Int64

	hitsRemote, misses, loads, loadErrors, loadTime, stale,
	errors, corrupt, discarded, refreshes, evictions, entries, bytes atomic.Int64
}

func (c *counters) added(weight uint32) {
	c.entries.Add(1)
	c.bytes.Add(int64(weight))
}

func (c *counters) removed(weight uint32, evicted bool) {
	c.entries.Add(-1)
	c.bytes.Add(-int64(weight))
	if evicted {
		c.evictions.Add(1)
	}
}

func (c *counters) stats(name string) Stats {
	hits := c.hitsLocal.load()
	return Stats{
		Name:       name,
		Requests:   hits + c.beyond.Load(),
		HitsLocal:  hits,
		HitsRemote: c.hitsRemote.Load(),
		Misses:     c.misses.Load(),
		Loads:      c.loads.Load(),
		LoadErrors: c.loadErrors.Load(),
		LoadTime:   time.Duration(c.loadTime.Load()),
		Stale:      c.stale.Load(),
		Errors:     c.errors.Load(),
		Corrupt:    c.corrupt.Load(),
		Discarded:  c.discarded.Load(),
		Refreshes:  c.refreshes.Load(),
		Evictions:  c.evictions.Load(),
		Entries:    c.entries.Load(),
		Bytes:      c.bytes.Load(),
	}
}
