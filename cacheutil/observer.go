package cacheutil

import "context"

// Observer is told of reads by Get and GetInGroup. Its methods are called concurrently,
// on the way of every read.
type Observer interface {
	// ReadBegin returns the context under which the read goes on, which its load inherits
	// from. false says that this read is not to be observed: nothing more is told of it.
	ReadBegin(ctx context.Context, cache string) (context.Context, bool)
	// ReadEnd tells, with that context, which tier served the read.
	ReadEnd(ctx context.Context, tier Tier, err error)
}

// Tier is what served a read.
type Tier string

// The tiers.
const (
	TierLocal  Tier = "local"
	TierRemote Tier = "remote"
	TierLoad   Tier = "load"  // no cache did
	TierStale  Tier = "stale" // a value past its time to live, of either tier
)

// observed runs a read that the observer wants to hear of.
func (c *Cache[T]) observed(ctx context.Context, read func(context.Context) (T, error)) (T, error) {
	o := c.m.cfg.Observer
	ctx, wanted := o.ReadBegin(ctx, c.o.Name)
	if !wanted {
		return read(ctx)
	}
	outer, _ := ctx.Value(traceKey{}).(*Trace)
	trace := &Trace{outer: outer}
	out, err := read(context.WithValue(ctx, traceKey{}, trace))
	o.ReadEnd(ctx, trace.tier(), err)
	return out, err
}

func (t *Trace) tier() Tier {
	switch {
	case t.Stale():
		return TierStale
	case t.Loads() > 0:
		return TierLoad
	case t.Remote() > 0:
		return TierRemote
	default:
		return TierLocal
	}
}
