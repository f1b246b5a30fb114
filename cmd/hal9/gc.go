package main

import (
	"context"
	"math"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// gcHeadroom is how much may be allocated between two collections however little is
// alive. With a live heap of a few megabytes, Go's default collects many times a second
// under load, and each time looks through the stacks of all connections.
const gcHeadroom = 128 << 20

// tuneGC lets the heap grow by gcHeadroom, or by as much as is alive if that is more, which
// is Go's default, until ctx ends. First it gives back what starting needed. Where GOGC or GOMEMLIMIT is set it does nothing.
func tuneGC(ctx context.Context) error {
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		return nil
	}
	const ordinary = 100
	defer debug.SetGCPercent(debug.SetGCPercent(ordinary))
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	set := ordinary
	for begun := false; ; begun = true {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if !begun {
			// Starting leaves more behind than the service holds at rest, and with headroom
			// nothing would collect it for as long as little is asked for.
			debug.FreeOSMemory()
		}
		metrics.Read(live)
		percent := ordinary
		if n := live[0].Value.Uint64(); n > 0 {
			percent = max(ordinary, int(min(gcHeadroom*ordinary/n, math.MaxInt32)))
		}
		// Setting it stops the world for a moment: not for little.
		if percent > set+set/4 || percent < set-set/4 {
			debug.SetGCPercent(percent)
			set = percent
		}
	}
}
