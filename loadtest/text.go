package loadtest

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// Text writes the report for people.
func (rep *Report) Text(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %d requests in %.1f s, %.0f requests/s, up to %d users\n",
		rep.Scenario, rep.Total.Requests, rep.Measured, rep.Total.PerSecond, rep.MaxUsers)
	fmt.Fprintf(&b, "  server      %s", rep.Target)
	if rep.Server.Required {
		b.WriteString(", accounts required")
	}
	b.WriteString("\n")
	for _, line := range [][2]string{
		{"machine", rep.Machine},
		{"accounts", rep.Accounts},
		{"keys", rep.Keys},
		{"think time", rep.Think},
	} {
		if line[1] != "" {
			fmt.Fprintf(&b, "  %-11s %s\n", line[0], line[1])
		}
	}
	if rep.WarmUp > 0 {
		fmt.Fprintf(&b, "  warm-up     %.1f s, in no figure below\n", rep.WarmUp)
	}
	rep.limitText(&b)
	b.WriteString("\n")
	rep.callsText(&b)
	rep.checksText(&b)
	rep.failuresText(&b)
	rep.serverText(&b)
	rep.thresholdsText(&b)
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

func (rep *Report) limitText(b *strings.Builder) {
	l := rep.Limit
	if l == nil {
		return
	}
	fmt.Fprintf(b, "  passwords   %.1f hashes/s measured on %d cores\n", l.HashesPerSecond, l.Cores)
	if l.AllowedUsers > 0 {
		fmt.Fprintf(b, "              %.3g hashes a journey, at most %s of the rate: %d users at a time of %d wanted;\n",
			l.HashesPerJourney, showShare(l.Share), min(l.AllowedUsers, l.WantedUsers), l.WantedUsers)
		fmt.Fprintf(b, "              1000 users need %d cores like these for passwords alone\n", l.CoresFor1000)
	}
}

func (rep *Report) callsText(b *strings.Builder) {
	t := tabwriter.NewWriter(b, 0, 0, 2, ' ', tabwriter.AlignRight)
	row := func(cells ...string) { _, _ = io.WriteString(t, strings.Join(cells, "\t")+"\t\n") } // a strings.Builder takes all
	row("call", "requests", "/s", "failed", "p50", "p95", "p99", "p99.9", "max", "p50*", "p95*", "p99*")
	for _, f := range append(slices.Clip(rep.Calls), rep.Total) {
		if f.Requests == 0 {
			row(f.Call, "0", "", "", "", "", "", "", "", "", "", "")
			continue
		}
		row(f.Call, strconv.FormatInt(f.Requests, 10), fmt.Sprintf("%.0f", f.PerSecond), showShare(f.FailedShare),
			showSeconds(f.Latency.P50), showSeconds(f.Latency.P95), showSeconds(f.Latency.P99), showSeconds(f.Latency.P999), showSeconds(f.Latency.Max),
			showSeconds(f.Corrected.P50), showSeconds(f.Corrected.P95), showSeconds(f.Corrected.P99))
	}
	_ = t.Flush() // as above
	fmt.Fprintf(b, "* %s\n", rep.Correction)
}

func (rep *Report) checksText(b *strings.Builder) {
	b.WriteString("\n")
	for i := range rep.Calls {
		for _, c := range rep.Calls[i].Checks {
			mark := "ok  "
			if c.Failed > 0 {
				mark = "miss"
			}
			fmt.Fprintf(b, "%s  %s: %s", mark, rep.Calls[i].Call, c.Check)
			if c.Failed > 0 {
				fmt.Fprintf(b, " (%d of %d failed)", c.Failed, c.Passed+c.Failed)
			}
			b.WriteString("\n")
		}
	}
}

func (rep *Report) failuresText(b *strings.Builder) {
	for i := range rep.Calls {
		f := &rep.Calls[i]
		for _, status := range byCount(f.Statuses) {
			if status != "none" && status >= "400" {
				fmt.Fprintf(b, "fail  %s: status %s, %d times\n", f.Call, status, f.Statuses[status])
			}
		}
		for _, text := range byCount(f.Errors) {
			fmt.Fprintf(b, "fail  %s: %s, %d times\n", f.Call, text, f.Errors[text])
		}
	}
	for text, n := range rep.RenewErrors {
		fmt.Fprintf(b, "fail  renew a token: %s, %d times\n", text, n)
	}
}

func (rep *Report) serverText(b *strings.Builder) {
	s := &rep.Server
	var told []string
	if s.HitRate != nil {
		told = append(told, "cache hit rate "+showShare(*s.HitRate))
	} else {
		told = append(told, "no cache figures")
	}
	if s.BatchSize != nil {
		told = append(told, fmt.Sprintf("%.1f signals a commit", *s.BatchSize))
	}
	if s.PoolUsed != nil && s.PoolMax != nil {
		told = append(told, fmt.Sprintf("%.0f of %.0f database connections in use at the most", *s.PoolUsed, *s.PoolMax))
	}
	if s.CPU != nil {
		told = append(told, fmt.Sprintf("%.0f µs of processor a request", *s.CPU))
	}
	fmt.Fprintf(b, "\nThe server tells: %s.\nThe load generator took %.1f µs of processor a request, %.2f cores.\n",
		strings.Join(told, "; "), rep.Generator.CPU, rep.Generator.Cores)
}

func (rep *Report) thresholdsText(b *strings.Builder) {
	if len(rep.Thresholds) == 0 {
		return
	}
	b.WriteString("\n")
	for _, j := range rep.Thresholds {
		mark := "kept  "
		if !j.Kept {
			mark = "BROKEN"
		}
		fmt.Fprintf(b, "%s  %s: %s\n", mark, j.Threshold, j.Shown)
	}
}

func showShare(v float64) string {
	switch {
	case v == 0:
		return "0%"
	case v < 0.0001:
		return "<0.01%"
	default:
		return fmt.Sprintf("%.4g%%", round(v*100, 2))
	}
}

// showSeconds writes a time with three digits.
func showSeconds(v float64) string {
	switch {
	case v <= 0:
		return "0"
	case v < 0.001:
		return fmt.Sprintf("%.0fµs", v*1e6)
	case v < 1:
		return fmt.Sprintf("%.3gms", v*1e3)
	default:
		return fmt.Sprintf("%.3gs", time.Duration(v*1e9).Seconds())
	}
}
