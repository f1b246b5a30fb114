package cacheutil

import (
	"context"
	"sync/atomic"
	"time"
)

type (
	traceKey struct{}
	loadKey  struct{}
)

// Trace tells how values were had by the calls that got its context. It may be
// used concurrently.
type Trace struct {
	stale, loads, remote atomic.Int64

	outer *Trace // that of the caller, which hears of the same
}

// WithTrace returns a context under which reads of a cache tell the Trace how
// they went. A hit in process memory tells nothing.
func WithTrace(ctx context.Context) (context.Context, *Trace) {
	trace := new(Trace)
	return context.WithValue(ctx, traceKey{}, trace), trace
}

// Stale tells whether any value was served past its time to live.
func (t *Trace) Stale() bool { return t.stale.Load() > 0 }

// Loads is the number of reads that waited for a load.
func (t *Trace) Loads() int64 { return t.loads.Load() }

// Remote is the number of reads that Valkey served.
func (t *Trace) Remote() int64 { return t.remote.Load() }

// tell records where a read's value came from.
func tell(ctx context.Context, from source) {
	trace, ok := ctx.Value(traceKey{}).(*Trace)
	if !ok {
		return
	}
	for ; trace != nil; trace = trace.outer {
		switch from {
		case fromStale:
			trace.stale.Add(1)
		case fromLoad:
			trace.loads.Add(1)
		case fromRemote:
			trace.remote.Add(1)
		case fromLocal:
		}
	}
}

// wish is what a load asks for its value.
type wish struct {
	ttl     atomic.Int64
	noStore atomic.Bool
}

// SetTTL is for loads: called with the load's own context, it gives the loaded values a time
// to live of their own instead of the cache's. It does nothing elsewhere.
func SetTTL(ctx context.Context, ttl time.Duration) {
	if w, ok := ctx.Value(loadKey{}).(*wish); ok {
		w.ttl.Store(int64(ttl))
	}
}

// DoNotStore is for loads: called with the load's own context, it keeps the loaded values out
// of the cache: only the callers that wait get them.
func DoNotStore(ctx context.Context) {
	if w, ok := ctx.Value(loadKey{}).(*wish); ok {
		w.noStore.Store(true)
	}
}
