package ledger

import (
	"fmt"
	"slices"
	"time"
)

// Account is what a ledger and the database say of one stretch of time.
type Account struct {
	// Acknowledged signals, and those of them that are not stored.
	Acknowledged, Lost int
	// Duplicated signals are stored more than once.
	Duplicated int
	// Unknown signals had an attempt of which nobody knows the effect; Stored are those
	// of them that were not acknowledged later, and are in the database.
	Unknown, Stored int
	// Untrue signals are stored although every answer said that nothing was written.
	Untrue int
	// Wrong are answers that no such request should get.
	Wrong int
	// Stale are reads of one's own write that lacked it, of ReadBack.
	Stale, ReadBack int
	// Writes and Reads are attempts, and how many of them failed.
	Writes, FailedWrites, Reads, FailedReads int
	// Outage is the longest time without an acknowledged write.
	Outage time.Duration
	// Said are the failures in the service's words, each with how often it came.
	Said map[string]int
}

// Of accounts for what was answered from since to until. Stored is how often each
// signal, by its content, is in the database.
func Of(entries []Entry, stored map[string]int, since, until time.Time) Account {
	a := Account{Said: map[string]int{}}
	type fate struct {
		first       time.Time
		ok, unknown bool
	}
	fates := map[string]*fate{}
	answered := []time.Time{since}
	for _, e := range entries {
		inside := !e.At.Before(since) && e.At.Before(until)
		if inside {
			a.count(e)
			if e.isWrite() && e.Outcome == OK {
				answered = append(answered, e.At)
			}
		}
		if !e.isWrite() {
			continue
		}
		f := fates[e.Token]
		if f == nil {
			f = &fate{first: e.At}
			fates[e.Token] = f
		}
		f.ok = f.ok || e.Outcome == OK
		f.unknown = f.unknown || e.Outcome == Unknown || e.Outcome == Busy
	}
	for token, f := range fates {
		if f.first.Before(since) || !f.first.Before(until) {
			continue
		}
		n := stored[token]
		switch {
		case f.ok:
			a.Acknowledged++
			if n == 0 {
				a.Lost++
			}
		case n > 0 && !f.unknown:
			a.Untrue++
		case n > 0:
			a.Stored++
		}
		if f.unknown {
			a.Unknown++
		}
		if n > 1 {
			a.Duplicated++
		}
	}
	slices.SortFunc(answered, time.Time.Compare)
	answered = append(answered, until)
	for i := 1; i < len(answered); i++ {
		a.Outage = max(a.Outage, answered[i].Sub(answered[i-1]))
	}
	return a
}

func (a *Account) count(e Entry) {
	failed := 0
	if e.Outcome != OK {
		failed = 1
		a.Said[fmt.Sprintf("%s: %s", e.Outcome, e.Said)]++
	}
	if e.Outcome == Wrong {
		a.Wrong++
	}
	if e.Kind == ReadOwn && (e.Outcome == OK || e.Outcome == Stale) {
		a.ReadBack++
	}
	if e.Outcome == Stale {
		a.Stale++
	}
	if !e.isWrite() {
		a.Reads, a.FailedReads = a.Reads+1, a.FailedReads+failed
		return
	}
	a.Writes, a.FailedWrites = a.Writes+1, a.FailedWrites+failed
}

func (e Entry) isWrite() bool { return e.Kind != Read && e.Kind != ReadOwn }
