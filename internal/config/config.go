// Package config loads, validates and prints the settings of hal9.
//
// A setting is a key such as database.max_connections. It may be given by a
// flag, an environment variable or a YAML file, which win over each other in
// that order and all win over the default. One table, in keys.go, names every
// key; flags, variables, the printed configuration and the reference page are
// generated from it.
package config

import (
	"reflect"
	"time"

	"github.com/hal9-ai/hal9/internal/dburl"
)

// Config holds every setting. Load returns one that is complete and valid;
// code that builds one by hand calls WithDefaults and then Validate.
type Config struct { //nolint:recvcheck // WithDefaults returns a copy on purpose
	Server      Server      `koanf:"server"`
	Database    Database    `koanf:"database"`
	Cache       Cache       `koanf:"cache"`
	Signals     Signals     `koanf:"signals"`
	Ingest      Ingest      `koanf:"ingest"`
	Stream      Stream      `koanf:"stream"`
	Neurons     Neurons     `koanf:"neurons"`
	Idempotency Idempotency `koanf:"idempotency"`
	Auth        Auth        `koanf:"auth"`
	Limits      Limits      `koanf:"limits"`
	Audit       Audit       `koanf:"audit"`
	Metrics     Metrics     `koanf:"metrics"`
	Tracing     Tracing     `koanf:"tracing"`
	Upkeep      Upkeep      `koanf:"upkeep"`
	Log         Log         `koanf:"log"`

	// sources tells by key where a value came from; nil in a Config made by hand.
	sources map[string]Source
}

// Server holds the settings of the HTTP server.
type Server struct {
	Listen            string        `koanf:"listen"`
	RequestTimeout    time.Duration `koanf:"request_timeout"`
	ReadHeaderTimeout time.Duration `koanf:"read_header_timeout"`
	ReadTimeout       time.Duration `koanf:"read_timeout"`
	IdleTimeout       time.Duration `koanf:"idle_timeout"`
	// ShutdownTimeout bounds the whole shutdown, DrainDelay included.
	ShutdownTimeout time.Duration `koanf:"shutdown_timeout"`
	DrainDelay      time.Duration `koanf:"drain_delay"`
	MaxBodyBytes    ByteSize      `koanf:"max_body_bytes"`
	MaxJSONDepth    int           `koanf:"max_json_depth"`
	MaxPage         int           `koanf:"max_page"`
	// TLSCert and TLSKey are both set or both empty.
	TLSCert string `koanf:"tls_cert"`
	TLSKey  string `koanf:"tls_key"`
	// HSTSMaxAge is 0 for no such header.
	HSTSMaxAge     time.Duration `koanf:"hsts_max_age"`
	TrustedProxies List          `koanf:"trusted_proxies"`
	CORSOrigins    List          `koanf:"cors_origins"`
}

// Database holds the settings of the database and its connection pool.
type Database struct {
	// Type is empty, or agrees with URL; Engine tells the engine in either case.
	Type                     string        `koanf:"type"`
	URL                      string        `koanf:"url"`
	AdminURL                 string        `koanf:"admin_url"`
	MaxConnections           int           `koanf:"max_connections"`
	MinConnections           int           `koanf:"min_connections"`
	ConnectionLifetime       time.Duration `koanf:"connection_lifetime"`
	ConnectionLifetimeJitter time.Duration `koanf:"connection_lifetime_jitter"`
	ConnectionIdleTimeout    time.Duration `koanf:"connection_idle_timeout"`
	AcquireTimeout           time.Duration `koanf:"acquire_timeout"`
	StatementTimeout         time.Duration `koanf:"statement_timeout"`
	PartitionsAhead          int           `koanf:"partitions_ahead"`
	// Pooler is PoolerNone or PoolerTransaction.
	Pooler         string        `koanf:"pooler"`
	ReplicaURLs    List          `koanf:"replica_urls"`
	ReplicaMaxLag  time.Duration `koanf:"replica_max_lag"`
	ReplicaTimeout time.Duration `koanf:"replica_timeout"`
	ReadOnly       bool          `koanf:"read_only"`
}

// Cache holds the settings of the cache.
type Cache struct {
	URL            string        `koanf:"url"`
	MaxConnections int           `koanf:"max_connections"`
	DefaultTTL     time.Duration `koanf:"default_ttl"`
	Strategy       string        `koanf:"strategy"`
	KeyPrefix      string        `koanf:"key_prefix"`
	LocalMaxTTL    time.Duration `koanf:"local_max_ttl"`
	LocalMaxBytes  ByteSize      `koanf:"local_max_bytes"`
	CallTimeout    time.Duration `koanf:"call_timeout"`
	Pipelining     bool          `koanf:"pipelining"`
	EpochInterval  time.Duration `koanf:"epoch_interval"`
	Entities       CacheEntities `koanf:"entities"`
}

// Signals holds the settings of signals.
type Signals struct {
	// Retention is zero when signals are kept for ever.
	Retention time.Duration `koanf:"retention"`
}

// Ingest holds the settings of how signals come in.
type Ingest struct {
	Committers      int           `koanf:"committers"`
	MaxBatch        int           `koanf:"max_batch"`
	QueueLength     int           `koanf:"queue_length"`
	BulkStreams     int           `koanf:"bulk_streams"`
	BulkChunkRows   int           `koanf:"bulk_chunk_rows"`
	BulkIdleTimeout time.Duration `koanf:"bulk_idle_timeout"`
	// BulkMinRate is for a second.
	BulkMinRate ByteSize `koanf:"bulk_min_rate"`
}

// Stream holds the settings of the stream of committed signals.
type Stream struct {
	// Bus is one of the Bus constants.
	Bus         string        `koanf:"bus"`
	Heartbeat   time.Duration `koanf:"heartbeat"`
	BufferBytes ByteSize      `koanf:"buffer_bytes"`
}

// How servers tell each other of committed signals, as Stream.Bus says it.
const (
	BusAuto     = "auto"
	BusValkey   = "valkey"
	BusPostgres = "postgres"
	BusNone     = "none"
)

// Neurons holds the settings of neurons.
type Neurons struct {
	StaleAfter time.Duration `koanf:"stale_after"`
}

// Idempotency holds the settings of requests that may be repeated.
type Idempotency struct {
	TTL time.Duration `koanf:"ttl"`
}

// Auth holds the settings of access control.
type Auth struct {
	Mode string `koanf:"mode"`
	// Registration is empty when Mode decides; RegistrationOpen tells in either case.
	Registration string `koanf:"registration"`

	AccessTTL  time.Duration `koanf:"access_ttl"`
	RefreshTTL time.Duration `koanf:"refresh_ttl"`
	// HashConcurrency is 0 for half as many as there are cores.
	HashConcurrency    int           `koanf:"hash_concurrency"`
	HashQueueTimeout   time.Duration `koanf:"hash_queue_timeout"`
	HashProcess        string        `koanf:"hash_process"`
	FailuresPerAccount int           `koanf:"failures_per_account"`
	FailuresPerAddress int           `koanf:"failures_per_address"`
	FailureWindow      time.Duration `koanf:"failure_window"`
}

// RegistrationOpen tells whether strangers may make themselves users.
func (a Auth) RegistrationOpen() bool {
	if a.Registration == "" {
		return a.Mode == AuthOpen
	}
	return a.Registration == RegistrationOpen
}

// Limits holds the general limits on requests; 0 is none.
type Limits struct {
	// PerKey is for each API key, or user who logged in; PerAddress for who shows
	// no credential.
	PerKey     int           `koanf:"per_key"`
	PerAddress int           `koanf:"per_address"`
	Window     time.Duration `koanf:"window"`
	// Requests may be under way at a time in any case, more while they take no longer
	// than RequestsDelay.
	Requests      int           `koanf:"requests"`
	RequestsDelay time.Duration `koanf:"requests_delay"`
	// RefusalPause is how long, at the most, the connection of a request that was refused
	// for these is left unread; 0 is not at all.
	RefusalPause time.Duration `koanf:"refusal_pause"`
	// Streams is for the whole server, StreamsPerClient for each user or address.
	Streams          int `koanf:"streams"`
	StreamsPerClient int `koanf:"streams_per_client"`
}

// Metrics holds the settings of metrics.
type Metrics struct {
	// Public lets everybody read /metrics also where accounts are asked for.
	Public bool `koanf:"public"`
	// Retention is zero when stored metrics are kept for ever.
	Retention time.Duration `koanf:"retention"`
}

// Audit holds the settings of the audit log.
type Audit struct {
	// Retention is zero when entries are kept for ever.
	Retention time.Duration `koanf:"retention"`
}

// Upkeep holds the settings of the housekeeping.
type Upkeep struct {
	Interval time.Duration `koanf:"interval"`
}

// Tracing holds the settings of traces.
type Tracing struct {
	// Endpoint is empty when there are no traces.
	Endpoint    string  `koanf:"endpoint"`
	SampleRatio float64 `koanf:"sample_ratio"`
	// Headers are name=value, checked; HeaderMap takes them apart.
	Headers List `koanf:"headers"`
}

// HeaderMap returns the headers that go with traces, by name.
func (t *Tracing) HeaderMap() map[string]string {
	headers := map[string]string{}
	for _, item := range t.Headers.Items() {
		if name, value, ok := headerOf(item); ok {
			headers[name] = value
		}
	}
	return headers
}

// Log holds the settings of the log.
type Log struct {
	Level        string  `koanf:"level"`
	Format       string  `koanf:"format"`
	AccessSample float64 `koanf:"access_sample"`
}

// WithDefaults returns a copy in which every zero field holds its default. A
// zero that is meant (log.access_sample 0) can be set after the call; Load
// tells it from a missing one by itself.
func (c Config) WithDefaults() Config {
	defaulted := map[string]bool{}
	for _, k := range keyTable() {
		field := fieldOf(reflect.ValueOf(&c).Elem(), k.Name)
		if !field.IsZero() {
			continue
		}
		v, bad := k.parse(k.Default)
		if bad != nil {
			continue // no default is malformed: a test parses them all
		}
		field.Set(reflect.ValueOf(v))
		defaulted[k.Name] = true
	}
	c.fitDefaults(func(key string) bool { return defaulted[key] })
	return c
}

// Source tells where the value of a key came from.
func (c *Config) Source(key string) Source {
	if s, ok := c.sources[key]; ok {
		return s
	}
	return Source{Kind: SourceDefault}
}

// Warnings tells, one sentence each, what the configuration asks for that has no
// effect: here, or in this version.
func (c *Config) Warnings() []string {
	var all []string
	if c.Cache.URL == "" {
		if keys := c.given(func(k *Key) bool { return k.CacheServerOnly }); keys != "" {
			all = append(all, "cache.url names no cache server; without effect: "+keys)
		}
	} else if keys := c.given(func(k *Key) bool { return k.Name == "cache.local_max_ttl" }); keys != "" {
		all = append(all, "with a cache server no entry needs it; without effect: "+keys)
	}
	if c.Auth.Mode == AuthOpen {
		if keys := c.given(func(k *Key) bool { return k.RequiredModeOnly }); keys != "" {
			all = append(all, "auth.mode is open; without effect: "+keys)
		}
	}
	if c.Database.Engine() == dburl.SQLite {
		if keys := c.given(func(k *Key) bool { return k.PostgresOnly }); keys != "" {
			all = append(all, "the database is of type sqlite; without effect: "+keys)
		}
	}
	return all
}

// given lists those of the wanted keys that some source gave, with the source.
func (c *Config) given(wanted func(*Key) bool) string {
	var keys []string
	for _, k := range keyTable() {
		source := c.Source(k.Name)
		if wanted(&k) && source.Kind != SourceDefault {
			keys = append(keys, k.Name+" ("+source.String()+")")
		}
	}
	return join(keys)
}

// value returns the value of a key.
func (c *Config) value(key string) any {
	return fieldOf(reflect.ValueOf(c).Elem(), key).Interface()
}
