package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/hal9-ai/hal9/auth"
	"github.com/hal9-ai/hal9/internal/testenv"
	"github.com/hal9-ai/hal9/store"
)

var keyFileLine = regexp.MustCompile(`"file":"([^"]+)"`)

// authenticates tells whose key a text is.
func authenticates(t *testing.T, databaseURL, key string) auth.Principal {
	t.Helper()
	st, err := store.Open(t.Context(), store.Config{URL: databaseURL})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	svc, err := auth.New(auth.Config{Store: st})
	if err != nil {
		t.Fatal(err)
	}
	p, err := svc.Authenticate(t.Context(), key)
	if err != nil {
		t.Fatalf("the key lets nobody in: %v", err)
	}
	return p
}

// keyFiles waits until a server that starts is beyond its first key, and returns the
// files that were written.
func keyFiles(t *testing.T, servers ...*served) []string {
	t.Helper()
	var files []string
	for _, s := range servers {
		s.get(t, "/health")
		if code := s.end(); code != exitOK {
			t.Errorf("exit %d:\n%s", code, s.stderr)
		}
		for _, m := range keyFileLine.FindAllStringSubmatch(s.stderr.String(), -1) {
			files = append(files, m[1])
		}
	}
	return files
}

func TestFirstStartWritesTheAdminsKey(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	url := "sqlite://" + filepath.Join(dir, "hal9.db")
	s := startServe(t, url)
	files := keyFiles(t, s)
	if len(files) != 1 || filepath.Dir(files[0]) != dir {
		t.Fatalf("key files %v:\n%s", files, s.stderr)
	}
	info, err := os.Stat(files[0])
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file: %v, %v", info, err)
	}
	text, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	key := strings.TrimSpace(string(text))
	if strings.Contains(s.stderr.String(), key) {
		t.Error("the log holds the key")
	}
	if p := authenticates(t, url, key); p.Role != auth.RoleAdmin || !p.Scopes.Has(auth.ScopeSystemAdmin) {
		t.Errorf("the key is of %+v", p)
	}
	if again := keyFiles(t, startServe(t, url)); len(again) != 0 {
		t.Errorf("the second start wrote %v", again)
	}
	if found, err := filepath.Glob(filepath.Join(dir, "hal9-admin-key-*")); err != nil || len(found) != 1 {
		t.Errorf("%v, %v", found, err)
	}
}

// Not parallel: on PostgreSQL the file goes to the working directory.
func TestTwoServersThatStartTogetherMakeOneKey(t *testing.T) { //nolint:paralleltest // it changes the working directory
	dir := t.TempDir()
	t.Chdir(dir)
	url := testenv.PostgresDatabase(t)
	hal9(t, []string{"HAL9_DATABASE_URL=" + url}, "migrate", "up").want(t, exitOK, migrated(t), "")
	started := make(chan *served, 2)
	for range 2 {
		go func() { started <- startServe(t, url) }()
	}
	files := keyFiles(t, <-started, <-started)
	found, err := filepath.Glob(filepath.Join(dir, "hal9-admin-key-*"))
	if err != nil || len(files) != 1 || len(found) != 1 {
		t.Errorf("they logged %v and left %v, want one file (%v)", files, found, err)
	}
	if users := hal9(t, []string{"HAL9_DATABASE_URL=" + url}, "user", "list").out; strings.Count(users, "admin  admin") != 1 {
		t.Errorf("users:\n%s", users)
	}
}

func TestWelcomeAdmin(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	if err := welcomeAdmin(&out, "hal9_key_x"); err != nil || !strings.Contains(out.String(), "  hal9_key_x\n") {
		t.Errorf("%q, %v", out.String(), err)
	}
}
