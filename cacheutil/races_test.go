package cacheutil_test

import (
	"flag"
	"testing"

	"github.com/hal9-ai/hal9/internal/testenv"
)

var (
	rounds = flag.Int("rounds", 2000, "rounds of TestRaces")
	kills  = flag.Int("kills", 10, "how often TestRaces cuts all connections to Valkey")
)

// TestRaces lets readers and writers in two processes loose on the same keys, and
// looks for a value that stays older than the last write. `make cache-races` runs
// 100,000 rounds.
func TestRaces(t *testing.T) {
	server := testenv.StartCache(t)
	names := prefix(t)
	other := startProcess(t, "racer")
	other.tell(t, command{URL: server.URL(), Prefix: names})
	mine, err := newRacer(server.URL(), names, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := mine.close(); err != nil {
			t.Error(err)
		}
	}()
	var total report
	batches := int64(*rounds / pairs)
	killEvery := batches / int64(max(*kills, 1))
	for version := int64(1); version <= batches; version++ {
		if version%2 == 0 {
			keys := make([]string, pairs)
			for i := range keys {
				keys[i] = keyOf(i)
			}
			mine.manager.InvalidateKeys(t.Context(), keys...)
		}
		other.tell(t, command{Version: version})
		if killEvery > 0 && version%killEvery == killEvery/2 {
			ask(t, mine.raw, "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
		}
		if err := mine.round(t.Context(), version); err != nil {
			t.Fatal(err)
		}
		var rep report
		other.hear(t, &rep)
		other.tell(t, command{Version: version, Check: true})
		rep, err := mine.check(t.Context(), version)
		if err != nil {
			t.Fatal(err)
		}
		total.add(rep)
		other.hear(t, &rep)
		total.add(rep)
	}
	if total.Violations > 0 {
		t.Errorf("%d stale values stayed, for example %s", total.Violations, total.First)
	}
	s := mine.manager.Stats()[0]
	t.Logf("%d rounds in two processes, connections cut %d times: %d violations in %d checks; one process: %d hits in memory, %d in Valkey, %d loads, %d discarded",
		batches*pairs, *kills, total.Violations, total.Reads, s.HitsLocal, s.HitsRemote, s.Loads, s.Discarded)
}

func (r *report) add(other report) {
	r.Reads += other.Reads
	r.Violations += other.Violations
	if r.First == "" {
		r.First = other.First
	}
}
