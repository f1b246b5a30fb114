package main

import (
	"crypto/rand"
	"encoding/json"
	"log/slog"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/hal9-ai/hal9/gen/cachedstore"
	"github.com/hal9-ai/hal9/internal/config"
	"github.com/hal9-ai/hal9/internal/testenv"
	"github.com/hal9-ai/hal9/model"
	"github.com/hal9-ai/hal9/store"
)

// TestEveryCacheHasSettings: what the SQL calls cached is what can be configured, and
// a default that an entity cannot follow is none.
func TestEveryCacheHasSettings(t *testing.T) {
	t.Parallel()
	through := map[string]bool{}
	negative := map[string]bool{}
	for _, k := range config.Keys() {
		for _, e := range cachedstore.Entities() {
			switch k.Name {
			case "cache.entities." + e.Name + ".strategy":
				through[e.Name] = slices.Contains([]string{"cache_aside, write_through"}, k.Allowed)
			case "cache.entities." + e.Name + ".negative_ttl":
				negative[e.Name] = k.Allowed != "0"
			}
		}
	}
	for _, e := range cachedstore.Entities() {
		if got, ok := through[e.Name]; !ok || got != e.WriteThrough {
			t.Errorf("%s: write_through can be set: %v, and works: %v", e.Name, got, e.WriteThrough)
		}
		if got, ok := negative[e.Name]; !ok || got != e.Negative {
			t.Errorf("%s: negative_ttl can be set: %v, and works: %v", e.Name, got, e.Negative)
		}
	}
	names := map[string]bool{}
	for _, k := range config.Keys() {
		if m := entityKey.FindStringSubmatch(k.Name); m != nil {
			names[m[1]] = true
		}
	}
	if len(names) != len(cachedstore.Entities())+1 { // last_used is no cache
		t.Errorf("%d entities can be set, %d are cached", len(names), len(cachedstore.Entities()))
	}
}

func TestCacheCommands(t *testing.T) {
	t.Parallel()
	database := "sqlite://" + filepath.Join(t.TempDir(), "hal9.db")
	environ := []string{
		"HAL9_DATABASE_URL=" + database, "HAL9_CACHE_URL=" + testenv.CacheURL(t), "HAL9_CACHE_KEY_PREFIX=test-" + rand.Text() + ":",
		"HAL9_CACHE_CALL_TIMEOUT=10s", // a busy machine
	}
	hal9(t, environ, "migrate", "up").want(t, exitOK, "", "")
	hal9(t, environ, "cache", "get", "neuron:neuron-l1").want(t, exitFailure, "", "nothing is cached under neuron:neuron-l1")

	cfg, err := config.Load(config.Options{Environ: environ})
	if err != nil {
		t.Fatal(err)
	}
	st, err := store.Open(t.Context(), store.Config{URL: database, Cache: storeCache(cfg, discard())})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	read := func() {
		t.Helper()
		if _, err := st.NeuronGet(t.Context(), model.NeuronGetParams{ID: "neuron-l1"}); err != nil {
			t.Fatal(err)
		}
	}
	read()
	got := hal9(t, environ, "cache", "get", "neuron:neuron-l1", "--json")
	got.want(t, exitOK, `"kind": "value"`, "")
	var entry cacheEntry
	if err := json.Unmarshal([]byte(got.out), &entry); err != nil || entry.TTL <= 0 || entry.TTL > 1.2*time.Hour.Seconds() || entry.Version == 0 || entry.Bytes == 0 {
		t.Errorf("%+v, %v", entry, err)
	}
	hal9(t, environ, "cache", "get", "neuron:neuron-l1").want(t, exitOK, "neuron-l1", "")

	loads := func() int64 {
		for _, s := range store.CacheOf(st).Stats() {
			if s.Name == "neuron" {
				return s.Loads
			}
		}
		return 0
	}
	before := loads()
	hal9(t, environ, "cache", "drop", "neuron:neuron-l1").want(t, exitOK, "dropped 1 key and 0 groups", "")
	testenv.Eventually(t, "the server to load again", func() bool { read(); return loads() > before })

	hal9(t, environ, "cache", "drop", "--group", "memory").want(t, exitOK, "dropped 0 keys and 1 group", "")
	hal9(t, environ, "cache", "drop", "--group", "memories").want(t, exitUsage, "", "nothing is in a group memories")
	hal9(t, environ, "cache", "drop").want(t, exitUsage, "", "name a key")
	hal9(t, environ, "cache", "stats").want(t, exitOK, "neuron:{id}:state", "")
	hal9(t, environ, "cache", "stats", "--json").want(t, exitOK, `"other_processes": 1,`, "")
	hal9(t, environ, "cache", "stats").want(t, exitOK, "cache server  up\nshared with   1 other process\n", "")

	alone := environ[:1]
	hal9(t, alone, "cache", "get", "neuron:neuron-l1").want(t, exitUsage, "", "cache.url")
	hal9(t, alone, "cache", "drop", "neuron:neuron-l1").want(t, exitUsage, "", "cache.local_max_ttl")
	hal9(t, alone, "cache", "stats").want(t, exitOK, "cache server  off", "")
}

// TestCommandsAreHeardOfWithoutTheCacheServer: when a command cannot tell it, it raises
// the epoch, which servers look at.
func TestCommandsAreHeardOfWithoutTheCacheServer(t *testing.T) {
	t.Parallel()
	database := "sqlite://" + filepath.Join(t.TempDir(), "hal9.db")
	environ := []string{"HAL9_DATABASE_URL=" + database, "HAL9_CACHE_URL=redis://127.0.0.1:1"}
	hal9(t, environ, "migrate", "up").want(t, exitOK, "", "")
	hal9(t, environ, "admin", "create-key").want(t, exitOK, "", "")
	epoch := func() int64 {
		t.Helper()
		st, err := store.Open(t.Context(), store.Config{URL: database})
		if err != nil {
			t.Fatal(err)
		}
		n, err := st.DatabaseEpochGet(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := st.Close(); err != nil {
			t.Fatal(err)
		}
		return n
	}
	before := epoch()
	hal9(t, environ, "user", "list").want(t, exitOK, "admin", "")
	if epoch() != before {
		t.Error("a command that only reads raised the epoch")
	}
	hal9(t, environ, "cache", "stats").want(t, exitOK, "cache server  down", "")
	hal9(t, environ, "apikey", "create", "--user", "admin", "--name", "k").want(t, exitOK, "hal9_key_", "the servers forget what they cached within cache.epoch_interval (5s)")
	if epoch() == before {
		t.Error("a command that wrote did not raise the epoch")
	}
}

var entityKey = regexp.MustCompile(`^cache\.entities\.([a-z_]+)\.`)

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }
