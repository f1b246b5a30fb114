package loadtest

import (
	_ "embed"
	"encoding/json"
	"fmt"
	htmltemplate "html/template"
	"io"
	"strconv"
	"time"

	"github.com/hal9-ai/hal9/internal/uplot"
)

//go:embed web/page.html
var pageHTML string

//go:embed web/page.css
var pageCSS string

//go:embed web/page.js
var pageJS string

// page is what the template of the page is given.
type page struct {
	*Report

	CSS, UplotCSS   htmltemplate.CSS
	JS, UplotJS     htmltemplate.JS
	Data            htmltemplate.JS
	HasPlots        bool
	CheckedOnce     int64
	FailedChecks    int64
	PerSecond       string
	P50, P99, Share string
	HitRate         string
}

// HTML writes the report as one page with plots, which asks for nothing from elsewhere.
func (rep *Report) HTML(w io.Writer) error {
	t, err := htmltemplate.New("page").Funcs(htmltemplate.FuncMap{
		"seconds": showSeconds, "share": showShare,
		"count":  groupDigits,
		"rate":   func(v float64) string { return groupDigits(int64(v + 0.5)) },
		"moment": func(t time.Time) string { return t.Format("2006-01-02 15:04:05 UTC") },
		"deref":  func(v *float64) float64 { return *v },
		"microseconds": func(v float64) string {
			return fmt.Sprintf("%.0f µs", v)
		},
	}).Parse(pageHTML)
	if err != nil {
		return fmt.Errorf("read the page's template: %w", err)
	}
	data, err := json.Marshal(rep.Points) // escapes what could end the script
	if err != nil {
		return fmt.Errorf("write the page: %w", err)
	}
	p := page{
		Report: rep, HasPlots: len(rep.Points) > 1,
		CSS: htmltemplate.CSS(pageCSS), UplotCSS: htmltemplate.CSS(uplot.CSS), //nolint:gosec // files of ours
		JS: htmltemplate.JS(pageJS), UplotJS: htmltemplate.JS("/*\n" + uplot.License + "*/\n" + uplot.JS), Data: htmltemplate.JS(data), //nolint:gosec // as above; data is JSON
		PerSecond: groupDigits(int64(rep.Total.PerSecond + 0.5)), P50: showSeconds(rep.Total.Corrected.P50),
		P99: showSeconds(rep.Total.Corrected.P99), Share: showShare(rep.Total.FailedShare), HitRate: "–",
	}
	if rep.Server.HitRate != nil {
		p.HitRate = showShare(*rep.Server.HitRate)
	}
	for i := range rep.Calls {
		for _, c := range rep.Calls[i].Checks {
			p.CheckedOnce += c.Passed + c.Failed
			p.FailedChecks += c.Failed
		}
	}
	if err := t.Execute(w, p); err != nil {
		return fmt.Errorf("write the page: %w", err)
	}
	return nil
}

// groupDigits writes 12345 as 12,345.
func groupDigits(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
