package config_test

import (
	"errors"
	"io/fs"
	"strings"
	"testing"

	"github.com/hal9-ai/hal9/internal/config"
)

// loadFaults loads what must fail and returns the faults.
func loadFaults(t *testing.T, o config.Options) config.Errors {
	t.Helper()
	c, err := config.Load(o)
	if err == nil {
		t.Fatal("Load accepted it")
	}
	if c != nil {
		t.Error("Load returned a Config beside an error")
	}
	var faults config.Errors
	if !errors.As(err, &faults) {
		t.Fatalf("Load returned %T: %v", err, err)
	}
	if _, ok := errors.AsType[*config.Error](err); !ok {
		t.Errorf("no *config.Error within %v", err)
	}
	for _, f := range faults {
		if f.Mend == "" || f.Problem == "" {
			t.Errorf("a fault without problem or mend: %+v", f)
		}
	}
	return faults
}

func TestBadValues(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ key, value, want string }{
		{"server.listen", "8080", `"8080" is no address with a port; write host:port`},
		{"server.listen", "127.0.0.1:http", "has no valid port"},
		{"server.listen", "127.0.0.1:65536", "has no valid port"},
		{"server.listen", "127.0.0.1:+80", "has no valid port"},
		{"server.listen", ":8080", "while auth.mode is open; use a loopback address"},
		{"server.listen", "0.0.0.0:8080", "while auth.mode is open"},
		{"server.listen", "[::]:8080", "while auth.mode is open"},
		{"server.listen", "192.168.1.1:80", "while auth.mode is open"},
		{"server.listen", "localhost.example.com:80", "while auth.mode is open"},
		{"server.request_timeout", "soon", `"soon" is no duration; write a duration such as`},
		{"server.request_timeout", "1.5", "is no duration"},
		{"server.request_timeout", "", "is no duration"},
		{"server.request_timeout", "0", "0s is too short; use at least 10ms"},
		{"server.request_timeout", "-1s", "-1s is negative"},
		{"server.request_timeout", "99999999999999", "is no duration"},
		{"server.request_timeout", "106751d24h", "is no duration"},
		{"server.request_timeout", "1d-1h", "is no duration"},
		{"server.request_timeout", "1d2d", "is no duration"},
		{"server.request_timeout", "d", "is no duration"},
		{"server.max_body_bytes", "16M", `"16M" is no size; write a size such as`},
		{"server.max_body_bytes", "1.5GiB", "is no size"},
		{"server.max_body_bytes", "99999999999GiB", "is no size"},
		{"server.max_body_bytes", "2GiB", "2GiB is out of range; use 1KiB to 1GiB"},
		{"server.max_body_bytes", "-1", "out of range"},
		{"server.max_json_depth", "901", "901 is out of range; use 1 to 900"},
		{"server.max_page", "0", "0 is out of range"},
		{"database.max_connections", "many", `"many" is no integer; write a whole number`},
		{"database.max_connections", "20.0", "is no integer"},
		{"database.max_connections", "99999999999", "is no integer"},
		{"database.type", "mysql", `"mysql" is not known; use one of postgres, sqlite`},
		{"database.type", "postgres", "database.url (default) is of type sqlite; set database.url to a postgres URL"},
		{"database.url", "mysql://h/d", "names no known engine; begin it with postgres://"},
		{"database.url", "", "names no known engine"},
		{"database.url", "sqlite://", "names no file"},
		{"database.url", "sqlite:///var/lib/", "names no file"},
		{"database.url", "sqlite://a.db?mode=ro", "takes no parameters"},
		{"database.url", "sqlite://100%.db", "write %25"},
		{"database.url", "postgres://h:port/d", "no valid URL"},
		{"database.url", "postgres://h/d x", "no valid URL"},
		{"database.url", "postgres://h/d?sslmode=perhaps", `sslmode is "perhaps"; write sslmode=disable`},
		{"database.admin_url", "sqlite://x.db", "no PostgreSQL URL"},
		{"database.admin_url", "postgres://h/d", "no meaning beside an SQLite database.url"},
		{"database.min_connections", "21", "21 is more than database.max_connections, which is 20 (default); make it at most 20"},
		{"database.connection_lifetime_jitter", "2h", "more than database.connection_lifetime"},
		{"server.read_header_timeout", "1m", "more than server.read_timeout"},
		{"server.drain_delay", "20s", "not less than server.shutdown_timeout"},
		{"cache.local_max_ttl", "2h", "more than cache.default_ttl"},
		{"cache.url", "http://h", "names no cache server"},
		{"cache.url", "h:6379", "no valid URL"},
		{"cache.url", "redis://h/hal9", "is no number; write /0"},
		{"cache.url", "redis://h?pool=3", "parameter pool is unknown; remove it"},
		{"cache.strategy", "aside", "use one of cache_aside, write_through, write_behind"},
		{"cache.key_prefix", "a b", "cannot be used"},
		{"cache.key_prefix", "", "cannot be used"},
		{"signals.retention", "90", "1m30s would delete almost every signal; use 0, or at least 1d; a number without a unit is seconds"},
		{"signals.retention", "-1d", "use 0, or at least 1d"},
		{"auth.mode", "closed", "use one of open, required"},
		{"auth.registration", "maybe", "use one of open, closed"},
		{"auth.access_ttl", "8d", "8d is more than auth.refresh_ttl, which is 7d (default)"},
		{"auth.access_ttl", "0", "too short"},
		{"auth.failures_per_account", "0", "out of range; use 1 to"},
		{"auth.failures_per_address", "0", "out of range; use 1 to"},
		{"auth.hash_concurrency", "-1", "out of range"},
		{"auth.failure_window", "soon", "is no duration"},
		{"server.tls_cert", "cert.pem", "it has no use without server.tls_key"},
		{"server.tls_key", "key.pem", "it has no use without server.tls_cert"},
		{"server.trusted_proxies", "10.0.0.0/8, proxy", `"proxy" is no address and no CIDR block`},
		{"server.trusted_proxies", "0.0.0.0/0", "trusts every client"},
		{"server.cors_origins", "*", "stands for every web page"},
		{"server.cors_origins", "https://a.example/", "has more than scheme, host and port"},
		{"server.cors_origins", "https://a.example, app.example", "the origin at place 2 is no http or https origin"},
		{"server.cors_origins", "https://A.example", "not spelt as browsers spell it"},
		{"server.cors_origins", "https://*.example", "not spelt as browsers spell it"},
		{"server.cors_origins", "https://a.example:443", "names the port that browsers leave out"},
		{"server.cors_origins", "null", "is no http or https origin"},
		{"server.hsts_max_age", "-1", "-1s is negative"},
		{"metrics.public", "yes", `"yes" is no boolean; write true or false`},
		{"limits.per_key", "-1", "out of range"},
		{"limits.window", "0", "too short"},
		{"log.level", "INFO", "use one of debug, info, warn, error"},
		{"log.format", "xml", "use one of auto, json, text"},
		{"log.access_sample", "1.1", "out of range; use 0 to 1"},
		{"log.access_sample", "NaN", "is no fraction"},
	} {
		t.Run(c.key+"="+c.value, func(t *testing.T) {
			t.Parallel()
			faults := loadFaults(t, flags(c.key, c.value))
			f := faults[0]
			if len(faults) != 1 || f.Key != c.key || !strings.Contains(f.Error(), c.want) {
				t.Errorf("got %v\nwant %s: …%s", faults, c.key, c.want)
			}
			if f.Source.Kind != config.SourceFlag || !strings.Contains(f.Error(), "(--"+strings.NewReplacer(".", "-", "_", "-").Replace(c.key)+")") {
				t.Errorf("the flag is not named: %v", f)
			}
		})
	}
}

func TestYAMLFaultsNameTheLine(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text string
		want []string // one for each fault
	}{
		"unknown key":     {"database:\n  max_conns: 3\n", []string{"database.max_conns (FILE:2): there is no such key; did you mean database.max_connections?"}},
		"unknown section": {"databse:\n  url: x\n", []string{"databse (FILE:1): there is no such key; did you mean database?"}},
		"key at the top":  {"url: x\nlisten: y\n", []string{"url (FILE:1): there is no such key; did you mean database.url?", "listen (FILE:2): there is no such key; did you mean server.listen?"}},
		"other habit":     {"server:\n  port: 80\n", []string{"server.port (FILE:2): there is no such key; did you mean server.listen?"}},
		"case":            {"Server: {}\n", []string{"did you mean server?"}},
		"far off":         {"zzzzzzzzzzzz: 1\n", []string{"zzzzzzzzzzzz (FILE:1): there is no such key"}},
		"duplicate":       {"log:\n  level: info\n  level: warn\n", []string{"log.level (FILE:3): it is set twice, first in line 2; remove one"}},
		"section twice":   {"log:\n  level: info\nlog:\n  format: json\n", []string{"log (FILE:3): it is set twice, first in line 1"}},
		"dotted twice":    {"log:\n  level: info\nlog.level: warn\n", []string{"log.level (FILE:3): it is set twice, first in line 2"}},
		"list":            {"log:\n  level: [info]\n", []string{"log.level (FILE:2): it takes one value, not a list"}},
		"too deep":        {"log:\n  level:\n    a: b\n", []string{"log.level (FILE:3): it takes one value"}},
		"no value":        {"log:\n  level:\n", []string{"log.level (FILE:2): it has no value; give it one, or remove the line"}},
		"flat section":    {"log: info\n", []string{"log (FILE:1): a section of keys is expected here; write its keys below log:, indented"}},
		"list at the top": {"- a\n", []string{"FILE:1: a section of keys is expected here; begin with a section"}},
		"odd key":         {"? [a]\n: b\n", []string{"FILE:1: a key must be a plain word"}},
		"bad value":       {"log:\n  level: info\ndatabase:\n  max_connections: many\n", []string{`database.max_connections (FILE:4): "many" is no integer`}},
		"bad range":       {"database:\n  max_connections: 0\n", []string{"database.max_connections (FILE:2): 0 is out of range"}},
		"merge key":       {"log: {<<: {level: info}}\n", []string{"log.<< (FILE:1): there is no such key"}},
		"syntax":          {"a: [\n", []string{"config (--config): FILE is no valid YAML: line 1"}},
		"anchor":          {"database: {url: *postgres}\n", []string{"begins with * but refers to nothing"}},
		"two documents":   {"log: {}\n---\nlog: {}\n", []string{"more than one YAML document"}},
		"a database":      {"SQLite format 3\x00\x10\x00", []string{"no valid YAML"}},
		"too large":       {strings.Repeat("#", 1<<20+1), []string{"is larger than 1 MiB"}},
		"several":         {"x: 1\nlog: {level: loud}\n", []string{"x (FILE:1)"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := writeFile(t, c.text)
			faults := loadFaults(t, config.Options{File: path})
			if len(faults) != len(c.want) {
				t.Fatalf("%d faults, want %d:\n%v", len(faults), len(c.want), faults)
			}
			for i, want := range c.want {
				if got := strings.ReplaceAll(faults[i].Error(), path, "FILE"); !strings.Contains(got, want) {
					t.Errorf("got  %s\nwant …%s…", got, want)
				}
			}
		})
	}
}

func TestFileThatCannotBeRead(t *testing.T) {
	t.Parallel()
	f := loadFaults(t, config.Options{File: "/nonexistent/hal9.yaml"})[0]
	if !errors.Is(f, fs.ErrNotExist) || !strings.Contains(f.Error(), "config (--config): open /nonexistent/hal9.yaml") {
		t.Errorf("got %v", f)
	}
	f = loadFaults(t, config.Options{Environ: []string{"HAL9_CONFIG=" + t.TempDir()}})[0]
	if !strings.Contains(f.Error(), "config (HAL9_CONFIG): ") {
		t.Errorf("got %v", f)
	}
}

func TestUnknownVariables(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"HAL9_DB_URL=x":               "HAL9_DB_URL: there is no such variable; did you mean HAL9_DATABASE_URL?",
		"HAL9_DATABASE_MAX_CONNS=x":   "did you mean HAL9_DATABASE_MAX_CONNECTIONS?",
		"HAL9_SERVER_LISTN=x":         "did you mean HAL9_SERVER_LISTEN?",
		"HAL9_LISTEN=x":               "did you mean HAL9_SERVER_LISTEN?",
		"HAL9_PORT=9000":              "did you mean HAL9_SERVER_LISTEN?",
		"HAL9_SERVER_PORT=9000":       "did you mean HAL9_SERVER_LISTEN?",
		"HAL9_CONFG=x":                "did you mean HAL9_CONFIG?",
		"HAL9_LOGLEVEL=x":             "did you mean HAL9_LOG_LEVEL?",
		"HAL9_CACHEURL=":              "did you mean HAL9_CACHE_URL?",
		"HAL9_TESTING=x":              "there is no such variable",
		"HAL9_SERVICE_PORTAL=x":       "there is no such variable",
		"HAL9_DATABASE_PASSWORD_X=pw": "there is no such variable",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			faults := loadFaults(t, config.Options{Environ: []string{name}})
			if len(faults) != 1 || !strings.Contains(faults[0].Error(), want) || strings.Contains(faults.Error(), "9000") {
				t.Errorf("got %v\nwant …%s", faults, want)
			}
		})
	}
	faults := loadFaults(t, flags("database.uri", "x"))
	if !strings.Contains(faults.Error(), "did you mean database.url?") {
		t.Errorf("unknown flag key: %v", faults)
	}
}

func TestFaultsOfAllSourcesAreToldTogether(t *testing.T) {
	t.Parallel()
	faults := loadFaults(t, config.Options{
		File:    writeFile(t, "log:\n  levl: info\n"),
		Environ: []string{"HAL9_DATABASE_MAX_CONNECTIONS=x"},
		Flags:   map[string]string{"server.max_page": "y"},
	})
	if len(faults) != 3 {
		t.Errorf("%d faults:\n%v", len(faults), faults)
	}
	faults = loadFaults(t, flags("server.listen", ":80", "log.level", "x", "database.min_connections", "30"))
	if len(faults) != 3 {
		t.Errorf("%d faults of validation:\n%v", len(faults), faults)
	}
}

func TestValidateByHand(t *testing.T) {
	t.Parallel()
	c := config.Config{Server: config.Server{Listen: "0.0.0.0:80"}}.WithDefaults()
	if err := c.Validate(); err == nil || !strings.Contains(err.Error(), "server.listen (default): ") {
		t.Errorf("got %v", err)
	}
	var zero config.Config
	if err := zero.Validate(); err == nil {
		t.Error("a Config without defaults was accepted")
	}
}
