package config_test

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hal9-ai/hal9/internal/config"
	"github.com/hal9-ai/hal9/internal/dburl"
)

// writeFile writes a YAML file and returns its path.
func writeFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "hal9.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func load(t *testing.T, o config.Options) *config.Config {
	t.Helper()
	c, err := config.Load(o)
	if err != nil {
		t.Fatalf("Load: %v", err)
	}
	return c
}

// flags returns options of flags alone, given as key, value, key, value.
func flags(words ...string) config.Options {
	m := map[string]string{}
	for pair := range slices.Chunk(words, 2) {
		m[pair[0]] = pair[1]
	}
	return config.Options{Flags: m}
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	c := load(t, config.Options{})
	want := config.Config{
		Server: config.Server{
			Listen: "127.0.0.1:8080", RequestTimeout: 10 * time.Second, ReadHeaderTimeout: 5 * time.Second,
			ReadTimeout: 30 * time.Second, IdleTimeout: 120 * time.Second, ShutdownTimeout: 20 * time.Second, DrainDelay: 1500 * time.Millisecond,
			MaxBodyBytes: 16 << 20, MaxJSONDepth: 64, MaxPage: 1000,
			HSTSMaxAge: 365 * 24 * time.Hour,
		},
		Database: config.Database{
			URL: "sqlite://hal9.db", MaxConnections: 20, MinConnections: 2, ConnectionLifetime: time.Hour,
			ConnectionLifetimeJitter: 6 * time.Minute, ConnectionIdleTimeout: 30 * time.Minute,
			AcquireTimeout: 3 * time.Second, StatementTimeout: 10 * time.Second, PartitionsAhead: 3, Pooler: config.PoolerNone, ReplicaMaxLag: 5 * time.Second, ReplicaTimeout: time.Second,
		},
		Cache: config.Cache{
			MaxConnections: 50, DefaultTTL: time.Hour, Strategy: "cache_aside", KeyPrefix: "hal9:", LocalMaxTTL: 2 * time.Second,
			LocalMaxBytes: 64 << 20, CallTimeout: 250 * time.Millisecond, EpochInterval: 5 * time.Second, Entities: defaultEntities(),
		},
		Neurons:     config.Neurons{StaleAfter: 5 * time.Minute},
		Idempotency: config.Idempotency{TTL: 24 * time.Hour},
		Auth: config.Auth{
			Mode: config.AuthOpen, AccessTTL: 15 * time.Minute, RefreshTTL: 7 * 24 * time.Hour, HashQueueTimeout: time.Second, HashProcess: config.HashProcessAuto,
			FailuresPerAccount: 10, FailuresPerAddress: 100, FailureWindow: 15 * time.Minute,
		},
		Limits:  config.Limits{Window: time.Minute, Requests: 1024, RequestsDelay: 100 * time.Millisecond, RefusalPause: 10 * time.Second, Streams: 2000, StreamsPerClient: 100},
		Audit:   config.Audit{Retention: 365 * 24 * time.Hour},
		Metrics: config.Metrics{Retention: 90 * 24 * time.Hour},
		Upkeep:  config.Upkeep{Interval: 5 * time.Minute},
		Log:     config.Log{Level: "info", Format: "auto", AccessSample: 1},
	}
	for name, got := range map[string]config.Config{"Load": *c, "WithDefaults": config.Config{}.WithDefaults()} {
		for _, section := range []struct{ got, want any }{
			{got.Server, want.Server},
			{got.Database, want.Database},
			{got.Cache, want.Cache},
			{got.Signals, want.Signals},
			{got.Neurons, want.Neurons},
			{got.Auth, want.Auth},
			{got.Limits, want.Limits},
			{got.Audit, want.Audit},
			{got.Metrics, want.Metrics},
			{got.Upkeep, want.Upkeep},
			{got.Log, want.Log},
		} {
			if section.got != section.want {
				t.Errorf("%s:\n got %+v\nwant %+v", name, section.got, section.want)
			}
		}
	}
	if w := c.Warnings(); w != nil {
		t.Errorf("warnings about defaults: %q", w)
	}
}

func TestListsAndBooleans(t *testing.T) {
	t.Parallel()
	const yaml = `server:
  trusted_proxies: [10.1.2.3/8, "::1"]
  cors_origins:
    - https://a.example
    - http://b.example:8080
metrics:
  public: true
auth:
  mode: required
`
	fromFile := load(t, config.Options{File: writeFile(t, yaml)})
	fromFlags := load(t, flags("server.trusted_proxies", " 10.1.2.3/8,::1 ", "server.cors_origins", "https://a.example,http://b.example:8080",
		"metrics.public", "true", "auth.mode", "required"))
	for _, c := range []*config.Config{fromFile, fromFlags} {
		prefixes := c.Server.TrustedPrefixes()
		if len(prefixes) != 2 || prefixes[0].String() != "10.0.0.0/8" || prefixes[1].String() != "::1/128" {
			t.Errorf("trusted_proxies %v", prefixes)
		}
		if got := c.Server.CORSOrigins.Items(); !slices.Equal(got, []string{"https://a.example", "http://b.example:8080"}) {
			t.Errorf("cors_origins %q", got)
		}
		if !c.Metrics.Public || c.Auth.RegistrationOpen() || c.Warnings() != nil {
			t.Errorf("%+v %+v %q", c.Metrics, c.Auth, c.Warnings())
		}
	}
	_ = loadFaults(t, config.Options{File: writeFile(t, "server:\n  cors_origins: [[a]]\n")})
	_ = loadFaults(t, config.Options{File: writeFile(t, "server:\n  listen: [a]\n")})
	open := load(t, flags("server.trusted_proxies", "10.0.0.1"))
	if w := strings.Join(open.Warnings(), ""); !open.Auth.RegistrationOpen() || !strings.Contains(w, "server.trusted_proxies") {
		t.Errorf("%+v %q", open.Auth, w)
	}
	if !load(t, flags("auth.mode", "required", "auth.registration", "open", "server.listen", "0.0.0.0:8080")).Auth.RegistrationOpen() {
		t.Error("registration is closed although it was opened")
	}
}

func TestEveryFieldHasAKey(t *testing.T) {
	t.Parallel()
	keys := map[string]config.Key{}
	for _, k := range config.Keys() {
		keys[k.Name] = k
	}
	fields := 0
	for section := range reflect.TypeFor[config.Config]().Fields() {
		if !section.IsExported() {
			continue
		}
		for field := range section.Type.Fields() {
			if field.Type == reflect.TypeFor[config.CacheEntities]() {
				continue // TestCacheEntities
			}
			fields++
			name := section.Tag.Get("koanf") + "." + field.Tag.Get("koanf")
			k, ok := keys[name]
			if !ok {
				t.Errorf("%s.%s has no key %s", section.Name, field.Name, name)
				continue
			}
			if k.Help == "" || k.Type == "" {
				t.Errorf("%s lacks help or type: %+v", name, k)
			}
			if want := "HAL9_" + strings.ToUpper(strings.ReplaceAll(name, ".", "_")); k.Env != want {
				t.Errorf("%s has variable %s, want %s", name, k.Env, want)
			}
		}
	}
	for name := range keys {
		if strings.HasPrefix(name, "cache.entities.") {
			fields++
		}
	}
	if fields != len(keys) {
		t.Errorf("%d fields, but %d keys", fields, len(keys))
	}
	sections := map[string]bool{}
	for _, s := range config.Sections() {
		sections[s.Name] = true
	}
	for name, k := range keys {
		if !sections[k.Section()] {
			t.Errorf("%s is in no section of the reference", name)
		}
	}
}

func TestContractBlocksLoadAsTheyStand(t *testing.T) {
	t.Parallel()
	c := load(t, config.Options{File: writeFile(t, `database:
  type: postgres  # or sqlite
  url: "postgresql://user:pass@localhost/hal9"
  max_connections: 100
  min_connections: 10
cache:
  url: "redis://localhost:6379"
  max_connections: 50
  default_ttl: 3600
  strategy: cache_aside
`)})
	d := c.Database
	if d.Type != "postgres" || d.URL != "postgresql://user:pass@localhost/hal9" || d.MaxConnections != 100 || d.MinConnections != 10 {
		t.Errorf("database: %+v", d)
	}
	if d.Engine() != dburl.Postgres {
		t.Errorf("engine: %q", d.Engine())
	}
	want := config.Cache{
		URL: "redis://localhost:6379", MaxConnections: 50, DefaultTTL: time.Hour,
		Strategy: "cache_aside", KeyPrefix: "hal9:", LocalMaxTTL: 2 * time.Second,
		LocalMaxBytes: 64 << 20, CallTimeout: 250 * time.Millisecond, EpochInterval: 5 * time.Second, Entities: defaultEntities(),
	}
	if c.Cache != want {
		t.Errorf("cache:\n got %+v\nwant %+v", c.Cache, want)
	}
	if w := c.Warnings(); w != nil {
		t.Errorf("warnings: %q", w)
	}
}

func TestPrecedence(t *testing.T) {
	t.Parallel()
	file := writeFile(t, "database:\n  max_connections: 30\n")
	env := []string{"HAL9_DATABASE_MAX_CONNECTIONS=40"}
	given := map[string]string{"database.max_connections": "50"}
	const key = "database.max_connections"
	for _, c := range []struct {
		name    string
		options config.Options
		want    int
		source  config.Source
	}{
		{"default", config.Options{}, 20, config.Source{Kind: "default"}},
		{"file", config.Options{File: file}, 30, config.Source{Kind: "file", Where: file + ":2"}},
		{"file by variable", config.Options{Environ: []string{"HAL9_CONFIG=" + file}}, 30, config.Source{Kind: "file", Where: file + ":2"}},
		{"file by flag over variable", config.Options{File: file, Environ: []string{"HAL9_CONFIG=/nowhere"}}, 30, config.Source{Kind: "file", Where: file + ":2"}},
		{"variable over file", config.Options{File: file, Environ: env}, 40, config.Source{Kind: "env", Where: "HAL9_DATABASE_MAX_CONNECTIONS"}},
		{"flag over both", config.Options{File: file, Environ: env, Flags: given}, 50, config.Source{Kind: "flag", Where: "--database-max-connections"}},
		{"empty variable", config.Options{File: file, Environ: []string{"HAL9_DATABASE_MAX_CONNECTIONS="}}, 30, config.Source{Kind: "file", Where: file + ":2"}},
		{"first of two variables", config.Options{Environ: append(env, "HAL9_DATABASE_MAX_CONNECTIONS=41")}, 40, config.Source{Kind: "env", Where: "HAL9_DATABASE_MAX_CONNECTIONS"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := load(t, c.options)
			if got.Database.MaxConnections != c.want || got.Source(key) != c.source {
				t.Errorf("got %d from %+v, want %d from %+v", got.Database.MaxConnections, got.Source(key), c.want, c.source)
			}
			if got.Database.AcquireTimeout != 3*time.Second {
				t.Errorf("a neighbour lost its default: %v", got.Database.AcquireTimeout)
			}
		})
	}
}

func TestValues(t *testing.T) {
	t.Parallel()
	durations := map[string]time.Duration{
		"15m": 15 * time.Minute, "90": 90 * time.Second, "1h30m": 90 * time.Minute, "500ms": 500 * time.Millisecond,
		"2d": 48 * time.Hour, "1d12h": 36 * time.Hour,
	}
	for text, want := range durations {
		if got := load(t, flags("server.request_timeout", text)).Server.RequestTimeout; got != want {
			t.Errorf("duration %q: got %v, want %v", text, got, want)
		}
	}
	if got := load(t, flags("server.request_timeout", " 9s\n")).Server.RequestTimeout; got != 9*time.Second {
		t.Errorf("space around a value is not passed over: %v", got)
	}
	for text, want := range map[string]config.ByteSize{
		"16MiB": 16 << 20, "1GiB": 1 << 30, "512kib": 512 << 10, "2MB": 2e6, "4096": 4096, "8 KiB": 8192, "2048b": 2048,
	} {
		if got := load(t, flags("server.max_body_bytes", text)).Server.MaxBodyBytes; got != want {
			t.Errorf("size %q: got %d, want %d", text, got, want)
		}
	}
	if got := load(t, flags("signals.retention", "90d")).Signals.Retention; got != 90*24*time.Hour {
		t.Errorf("retention: %v", got)
	}
	c := load(t, flags("log.access_sample", "0", "database.min_connections", "0"))
	if c.Log.AccessSample != 0 || c.Database.MinConnections != 0 {
		t.Errorf("a given zero became the default: %v, %d", c.Log.AccessSample, c.Database.MinConnections)
	}
}

func TestADefaultYieldsToAGivenLimit(t *testing.T) {
	t.Parallel()
	c := load(t, flags("database.max_connections", "1", "server.read_timeout", "1s", "cache.default_ttl", "1"))
	if c.Database.MinConnections != 1 || c.Server.ReadHeaderTimeout != time.Second || c.Cache.LocalMaxTTL != time.Second {
		t.Errorf("min %d, header timeout %v, local ttl %v", c.Database.MinConnections, c.Server.ReadHeaderTimeout, c.Cache.LocalMaxTTL)
	}
	made := config.Config{Database: config.Database{MaxConnections: 1}}.WithDefaults()
	if err := made.Validate(); err != nil || made.Database.MinConnections != 1 {
		t.Errorf("by hand: min %d, %v", made.Database.MinConnections, err)
	}
}

func TestWarnings(t *testing.T) {
	t.Parallel()
	file := writeFile(t, "database:\n  min_connections: 3\n")
	for _, c := range []struct {
		name    string
		options config.Options
		want    []string
	}{
		{"nothing", flags("database.max_connections", "5", "database.statement_timeout", "5s"), nil},
		{"PostgreSQL", config.Options{File: file, Flags: map[string]string{"database.url": "postgres://h/d"}}, nil},
		{"SQLite", config.Options{File: file, Flags: map[string]string{"database.partitions_ahead": "5"}}, []string{
			"the database is of type sqlite; without effect: database.min_connections (" + file + ":2) and database.partitions_ahead (--database-partitions-ahead)",
		}},
		{"cache without URL", flags("cache.key_prefix", "x:"), []string{
			"cache.url names no cache server; without effect: cache.key_prefix (--cache-key-prefix)",
		}},
		{"cache with URL", flags("cache.url", "redis://h", "cache.key_prefix", "x:"), nil},
	} {
		if got := load(t, c.options).Warnings(); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

func TestYAMLForms(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"empty":         "",
		"comment":       "# nothing\n",
		"empty section": "server:\n  # listen: 1\ndatabase:\n  max_connections: 7\n",
		"flow":          "{database: {max_connections: 7}}",
		"dotted":        "database.max_connections: 7\n",
		"quoted":        "database:\n  max_connections: \"7\"\n",
		"alias":         "database: {max_connections: &n 7, min_connections: *n}\n",
		"crlf":          "database:\r\n  max_connections: 7\r\n",
		"BOM":           "\ufeffdatabase:\n  max_connections: 7\n",
		"document mark": "---\ndatabase:\n  max_connections: 7\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := load(t, config.Options{File: writeFile(t, text)})
			want := 7
			if name == "empty" || name == "comment" {
				want = 20
			}
			if c.Database.MaxConnections != want {
				t.Errorf("got %d, want %d", c.Database.MaxConnections, want)
			}
		})
	}
}

func TestForeignVariablesArePassedOver(t *testing.T) {
	t.Parallel()
	load(t, config.Options{Environ: []string{
		"HAL9_TEST_POSTGRES_URL=postgres://x", "HAL9_SERVICE_HOST=10.0.0.1", "HAL9_SERVICE_PORT=80",
		"HAL9_SERVICE_PORT_HTTP=80", "HAL9_PORT=tcp://10.0.0.1:80", "HAL9_PORT_80_TCP=tcp://10.0.0.1:80",
		"HAL9_PORT_80_TCP_PROTO=tcp", "HAL9_PORT_80_TCP_PORT=80", "HAL9_PORT_80_TCP_ADDR=10.0.0.1",
		"HAL9_SERVER_SERVICE_HOST=10.0.0.1", "HAL9_SERVER_PORT=tcp://10.0.0.1:80", "HAL9_SERVER_SERVICE_PORT=80",
		"HAL90_X=1", "PATH=/bin", "broken",
	}})
}
