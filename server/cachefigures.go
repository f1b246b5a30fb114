package server

import (
	"bytes"
	"context"
	"sync"
	"time"

	"github.com/hal9-ai/hal9/cacheutil"
)

// cacheWindow is the time over which hits are counted for their rate.
const cacheWindow = time.Minute

// cacheRates remembers what the caches had counted in the last minute, second by
// second: they count from their start only.
type cacheRates struct {
	manager *cacheutil.Manager // nil without a cache

	mu      sync.Mutex
	samples []cacheSample // the oldest first; one may be older than the window
}

type cacheSample struct {
	at    time.Time
	stats []cacheutil.Stats
}

// run samples every second until ctx ends.
func (r *cacheRates) run(ctx context.Context, now func() time.Time) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			r.sample(now())
		case <-ctx.Done():
			return
		}
	}
}

func (r *cacheRates) sample(now time.Time) {
	stats := r.manager.Stats()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.samples = append(r.samples, cacheSample{now, stats})
	old := 0
	for old+1 < len(r.samples) && now.Sub(r.samples[old+1].at) >= cacheWindow {
		old++
	}
	r.samples = r.samples[old:]
}

// since returns what the caches had counted a minute ago, by name: nothing, if they
// are younger.
func (r *cacheRates) since(now time.Time) map[string]cacheutil.Stats {
	r.mu.Lock()
	defer r.mu.Unlock()
	then := map[string]cacheutil.Stats{}
	for _, s := range r.samples {
		if now.Sub(s.at) < cacheWindow {
			break
		}
		for _, one := range s.stats {
			then[one.Name] = one
		}
	}
	return then
}

// rates returns the hits of either tier per request in the last minute: of all
// caches, and of each that was asked. 0 where none was.
func (r *cacheRates) rates(now time.Time) (all float64, each map[string]float64) {
	each = map[string]float64{}
	if r.manager == nil {
		return 0, each
	}
	then := r.since(now)
	var hits, requests int64
	for _, s := range r.manager.Stats() {
		h, q := s.HitsLocal+s.HitsRemote, s.Requests
		h -= then[s.Name].HitsLocal + then[s.Name].HitsRemote
		q -= then[s.Name].Requests
		if q > 0 {
			each[s.Name] = float64(h) / float64(q)
		}
		hits, requests = hits+h, requests+q
	}
	if requests > 0 {
		all = float64(hits) / float64(requests)
	}
	return all, each
}

// writeCache writes the figures of the caches; they bear their own HELP and TYPE.
func (s *Server) writeCache(b *bytes.Buffer) {
	if s.cache.manager != nil {
		s.cache.manager.WritePrometheus(b)
	}
}

// checkCache: a cache server that is away makes the service slower, not wrong.
func (s *Server) checkCache() component {
	c := component{Name: "cache", Status: healthy, Message: "in memory", Metadata: map[string]any{}}
	if s.cache.manager == nil {
		c.Message = "off"
		return c
	}
	state := s.cache.manager.State()
	c.Metadata["cache_server"], c.Metadata["pending_invalidations"] = state.Valkey, state.Pending
	c.Metadata["hit_rate"], _ = s.cache.rates(s.now())
	if state.Valkey == "off" {
		return c
	}
	c.Metadata["tracking"], c.Metadata["breaker_open"] = state.Tracking, state.BreakerOpen
	switch {
	case state.Valkey != "up" || state.BreakerOpen:
		c.Status, c.Message = degraded, "the cache server does not answer; the database is asked"
	case !state.Tracking:
		c.Status, c.Message = degraded, "invalidations of other servers do not arrive; memory is not used"
	default:
		c.Message = "in memory, and the cache server answers"
	}
	return c
}
