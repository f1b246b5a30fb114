package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hal9-ai/hal9/internal/testenv"
	"github.com/hal9-ai/hal9/transfer/copydb"
)

// postSignal sends a signal and returns its id, with the status and the header of the
// answer.
func (s *served) postSignal(t *testing.T, content string) (id string, status int, header http.Header) {
	t.Helper()
	body := `{"content":"` + content + `","layer":"strategic"}`
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/api/v1/signal", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	raw, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	var signal struct {
		Data struct {
			ID string `json:"signal_id"`
		} `json:"data"`
	}
	if answer.StatusCode < http.StatusMultipleChoices {
		if err := json.Unmarshal(raw, &signal); err != nil || signal.Data.ID == "" {
			t.Fatalf("%v\n%s", err, raw)
		}
	}
	return signal.Data.ID, answer.StatusCode, answer.Header
}

// signalsOf returns how many signals a report found in the target, all of them equal.
func signalsOf(t *testing.T, o outcome) int64 {
	t.Helper()
	var r copydb.Report
	if err := json.Unmarshal([]byte(o.out), &r); err != nil || o.code != exitOK {
		t.Fatalf("exit %d, %v\n%s\n%s", o.code, err, o.out, o.errors)
	}
	for _, table := range r.Tables {
		if table.Table == "signals" && table.Equal == table.TargetRows {
			return table.TargetRows
		}
	}
	t.Fatalf("the report tells of no equal signals:\n%s", o.out)
	return 0
}

// TestMove goes the way from one file to PostgreSQL and back by the commands, while
// servers serve.
func TestMove(t *testing.T) {
	t.Parallel()
	file := "sqlite://" + filepath.Join(t.TempDir(), "hal9.db")
	postgres := testenv.PostgresDatabase(t)
	before := startServe(t, file)
	id, _, _ := before.postSignal(t, "said to the old one")

	copying := []string{"copy", "--from", file, "--to", postgres}
	hal9(t, nil, copying...).want(t, exitPending, "", "--migrate")
	moved := hal9(t, nil, append(copying, "--migrate", "--follow", "--json")...)
	if n := signalsOf(t, moved); n != 1 {
		t.Errorf("%d signals were copied", n)
	}
	if !strings.Contains(moved.errors, "point the servers at it") {
		t.Errorf("it does not say how to go on:\n%s", moved.errors)
	}
	if _, status, header := before.postSignal(t, "too late"); status != http.StatusServiceUnavailable || header.Get("Retry-After") == "" {
		t.Errorf("the old server answers %d, Retry-After %q", status, header.Get("Retry-After"))
	}
	if !strings.Contains(before.get(t, "/api/v1/signals/"+id), "said to the old one") {
		t.Error("the old server does not read any more")
	}
	if code := before.end(); code != exitOK {
		t.Errorf("the old server ended with %d:\n%s", code, before.stderr)
	}

	after := startServe(t, postgres)
	if !strings.Contains(after.get(t, "/api/v1/signals/"+id), "said to the old one") {
		t.Error("the signal is not in the new database")
	}
	hal9(t, nil, append(copying, "--compare-only")...).want(t, exitOK, "the same", "")
	after.postSignal(t, "said to the new one")
	if code := after.end(); code != exitOK {
		t.Errorf("the new server ended with %d:\n%s", code, after.stderr)
	}
	if o := hal9(t, nil, append(copying, "--compare-only")...); o.code != exitFailure || !strings.Contains(o.errors, "the target is not the same") {
		t.Errorf("exit %d after the databases went apart:\n%s\n%s", o.code, o.out, o.errors)
	}
	hal9(t, nil, append(copying, "--clean")...).want(t, exitUsage, "", "--yes")
	hal9(t, nil, copying...).want(t, exitUsage, "", "--clean")

	export := filepath.Join(t.TempDir(), "hal9.ndjson.zst")
	hal9(t, nil, "export", export, "--database-url", postgres).want(t, exitOK, "rows", "")
	hal9(t, nil, "export", export, "--database-url", postgres).want(t, exitUsage, "", "--force")
	back := "sqlite://" + filepath.Join(t.TempDir(), "back.db")
	if n := signalsOf(t, hal9(t, nil, "restore", export, "--database-url", back, "--json")); n != 2 {
		t.Errorf("%d signals came back", n)
	}
}

func TestCopyRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := "sqlite://" + filepath.Join(dir, "hal9.db")
	hal9(t, nil, "migrate", "up", "--database-url", file).want(t, exitOK, "", "")
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"--from", file}, exitUsage, "--to"},
		{[]string{"--from", file, "--to", file}, exitUsage, "the same database"},
		{[]string{"--from", file, "--to", "mysql://x"}, exitUsage, "--to names no database"},
		{[]string{"--from", file, "--to", file + "2", "--follow", "--compare-only"}, exitUsage, "exclude each other"},
		{[]string{"--from", file, "--to", "postgres://u:sekret@127.0.0.1:1/x?connect_timeout=1"}, exitUnreachable, ""},
		{[]string{"--from", "sqlite://" + filepath.Join(dir, "none.db"), "--to", file}, exitUnreachable, "there is no file"},
	} {
		o := hal9(t, nil, append([]string{"copy"}, c.args...)...)
		if o.code != c.code || !strings.Contains(o.errors, c.want) || strings.Contains(o.errors, "sekret") {
			t.Errorf("%v: exit %d, want %d and %q:\n%s", c.args, o.code, c.code, c.want, o.errors)
		}
	}
}

// A file that is no whole export leaves no database behind.
func TestRestoreOfDamagedExport(t *testing.T) {
	t.Parallel()
	file := "sqlite://" + filepath.Join(t.TempDir(), "hal9.db")
	hal9(t, nil, "migrate", "up", "--database-url", file).want(t, exitOK, "", "")
	export := filepath.Join(t.TempDir(), "hal9.ndjson")
	hal9(t, nil, "export", export, "--database-url", file).want(t, exitOK, "rows", "")
	whole, err := os.ReadFile(export)
	if err != nil {
		t.Fatal(err)
	}
	for name, damaged := range map[string][]byte{
		"cut":     whole[:len(whole)-20],
		"changed": bytes.Replace(whole, []byte("neuron-l1"), []byte("neuron-l9"), 1),
		"newer":   bytes.Replace(whole, []byte(`"schema_version":`), []byte(`"schema_version":9`), 1),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			broken := filepath.Join(dir, "broken.ndjson")
			if bytes.Equal(damaged, whole) {
				t.Fatal("the file is as it was")
			}
			if err := os.WriteFile(broken, damaged, 0o600); err != nil {
				t.Fatal(err)
			}
			hal9(t, nil, "restore", broken, "--database-url", "sqlite://"+filepath.Join(dir, "new.db")).want(t, exitFailure, "", "nothing was changed")
			if left, err := filepath.Glob(filepath.Join(dir, "new.db*")); err != nil || len(left) != 1 || left[0] != filepath.Join(dir, "new.db.migrate.lock") {
				t.Errorf("left behind: %v, %v", left, err)
			}
		})
	}
}

func TestFenceCommand(t *testing.T) {
	t.Parallel()
	for engine, url := range map[string]string{"postgres": testenv.PostgresDatabase(t), "sqlite": "sqlite://" + filepath.Join(t.TempDir(), "hal9.db")} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			hal9(t, nil, "fence", "status", "--database-url", url).wantFailure(t)
			server := startServe(t, url, "--migrate")
			fence := func(args ...string) outcome {
				return hal9(t, []string{"HAL9_DATABASE_URL=" + url}, append([]string{"fence"}, args...)...)
			}
			fence("status").want(t, exitOK, "takes writes", "")
			fence("on", "--reason", "it's moving day").want(t, exitOK, "takes no writes: it's moving day", "")
			fence("status", "--json").want(t, exitOK, `"reason": "it's moving day"`, "")
			if _, status, _ := server.postSignal(t, "fenced"); status != http.StatusServiceUnavailable {
				t.Errorf("a fenced server answers %d", status)
			}
			fence("off").want(t, exitOK, "takes writes", "")
			if _, status, _ := server.postSignal(t, "not fenced"); status >= http.StatusMultipleChoices {
				t.Errorf("after the fence: %d", status)
			}
			if code := server.end(); code != exitOK {
				t.Errorf("the server ended with %d:\n%s", code, server.stderr)
			}
		})
	}
}

func (o outcome) wantFailure(t *testing.T) {
	t.Helper()
	if o.code == exitOK || o.errors == "" {
		t.Errorf("exit %d:\n%s\n%s", o.code, o.out, o.errors)
	}
}
