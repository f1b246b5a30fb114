package loadtest_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/hal9-ai/hal9/loadtest"
)

// A comparison reads what a run wrote.
func TestCompare(t *testing.T) {
	t.Parallel()
	url := serve(t, &api{})
	var reports []loadtest.Named
	for _, name := range []string{"peak", "mix"} {
		s := builtin(t, name, func(s *loadtest.Scenario) {
			s.MaxRequests = 48
			if name == "mix" {
				s.ThinkTime = loadtest.Think{Min: 1, Max: 1}
			}
		})
		report, err := loadtest.Run(t.Context(), s, loadtest.Options{Target: url})
		if err != nil {
			t.Fatal(err)
		}
		raw, err := json.Marshal(report)
		if err != nil {
			t.Fatal(err)
		}
		read, err := loadtest.ReadReport(bytes.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		reports = append(reports, loadtest.Named{Name: name, Report: read})
	}
	var targets []loadtest.Threshold
	for _, text := range []string{"rate > 100000000", "p99 < 1h", "p42 < 1h", "users >= 2"} {
		target, err := loadtest.ParseThreshold(text)
		if err != nil {
			t.Fatal(err)
		}
		targets = append(targets, target)
	}
	c := loadtest.Compare(reports, targets)
	var got [][]bool
	for _, run := range c.Runs {
		var kept []bool
		for _, j := range run.Targets {
			kept = append(kept, j.Kept)
		}
		got = append(got, kept)
	}
	// Users who think are not held to a rate; a quantile that the file lacks is missed.
	for run, want := range [][]bool{{false, true, false, false}, {true, true, false, false}} {
		for i := range want {
			if got[run][i] != want[i] {
				t.Errorf("%s %s: %+v", c.Runs[run].Name, targets[i], c.Runs[run].Targets[i])
			}
		}
	}
	var text, plain bytes.Buffer
	if err := c.Text(&text); err != nil || !strings.Contains(text.String(), "missed") || !strings.Contains(text.String(), "(asked for)") {
		t.Errorf("%v\n%s", err, &text)
	}
	if err := loadtest.Compare(reports, nil).Text(&plain); err != nil || !strings.Contains(plain.String(), "REQUESTS/S") {
		t.Errorf("%v\n%s", err, &plain)
	}
	for _, bad := range []string{"", "{}", "[]"} {
		if _, err := loadtest.ReadReport(strings.NewReader(bad)); err == nil {
			t.Errorf("%q is taken for a report", bad)
		}
	}
}
