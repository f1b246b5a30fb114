package ingest

import (
	"testing"
	"time"
)

func TestCrewWants(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	const usual = 20 * time.Millisecond
	at := func(ago time.Duration) *committer { return &committer{began: now.Add(-ago)} }
	own := at(0)
	for _, c := range []struct {
		name    string
		usual   time.Duration
		busy    []*committer
		waiting int
		own     *committer
		want    bool
	}{
		{"nobody is at work", usual, nil, 1, nil, true},
		{"one has just begun", usual, []*committer{at(0)}, 1, nil, false},
		{"one takes as long as usual", usual, []*committer{at(usual)}, crowd - 1, nil, false},
		{"one has just begun, and many wait", usual, []*committer{at(0)}, crowd, nil, true},
		{"one takes much longer than usual", usual, []*committer{at(patienceFactor * usual)}, 1, nil, true},
		{"one takes long, and another has begun since", usual, []*committer{at(time.Second), at(usual)}, 1, nil, false},
		{"commits are quick, and one takes a little longer", time.Microsecond, []*committer{at(leastPatience - 1)}, 1, nil, false},
		{"commits take for ever", time.Hour, []*committer{at(mostPatience)}, 1, nil, true},
		{"the one that asks goes on, since it is alone", usual, []*committer{own}, 1, own, true},
		{"the one that asks is not needed beside another", usual, []*committer{own, at(usual)}, 1, own, false},
		{"the one that asks is needed beside another, since many wait", usual, []*committer{own, at(usual)}, crowd, own, true},
		{"the one that asks goes on beside a stuck one", usual, []*committer{at(time.Second), own}, 1, own, true},
	} {
		crew := crew{size: 4, busy: c.busy, usual: c.usual}
		if got := crew.wants(c.waiting, crowd, c.own, now); got != c.want {
			t.Errorf("%s: a committer is wanted: %v, want %v", c.name, got, c.want)
		}
	}
}

// The alarm rings when the last one that began takes long, and not before.
func TestCrewWait(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	c := crew{size: 4, usual: 20 * time.Millisecond, busy: []*committer{{began: now.Add(-30 * time.Millisecond)}, {began: now.Add(-time.Second)}}}
	wait := c.wait(now)
	if want := 50 * time.Millisecond; wait != want {
		t.Fatalf("it rings after %s, want %s", wait, want)
	}
	if c.wants(1, crowd, nil, now.Add(wait-1)) || !c.wants(1, crowd, nil, now.Add(wait)) {
		t.Error("when it rings a committer is not wanted, or was before")
	}
}
