package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
)

// Bound is what a figure may be at most, or at least, by what it was at first.
type Bound struct {
	Figure string  `json:"figure"`
	First  float64 `json:"first"`
	Last   float64 `json:"last"`
	Bound  float64 `json:"bound"`
	Kept   bool    `json:"kept"`
	Reason string  `json:"reason"`
}

// judge holds the last sample against the first one, which is of a server that has filled
// its caches. What grows with each request exceeds these bounds within minutes.
func judge(samples []Sample) []Bound {
	first, last := samples[0], samples[len(samples)-1]
	upTo := func(figure string, first, last, bound float64, reason string) Bound {
		return Bound{figure, first, last, bound, last <= bound, reason}
	}
	least := Bound{
		"requests a second", first.Rate, last.Rate, first.Rate / 2, last.Rate >= first.Rate/2,
		"half: users who think ask for the same rate all along, and this machine is not ours alone",
	}
	fastest := slices.MinFunc(samples, func(a, b Sample) int { return int((a.P99 - b.P99) * 1000) })
	return []Bound{
		upTo("RSS, MiB", first.RSS, last.RSS, first.RSS*1.3+16, "a third and 16 MiB: pages go back to the system late"),
		upTo("live heap, MiB", first.Live, last.Live, first.Live*1.1+3, "a tenth and 3 MiB: the stream's buffer of 1 MiB fills, and caches hold other entries each time"),
		upTo("heap in use, MiB", first.Heap, last.Heap, first.Heap*1.25+4, "a quarter and 4 MiB: pages that hold little of each size of object are in use all the same"),
		upTo("goroutines", first.Goroutines, last.Goroutines, first.Goroutines+16, "16: clients that come and go while it is looked"),
		upTo("open descriptors", first.Descriptors, last.Descriptors, first.Descriptors+32, "32: as well, and connections to the database"),
		upTo("pool connections", first.PoolConnections, last.PoolConnections, poolMax, "database.max_connections"),
		upTo("p50, ms", first.P50, last.P50, first.P50*3+20, "three times and 20 ms: this machine is not ours alone"),
		upTo("p99, ms", fastest.P99, last.P99, fastest.P99*5+200, "five times the best and 200 ms: as well"),
		least,
		upTo("failed, share", first.FailedShare, last.FailedShare, 0.001, "one in a thousand: a connection refused while others leave"),
	}
}

// poolMax is the default of database.max_connections.
const poolMax = 20

func table(w io.Writer, o options, samples []Sample, judged []Bound) {
	fmt.Fprintf(w, "\n%s, %d users\n\n", o.engine, o.users)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "min\tRSS MiB\tlive heap MiB\theap in use MiB\tgoroutines\topen descriptors\tpool connections\tp50 ms\tp99 ms\trate\t")
	for _, s := range samples {
		fmt.Fprintf(t, "%.1f\t%.0f\t%.1f\t%.1f\t%.0f\t%.0f\t%.0f\t%.1f\t%.1f\t%.0f\t\n", s.Minutes, s.RSS, s.Live, s.Heap, s.Goroutines, s.Descriptors,
			s.PoolConnections, s.P50, s.P99, s.Rate)
	}
	_ = t.Flush() // to a terminal
	fmt.Fprintln(w)
	t = tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "figure\tfirst\tlast\tbound\t\twhy")
	for _, b := range judged {
		kept := "kept"
		if !b.Kept {
			kept = "BROKEN"
		}
		fmt.Fprintf(t, "%s\t%.4g\t%.4g\t%.4g\t%s\t%s\n", b.Figure, b.First, b.Last, b.Bound, kept, b.Reason)
	}
	_ = t.Flush() // to a terminal
}

// verdict is an error if a bound was broken.
func verdict(judged []Bound) error {
	var broken []string
	for _, b := range judged {
		if !b.Kept {
			broken = append(broken, fmt.Sprintf("%s went from %.4g to %.4g, beyond %.4g", b.Figure, b.First, b.Last, b.Bound))
		}
	}
	if len(broken) > 0 {
		return errors.New("not flat: " + strings.Join(broken, "; "))
	}
	return nil
}
