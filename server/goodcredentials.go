package server

import (
	"hash/maphash"
	"sync"
)

// goodCredentials remembers credentials that were good lately, as digests that nobody can
// aim at: two that meet in one cost a look-up more. It holds two generations of up to max
// each; what is asked for stays. Safe for concurrent use.
type goodCredentials struct {
	seed maphash.Seed
	max  int

	mu         sync.Mutex
	young, old map[uint64]struct{}
}

func newGoodCredentials(most int) *goodCredentials {
	return &goodCredentials{seed: maphash.MakeSeed(), max: most, young: map[uint64]struct{}{}}
}

func (g *goodCredentials) digest(credential string) uint64 { return maphash.String(g.seed, credential) }

func (g *goodCredentials) has(credential string) bool {
	d := g.digest(credential)
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, ok := g.young[d]; ok {
		return true
	}
	_, ok := g.old[d]
	if ok {
		g.put(d)
	}
	return ok
}

func (g *goodCredentials) add(credential string) {
	d := g.digest(credential)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.put(d)
}

func (g *goodCredentials) put(d uint64) {
	if len(g.young) >= g.max {
		g.young, g.old = map[uint64]struct{}{}, g.young
	}
	g.young[d] = struct{}{}
}

func (g *goodCredentials) remove(credential string) {
	d := g.digest(credential)
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.young, d)
	delete(g.old, d)
}
