package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/hal9-ai/hal9/internal/testenv"
	"github.com/hal9-ai/hal9/server"
)

const deployDir = "../../deploy"

// awaited are asked for by panels and alerts, and told by parts of the service that not
// every deployment has.
var awaited = []string{"hal9_database_replica_lag_seconds", "hal9_database_replica_usable"}

// dashboard is what Grafana needs of one.
type dashboard struct {
	UID, Title    string
	SchemaVersion int
	Templating    struct{ List []struct{ Name, Type string } }
	Panels        []struct {
		ID          int
		Type, Title string
		GridPos     struct{ X, Y, W, H int }
		Targets     []struct{ RefID, Expr string }
	}
}

func readDashboards(t *testing.T) []dashboard {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(deployDir, "grafana", "dashboards", "*.json"))
	if err != nil || len(files) < 4 {
		t.Fatalf("%d dashboards, %v", len(files), err)
	}
	all := make([]dashboard, len(files))
	for i, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(content, &all[i]); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
	}
	return all
}

type alert struct {
	Alert, Expr         string
	Labels, Annotations map[string]string
}

func readAlerts(t *testing.T) []alert {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(deployDir, "prometheus", "alerts.yml"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Groups []struct{ Rules []alert } }
	if err := yaml.Unmarshal(content, &file); err != nil || len(file.Groups) != 1 {
		t.Fatalf("%d groups, %v", len(file.Groups), err)
	}
	return file.Groups[0].Rules
}

var (
	quotedText = regexp.MustCompile(`"[^"]*"`)
	metricName = regexp.MustCompile(`\b(?:hal9|go|process)_[a-z0-9_]+`)
)

// metricsOf finds the metrics that an expression asks for.
func metricsOf(expr string) []string {
	return metricName.FindAllString(quotedText.ReplaceAllString(expr, ""), -1)
}

// TestDashboardsAskForWhatIsTold: every metric that a panel or an alert names is in a
// real scrape, unless its description says when it is there.
func TestDashboardsAskForWhatIsTold(t *testing.T) {
	t.Parallel()
	s := startObserved(t, testenv.PostgresDatabase(t))
	told := map[string]bool{"up": true}
	for _, name := range awaited {
		told[name] = true
	}
	for name, family := range s.scrape(t) {
		told[name] = true
		if family.GetType().String() == "HISTOGRAM" {
			told[name+"_bucket"], told[name+"_sum"], told[name+"_count"] = true, true, true
		}
	}
	for _, f := range server.MetricFamilies() {
		if strings.HasPrefix(f.When, "on SQLite") || strings.HasPrefix(f.When, "with something stored later") {
			told[f.Name] = true
		}
	}
	check := func(where, expr string) {
		names := metricsOf(expr)
		if len(names) == 0 && !strings.Contains(expr, "up{") {
			t.Errorf("%s: no metric in %s", where, expr)
		}
		for _, name := range names {
			if !told[name] {
				t.Errorf("%s asks for %s, which no server tells", where, name)
			}
		}
	}
	for _, d := range readDashboards(t) {
		for _, p := range d.Panels {
			for _, target := range p.Targets {
				check(d.Title+", "+p.Title, target.Expr)
			}
		}
	}
	for _, a := range readAlerts(t) {
		check(a.Alert, a.Expr)
	}
	if code := s.end(); code != exitOK {
		t.Errorf("exit %d", code)
	}
}

// TestDashboardsAreWhole: what Grafana refuses or shows wrongly without a word.
func TestDashboardsAreWhole(t *testing.T) {
	t.Parallel()
	uids := map[string]bool{}
	for _, d := range readDashboards(t) {
		if d.UID == "" || d.Title == "" || d.SchemaVersion < 39 || uids[d.UID] || len(d.Templating.List) != 3 {
			t.Errorf("%+v", d)
		}
		uids[d.UID] = true
		ids, taken := map[int]bool{}, map[[2]int]string{}
		for _, p := range d.Panels {
			if p.ID == 0 || ids[p.ID] || p.Type == "" || p.Title == "" || len(p.Targets) == 0 || p.GridPos.X+p.GridPos.W > 24 {
				t.Errorf("%s: %+v", d.Title, p)
			}
			ids[p.ID] = true
			for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
				for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
					if other := taken[[2]int{x, y}]; other != "" {
						t.Fatalf("%s: %s lies over %s", d.Title, p.Title, other)
					}
					taken[[2]int{x, y}] = p.Title
				}
			}
		}
	}
}

// TestAlertsHaveARunbook: each has a section with its three parts, and no section is of
// an alert that is gone; each is seen to fire and not to fire by promtool's unit tests.
func TestAlertsHaveARunbook(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/runbook.md")
	if err != nil {
		t.Fatal(err)
	}
	sections := map[string]string{}
	for _, part := range strings.Split(string(page), "\n## ")[1:] {
		title, text, _ := strings.Cut(part, "\n")
		sections[title] = text
	}
	unit, err := os.ReadFile(filepath.Join(deployDir, "prometheus", "alerts_test.yml"))
	if err != nil {
		t.Fatal(err)
	}
	var tests struct {
		Tests []struct {
			Rules []struct {
				Name     string `yaml:"alertname"`
				Expected []any  `yaml:"exp_alerts"`
			} `yaml:"alert_rule_test"`
		}
	}
	if err := yaml.Unmarshal(unit, &tests); err != nil {
		t.Fatal(err)
	}
	fires, silent := map[string]bool{}, map[string]bool{}
	for _, test := range tests.Tests {
		for _, r := range test.Rules {
			fires[r.Name] = fires[r.Name] || len(r.Expected) > 0
			silent[r.Name] = silent[r.Name] || len(r.Expected) == 0
		}
	}
	for _, a := range readAlerts(t) {
		text := sections[a.Alert]
		for _, part := range []string{"**Means:**", "**Look first:**", "**Mend:**"} {
			if !strings.Contains(text, part) {
				t.Errorf("docs/runbook.md: %s has no %s", a.Alert, part)
			}
		}
		if !strings.HasSuffix(a.Annotations["runbook_url"], "/docs/runbook.md#"+strings.ToLower(a.Alert)) || a.Labels["severity"] == "" || a.Annotations["summary"] == "" {
			t.Errorf("%+v", a)
		}
		if !fires[a.Alert] || !silent[a.Alert] {
			t.Errorf("alerts_test.yml: %s is seen to fire: %t, not to fire: %t", a.Alert, fires[a.Alert], silent[a.Alert])
		}
		delete(sections, a.Alert)
	}
	for title := range sections {
		t.Errorf("docs/runbook.md: %s is no alert", title)
	}
}
