package cacheutil

import (
	"testing"
	"time"
)

// The watch wakes when the oldest proof becomes too old, whichever it is.
func TestUntilOverdue(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	ago := func(ms int) time.Time { return now.Add(-time.Duration(ms) * time.Millisecond) }
	for _, c := range []struct {
		name                string
		suspended, cluster  bool
		era, masters, heard int
		want                time.Duration
	}{
		{"the era is oldest", false, false, 300, 0, 100, defaultTrust - 300*time.Millisecond},
		{"a link is oldest", false, false, 300, 0, 400, defaultTrust - 400*time.Millisecond},
		{"masters are looked for in a cluster alone", false, false, 300, 900, 100, defaultTrust - 300*time.Millisecond},
		{"masters are oldest", false, true, 300, 900, 100, defaultTrust - 900*time.Millisecond},
		{"one is overdue", false, false, 5000, 0, 100, watchInterval},
		{"memory is suspended", true, false, 100, 0, 100, watchInterval},
	} {
		r := &remote{links: map[string]*link{"": {up: true, heard: ago(c.heard)}}}
		r.local = &local{}
		r.local.usable.Store(!c.suspended)
		r.clustered, r.eraProven, r.mastersProven = c.cluster, ago(c.era), ago(c.masters)
		if got := r.untilOverdue(now); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}
