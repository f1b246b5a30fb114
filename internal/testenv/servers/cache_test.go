package servers_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/valkey-io/valkey-go"

	"github.com/hal9-ai/hal9/internal/testenv/servers"
)

// ask sends one command to the cache.
func ask(t *testing.T, url string, command ...string) string {
	t.Helper()
	option, err := valkey.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	option.DisableCache = true
	option.ForceSingleClient = true
	client, err := valkey.NewClient(option)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	answer, err := client.Do(t.Context(), client.B().Arbitrary(command...).Build()).ToAny()
	if err != nil {
		t.Fatal(err)
	}
	text, ok := answer.(string)
	if !ok {
		t.Fatalf("%v answers %v", command, answer)
	}
	return text
}

func TestStartCache(t *testing.T) {
	server, err := servers.StartCache(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Stop() })
	if got := ask(t, server.URL(), "PING"); got != "PONG" {
		t.Errorf("PING answers %q", got)
	}
	if info := ask(t, server.URL(), "INFO", "persistence"); !strings.Contains(info, "aof_enabled:0") {
		t.Errorf("the append-only file is on:\n%s", info)
	}
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	requireGone(t, server)
}

func TestStartCacheTakesAnotherPort(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	dir := tempRoot(t)
	server, taken, err := servers.StartCacheOnTakenPort(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Stop() })
	if strings.Contains(server.URL(), taken) {
		t.Errorf("the server claims the port %s, which is another's", taken)
	}
	if got := ask(t, server.URL(), "PING"); got != "PONG" {
		t.Errorf("PING answers %q", got)
	}
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	requireGone(t, server)
	requireEmpty(t, dir)
}

func TestStartCacheWithoutProgram(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := servers.StartCache(t.Context())
	missing, ok := errors.AsType[*servers.MissingError](err)
	if !ok {
		t.Fatalf("got %v, want a MissingError", err)
	}
	if want := "Valkey or Redis is not installed (looked on PATH for valkey-server and redis-server)"; missing.Error() != want {
		t.Errorf("got %q, want %q", missing, want)
	}
}

func TestStartEndsWithItsContext(t *testing.T) {
	dir := tempRoot(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if server, err := servers.StartCache(ctx); err == nil {
		_ = server.Stop()
		t.Fatal("the server has started under a context that was cancelled")
	} else if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	requireEmpty(t, dir)
}
