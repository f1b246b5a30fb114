package cacheutil

import "testing"

// An invalidation that is lost while a new era is asked for is not one of the old era: the
// overflow goes on.
func TestJournalLosesWhileItBeginsAnew(t *testing.T) {
	j := newJournal(1)
	j.add(subject{name: "a"}, 1)
	if j.add(subject{name: "b"}, 1) || !j.overflowed() {
		t.Fatal("it keeps more than its limit")
	}
	lost := j.lost()
	j.add(subject{name: "c"}, 1) // after the new era began, before its answer was here
	if j.reset(lost) || !j.overflowed() {
		t.Error("the invalidation is forgotten")
	}
	if !j.reset(j.lost()) || j.overflowed() || !j.add(subject{name: "d"}, 1) {
		t.Error("the overflow does not end")
	}
}
