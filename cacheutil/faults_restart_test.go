package cacheutil_test

import (
	"testing"

	"github.com/hal9-ai/hal9/internal/testenv"
)

// Valkey comes back from its disk with what it had some time ago: what was changed
// since then, and acknowledged, must not be served.
func TestRestartFromAnOldSnapshot(t *testing.T) {
	noLeaks(t)
	node := testenv.StartCacheNode(t, "--appendonly", "no")
	f := startFleet(t, node.URL())
	f.awaitGets(t, 300)
	f.end()
	f.awaitWhole(t)
	for _, s := range f.servers {
		do(t, &testManager{Manager: s.manager}, "SAVE")
	}
	// Everything is changed, and every cache has been told.
	f.awaitInvalidations(t)
	must(t, node.Kill())
	testenv.Eventually(t, "the death is noticed", func() bool { return !f.servers[0].manager.State().Tracking && !f.servers[1].manager.State().Tracking })
	must(t, node.Start(t.Context()))
	f.awaitWhole(t)
	if n := f.outdated(t); n != 0 {
		t.Errorf("%d of %d keys are out of date", n, len(f.servers)*len(f.keys))
	}
	f.requireFaultless(t)
}
