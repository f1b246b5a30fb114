package main

import (
	"bytes"
	"context"
	"database/sql"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/hal9-ai/hal9/internal/testenv"
)

// served is a running 'hal9 serve'.
type served struct {
	url    string
	stderr *testenv.Log
	stop   context.CancelFunc
	code   chan int
}

var servingLine = regexp.MustCompile(`"msg":"serving","address":"([^"]+)"`)

// startServe runs 'hal9 serve' on a free port and waits until it serves.
func startServe(t *testing.T, databaseURL string, args ...string) *served {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	t.Cleanup(stop)
	s := &served{stderr: &testenv.Log{}, stop: stop, code: make(chan int, 1)}
	args = append([]string{"serve", "--server-listen", "127.0.0.1:0", "--database-url", databaseURL, "--server-drain-delay", "0s"}, args...)
	go func() { s.code <- Run(ctx, args, strings.NewReader(""), io.Discard, s.stderr, nil) }()
	deadline := time.NewTimer(2 * time.Minute)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		if m := servingLine.FindStringSubmatch(s.stderr.String()); m != nil {
			s.url = "http://" + m[1]
			return s
		}
		select {
		case code := <-s.code:
			t.Fatalf("ended with %d:\n%s", code, s.stderr)
		case <-deadline.C:
			t.Fatalf("does not serve:\n%s", s.stderr)
		case <-tick.C:
		}
	}
}

func (s *served) get(t *testing.T, path string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s %v\n%s", path, resp.Status, err, body)
	}
	return string(body)
}

// end asks the server to stop and returns its exit code.
func (s *served) end() int {
	s.stop()
	return <-s.code
}

// Two servers on one file serve; the second one says what they do not share.
func TestSecondServerOnAFile(t *testing.T) {
	t.Parallel()
	url := "sqlite://" + filepath.Join(t.TempDir(), "one.db")
	const warning = "another server serves from this file"
	first := startServe(t, url)
	second := startServe(t, url)
	if first, second := first.stderr.String(), second.stderr.String(); strings.Contains(first, warning) || !strings.Contains(second, warning) {
		t.Errorf("the first says:\n%sthe second says:\n%s", first, second)
	}
	if a, b := first.end(), second.end(); a != exitOK || b != exitOK {
		t.Fatalf("ended with %d and %d", a, b)
	}
	if third := startServe(t, url); strings.Contains(third.stderr.String(), warning) {
		t.Errorf("alone again it says:\n%s", third.stderr.String())
	}
}

// What keeps a server from its files is told with the mend, as what is configured wrong.
func TestServeFilesThatDoNotDo(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	garbage := filepath.Join(folder, "garbage.pem")
	if err := os.WriteFile(garbage, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		code int
		say  string
	}{
		{[]string{"--database-url", "sqlite://" + folder}, exitUnreachable, "is a folder; name a file, as in sqlite://" + filepath.Join(folder, "hal9.db")},
		{[]string{"--server-tls-cert", garbage, "--server-tls-key", garbage}, exitUsage, "server.tls_key: " + garbage + " holds no private key in PEM"},
		{[]string{"--server-tls-cert", "nowhere.pem", "--server-tls-key", garbage}, exitUsage, "server.tls_cert: open nowhere.pem"},
	} {
		args := append([]string{"serve", "--server-listen", "127.0.0.1:0", "--database-url", "sqlite::memory:"}, c.args...)
		hal9(t, nil, args...).want(t, c.code, "", c.say)
	}
}

func TestServeOnSQLite(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "new.db")
	for range 2 { // makes the file, then opens it
		s := startServe(t, "sqlite://"+file)
		if body := s.get(t, "/api/v1/status"); !strings.Contains(body, `"running":true`) || !strings.Contains(body, "neuron-l4") {
			t.Errorf("status: %s", body)
		}
		if body := s.get(t, "/metrics"); !strings.Contains(body, "hal9_signals_sent_total 0") {
			t.Errorf("the signals' figures are missing:\n%s", body)
		}
		if code := s.end(); code != exitOK || !strings.Contains(s.stderr.String(), `"msg":"stopped"`) {
			t.Errorf("exit %d:\n%s", code, s.stderr)
		}
	}
	for _, left := range []string{"-wal", "-shm"} {
		if _, err := os.Stat(file + left); err == nil {
			t.Errorf("%s is left behind", file+left)
		}
	}
}

func TestServeOnPostgres(t *testing.T) { //nolint:paralleltest // the first key goes to the working directory
	t.Chdir(t.TempDir())
	url := testenv.PostgresDatabase(t)
	hal9(t, nil, "serve", "--server-listen", "127.0.0.1:0", "--database-url", url).
		want(t, exitPending, "", "hal9 migrate up")
	s := startServe(t, url, "--migrate")
	if body := s.get(t, "/metrics"); !strings.Contains(body, `engine="postgres"`) {
		t.Errorf("metrics: %s", body)
	}
	if code := s.end(); code != exitOK {
		t.Errorf("exit %d:\n%s", code, s.stderr)
	}
	// Migrated by now. Commits that nobody waits for go ill with replicas.
	hal9(t, nil, "serve", "--server-listen", "127.0.0.1:0", "--database-url", url+"&synchronous_commit=off", "--database-replica-urls", url).
		want(t, exitFailure, "", "database.replica_urls: synchronous_commit is off")
	s = startServe(t, url+"&synchronous_commit=on", "--database-replica-urls", url)
	if body := s.get(t, "/metrics"); !strings.Contains(body, "hal9_database_replica_usable{replica=") {
		t.Errorf("metrics: %s", body)
	}
	if code := s.end(); code != exitOK {
		t.Errorf("exit %d:\n%s", code, s.stderr)
	}
}

func TestServeFailures(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var lc net.ListenConfig
	ln, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	taken := ln.Addr().String()
	hal9(t, nil, "serve", "--server-listen", taken, "--database-url", "sqlite://"+dir+"/a.db").
		want(t, exitFailure, "", "server.listen: another program serves on "+taken)
	if _, err := os.Stat(dir + "/a.db"); err == nil {
		t.Error("a database was made although the address is taken")
	}
	if err := ln.Close(); err != nil {
		t.Fatal(err)
	}
	// Nobody listens there any more.
	hal9(t, nil, "serve", "--server-listen", "127.0.0.1:0", "--database-url", "postgres://hal9:secret@"+taken+"/hal9").
		want(t, exitUnreachable, "", "database.url")
	if out := hal9(t, nil, "serve", "--server-listen", "127.0.0.1:0", "--database-url", "postgres://hal9:secret@"+taken+"/hal9"); strings.Contains(out.errors, "secret") {
		t.Errorf("the password is shown: %s", out.errors)
	}
	hal9(t, nil, "serve", "--server-listen", "0.0.0.0:0", "--database-url", "sqlite://"+dir+"/a.db").
		want(t, exitUsage, "", "server.listen")
	hal9(t, nil, "serve", "--server-listen", "127.0.0.1:0", "--database-url", "sqlite://"+dir+"/no/such/folder/a.db").
		want(t, exitUnreachable, "", "folder")
}

func TestWelcome(t *testing.T) {
	t.Parallel()
	for accounts, call := range map[bool]string{
		false: "Try it:\n\n  curl -s http://127.0.0.1:8080/api/v1/signal -H 'Content-Type: ",
		true:  "Try it, with a key of 'hal9 admin create-key' in KEY:\n\n  curl -s http://127.0.0.1:8080/api/v1/signal -H \"X-API-Key: $KEY\" -H 'Content-Type: ",
	} {
		var out bytes.Buffer
		if err := welcome(&out, "http://127.0.0.1:8080", "sqlite://hal9.db", accounts); err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{"sqlite://hal9.db", "http://127.0.0.1:8080/api/v1\n", "/docs\n", "/health\n", "/metrics\n", call} {
			if !strings.Contains(out.String(), text) {
				t.Errorf("no %q in\n%s", text, out.String())
			}
		}
	}
}

// What SQLite says of a file that cannot be opened is told with its mend, by what migrates
// and by what only looks.
func TestFilesThatCannotBeOpened(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	text, logged := filepath.Join(dir, "text.db"), filepath.Join(dir, "logged.db")
	if err := os.WriteFile(text, []byte("this is no database"), 0o600); err != nil {
		t.Fatal(err)
	}
	hal9(t, nil, "migrate", "up", "--database-url", "sqlite://"+logged).want(t, exitOK, "", "")
	if err := os.Mkdir(logged+"-wal", 0o700); err != nil { // no log can be made there
		t.Fatal(err)
	}
	for file, mend := range map[string]string{text: "name the file of an SQLite database", logged: "make files in its folder, for SQLite's log"} {
		for _, command := range [][]string{{"migrate", "up"}, {"user", "list"}} {
			hal9(t, nil, append(command, "--database-url", "sqlite://"+file)...).want(t, exitUnreachable, "", mend)
		}
	}
}

// A program goes on with a schema that its successor added to, and refuses one that
// lacks what it needs.
func TestServeOnNewerSchema(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "newer.db")
	url := "sqlite://" + file
	hal9(t, nil, "migrate", "up", "--database-url", url).want(t, exitOK, "", "")
	change := func(statement string) {
		t.Helper()
		db, err := sql.Open("sqlite", file)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	change("INSERT INTO goose_db_version (version_id, is_applied) VALUES (90000, 1)")
	if code := startServe(t, url).end(); code != exitOK {
		t.Errorf("on a schema that only has more: exit %d", code)
	}
	change("UPDATE schema_compatibility SET oldest_program = 90000")
	hal9(t, nil, "serve", "--server-listen", "127.0.0.1:0", "--database-url", url).
		want(t, exitFailure, "", "database schema is too new for this program: it needs a hal9 that knows version 90000")
}
