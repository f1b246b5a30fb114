package ledger_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/hal9-ai/hal9/bench/ledger"
)

// What the table says is worth as much as this.
func TestAccount(t *testing.T) {
	t.Parallel()
	begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	at := func(s float64) time.Time { return begin.Add(time.Duration(s * float64(time.Second))) }
	entry := func(s float64, kind ledger.Kind, token string, outcome ledger.Outcome) ledger.Entry {
		return ledger.Entry{At: at(s), Kind: kind, Token: token, Outcome: outcome, Said: "so"}
	}
	got := ledger.Of([]ledger.Entry{
		entry(-1, ledger.Once, "before", ledger.OK),
		entry(1, ledger.Once, "kept", ledger.OK),
		entry(2, ledger.Once, "lost", ledger.OK),
		entry(3, ledger.Key, "twice", ledger.Unknown),
		entry(5, ledger.Key, "twice", ledger.OK),
		entry(5, ledger.Once, "taken after all", ledger.Unknown),
		entry(5, ledger.Once, "not taken", ledger.Unknown),
		entry(5, ledger.Once, "said no", ledger.Refused),
		entry(5, ledger.Once, "said no and lied", ledger.Refused),
		entry(6, ledger.Read, "", ledger.OK),
		entry(6, ledger.Read, "", ledger.Unknown),
		entry(6, ledger.ReadOwn, "kept", ledger.OK),
		entry(7, ledger.ReadOwn, "kept", ledger.Stale),
		entry(7, ledger.ReadOwn, "kept", ledger.Refused),
		entry(6, ledger.Again, "wrong", ledger.Wrong),
		entry(12, ledger.Once, "after", ledger.OK),
	}, map[string]int{"before": 1, "kept": 1, "twice": 2, "taken after all": 1, "said no and lied": 1}, begin, at(10))

	want := ledger.Account{
		Acknowledged: 3, Lost: 1, Duplicated: 1, Unknown: 3, Stored: 1, Untrue: 1, Wrong: 1,
		Writes: 9, FailedWrites: 6, Reads: 5, FailedReads: 3, Stale: 1, ReadBack: 2, Outage: 5 * time.Second,
	}
	if n := got.Said["refused: so"]; n != 3 {
		t.Errorf("refusals were told %d times", n)
	}
	got.Said = nil
	if !equal(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func equal(a, b ledger.Account) bool {
	return a.Acknowledged == b.Acknowledged && a.Lost == b.Lost && a.Duplicated == b.Duplicated && a.Unknown == b.Unknown &&
		a.Stored == b.Stored && a.Untrue == b.Untrue && a.Wrong == b.Wrong && a.Stale == b.Stale && a.ReadBack == b.ReadBack && a.Writes == b.Writes &&
		a.FailedWrites == b.FailedWrites && a.Reads == b.Reads && a.FailedReads == b.FailedReads && a.Outage == b.Outage
}

// A neuron's states follow one another: the last one that was acknowledged, or a later one,
// has to be there.
func TestAccountOfStates(t *testing.T) {
	t.Parallel()
	begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	entries := make([]ledger.Entry, 0, 5)
	for i, outcome := range []ledger.Outcome{ledger.OK, ledger.Unknown, ledger.OK, ledger.Unknown, ledger.Refused} {
		entries = append(entries, ledger.Entry{
			At: begin.Add(time.Duration(i) * time.Second), Kind: ledger.State, Neuron: "n", Token: "n " + strconv.Itoa(i), Outcome: outcome,
		})
	}
	for found, want := range map[string]ledger.Account{
		"n 0":  {Lost: 1}, // an older one
		"n 2":  {},
		"n 3":  {Stored: 1},
		"n 4":  {Untrue: 1},
		"n 5":  {Stored: 1}, // one whose answer the ledger has not got yet
		"m 5":  {Lost: 1},   // another client's
		"idle": {Lost: 1},
	} {
		got := ledger.Of(entries, map[string]int{found: 1}, begin, begin.Add(time.Minute))
		want.Acknowledged, want.Unknown = 2, 2
		want.Writes, want.FailedWrites, want.Outage = 5, 3, 58*time.Second
		if !equal(got, want) {
			t.Errorf("%s is stored:\ngot  %+v\nwant %+v", found, got, want)
		}
	}
}
