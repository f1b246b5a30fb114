package config_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/hal9-ai/hal9/internal/config"
)

func defaultEntities() config.CacheEntities {
	const negative = 10 * time.Second
	credential := config.CacheEntity{TTL: 5 * time.Minute, NegativeTTL: negative}
	list := config.CacheEntity{MaxStale: 10 * time.Minute}
	traffic := config.CacheEntity{TTL: time.Minute, MaxStale: 10 * time.Minute}
	memories := config.CacheEntity{TTL: 10 * time.Minute, MaxStale: 10 * time.Minute}
	e := config.CacheEntities{
		APIKey: credential, Session: credential, User: credential, UserSessions: config.CacheEntity{TTL: 5 * time.Minute},
		Neuron: list, NeuronList: list, NeuronStates: list, NeuronState: config.CacheEntity{NegativeTTL: negative, MaxStale: time.Minute},
		NeuronMetrics: traffic, NeuronActivity: traffic, Signal: config.CacheEntity{MaxStale: 24 * time.Hour},
		MemorySearch: memories, MemoryRecent: memories,
	}
	e.Neuron.NegativeTTL, e.NeuronMetrics.NegativeTTL = negative, negative
	return e
}

// TestCacheEntities: each entity has four keys, but for last_used, which is no cache.
func TestCacheEntities(t *testing.T) {
	t.Parallel()
	keys := map[string]config.Key{}
	for _, k := range config.Keys() {
		keys[k.Name] = k
	}
	for entity := range reflect.TypeFor[config.CacheEntities]().Fields() {
		for field := range entity.Type.Fields() {
			name := "cache.entities." + entity.Tag.Get("koanf") + "." + field.Tag.Get("koanf")
			k, ok := keys[name]
			if wanted := entity.Name != "LastUsed" || field.Name == "Strategy"; ok != wanted {
				t.Errorf("%s is a key: %v", name, ok)
			}
			if ok && (k.Help == "" || k.Flag != "" || k.Type == "") {
				t.Errorf("%s: %+v", name, k)
			}
		}
	}
}

func TestCacheEntitiesFromFileAndEnvironment(t *testing.T) {
	t.Parallel()
	c := load(t, config.Options{
		File: writeFile(t, `cache:
  url: redis://localhost
  strategy: write_through
  entities:
    session:
      ttl: 60
      max_stale: 1m
    neuron: {strategy: cache_aside}
    neuron_state:
      strategy: write_behind
`),
		Environ: []string{"HAL9_CACHE_ENTITIES_SESSION_NEGATIVE_TTL=1s"},
	})
	for name, want := range map[string]config.CacheEntity{
		"session":      {TTL: time.Minute, NegativeTTL: time.Second, MaxStale: time.Minute, Strategy: "write_through"},
		"neuron":       {TTL: time.Hour, NegativeTTL: 10 * time.Second, MaxStale: 10 * time.Minute, Strategy: "cache_aside"},
		"neuron_state": {TTL: time.Hour, NegativeTTL: 10 * time.Second, MaxStale: time.Minute, Strategy: "write_behind"},
		"user":         {TTL: 5 * time.Minute, NegativeTTL: 10 * time.Second, Strategy: "cache_aside"},
	} {
		if got := c.Cache.Entity(name); got != want {
			t.Errorf("%s: got %+v, want %+v", name, got, want)
		}
	}
	short := load(t, flags("cache.default_ttl", "30s"))
	if got := short.Cache.Entity("session").TTL; got != 30*time.Second {
		t.Errorf("a session lives %v where nothing is to live longer than 30 s", got)
	}
}

func TestCacheFaults(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ file, want string }{
		{"cache:\n  entities:\n    sesion:\n      ttl: 1m\n", "cache.entities.sesion (…:3): nothing of this name is cached; the names are api_key, last_used, memory_recent, memory_search, neuron, neuron_activity, neuron_list, neuron_metrics, neuron_state, neuron_states, session, signal, user and user_sessions"},
		{"cache.entities.sesion.ttl: 1m\n", "cache.entities.sesion.ttl (…:1): nothing of this name is cached; the names are api_key"},
		{"cache:\n  entities:\n    session:\n      tll: 1m\n", "cache.entities.session.tll (…:4): there is no such key; "},
		{"cache:\n  entities:\n    session: 5\n", "a section of keys is expected here"},
		{"cache:\n  strategy: write_behind\n", "cache.strategy (…:2): write_behind cannot hold for everything: users, keys, signals and memories must be stored before they are answered; set it to cache_aside or write_through, and cache.entities.neuron_state.strategy and cache.entities.last_used.strategy to write_behind"},
		{"cache.entities.session.strategy: write_behind\n", "cache.entities.session.strategy (…:1): it must be stored before it is answered"},
		{"cache.entities.user.strategy: write_through\n", "no write returns what user caches, so that it cannot be put into the cache; use cache_aside"},
		{"cache.entities.neuron.strategy: aside\n", `"aside" is not known; use cache_aside, write_through`},
		{"cache.entities.neuron_state.strategy: write_behind\n", "cache.entities.neuron_state.strategy (…:1): write_behind keeps its queue in a cache server, and cache.url names none; set cache.url, or remove it"},
		{"cache.entities.signal.negative_ttl: 1s\n", "cannot be remembered"},
		{"cache.entities.signal.ttl: 1ms\n", "1ms is too short; use 0, or at least 1s"},
		{"cache.entities.signal.ttl: -1s\n", "-1s is negative"},
	} {
		file := writeFile(t, c.file)
		faults := loadFaults(t, config.Options{File: file})
		if got := strings.ReplaceAll(faults.Error(), file, "…"); !strings.Contains(got, c.want) {
			t.Errorf("%s\n got %s\nwant %s", c.file, got, c.want)
		}
	}
}
