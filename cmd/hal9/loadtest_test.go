package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hal9-ai/hal9/auth"
	"github.com/hal9-ai/hal9/loadtest"
)

// loadRun plays a built-in scenario against a server, to a number of requests, and
// returns its report. Thresholds about time are broken by a busy machine, so the
// verdict is not looked at.
func loadRun(t *testing.T, name, url string, args ...string) *loadtest.Report {
	t.Helper()
	text, err := loadtest.Builtin(name)
	if err != nil {
		t.Fatal(err)
	}
	// Without time to think and warm-up, so that the requests decide how long it takes.
	quick := strings.NewReplacer("think_time: 1s", "think_time: 1ms", "register: 20", "register: 4", "count: 10000,", "count: 150,",
		"  - {for: 30s, users: 10}\n", "  - {for: 0s, users: 10}\n").Replace(string(text))
	file := filepath.Join(t.TempDir(), name+".yaml")
	if err := os.WriteFile(file, []byte(quick), 0o600); err != nil {
		t.Fatal(err)
	}
	got := hal9(t, nil, append([]string{"loadtest", file, "--url", url, "--json", "--warm-up", "0s"}, args...)...)
	var report loadtest.Report
	if err := json.Unmarshal([]byte(got.out), &report); err != nil {
		t.Fatalf("%v: exit %d\n%s\n%s", err, got.code, got.out, got.errors)
	}
	if kept := got.code == exitOK; kept != report.Passed || !kept && got.code != exitFailure {
		t.Errorf("exit %d, passed: %v\n%s", got.code, report.Passed, got.errors)
	}
	for _, c := range report.Calls {
		// A short run that draws its journeys may draw none of a rare kind.
		if c.Failed > 0 || c.Requests == 0 && c.Call != "POST login" && report.Pick == "deck" {
			t.Errorf("%s: %d requests, %d failed: %v %v", c.Call, c.Requests, c.Failed, c.Statuses, c.Errors)
		}
		for _, check := range c.Checks {
			if check.Failed > 0 && !strings.Contains(check.Check, "answered within") {
				t.Errorf("%s: %s failed %d times of %d", c.Call, check.Check, check.Failed, c.Requests)
			}
		}
	}
	return &report
}

// TestLoadtest plays the scenarios against a real server.
func TestLoadtest(t *testing.T) {
	t.Parallel()
	server := startServe(t, "sqlite://"+filepath.Join(t.TempDir(), "hal9.db"))
	page := filepath.Join(t.TempDir(), "report.html")
	report := loadRun(t, "mix", server.url, "--users", "8", "--max-requests", "600", "--login-share", "5%", "--html", page)
	// The users who had begun a journey finished it.
	if n := report.Total.Requests; n < 600 || n > 700 || report.Server.BatchSize == nil || report.Server.PoolMax == nil {
		t.Errorf("%d requests; the server told %+v", n, report.Server)
	}
	if body := server.get(t, "/api/v1/status"); !strings.Contains(body, `"signals_sent":`) || report.Calls[0].Requests < 150 {
		t.Errorf("%d signals were sent: %s", report.Calls[0].Requests, body)
	}
	written, err := os.ReadFile(page)
	if err != nil || !strings.Contains(string(written), "uPlot") || !strings.Contains(string(written), "<h1>Load test <em>mix</em></h1>") {
		t.Errorf("the page: %v", err)
	}
	report = loadRun(t, "original", server.url, "--users", "4", "--max-requests", "60")
	if report.Limit == nil || report.Limit.CoresFor1000 < 1 || report.Limit.HashesPerJourney != 0.3 {
		t.Errorf("the hash rate: %+v", report.Limit)
	}
	if code := server.end(); code != exitOK {
		t.Errorf("the server: %d\n%s", code, server.stderr)
	}
}

// TestLoadtestSeed seeds a database and uses what it wrote where accounts are required.
func TestLoadtestSeed(t *testing.T) {
	t.Parallel()
	onBothEngines(t, func(t *testing.T, environ []string) {
		hal9 := func(args ...string) outcome { t.Helper(); return hal9(t, environ, args...) }
		hal9("migrate", "up").want(t, exitOK, migrated(t), "")
		accounts := filepath.Join(t.TempDir(), "accounts.ndjson")
		seed := []string{"loadtest", "seed", "--users", "300", "--neurons", "150", "--accounts", accounts}
		hal9(seed...).want(t, exitOK, "stored 300 accounts and 150 neurons, and wrote 300 tokens", "")
		hal9(seed...).want(t, exitOK, "stored 0 accounts and 0 neurons, and wrote 300 tokens", "")
		url := strings.TrimPrefix(environ[0], "HAL9_DATABASE_URL=")
		if _, err := openAccounts(t, url).Login(t.Context(), auth.LoginParams{Username: "load-user-000300", Password: seedPassword}); err != nil {
			t.Errorf("log in with the shared password: %v", err)
		}
		key := hal9("admin", "create-key")
		keyFile := filepath.Join(t.TempDir(), "key")
		if err := os.WriteFile(keyFile, []byte(key.out), 0o600); err != nil {
			t.Fatal(err)
		}

		server := startServe(t, url, "--auth-mode", "required")
		report := loadRun(t, "wide", server.url, "--accounts", accounts, "--users", "8", "--max-requests", "120")
		if !report.Server.Required || !strings.Contains(report.Accounts, "300 accounts with tokens were given") || !strings.Contains(report.Keys, "150 neurons") {
			t.Errorf("%+v", report)
		}
		loadRun(t, "mix", server.url, "--admin-key-file", keyFile, "--users", "2", "--max-requests", "60")
		got := typed(t, nil, "", "loadtest", "mix", "--url", server.url, "--max-requests", "1")
		got.want(t, exitFailure, "", "--admin-key-file")
		if code := server.end(); code != exitOK {
			t.Errorf("the server: %d\n%s", code, server.stderr)
		}
	})
}

// TestLoadtestRenewsTokens lets tokens expire during a run: users renew them before, and
// nobody is refused.
func TestLoadtestRenewsTokens(t *testing.T) {
	t.Parallel()
	server := startServe(t, "sqlite://"+filepath.Join(t.TempDir(), "hal9.db"), "--auth-mode", "required", "--auth-registration", "open", "--auth-access-ttl", "6s")
	file := filepath.Join(t.TempDir(), "profiles.yaml")
	scenario := `{name: profiles, stages: [{for: 0s, users: 4}, {for: 7s, users: 4}], think_time: 5ms, accounts: {register: 1},
journeys: [{name: profile, weight: 1, steps: [{path: /api/v1/auth/profile, bearer: "{token}", checks: [{status: 200}]}]}],
thresholds: [failed <= 0, checks_failed <= 0]}`
	if err := os.WriteFile(file, []byte(scenario), 0o600); err != nil {
		t.Fatal(err)
	}
	hal9(t, nil, "loadtest", "run", file, "--url", server.url).want(t, exitOK, "kept    failed <= 0", "")
	if code := server.end(); code != exitOK {
		t.Errorf("the server: %d\n%s", code, server.stderr)
	}
}

func TestLoadtestRefuses(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "bad.yaml")
	if err := os.WriteFile(file, []byte("name: x\nstages: [{for: 1s, user: 1}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		code int
		args []string
		want string
	}{
		{exitUsage, []string{"nonsense"}, "use one of mix, original, peak, wide"},
		{exitUsage, []string{"missing.yaml"}, "missing.yaml"},
		{exitUsage, []string{file}, "did you mean users?"},
		{exitUsage, []string{"mix", "--threshold", "p95 low"}, "--threshold"},
		{exitUsage, []string{"original", "--login-share", "1%"}, "no step of fresh logins"},
		{exitUsage, []string{"mix", "--users=-1"}, "above 0"},
		{exitUsage, []string{"mix", "--duration", "1s", "--warm-up", "2s"}, "warm_up is 2s"},
		{exitUsage, []string{"mix", "--accounts", file}, "is no account"},
		{exitUsage, []string{"mix", "--html", filepath.Join(file, "page.html")}, "--html"},
		{exitUsage, []string{"mix", "--url", "http://" + "192.0.2.1"}, "--allow-remote permits it"},
		{exitUnreachable, []string{"mix", "--url", "http://127.0.0.1:1"}, "connection refused"},
	} {
		hal9(t, nil, append([]string{"loadtest", "run"}, c.args...)...).want(t, c.code, "", c.want)
	}
	hal9(t, nil, "loadtest", "scenario", "peak").want(t, exitOK, "name: peak", "")
	hal9(t, nil, "loadtest", "scenario", "none").want(t, exitUsage, "", "mix, original")
	hal9(t, nil, "loadtest", "seed", "--users=-1").want(t, exitUsage, "", "--users")
}
