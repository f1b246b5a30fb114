package loadtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
)

// Named is a report with the name that a comparison gives it.
type Named struct {
	Name   string
	Report *Report
}

// ReadReport reads a report that was written as JSON.
func ReadReport(r io.Reader) (*Report, error) {
	var rep Report
	if err := json.NewDecoder(r).Decode(&rep); err != nil {
		return nil, fmt.Errorf("read the report: %w", err)
	}
	if rep.Scenario == "" {
		return nil, errors.New("this is no report of a load test: write one by 'hal9 loadtest run --json'")
	}
	return &rep, nil
}

// Comparison is reports beside each other, held to targets.
type Comparison struct {
	Runs []ComparedRun `json:"runs"`
}

// ComparedRun is one report of a comparison.
type ComparedRun struct {
	Name     string     `json:"name"`
	Scenario string     `json:"scenario"`
	Users    int        `json:"users"`
	Total    Figures    `json:"total"`
	HitRate  *float64   `json:"hit_rate"`
	Targets  []Judgment `json:"targets"`
}

// Compare holds reports to targets.
func Compare(reports []Named, targets []Threshold) Comparison {
	c := Comparison{Runs: []ComparedRun{}}
	for _, n := range reports {
		run := ComparedRun{
			Name: n.Name, Scenario: n.Report.Scenario, Users: n.Report.MaxUsers, Total: n.Report.Total,
			HitRate: n.Report.Server.HitRate, Targets: []Judgment{},
		}
		for _, t := range targets {
			run.Targets = append(run.Targets, n.Report.target(t))
		}
		c.Runs = append(c.Runs, run)
	}
	return c
}

// target holds a report to a target, unless the run was not made to reach it: users who
// think ask for no higher rate, and those of the original script are as many as there are
// password hashes.
func (rep *Report) target(t Threshold) Judgment {
	j := rep.judgment(t)
	switch {
	case j.Kept:
	case t.measure == "rate" && rep.Think != Think{}.String():
		j.Kept, j.Shown = true, j.Shown+" (asked for)"
	case t.measure == "users" && rep.Limit != nil && rep.Limit.AllowedUsers == rep.MaxUsers:
		j.Kept, j.Shown = true, j.Shown+" (by hash rate)"
	}
	return j
}

// Text writes a table with a line for each report; a target that is missed is marked.
// Without targets it shows the usual figures.
func (c Comparison) Text(w io.Writer) error {
	var b strings.Builder
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	row := func(cells []string) { _, _ = io.WriteString(t, strings.Join(cells, "\t")+"\n") } // a strings.Builder takes all
	for i, run := range c.Runs {
		head, cells := []string{"RUN", "SCENARIO"}, []string{run.Name, run.Scenario}
		if len(run.Targets) == 0 {
			head = append(head, "USERS", "REQUESTS/S", "P50", "P99", "FAILED", "HIT RATE")
			hits := "-"
			if run.HitRate != nil {
				hits = showShare(*run.HitRate)
			}
			cells = append(cells, strconv.Itoa(run.Users), fmt.Sprintf("%.0f", run.Total.PerSecond), showSeconds(run.Total.Corrected.P50),
				showSeconds(run.Total.Corrected.P99), showShare(run.Total.FailedShare), hits)
		}
		for _, j := range run.Targets {
			head = append(head, j.Threshold)
			mark := ""
			if !j.Kept {
				mark = " missed"
			}
			cells = append(cells, j.Shown+mark)
		}
		if i == 0 {
			row(head)
		}
		row(cells)
	}
	_ = t.Flush() // as above
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write the comparison: %w", err)
	}
	return nil
}
