package config

import (
	"fmt"
	"reflect"
	"strconv"

	"github.com/hal9-ai/hal9/internal/dburl"
)

// pair is two keys of which the first must not exceed the second.
type pair struct {
	low, high string
	strict    bool // must be less, not just at most
}

func pairs() []pair {
	return []pair{
		{low: "server.read_header_timeout", high: "server.read_timeout"},
		{low: "server.drain_delay", high: "server.shutdown_timeout", strict: true},
		{low: "database.min_connections", high: "database.max_connections"},
		{low: "database.connection_lifetime_jitter", high: "database.connection_lifetime"},
		{low: "cache.local_max_ttl", high: "cache.default_ttl"},
		{low: "auth.access_ttl", high: "auth.refresh_ttl"},
	}
}

// fitDefaults lowers a default that a given value would contradict: who sets
// only database.max_connections to 1 need not know of a minimum of 2.
func (c *Config) fitDefaults(isDefault func(key string) bool) {
	config := reflect.ValueOf(c).Elem()
	for _, p := range pairs() {
		low, high := fieldOf(config, p.low), fieldOf(config, p.high)
		if isDefault(p.low) && low.Int() > high.Int() {
			low.SetInt(max(high.Int(), 0))
		}
	}
	for _, name := range entityNames() {
		key := entitiesPrefix + name + ".ttl"
		if ttl := fieldOf(config, key); isDefault(key) && ttl.Int() > int64(c.Cache.DefaultTTL) {
			ttl.SetInt(0) // cache.default_ttl
		}
	}
}

// Validate checks each value by itself and then the values against each other.
// It returns Errors.
func (c *Config) Validate() error {
	var all Errors
	faulty := map[string]bool{}
	for _, k := range keyTable() {
		if bad := k.check.run(c.value(k.Name)); bad != nil {
			faulty[k.Name] = true
			all = append(all, c.fault(k.Name, bad))
		}
	}
	for _, p := range pairs() {
		if !faulty[p.low] && !faulty[p.high] {
			all = append(all, c.checkPair(p)...)
		}
	}
	all = append(all, c.checkCache(faulty)...)
	if c.Stream.Bus == BusValkey && c.Cache.URL == "" && !faulty["stream.bus"] {
		all = append(all, c.fault("stream.bus", &fault{"there is no cache.url to carry notices", "set cache.url, or set this to auto"}))
	}
	if !faulty["database.url"] {
		all = append(all, c.checkDatabase(faulty)...)
	}
	if !faulty["server.listen"] && c.Auth.Mode == AuthOpen && !IsLoopback(c.Server.Listen) {
		all = append(all, c.fault("server.listen", &fault{
			strconv.Quote(c.Server.Listen) + " can be reached from other machines while auth.mode is open",
			"use a loopback address such as 127.0.0.1:8080, or set auth.mode to required",
		}))
	}
	if c.Server.TLSCert == "" != (c.Server.TLSKey == "") {
		given, missing := "server.tls_cert", "server.tls_key"
		if c.Server.TLSCert == "" {
			given, missing = missing, given
		}
		all = append(all, c.fault(given, &fault{"it has no use without " + missing, "set both, or neither to serve without TLS"}))
	}
	return all.asError()
}

func (c *Config) checkPair(p pair) Errors {
	config := reflect.ValueOf(c).Elem()
	low, high := fieldOf(config, p.low), fieldOf(config, p.high)
	if low.Int() < high.Int() || low.Int() == high.Int() && !p.strict {
		return nil
	}
	more, bound := "more than", "at most"
	if p.strict {
		more, bound = "not less than", "less than"
	}
	lowText, highText := format(low.Interface()), format(high.Interface())
	return Errors{c.fault(p.low, &fault{
		fmt.Sprintf("%s is %s %s, which is %s (%s)", lowText, more, p.high, highText, c.Source(p.high)),
		fmt.Sprintf("make it %s %s, or raise %s", bound, highText, p.high),
	})}
}

func (c *Config) checkDatabase(faulty map[string]bool) Errors {
	var all Errors
	engine := c.Database.Engine()
	if t := c.Database.Type; t != "" && t != engine && !faulty["database.type"] {
		all = append(all, c.fault("database.type", &fault{
			fmt.Sprintf("it is %s, but database.url (%s) is of type %s", t, c.Source("database.url"), engine),
			"set database.url to a " + t + " URL, or remove database.type",
		}))
	}
	if c.Stream.Bus == BusPostgres && engine == dburl.SQLite && !faulty["stream.bus"] {
		all = append(all, c.fault("stream.bus", &fault{"SQLite carries no notices", "set it to auto, or to valkey beside cache.url"}))
	}
	if c.Database.AdminURL != "" && engine == dburl.SQLite && !faulty["database.admin_url"] {
		all = append(all, c.fault("database.admin_url", &fault{
			"it has no meaning beside an SQLite database.url",
			"remove it, or set database.url to a PostgreSQL URL",
		}))
	}
	if c.Database.Pooler == PoolerTransaction && c.Database.AdminURL == "" && engine == dburl.Postgres {
		all = append(all, c.fault("database.pooler", &fault{
			"migrations hold a lock for as long as they run, which a pooler in transaction mode cannot",
			"set database.admin_url to the URL of PostgreSQL itself",
		}))
	}
	if c.Database.ReplicaURLs != "" && engine == dburl.SQLite && !faulty["database.replica_urls"] {
		all = append(all, c.fault("database.replica_urls", &fault{
			"an SQLite database has no replicas",
			"remove it, or set database.url to a PostgreSQL URL",
		}))
	}
	return all
}

func (c *Config) fault(key string, bad *fault) *Error {
	return &Error{Key: key, Source: c.Source(key), Problem: bad.problem, Mend: bad.mend}
}
