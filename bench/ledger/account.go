package ledger

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Account is what a ledger and the database say of one stretch of time.
type Account struct {
	// Acknowledged things, and those of them that are not stored.
	Acknowledged, Lost int
	// Missing are some of the lost: a signal or memory by its content, a state by its neuron.
	Missing []string
	// Duplicated signals and memories are stored more than once.
	Duplicated int
	// Unknown things had an attempt of which nobody knows the effect; Stored are those
	// of them that were not acknowledged later, and are in the database.
	Unknown, Stored int
	// Untrue things are stored although every answer said that nothing was written.
	Untrue int
	// Wrong are answers that no such request should get, Failures those with a 5xx.
	Wrong, Failures int
	// Stale are reads of one's own write that lacked it, of ReadBack.
	Stale, ReadBack int
	// Writes and Reads are attempts, and how many of them failed.
	Writes, FailedWrites, Reads, FailedReads int
	// Outage is the longest time without an acknowledged write.
	Outage time.Duration
	// Said are the failures in the service's words, each with how often it came.
	Said map[string]int
}

// fate is what the answers say of one signal or memory.
type fate struct {
	first       time.Time
	ok, unknown bool
}

// Of accounts for what was answered from since to until. Stored is how often each
// signal and memory, by its content, and each neuron's state is in the database.
func Of(entries []Entry, stored map[string]int, since, until time.Time) Account {
	a := Account{Said: map[string]int{}}
	fates, states := map[string]*fate{}, map[string][]Entry{}
	answered := []time.Time{since}
	for i, e := range entries {
		inside := !e.At.Before(since) && e.At.Before(until)
		if inside {
			a.count(e)
			// The lines of one stream have one answer.
			if e.Status >= http.StatusInternalServerError && (i == 0 || !e.Sent.Equal(entries[i-1].Sent) || !e.At.Equal(entries[i-1].At)) {
				a.Failures++
			}
			if e.isWrite() && e.Outcome == OK {
				answered = append(answered, e.At)
			}
		}
		switch {
		case !e.isWrite():
		case e.Kind == State && inside:
			states[e.Neuron] = append(states[e.Neuron], e)
		case e.Kind != State:
			f := fates[e.Token]
			if f == nil {
				f = &fate{first: e.At}
				fates[e.Token] = f
			}
			f.ok = f.ok || e.Outcome == OK
			f.unknown = f.unknown || e.Outcome == Unknown || e.Outcome == Busy
		}
	}
	for token, f := range fates {
		if !f.first.Before(since) && f.first.Before(until) {
			a.settle(token, f, stored[token])
		}
	}
	for neuron, attempts := range states {
		a.settleState(neuron, attempts, stored)
	}
	slices.SortFunc(answered, time.Time.Compare)
	answered = append(answered, until)
	for i := 1; i < len(answered); i++ {
		a.Outage = max(a.Outage, answered[i].Sub(answered[i-1]))
	}
	return a
}

// settle accounts for one signal or memory that is stored n times.
func (a *Account) settle(token string, f *fate, n int) {
	switch {
	case f.ok:
		a.Acknowledged++
		if n == 0 {
			a.lose(token)
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

func (a *Account) lose(what string) {
	const some = 5
	a.Lost++
	if len(a.Missing) < some {
		a.Missing = append(a.Missing, what)
	}
}

// settleState accounts for the states that one neuron was to have, one after the other:
// it has the last one that was acknowledged, or a later one, be it one that the ledger has
// not heard of: an answer that a kill cut off comes into it a moment after the kill.
func (a *Account) settleState(neuron string, attempts []Entry, stored map[string]int) {
	acknowledged, found := -1, -1
	for i, e := range attempts {
		switch e.Outcome {
		case OK:
			a.Acknowledged++
			acknowledged = i
		case Unknown:
			a.Unknown++
		default:
		}
		if stored[e.Token] > 0 {
			found = i
		}
	}
	switch {
	case found < acknowledged && storedAfter(attempts[len(attempts)-1].Token, stored):
		a.Stored++
	case found < acknowledged:
		a.lose(neuron)
	case found == acknowledged:
	case attempts[found].Outcome == Unknown:
		a.Stored++
	default:
		a.Untrue++
	}
}

// storedAfter tells whether a later attempt of the same client than one is stored.
func storedAfter(token string, stored map[string]int) bool {
	client, n := splitToken(token)
	for other, times := range stored {
		if c, m := splitToken(other); times > 0 && c == client && m > n {
			return true
		}
	}
	return false
}

// splitToken takes what a client's n-th request writes apart.
func splitToken(token string) (client string, n int) {
	at := strings.LastIndexByte(token, ' ')
	n, err := strconv.Atoi(token[at+1:])
	if at < 0 || err != nil {
		return token, -1
	}
	return token[:at], n
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
