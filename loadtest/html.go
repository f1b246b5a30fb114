package loadtest

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/hal9-ai/hal9/internal/uplot"
)

//go:embed web/page.html
var pageHTML string

//go:embed web/page.css
var pageCSS string

//go:embed web/page.js
var pageJS string

// HTML writes the report as one page with plots, which asks for nothing from elsewhere.
func (rep *Report) HTML(w io.Writer) error {
	data, err := json.Marshal(rep.Points) // escapes what could end the script
	if err != nil {
		return fmt.Errorf("write the page: %w", err)
	}
	marks := []string{
		"@UPLOT_CSS@", uplot.CSS, "@CSS@", pageCSS, "@POINTS@", string(data),
		"@UPLOT_JS@", "/*\n" + uplot.License + "*/\n" + uplot.JS, "@JS@", pageJS,
		"@WARM_UP@", digitsOf(rep.WarmUp),
	}
	for mark, part := range map[string]markup{
		"@SCENARIO@": text(rep.Scenario), "@DESCRIPTION@": text(rep.Description), "@CORRECTION@": text(rep.Correction),
		"@PER_SECOND@": text(perSecond(rep.Total.PerSecond)),
		"@VERDICT@":    rep.verdict(), "@TILES@": rep.tiles(), "@THRESHOLDS@": rep.thresholds(), "@PLOTS@": rep.plots(),
		"@CALLS@": rep.calls(), "@CHECKED@": rep.checked(), "@CHECKS@": rep.checks(), "@FACTS@": rep.facts(),
	} {
		marks = append(marks, mark, string(part))
	}
	if _, err := strings.NewReplacer(marks...).WriteString(w, pageHTML); err != nil {
		return fmt.Errorf("write the page: %w", err)
	}
	return nil
}

func (rep *Report) verdict() markup {
	switch {
	case len(rep.Thresholds) == 0:
		return ""
	case rep.Passed:
		return tag(`p class="verdict kept"`, text("All thresholds were kept."))
	default:
		return tag(`p class="verdict broken"`, text("Thresholds were broken."))
	}
}

func (rep *Report) tiles() markup {
	hits := "–"
	if rep.Server.HitRate != nil {
		hits = showShare(*rep.Server.HitRate)
	}
	var all markup
	for _, tile := range [][2]string{
		{perSecond(rep.Total.PerSecond), "requests/s"},
		{showSeconds(rep.Total.Corrected.P50), "half are faster"},
		{showSeconds(rep.Total.Corrected.P99), "99 of 100 are faster"},
		{showShare(rep.Total.FailedShare), "failed"},
		{hits, "cache hit rate"},
		{strconv.Itoa(rep.MaxUsers), "users"},
	} {
		all += tag("div", tag("b", text(tile[0])), tag("span", text(tile[1])))
	}
	return all
}

func (rep *Report) thresholds() markup {
	if len(rep.Thresholds) == 0 {
		return ""
	}
	var rows markup
	for _, t := range rep.Thresholds {
		verdict := tag(`span class="broken"`, text("✗ broken"))
		if t.Kept {
			verdict = tag(`span class="kept"`, text("✓ kept"))
		}
		rows += tag("tr", cells(t.Threshold, t.Shown), tag("td", verdict))
	}
	return tag("section", tag("h2", text("Thresholds")), tag(`div class="wide"`, tag(`table class="narrow"`,
		tag("thead", tag("tr", tag("th", text("Bound")), tag(`th class="n"`, text("Measured")), tag("th", text("Verdict")))),
		tag("tbody", rows))))
}

func (rep *Report) plots() markup {
	if len(rep.Points) < 2 { //nolint:mnd // one point makes no line
		return ""
	}
	var note markup
	if rep.WarmUp > 0 {
		note = tag(`p class="note"`, text("The shaded "+digitsOf(rep.WarmUp)+" s at the beginning are the warm-up; they are in no figure of the tables."))
	}
	return tag("section", tag("h2", text("Course of the run")), tag(`div class="plots" id="plots"`),
		tag("noscript", text("The plots need JavaScript.")), note)
}

func (rep *Report) calls() markup {
	var rows markup
	for i := range rep.Calls {
		rows += tag("tr", rep.Calls[i].cells()) + "\n"
	}
	return rows + tag(`tr class="sum"`, rep.Total.cells())
}

func (f *Figures) cells() markup {
	l, c := f.Latency, f.Corrected
	return cells(f.Call, groupDigits(f.Requests), perSecond(f.PerSecond), showShare(f.FailedShare),
		showSeconds(l.P50), showSeconds(l.P95), showSeconds(l.P99), showSeconds(l.P999), showSeconds(l.Max),
		showSeconds(c.P50), showSeconds(c.P95), showSeconds(c.P99), showSeconds(c.P999))
}

func (rep *Report) checked() markup {
	var all, failed int64
	for i := range rep.Calls {
		for _, c := range rep.Calls[i].Checks {
			all += c.Passed + c.Failed
			failed += c.Failed
		}
	}
	return text(groupDigits(all) + " checks, " + groupDigits(failed) + " failed.")
}

func (rep *Report) checks() markup {
	var rows markup
	for i := range rep.Calls {
		for _, c := range rep.Calls[i].Checks {
			class := "n"
			if c.Failed > 0 {
				class = "n broken"
			}
			rows += tag("tr", tag("td", text(rep.Calls[i].Call)), cells(c.Check, groupDigits(c.Passed)),
				tag(`td class="`+class+`"`, text(groupDigits(c.Failed))))
		}
	}
	return rows
}

// facts tells how it was measured.
func (rep *Report) facts() markup {
	server := rep.Target
	if rep.Server.Required {
		server += ", accounts required"
	}
	facts := [][2]string{
		{"Server", server},
		{"Began", fmt.Sprintf("%s, %s s measured after %s s of warm-up", rep.Began.Format("2006-01-02 15:04:05 UTC"), digitsOf(rep.Measured), digitsOf(rep.WarmUp))},
		{"Machine", rep.Machine},
		{"Accounts", rep.Accounts},
		{"Keys", rep.Keys},
		{"Think time", rep.Think},
	}
	if l := rep.Limit; l != nil {
		passwords := fmt.Sprintf("%s hashes/s on %d cores", digitsOf(l.HashesPerSecond), l.Cores)
		if l.AllowedUsers > 0 {
			passwords += fmt.Sprintf("; %s hashes a journey allow %d users; 1000 need %d cores like these", digitsOf(l.HashesPerJourney), l.AllowedUsers, l.CoresFor1000)
		}
		facts = append(facts, [2]string{"Passwords", passwords})
	}
	if size := rep.Server.BatchSize; size != nil {
		facts = append(facts, [2]string{"Ingest", fmt.Sprintf("%.1f signals a commit", *size)})
	}
	if cpu := rep.Server.CPU; cpu != nil {
		facts = append(facts, [2]string{"Server's processor", fmt.Sprintf("%.0f µs a request", *cpu)})
	}
	facts = append(facts, [2]string{"Generator's processor", fmt.Sprintf("%.0f µs a request, %s cores", rep.Generator.CPU, digitsOf(rep.Generator.Cores))})
	var rows markup
	for _, fact := range facts {
		if fact[1] != "" {
			rows += tag("tr", tag("th", text(fact[0])), tag("td", text(fact[1]))) + "\n"
		}
	}
	return rows
}

// digitsOf writes a number with the digits that it has.
func digitsOf(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

func perSecond(v float64) string { return groupDigits(int64(v + 0.5)) }

// groupDigits writes 12345 as 12,345.
func groupDigits(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
