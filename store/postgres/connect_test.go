package postgres_test

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/hal9-ai/hal9/internal/testenv"
	"github.com/hal9-ai/hal9/model"
	"github.com/hal9-ai/hal9/store/postgres"
)

// TestOpenRefuses holds the errors at the start to telling what is wrong, and never
// the password.
func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	const password = "s3cret-pa55"
	server := testenv.StartPostgres(t)
	admin := connect(t, server.URL())
	run(t, admin, "CREATE ROLE guarded LOGIN PASSWORD '"+password+"'")
	var hba string
	if err := admin.QueryRow(t.Context(), "SHOW hba_file").Scan(&hba); err != nil {
		t.Fatal(err)
	}
	run(t, admin, "COPY (VALUES ('host all guarded 127.0.0.1/32 scram-sha-256'), ('host all all 127.0.0.1/32 trust')) TO '"+hba+"'")
	run(t, admin, "SELECT pg_reload_conf()")

	address := func(change func(*url.URL)) string {
		u, err := url.Parse(server.URL())
		if err != nil {
			t.Fatal(err)
		}
		u.User = url.UserPassword("guarded", password)
		change(u)
		return u.String()
	}
	st, err := postgres.Open(t.Context(), postgres.Config{URL: address(func(*url.URL) {})})
	if err != nil {
		t.Fatalf("with the right password: %v", err)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, address string
		want          []string
	}{
		{"wrong password", address(func(u *url.URL) { u.User = url.UserPassword("guarded", password+"x") }), []string{"guarded", "password was refused"}},
		{"no password", address(func(u *url.URL) { u.User = url.User("guarded") }), []string{"guarded", "password was refused"}},
		{"unknown user", address(func(u *url.URL) { u.User = url.UserPassword("nobody", password) }), []string{"nobody", "the user was refused: there is none of this name"}},
		{"unknown database", address(func(u *url.URL) { u.Path = "/nowhere" }), []string{"nowhere", "no such database", "CREATE DATABASE"}},
		{"nobody listens", address(func(u *url.URL) { u.Host = "127.0.0.1:1" }), []string{"127.0.0.1:1", "nobody listens there"}},
		{"no such host", address(func(u *url.URL) { u.Host = "nowhere.invalid" }), []string{"nowhere.invalid", "name"}},
		{"no port", address(func(u *url.URL) { u.Host = "127.0.0.1:99999" }), []string{"cannot be read"}},
		{"unescaped password", "postgres://guarded:" + password + "%zz@127.0.0.1/x", []string{"cannot be read", "percent-encoded"}},
		{"unknown TLS mode", address(func(u *url.URL) { u.RawQuery = "sslmode=perhaps" }), []string{"sslmode", "perhaps", "verify-full"}},
		{"TLS demanded", address(func(u *url.URL) { u.RawQuery = "sslmode=require" }), []string{"no TLS came about", "sslmode"}},
		{"unknown parameter", address(func(u *url.URL) { u.RawQuery = "sslmode=disable&lock_timeot=1s" }), []string{"does not take a parameter of the URL"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			st, err := postgres.Open(t.Context(), postgres.Config{URL: tt.address})
			if err == nil {
				t.Fatal(errors.Join(errors.New("it was opened"), st.Close()))
			}
			for _, want := range append(tt.want, "database.url") {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got %q, want it to say %q", err, want)
				}
			}
			for _, text := range everyText(err) {
				if strings.Contains(text, password) {
					t.Errorf("the password is in %q", text)
				}
			}
		})
	}
}

// everyText is all that a log may make of an error and its causes.
func everyText(err error) []string {
	texts := []string{err.Error(), fmt.Sprintf("%v", err), fmt.Sprintf("%+v", err), fmt.Sprintf("%#v", err), fmt.Sprintf("%q", err)}
	switch wrapped := err.(type) { //nolint:errorlint // walks the chain itself
	case interface{ Unwrap() error }:
		if inner := wrapped.Unwrap(); inner != nil {
			texts = append(texts, everyText(inner)...)
		}
	case interface{ Unwrap() []error }:
		for _, inner := range wrapped.Unwrap() {
			texts = append(texts, everyText(inner)...)
		}
	}
	return texts
}

func TestConfigIsChecked(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]postgres.Config{
		"database.max_connections": {MaxConnections: -1},
		"database.min_connections": {MaxConnections: 2, MinConnections: 3},
		"lifetimes":                {ConnectionLifetime: -time.Second},
		"timeouts":                 {AcquireTimeout: -time.Second},
	} {
		cfg.URL = "postgres://127.0.0.1:1/x"
		_, err := postgres.Open(t.Context(), cfg)
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got %v", name, err)
		}
		if errors.Is(err, model.ErrUnavailable) {
			t.Errorf("%s: it was tried: %v", name, err)
		}
	}
}
