package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/hal9-ai/hal9/cacheutil"
	"github.com/hal9-ai/hal9/gen/cachedstore"
	"github.com/hal9-ai/hal9/internal/config"
	"github.com/hal9-ai/hal9/model"
	"github.com/hal9-ai/hal9/store"
)

// CacheStatsCmd tells what is cached and how the cache server is.
type CacheStatsCmd struct {
	Output
	Settings
}

// Help describes the command.
func (CacheStatsCmd) Help() string {
	return `Tells what is cached, under which keys, how long and by which strategy; the epoch of the database; what the cache server says of itself, and how many other processes use it under the same key prefix: servers that should share their cache and are not counted have another one. A cache server that does not answer is down, which is no failure of this command. Hits and misses are counted by each server: /api/v1/metrics and /metrics have them.

Example:

    hal9 cache stats --cache-url redis://localhost:6379`
}

type cacheStats struct {
	Epoch    int64             `json:"epoch"`
	Prefix   string            `json:"key_prefix"`
	Server   string            `json:"cache_server"` // off, up or down
	Others   int               `json:"other_processes"`
	Why      string            `json:"cache_server_fault,omitempty"`
	Info     map[string]string `json:"cache_server_info,omitempty"`
	Entities []cacheStatsEntry `json:"entities"`
}

type cacheStatsEntry struct {
	Name        string  `json:"name"`
	Key         string  `json:"key"`
	Group       string  `json:"group,omitempty"`
	Strategy    string  `json:"strategy"`
	TTL         float64 `json:"ttl_seconds"`
	NegativeTTL float64 `json:"negative_ttl_seconds"`
	MaxStale    float64 `json:"max_stale_seconds"`
}

// Run prints the figures.
func (c *CacheStatsCmd) Run(g *Globals) error {
	return g.cache(c.Settings, func(ctx context.Context, cfg *config.Config, st model.Store, m *cacheutil.Manager) error {
		epoch, err := st.DatabaseEpochGet(ctx)
		if err != nil {
			return storeError(err)
		}
		state := m.State()
		stats := cacheStats{Epoch: epoch, Prefix: cfg.Cache.KeyPrefix, Server: state.Valkey, Why: state.Why, Info: serverInfo(ctx, cfg, m)}
		if others, err := m.Others(ctx); err == nil { // its state tells of a failure
			stats.Others = others
		}
		for _, e := range cachedstore.Entities() {
			set := cfg.Cache.Entity(e.Name)
			stats.Entities = append(stats.Entities, cacheStatsEntry{
				Name: e.Name, Key: e.Key, Group: e.Group, Strategy: set.Strategy,
				TTL: set.TTL.Seconds(), NegativeTTL: set.NegativeTTL.Seconds(), MaxStale: set.MaxStale.Seconds(),
			})
		}
		return c.print(g.Stdout, stats, stats.text)
	})
}

// serverInfo is a part of what the cache server says of itself; nil if it says nothing.
func serverInfo(ctx context.Context, cfg *config.Config, m *cacheutil.Manager) map[string]string {
	client := m.Client()
	if client == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, max(cfg.Cache.CallTimeout, time.Second))
	defer cancel()
	text, err := client.Do(ctx, client.B().Info().Build()).ToString()
	if err != nil {
		return nil // its state tells more
	}
	info := map[string]string{}
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		switch name {
		case "redis_version", "valkey_version", "used_memory_human", "maxmemory_human", "maxmemory_policy", "evicted_keys", "expired_keys", "connected_clients":
			info[name] = value
		}
	}
	return info
}

func (s cacheStats) text(w io.Writer) error {
	server := s.Server
	if s.Why != "" {
		server += ": " + s.Why
	}
	_, err := fmt.Fprintf(w, "epoch         %d\nkeys begin    %s\ncache server  %s\n", s.Epoch, s.Prefix, server)
	if err != nil {
		return err //nolint:wrapcheck // print wraps it
	}
	if s.Server == "up" {
		_, _ = fmt.Fprintf(w, "shared with   %s\n", counted(s.Others, "other process"))
	}
	for _, name := range []string{"valkey_version", "redis_version", "used_memory_human", "maxmemory_human", "maxmemory_policy", "evicted_keys", "connected_clients"} {
		if value := s.Info[name]; value != "" {
			_, _ = fmt.Fprintf(w, "  %s %s\n", name, value)
		}
	}
	_, _ = fmt.Fprintln(w)
	rows := [][]string{{"ENTITY", "KEY", "GROUP", "STRATEGY", "TTL", "NEGATIVE", "STALE"}}
	seconds := func(s float64) string { return (time.Duration(s) * time.Second).String() }
	for _, e := range s.Entities {
		group := e.Group
		if group == "" {
			group = "-"
		}
		rows = append(rows, []string{e.Name, e.Key, group, e.Strategy, seconds(e.TTL), seconds(e.NegativeTTL), seconds(e.MaxStale)})
	}
	return writeTable(w, rows)
}

// CacheGetCmd shows one entry of the cache server.
type CacheGetCmd struct {
	Key string `arg:"" name:"KEY" help:"The key without prefix and epoch, as in neuron:neuron-l1."`
	Output
	Settings
}

// Help describes the command.
func (CacheGetCmd) Help() string {
	return `Shows what the cache server holds under a key: a value, a negative entry (there is none), or the tombstone that an invalidation leaves for a while. Each server may hold the same in its memory, in step with the cache server. In the names of neurons, the characters : % { } are written %3A, %25, %7B and %7D, and so is the first one of a name that is a word of the keys: neuron:%73tates is the neuron states. 'hal9 cache stats' lists the keys; those of a group cannot be looked at.

Exits with 1 if there is nothing under the key, 2 without cache.url, and 3 if the cache server does not answer.

Example:

    hal9 cache get neuron:neuron-l1 --cache-url redis://localhost:6379`
}

type cacheEntry struct {
	Key     string          `json:"key"`
	Kind    string          `json:"kind"`
	Version int64           `json:"version"`
	TTL     float64         `json:"ttl_seconds"`
	Bytes   int             `json:"bytes"`
	Value   json.RawMessage `json:"value,omitempty"`
}

// Run prints the entry.
func (c *CacheGetCmd) Run(g *Globals) error {
	return g.cacheServer(c.Settings, func(ctx context.Context, cfg *config.Config, m *cacheutil.Manager) error {
		e, err := m.Peek(ctx, c.Key)
		switch {
		case errors.Is(err, cacheutil.ErrNoEntry):
			return fmt.Errorf("nothing is cached under %s", c.Key)
		case err != nil:
			return cacheAway(cfg)
		}
		entry := cacheEntry{Key: e.Key, Kind: e.Kind, Version: e.Version, TTL: e.TTL.Seconds(), Bytes: e.Size, Value: e.JSON}
		return c.print(g.Stdout, entry, func(w io.Writer) error {
			_, err := fmt.Fprintf(w, "%s of version %s, %d bytes, for another %s\n", e.Kind, strconv.FormatInt(e.Version, 10), e.Size, e.TTL.Round(time.Second))
			if len(e.JSON) > 0 {
				_, err = fmt.Fprintf(w, "%s\n", e.JSON)
			}
			return err //nolint:wrapcheck // print wraps it
		})
	})
}

// CacheDropCmd drops entries.
type CacheDropCmd struct {
	Keys  []string `arg:"" name:"KEY" optional:"" help:"Keys without prefix and epoch, as in neuron:neuron-l1."`
	Group []string `help:"Drop all of this group, as of memory." placeholder:"NAME"`
	Output
	Settings
}

// Help describes the command.
func (CacheDropCmd) Help() string {
	return `Drops entries from the cache server and from the memory of every server: the next request reads the database. 'hal9 cache stats' lists keys and groups; 'hal9 cache invalidate' drops everything.

Exits with 2 without cache.url: there is no way into the memory of a server then, which forgets within cache.local_max_ttl. Exits with 3 if the cache server does not answer.

Example:

    hal9 cache drop neuron:neuron-l1 session:0123 --cache-url redis://localhost:6379
    hal9 cache drop --group memory --cache-url redis://localhost:6379`
}

// Run drops them.
func (c *CacheDropCmd) Run(g *Globals) error {
	if len(c.Keys)+len(c.Group) == 0 {
		return usageError(errors.New("name a key, or a group by --group"), "hal9 cache drop")
	}
	for _, group := range c.Group {
		if !knownGroup(group) {
			return usageError(fmt.Errorf("nothing is in a group %s; 'hal9 cache stats' lists the groups", group), "hal9 cache drop")
		}
	}
	return g.cacheServer(c.Settings, func(ctx context.Context, cfg *config.Config, m *cacheutil.Manager) error {
		for _, key := range c.Keys {
			if err := m.Drop(ctx, key); err != nil {
				return cacheAway(cfg)
			}
		}
		m.InvalidateGroup(ctx, c.Group...)
		if m.State().Pending > 0 {
			return cacheAway(cfg)
		}
		return c.line(g.Stdout, map[string]any{"keys": len(c.Keys), "groups": len(c.Group)}, "dropped %s and %s", counted(len(c.Keys), "key"), counted(len(c.Group), "group"))
	})
}

// counted is a number of things: 1 key, 2 keys, 2 processes.
func counted(n int, thing string) string {
	switch {
	case n == 1:
	case strings.HasSuffix(thing, "s"):
		thing += "es"
	default:
		thing += "s"
	}
	return strconv.Itoa(n) + " " + thing
}

func knownGroup(name string) bool {
	for _, e := range cachedstore.Entities() {
		if e.Group == name {
			return true
		}
	}
	return false
}

// cache opens the store with its cache for a command that looks into it.
func (g *Globals) cache(s Settings, fn func(context.Context, *config.Config, model.Store, *cacheutil.Manager) error) (err error) {
	cfg, err := g.LoadConfig(s)
	if err != nil {
		return err
	}
	if err := checkSchema(g.Context, cfg); err != nil {
		return err
	}
	st, err := openStore(g.Context, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeStore(st)) }()
	return fn(g.Context, cfg, st, store.CacheOf(st))
}

// cacheServer is cache for what only a cache server can do.
func (g *Globals) cacheServer(s Settings, fn func(context.Context, *config.Config, *cacheutil.Manager) error) error {
	cfg, err := g.LoadConfig(s)
	if err != nil {
		return err
	}
	if cfg.Cache.URL == "" {
		return &config.Error{
			Key: "cache.url", Problem: "it names no cache server, and there is no way into the memory of another process",
			Mend: "set it as the servers have it; without one they forget within cache.local_max_ttl",
		}
	}
	return g.cache(s, func(ctx context.Context, cfg *config.Config, _ model.Store, m *cacheutil.Manager) error {
		return fn(ctx, cfg, m)
	})
}

func cacheAway(cfg *config.Config) error {
	return &ExitError{Code: exitUnreachable, Err: errors.New("the cache server does not answer"), Hint: "Is cache.url (" + config.MaskURL(cfg.Cache.URL) + ") right?"}
}
