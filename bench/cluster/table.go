package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"
)

// tell tells what one event did, as soon as it is known.
func (r *row) tell(w io.Writer) {
	fmt.Fprintf(w, "\n%s: whole again after %.1f s, outage %.1f s\n", r.event.name, r.whole.Seconds(), r.Outage.Seconds())
	if r.err != nil {
		fmt.Fprintln(w, "  failed:", r.err)
	}
	for _, said := range slices.Sorted(maps.Keys(r.Said)) {
		fmt.Fprintf(w, "  %5d × %s\n", r.Said[said], said)
	}
}

func table(w io.Writer, rows []row) {
	fmt.Fprintln(w)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "event\tacknowledged\tlost\tduplicated\tunknown\tof them stored\tuntrue\tstale\tfailed writes\tfailed reads\toutage s\twhole again s\t")
	for _, r := range rows {
		fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d of %d\t%d of %d\t%d of %d\t", r.event.name, r.Acknowledged, r.Lost, r.Duplicated,
			r.Unknown, r.Stored, r.Untrue, r.Stale, r.ReadBack, r.FailedWrites, r.Writes, r.FailedReads, r.Reads)
		if r.event.do == nil {
			fmt.Fprintln(t, "\t\t")
			continue
		}
		fmt.Fprintf(t, "%.1f\t%.1f\t\n", r.Outage.Seconds(), r.whole.Seconds())
	}
	_ = t.Flush() // to a terminal
}
