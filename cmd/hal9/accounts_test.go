package main

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hal9-ai/hal9/auth"
	"github.com/hal9-ai/hal9/model"
	"github.com/hal9-ai/hal9/store"
)

// typed runs a command line with text on its standard input.
func typed(t *testing.T, environ []string, stdin string, args ...string) outcome {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code := Run(t.Context(), args, strings.NewReader(stdin), &stdout, &stderr, environ)
	return outcome{code, stdout.String(), stderr.String()}
}

const password = "correct horse battery"

func TestAccounts(t *testing.T) {
	t.Parallel()
	onBothEngines(t, func(t *testing.T, environ []string) {
		url := strings.TrimPrefix(environ[0], "HAL9_DATABASE_URL=")
		hal9 := func(args ...string) outcome { t.Helper(); return hal9(t, environ, args...) }
		hal9("user", "list").want(t, exitPending, "", "hal9 migrate up")
		hal9("migrate", "up").want(t, exitOK, migrated(t), "")

		made := hal9("admin", "create-key")
		made.want(t, exitOK, "hal9_key_", "shown this once")
		if p := authenticates(t, url, strings.TrimSpace(made.out)); p.Role != auth.RoleAdmin || p.Username != "admin" {
			t.Errorf("the first key is of %+v", p)
		}
		hal9("user", "set-role", "admin", "user").want(t, exitFailure, "", "user.role: this is the last active admin")
		hal9("user", "deactivate", "admin").want(t, exitFailure, "", "last active admin")
		hal9("user", "delete", "admin", "--yes").want(t, exitFailure, "", "last active admin")

		typed(t, environ, password+"\r\n", "user", "create", "ann", "--password-stdin", "--email", "ann@example.com").want(t, exitOK, "made the user ann with the role user", "")
		typed(t, environ, password, "user", "create", "ann", "--password-stdin").want(t, exitFailure, "", "username")
		typed(t, environ, "short", "user", "create", "bob", "--password-stdin").want(t, exitUsage, "", "password")
		typed(t, environ, password+"\nmore\n", "user", "create", "bob", "--password-stdin").want(t, exitUsage, "", "one line")
		typed(t, environ, password, "user", "create", "bob").want(t, exitUsage, "", "--password-stdin")
		hal9("user", "create", "bob", "--role", "king").want(t, exitUsage, "", "--role")
		login(t, url, password)
		typed(t, environ, "another "+password+"\n", "user", "set-password", "ann", "--password-stdin").want(t, exitOK, "new password", "")
		login(t, url, "another "+password)

		key := hal9("apikey", "create", "--user", "ann", "--name", "k", "--scope", "ViewNeuron", "--expires-in", "90d", "--json")
		var shown madeKey
		if err := json.Unmarshal([]byte(key.out), &shown); err != nil || shown.User != "ann" || shown.ExpiresAt == nil {
			t.Fatalf("%v: %+v\n%s", err, shown, key.errors)
		}
		if p := authenticates(t, url, shown.Key); p.Scopes.Has(auth.ScopeSendSignal) || !p.Scopes.Has(auth.ScopeViewNeuron) {
			t.Errorf("the key may %v", p.Scopes.List())
		}
		hal9("apikey", "create", "--user", "ann", "--name", "k", "--scope", "SystemAdmin").want(t, exitUsage, "", "--scope: the user ann has the role user, which lacks SystemAdmin")
		hal9("apikey", "create", "--user", "ann", "--name", "k", "--scope", "Fly").want(t, exitUsage, "", "Fly")
		hal9("apikey", "create", "--user", "ann", "--name", "k", "--expires-in", "-1d").want(t, exitUsage, "", "--expires-in")
		hal9("apikey", "create", "--user", "nobody", "--name", "k").want(t, exitFailure, "", `no user "nobody"`)
		if list := hal9("apikey", "list", "--user", "ann"); strings.Contains(list.out, shown.Key) || !strings.Contains(list.out, shown.ID.String()) {
			t.Errorf("keys:\n%s", list.out)
		}
		hal9("user", "show", "ann").want(t, exitOK, shown.ID.String(), "")
		if wrong := hal9("apikey", "revoke", shown.Key, "--user", "ann"); wrong.code != exitUsage || strings.Contains(wrong.errors, shown.Key) {
			t.Errorf("the key in place of its id: %+v", wrong)
		}
		hal9("apikey", "revoke", shown.ID.String(), "--user", "admin").want(t, exitFailure, "", "has no key")
		hal9("apikey", "revoke", shown.ID.String(), "--user", "ann").want(t, exitOK, "revoked", "")
		hal9("apikey", "delete", shown.ID.String(), "--user", "ann").want(t, exitOK, "deleted", "")
		hal9("apikey", "delete", shown.ID.String(), "--user", "ann").want(t, exitFailure, "", "has no key")

		hal9("user", "set-role", "ann", "admin").want(t, exitOK, "the user ann has the role admin", "")
		hal9("user", "deactivate", "ann", "--json").want(t, exitOK, `"is_active": false`, "")
		hal9("user", "activate", "ann").want(t, exitOK, "may come in", "")
		if list := hal9("user", "list", "--json"); strings.Contains(list.out, "argon2") || !strings.Contains(list.out, `"ann@example.com"`) {
			t.Errorf("users:\n%s", list.out)
		}
		hal9("user", "delete", "ann").want(t, exitUsage, "", "--yes")
		hal9("user", "delete", "ann", "--yes").want(t, exitOK, "deleted the user ann", "")
		hal9("user", "show", "ann").want(t, exitFailure, "", "hal9 user list")
		audited(t, url)
		auditedByCommand(t, hal9)
	})
}

// auditedByCommand checks that 'hal9 audit list' shows the same.
func auditedByCommand(t *testing.T, hal9 func(...string) outcome) {
	t.Helper()
	hal9("audit", "list").want(t, exitOK, "TIME", "")
	hal9("audit", "list", "--action", "user.delete").want(t, exitOK, "hal9 command line", "")
	hal9("audit", "list", "--action", "no.such").want(t, exitOK, "Nothing of the kind was done.", "")
	hal9("audit", "list", "--user", "nobody").want(t, exitFailure, "", `no user "nobody"`)
	hal9("audit", "list", "--since", "soon").want(t, exitUsage, "", "--since")
	hal9("audit", "list", "--limit", "0").want(t, exitUsage, "", "--limit is 0")
	var all, two []auditJSON
	for limit, to := range map[string]*[]auditJSON{"1000": &all, "2": &two} {
		shown := hal9("audit", "list", "--json", "--since", "1h", "--limit", limit)
		if err := json.Unmarshal([]byte(shown.out), to); err != nil {
			t.Fatalf("%v\n%s", err, shown.out)
		}
	}
	if len(two) != 2 || len(all) < 8 || two[0].ID != all[0].ID || two[1].ID != all[1].ID || all[0].Action != "user.delete" {
		t.Errorf("the newest two: %+v\nof %d", two, len(all))
	}
}

func openAccounts(t *testing.T, url string) *auth.Service {
	t.Helper()
	st, err := store.Open(t.Context(), store.Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	svc, err := auth.New(auth.Config{Store: st})
	if err != nil {
		t.Fatal(err)
	}
	return svc
}

func login(t *testing.T, url, password string) {
	t.Helper()
	if _, err := openAccounts(t, url).Login(t.Context(), auth.LoginParams{Username: "ann", Password: password}); err != nil {
		t.Errorf("log in: %v", err)
	}
}

// audited checks that the log tells what the command line did, and holds no secret.
func audited(t *testing.T, url string) {
	t.Helper()
	entries, err := openAccounts(t, url).AuditList(t.Context(), model.AuditListParams{CursorCreatedAt: model.MaxTime(), CursorID: model.MaxID(), PageLimit: 100})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, e := range entries {
		if e.UserAgent != nil && *e.UserAgent == "hal9 command line" {
			seen[e.Action] = true
		}
		if strings.Contains(string(e.Details), password) || strings.Contains(string(e.Details), "hal9_key_") {
			t.Errorf("the log holds a secret: %s", e.Details)
		}
	}
	for _, action := range []string{"user.create", "user.update", "user.delete", "password.change", "api_key.create", "api_key.revoke", "api_key.delete"} {
		if !seen[action] {
			t.Errorf("the audit log lacks %s by the command line: %v", action, seen)
		}
	}
}

func TestBackupAndRestore(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	environ := []string{"HAL9_DATABASE_URL=sqlite://" + filepath.Join(dir, "hal9.db")}
	hal9 := func(args ...string) outcome { t.Helper(); return hal9(t, environ, args...) }
	copied := filepath.Join(dir, "copy.db")
	hal9("backup", copied).want(t, exitUnreachable, "", "no such file")
	server := startServe(t, strings.TrimPrefix(environ[0], "HAL9_DATABASE_URL="))
	hal9("backup", copied, "--json").want(t, exitOK, `"neurons"`, "")
	hal9("backup", copied).want(t, exitUsage, "", "--force")
	hal9("backup", copied, "--force").want(t, exitOK, "checked", "")
	hal9("restore", copied).want(t, exitUsage, "", "--yes")
	hal9("restore", copied, "--yes").want(t, exitFailure, "", "Stop the server first")
	if code := server.end(); code != exitOK {
		t.Errorf("the server: %d\n%s", code, server.stderr)
	}
	hal9("restore", filepath.Join(dir, "none.db"), "--yes").want(t, exitUnreachable, "", "no such file")
	hal9("restore", copied, "--yes").want(t, exitOK, "before-restore", "")
	hal9("cache", "invalidate").want(t, exitOK, "the epoch is ", "")
	again := startServe(t, strings.TrimPrefix(environ[0], "HAL9_DATABASE_URL="))
	again.get(t, "/api/v1/status")
	if code := again.end(); code != exitOK {
		t.Errorf("the restored database is not served: %d\n%s", code, again.stderr)
	}
	for _, url := range []string{"postgres://u:sekret@127.0.0.1:1/d", "sqlite::memory:"} {
		environ = []string{"HAL9_DATABASE_URL=" + url}
		for _, command := range []string{"backup", "restore"} {
			if got := hal9(command, copied); got.code != exitUsage || strings.Contains(got.errors, "sekret") {
				t.Errorf("%s of %s: %+v", command, url, got)
			}
		}
	}
}
