package servers_test

import (
	"strings"
	"testing"

	"github.com/hal9-ai/hal9/internal/testenv/servers"
)

func TestGivenPostgres(t *testing.T) {
	server, err := servers.StartPostgres(t.Context(), servers.Fast)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Stop() })

	execute(t, server.URL(), "CREATE ROLE plain LOGIN")

	t.Setenv(servers.PostgresVariable, "")
	if got, err := servers.GivenPostgres(t.Context()); err != nil || got != "" {
		t.Errorf("without the variable: %q, %v", got, err)
	}
	t.Setenv(servers.PostgresVariable, server.URL())
	if got, err := servers.GivenPostgres(t.Context()); err != nil || got != server.URL() {
		t.Errorf("with the variable: %q, %v", got, err)
	}

	for name, test := range map[string]struct{ url, want string }{
		"no URL":       {"localhost", "connect to PostgreSQL"},
		"no server":    {"postgres://postgres@127.0.0.1:1/postgres", "connect to PostgreSQL"},
		"no superuser": {strings.Replace(server.URL(), "postgres@", "plain@", 1), "superuser"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(servers.PostgresVariable, test.url)
			_, err := servers.GivenPostgres(t.Context())
			requireMend(t, err, servers.PostgresVariable, test.want)
		})
	}
}

func TestGivenCache(t *testing.T) {
	server, err := servers.StartCache(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Stop() })

	t.Setenv(servers.CacheVariable, "")
	if got, err := servers.GivenCache(t.Context()); err != nil || got != "" {
		t.Errorf("without the variable: %q, %v", got, err)
	}
	t.Setenv(servers.CacheVariable, server.URL())
	if got, err := servers.GivenCache(t.Context()); err != nil || got != server.URL() {
		t.Errorf("with the variable: %q, %v", got, err)
	}

	for name, test := range map[string]struct{ url, want string }{
		"no URL":    {"localhost", "read the cache's URL"},
		"no server": {"redis://127.0.0.1:1/0", "connect to the cache"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(servers.CacheVariable, test.url)
			_, err := servers.GivenCache(t.Context())
			requireMend(t, err, servers.CacheVariable, test.want)
		})
	}
}

func requireMend(t *testing.T, err error, wants ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range append(wants, "correct the variable, or unset it") {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not tell %q", err, want)
		}
	}
}
