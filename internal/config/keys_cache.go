package config

import (
	"reflect"
	"slices"
	"strings"
	"time"
)

// The strategies of caches.
const (
	StrategyAside   = "cache_aside"
	StrategyThrough = "write_through"
	StrategyBehind  = "write_behind"
)

func cacheKeys() []Key {
	return []Key{
		{
			Name: "cache.url", Secret: true, check: cacheURL(),
			Help: "A Valkey or Redis server behind the cache in memory: redis://:password@host:6379/0, rediss://… for TLS; for Sentinel and clusters see docs/cache.md. Without one each server caches for itself.",
		},
		{
			Name: "cache.max_connections", CacheServerOnly: true, Default: "50", check: between(1, 10_000),
			Help: "Bounds only the connections of commands that block or need one of their own; all others share a few multiplexed ones.",
		},
		{
			Name: "cache.default_ttl", Default: "1h", check: atLeast(time.Second),
			Help: "How long an entry lives, where `cache.entities` does not say less.",
		},
		{
			Name: "cache.strategy", Default: StrategyAside, check: oneOf(StrategyAside, StrategyThrough, StrategyBehind),
			Help: "What a write does to the cache: `cache_aside` drops the entry, `write_through` replaces it by the row that was stored, where the write returns it. `write_behind` cannot hold for everything: see `cache.entities.neuron_state.strategy`.",
		},
		{
			Name: "cache.key_prefix", CacheServerOnly: true, Default: "hal9:", check: plainWord(64),
			Help: "What every key in the cache begins with. Servers of one database have the same; others have others, none of which begins another.",
		},
		{
			Name: "cache.local_max_ttl", Default: "2s", check: atLeast(0),
			Help: "Without `cache.url`: how long an entry may live in memory, so that several servers, and commands beside them, agree within it. With it: how long memory is used without proof that invalidations arrive (0.5s or more). 0 for no bound, which one server alone may have (with `cache.url`: 2s). At most cache.default_ttl.",
		},
		{
			Name: "cache.local_max_bytes", Default: "64MiB", check: sizeBetween(MiB, 64*GiB),
			Help: "The most memory that the entries in this process take.",
		},
		{
			Name: "cache.call_timeout", CacheServerOnly: true, Default: "250ms", check: atLeast(time.Millisecond),
			Help: "The longest that a request waits for the cache server; after it the database is asked.",
		},
		{
			Name: "cache.pipelining", CacheServerOnly: true, Default: wordFalse, check: anyValue(),
			Help: "Send the commands of concurrent requests to the cache server together: more of them a second under load, a little slower without.",
		},
		{
			Name: "cache.epoch_interval", Default: "5s", check: atLeast(100 * time.Millisecond),
			Help: "How often the database is asked for its epoch: how long after `hal9 cache invalidate` or an import a server forgets what it cached.",
		},
	}
}

func anyValue() check { return check{"", func(any) *fault { return nil }} }

// CacheEntity says how one kind of answer is cached.
type CacheEntity struct {
	// TTL is 0 for cache.default_ttl.
	TTL         time.Duration `koanf:"ttl"`
	NegativeTTL time.Duration `koanf:"negative_ttl"`
	MaxStale    time.Duration `koanf:"max_stale"`
	// Strategy is empty for cache.strategy, as far as the entity can follow it.
	Strategy string `koanf:"strategy"`
}

// CacheEntities are the kinds of answers that are cached, as the keys in the cache
// name them: neuron_state is neuron:{id}:state.
type CacheEntities struct {
	APIKey         CacheEntity `koanf:"api_key"`
	LastUsed       CacheEntity `koanf:"last_used"`
	MemoryRecent   CacheEntity `koanf:"memory_recent"`
	MemorySearch   CacheEntity `koanf:"memory_search"`
	Neuron         CacheEntity `koanf:"neuron"`
	NeuronActivity CacheEntity `koanf:"neuron_activity"`
	NeuronList     CacheEntity `koanf:"neuron_list"`
	NeuronMetrics  CacheEntity `koanf:"neuron_metrics"`
	NeuronState    CacheEntity `koanf:"neuron_state"`
	NeuronStates   CacheEntity `koanf:"neuron_states"`
	Session        CacheEntity `koanf:"session"`
	Signal         CacheEntity `koanf:"signal"`
	User           CacheEntity `koanf:"user"`
	UserSessions   CacheEntity `koanf:"user_sessions"`
}

const (
	entitiesPrefix = "cache.entities."
	// lastUsed is no cache: it is when API keys were used, which may be written late.
	lastUsed = "last_used"
)

// entityDefaults are what an entity is, and how it is cached unless it is said
// otherwise. docs/cache.md has the reasons.
type entityDefaults struct {
	name, what                string
	ttl, negative, stale      string // a negative of "" says that absence is not remembered
	through, behind, onlyLate bool   // strategies that it can follow beside cache_aside
}

func entityTable() []entityDefaults {
	const whole = "" // cache.default_ttl
	return []entityDefaults{
		{name: "user", what: "Users, without their passwords' hashes", ttl: "5m", negative: "10s"},
		{name: "user_sessions", what: "Lists of a user's sessions", ttl: "5m"},
		{name: "session", what: "Sessions by their access token", ttl: "5m", negative: "10s", through: true},
		{name: "api_key", what: "API keys by their hash", ttl: "5m", negative: "10s", through: true},
		{name: lastUsed, what: "When API keys were last used, which is not cached, but may be written late", behind: true, onlyLate: true},
		{name: "neuron", what: "Neurons", ttl: whole, negative: "10s", stale: "10m", through: true},
		{name: "neuron_list", what: "Pages of neurons", ttl: whole, stale: "10m"},
		{name: "neuron_state", what: "States of neurons, of which their health is told", ttl: whole, negative: "10s", stale: "1m", behind: true},
		{name: "neuron_states", what: "The count of neurons by state", ttl: whole, stale: "10m"},
		{name: "neuron_metrics", what: "The traffic of a neuron", ttl: "1m", negative: "10s", stale: "10m"},
		{name: "neuron_activity", what: "Pages of the traffic of neurons", ttl: "1m", stale: "10m"},
		{name: "signal", what: "Signals, which never change", ttl: whole, stale: "1d"},
		{name: "memory_search", what: "Answers to searches of memories", ttl: "10m", stale: "10m"},
		{name: "memory_recent", what: "The latest memories of a neuron", ttl: "10m", stale: "10m"},
	}
}

func entityNames() []string {
	var names []string
	for _, e := range entityTable() {
		names = append(names, e.name)
	}
	slices.Sort(names)
	return names
}

func knownEntity(name string) bool { return slices.Contains(entityNames(), name) }

// entityKeys are the settings of each entity.
func entityKeys() []Key {
	var keys []Key
	for _, e := range entityTable() {
		key := func(name string) string { return entitiesPrefix + e.name + "." + name }
		strategies := []string{StrategyAside}
		if e.through {
			strategies = append(strategies, StrategyThrough)
		}
		if e.behind {
			strategies = append(strategies, StrategyBehind)
		}
		what := e.what + ". "
		if !e.onlyLate {
			ttl := "How long one lives."
			if e.ttl == "" {
				ttl = "How long one lives; 0 is cache.default_ttl."
			}
			keys = append(keys, Key{
				Name: key("ttl"), Default: orZero(e.ttl), check: noneOr(time.Second), Help: what + ttl,
			}, Key{
				Name: key("negative_ttl"), Default: orZero(e.negative), check: negativeTTL(e.negative != ""), Help: negativeHelp(e.negative != ""),
			}, Key{
				Name: key("max_stale"), Default: orZero(e.stale), check: atLeast(0),
				Help: "How long past its time one may still be served when the database fails or is slow; 0 is never.",
			})
			what = ""
		}
		help := "As cache.strategy, as far as it can: " + strings.Join(strategies, ", ") + "."
		if e.behind {
			help = "cache_aside stores a change before it is answered; write_behind takes it into a queue in the cache server, answers 202 and stores it a moment later: a loss of that server loses what it had not passed on. It needs cache.url."
		}
		keys = append(keys, Key{Name: key("strategy"), check: entityStrategy(&e, strategies), Help: what + help})
	}
	return keys
}

func orZero(text string) string {
	if text == "" {
		return "0s"
	}
	return text
}

// noneOr accepts zero, and what is at least as long.
func noneOr(lowest time.Duration) check {
	c := atLeast(lowest)
	allowed := "0, or " + c.allowed
	return check{allowed, func(v any) *fault {
		if v == time.Duration(0) {
			return nil
		}
		if bad := c.run(v); bad != nil {
			return &fault{bad.problem, "use " + allowed}
		}
		return nil
	}}
}

func negativeHelp(can bool) string {
	if !can {
		return "Always 0: that there is none is not remembered."
	}
	return "How long it is remembered that there is none; 0 is not at all."
}

func negativeTTL(can bool) check {
	if can {
		return atLeast(0)
	}
	return check{"0", func(v any) *fault {
		if v == time.Duration(0) {
			return nil
		}
		return &fault{"that there is none cannot be remembered: a list is always found, and a signal may come at any moment", "remove it"}
	}}
}

func entityStrategy(e *entityDefaults, can []string) check {
	allowed := strings.Join(can, ", ")
	name := e.name
	through := e.through
	return check{allowed, func(v any) *fault {
		s, _ := v.(string)
		switch {
		case s == "" || slices.Contains(can, s):
			return nil
		case s == StrategyBehind:
			return &fault{
				"it must be stored before it is answered: only states of neurons and last uses of API keys can be written behind",
				"use " + allowed + "; write_behind goes to cache.entities.neuron_state.strategy and cache.entities." + lastUsed + ".strategy",
			}
		case s == StrategyThrough && !through:
			return &fault{"no write returns what " + name + " caches, so that it cannot be put into the cache", "use " + allowed}
		default:
			return &fault{quote(s) + " is not known", "use " + allowed}
		}
	}}
}

// checkCache holds the settings of the cache against each other.
func (c *Config) checkCache(faulty map[string]bool) Errors {
	var all Errors
	const strategy = "cache.strategy"
	behind := []string{entitiesPrefix + "neuron_state.strategy", entitiesPrefix + lastUsed + ".strategy"}
	if !faulty[strategy] && c.Cache.Strategy == StrategyBehind {
		all = append(all, c.fault(strategy, &fault{
			"write_behind cannot hold for everything: users, keys, signals and memories must be stored before they are answered",
			"set it to cache_aside or write_through, and " + join(behind) + " to write_behind",
		}))
	}
	for _, key := range behind {
		if !faulty[key] && c.value(key) == StrategyBehind && c.Cache.URL == "" {
			all = append(all, c.fault(key, &fault{
				"write_behind keeps its queue in a cache server, and cache.url names none",
				"set cache.url, or remove it",
			}))
		}
	}
	return all
}

// Entity tells how an entity is cached, what it leaves open filled in. It panics for
// a name that is none.
func (c Cache) Entity(name string) CacheEntity {
	e, ok := c.Entities.byName(name)
	if !ok {
		panic("config: no cached entity is called " + name + ": CacheEntities and entityTable list them, and lack what queries/ caches under that name")
	}
	if e.TTL == 0 {
		e.TTL = c.DefaultTTL
	}
	if e.Strategy == "" {
		e.Strategy = StrategyAside
		for _, d := range entityTable() {
			if d.name == name && d.through && c.Strategy == StrategyThrough {
				e.Strategy = StrategyThrough
			}
		}
	}
	return e
}

func (e CacheEntities) byName(name string) (CacheEntity, bool) {
	field, ok := fieldByTag(reflect.ValueOf(e), name)
	if !ok {
		return CacheEntity{}, false
	}
	entity, ok := reflect.TypeAssert[CacheEntity](field)
	return entity, ok
}
