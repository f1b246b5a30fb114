package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/hal9-ai/hal9/bench/ledger"
)

// Row is what one fault did to one engine.
type Row struct {
	Fault  string `json:"fault"`
	Engine string `json:"engine"`
	Trials int    `json:"trials"`
	// Acknowledged things, and those of them that the database does not have.
	Acknowledged int `json:"acknowledged"`
	Lost         int `json:"lost"`
	Duplicated   int `json:"duplicated"`
	// Ambiguous things had an attempt of which nobody knows the effect; AmbiguousStored
	// are those that were not acknowledged later and are stored.
	Ambiguous       int `json:"ambiguous"`
	AmbiguousStored int `json:"ambiguous_stored"`
	// Untrue things are stored although every answer denied it.
	Untrue int `json:"untrue"`
	// Failures are answers with 5xx.
	Failures int `json:"failures"`
	// Recovery is the time to the first 2xx of each trial, in seconds.
	Recovery []float64 `json:"recovery_seconds"`
	// Said are the failures in the service's words, each with how often it came.
	Said map[string]int `json:"said,omitempty"`
	// Notes are what the columns do not tell, Broken what should not have been.
	Notes  []string `json:"notes,omitempty"`
	Broken []string `json:"broken,omitempty"`
}

func (r *Row) notef(format string, args ...any) {
	r.Notes = append(r.Notes, fmt.Sprintf(format, args...))
}

func (r *Row) breaksf(format string, args ...any) {
	r.Broken = append(r.Broken, fmt.Sprintf(format, args...))
}

func (r *Row) recovered(d time.Duration) { r.Recovery = append(r.Recovery, d.Seconds()) }

// take takes the account of the whole trial over.
func (r *Row) take(a ledger.Account) {
	r.Acknowledged, r.Lost, r.Duplicated = a.Acknowledged, a.Lost, a.Duplicated
	r.Ambiguous, r.AmbiguousStored, r.Untrue = a.Unknown, a.Stored, a.Untrue
	r.Failures, r.Said = a.Failures, a.Said
	if a.Wrong > 0 {
		r.breaksf("%d answers were wrong", a.Wrong)
	}
	if a.Acknowledged == 0 {
		r.breaksf("nothing was acknowledged: there is nothing to lose")
	}
}

// tell tells what one fault did, as soon as it is known.
func (r *Row) tell(w io.Writer) {
	for _, said := range slices.Sorted(maps.Keys(r.Said)) {
		fmt.Fprintf(w, "  %5d × %s\n", r.Said[said], said)
	}
	for _, note := range r.Notes {
		fmt.Fprintln(w, " ", note)
	}
	for _, broken := range r.Broken {
		fmt.Fprintln(w, "  BROKEN:", broken)
	}
}

func table(w io.Writer, rows []*Row) {
	fmt.Fprintln(w)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "fault\tengine\ttrials\tacknowledged\tlost\tduplicated\tambiguous (stored)\tuntrue\t5xx\trecovery s, median / max\t")
	for _, r := range rows {
		fmt.Fprintf(t, "%s\t%s\t%d\t%d\t%d\t%d\t%d (%d)\t%d\t%d\t%s\t\n", r.Fault, r.Engine, r.Trials, r.Acknowledged, r.Lost,
			r.Duplicated, r.Ambiguous, r.AmbiguousStored, r.Untrue, r.Failures, r.recovery())
	}
	_ = t.Flush() // to a terminal
	fmt.Fprintln(w)
	for _, r := range rows {
		for _, note := range r.Notes {
			fmt.Fprintf(w, "%s, %s: %s\n", r.Fault, r.Engine, note)
		}
	}
}

func (r *Row) recovery() string {
	if len(r.Recovery) == 0 {
		return "–"
	}
	sorted := slices.Sorted(slices.Values(r.Recovery))
	return fmt.Sprintf("%.1f / %.1f", sorted[len(sorted)/2], sorted[len(sorted)-1])
}

// verdict is an error if a promise was broken.
func verdict(rows []*Row) error {
	var broken []string
	for _, r := range rows {
		say := func(format string, args ...any) {
			broken = append(broken, r.Fault+", "+r.Engine+": "+fmt.Sprintf(format, args...))
		}
		if r.Lost > 0 {
			say("%d that were acknowledged are lost", r.Lost)
		}
		if r.Duplicated > 0 {
			say("%d are stored twice", r.Duplicated)
		}
		if r.Untrue > 0 {
			say("%d are stored although the answer said that nothing was written", r.Untrue)
		}
		for _, text := range r.Broken {
			say("%s", text)
		}
	}
	if len(broken) > 0 {
		return errors.New("promises were broken:\n  " + strings.Join(broken, "\n  "))
	}
	return nil
}
