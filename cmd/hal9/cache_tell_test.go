package main

import (
	"net/http"
	"strings"
	"testing"

	"github.com/hal9-ai/hal9/internal/testenv"
)

// A server that ends while it cannot reach the cache server has the others forget what it
// wrote: they would have it in the cache server for an hour.
func TestServerEndsWithoutTheCacheServer(t *testing.T) {
	t.Parallel()
	database, cache := testenv.PostgresDatabase(t), testenv.CacheURL(t)
	link := behindProxy(t, cache)
	common := []string{"--cache-key-prefix", t.Name() + ":", "--cache-epoch-interval", "1s", "--migrate"}
	writer := startServe(t, database, append(common, "--cache-url", link.url)...)
	reader := startServe(t, database, append(common, "--cache-url", cache)...)
	const path = "/api/v1/neurons/neuron-l4"
	if before := reader.get(t, path); strings.Contains(before, "Degraded") {
		t.Fatalf("before: %s", before)
	}
	link.Stop()
	writer.send(t, http.MethodPut, path+"/state", `{"state":"Degraded"}`, http.StatusOK)
	if code := writer.end(); code != exitOK {
		t.Errorf("ended with %d:\n%s", code, writer.stderr)
	}
	// Not only because they find it silent, some seconds later.
	if !strings.Contains(writer.stderr.String(), "the other servers forget what they cached within cache.epoch_interval") {
		t.Errorf("it told nobody:\n%s", writer.stderr)
	}
	testenv.Eventually(t, "the other server to forget what it cached", func() bool {
		return strings.Contains(reader.get(t, path), "Degraded")
	})
	if code := reader.end(); code != exitOK || strings.Contains(reader.stderr.String(), "did not take invalidations") {
		t.Errorf("ended with %d, as if it owed something too:\n%s", code, reader.stderr)
	}
}

// Nor has a server that goes on without the cache server, be it that its password is wrong,
// the others keep what it writes from its clients.
func TestServerCutOffFromTheCacheServer(t *testing.T) {
	t.Parallel()
	database, cache := testenv.PostgresDatabase(t), testenv.CacheURL(t)
	link := behindProxy(t, cache)
	common := []string{"--cache-key-prefix", t.Name() + ":", "--cache-epoch-interval", "200ms", "--migrate"}
	writer := startServe(t, database, append(common, "--cache-url", link.url)...)
	reader := startServe(t, database, append(common, "--cache-url", cache)...)
	link.Stop()
	const path = "/api/v1/neurons/neuron-l4"
	for _, state := range []string{"Degraded", "Offline", "Active"} {
		reader.get(t, path) // which caches it
		writer.send(t, http.MethodPut, path+"/state", `{"state":"`+state+`"}`, http.StatusOK)
		testenv.Eventually(t, "the other server to read "+state, func() bool {
			return strings.Contains(reader.get(t, path), state)
		})
	}
	for _, s := range []*served{writer, reader} {
		if code := s.end(); code != exitOK {
			t.Errorf("ended with %d:\n%s", code, s.stderr)
		}
	}
}
