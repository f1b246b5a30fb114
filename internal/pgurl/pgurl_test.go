package pgurl_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hal9-ai/hal9/internal/pgurl"
)

// What is wrong with a URL is told without repeating it.
func TestFaultsOfURLs(t *testing.T) {
	t.Parallel()
	const password = "s3cret-pa55"
	missing := filepath.Join(t.TempDir(), "missing.pem")
	broken := filepath.Join(t.TempDir(), "broken.pem")
	if err := os.WriteFile(broken, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	for end, want := range map[string]struct {
		text string
		here bool
	}{
		"@127.0.0.1/x?sslmode=perhaps":                            {`sslmode is "perhaps"; write sslmode=disable`, false},
		"@127.0.0.1/x?sslmode=verify-full&sslrootcert=" + missing: {missing + ", which cannot be read: no such file", true},
		"@127.0.0.1/x?sslmode=verify-full&sslrootcert=" + broken:  {"no certificate or key in PEM form", true},
		"@127.0.0.1/x?sslmode=require&sslcert=" + broken:          {"one of sslcert and sslkey", false},
		"%zz@127.0.0.1/x":    {"percent-encoded", false},
		"@127.0.0.1:99999/x": {"cannot be read as a PostgreSQL URL", false},
	} {
		_, err := pgurl.Parse("postgres://u:" + password + end)
		fault, ok := errors.AsType[*pgurl.URLError](err)
		if !ok || !strings.Contains(err.Error(), want.text) || fault.Here != want.here {
			t.Errorf("%s: got %v, want %q, of this machine: %v", end, err, want.text, want.here)
		}
		for cause := err; cause != nil; cause = errors.Unwrap(cause) {
			if strings.Contains(cause.Error(), password) {
				t.Errorf("the password is in %q", cause)
			}
		}
	}
	c, err := pgurl.Parse("postgres://u:p@h1:5433,h2/d?pool_max_conns=3&sslmode=disable")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := pgurl.Target(&c.ConnConfig.Config), "h1:5433 or h2:5432, database d, as user u"; got != want || c.MaxConns != 3 {
		t.Errorf("it leads to %q with %d connections, want %q with 3", got, c.MaxConns, want)
	}
}
