package config_test

import (
	"bytes"
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/hal9-ai/hal9/internal/config"
	"github.com/hal9-ai/hal9/internal/dburl"
)

func TestPrint(t *testing.T) {
	t.Parallel()
	file := writeFile(t, "signals:\n  retention: 90d\n")
	c := load(t, config.Options{
		File:    file,
		Environ: []string{"HAL9_DATABASE_URL=postgres://u:pw@h/d"},
		Flags:   map[string]string{"cache.key_prefix": "é:", "database.statement_timeout": "90"},
	})
	var b bytes.Buffer
	if err := c.Print(&b); err != nil {
		t.Fatal(err)
	}
	text := regexp.MustCompile(` {2,}`).ReplaceAllString(b.String(), " | ")
	for _, want := range []string{
		"KEY | VALUE | SOURCE\n",
		"\nserver.listen | 127.0.0.1:8080 | default\n",
		"\ndatabase.url | postgres://u:***@h/d | HAL9_DATABASE_URL\n",
		"\ndatabase.admin_url | - | default\n",
		"\nsignals.retention | 90d | " + file + ":2\n",
		"\ncache.key_prefix | é: | --cache-key-prefix\n",
		"\ndatabase.statement_timeout | 1m30s | --database-statement-timeout\n",
		"\nserver.max_body_bytes | 16MiB | default\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	if lines := strings.Count(text, "\n"); lines != len(config.Keys())+1 {
		t.Errorf("%d lines for %d keys", lines, len(config.Keys()))
	}
}

func TestPrintedValuesLoadAgain(t *testing.T) {
	t.Parallel()
	c := load(t, flags("server.max_body_bytes", "1500", "signals.retention", "36h", "log.access_sample", "0.01"))
	again := map[string]string{}
	for _, s := range c.Settings() {
		if text, ok := s.Value.(string); ok && text != "" {
			again[s.Key] = text
		}
	}
	d := load(t, config.Options{Flags: again})
	if c.Server != d.Server || c.Signals != d.Signals || c.Cache != d.Cache {
		t.Errorf("printed and loaded again:\n%+v\n%+v", c, d)
	}
}

func TestPrintJSON(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	if err := load(t, flags("cache.url", "redis://:pw@h", "log.access_sample", "0.5")).PrintJSON(&b); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Settings []config.Setting `json:"settings"`
		Warnings []string         `json:"warnings"`
	}
	if err := json.Unmarshal(b.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	byKey := map[string]config.Setting{}
	for _, s := range got.Settings {
		byKey[s.Key] = s
	}
	for _, want := range []config.Setting{
		{Key: "cache.url", Value: "redis://:***@h", Source: "flag", Where: "--cache-url"},
		{Key: "log.access_sample", Value: 0.5, Source: "flag", Where: "--log-access-sample"},
		{Key: "server.max_page", Value: 1000.0, Source: "default"},
		{Key: "server.read_timeout", Value: "30s", Source: "default"},
	} {
		if byKey[want.Key] != want {
			t.Errorf("got %+v, want %+v", byKey[want.Key], want)
		}
	}
	if len(got.Settings) != len(config.Keys()) || len(got.Warnings) != 0 {
		t.Errorf("%d settings, warnings %q", len(got.Settings), got.Warnings)
	}
}

func TestReferenceIsUpToDate(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	if err := config.Reference(&b); err != nil {
		t.Fatal(err)
	}
	committed, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(committed, b.Bytes()) {
		t.Error("docs/configuration.md is stale: run 'go run ./cmd/hal9 config reference > docs/configuration.md'")
	}
	for _, k := range config.Keys() {
		if k.Flag != "" && !bytes.Contains(committed, []byte("`--"+k.Flag+"`")) {
			t.Errorf("the reference lacks --%s", k.Flag)
		}
		for _, want := range []string{"`" + k.Name + "`", "`" + k.Env + "`", k.Help} {
			if !bytes.Contains(committed, []byte(want)) {
				t.Errorf("the reference lacks %s", want)
			}
		}
	}
}

func TestSQLiteURLs(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"sqlite:///var/lib/x.db": "/var/lib/x.db",
		"sqlite://hal9.db":       "hal9.db",
		"sqlite:hal9.db":         "hal9.db",
		"sqlite:../hal9.db":      "../hal9.db",
		"sqlite:/var/x.db":       "/var/x.db",
		"sqlite://a%20b%3F.db":   "a b?.db",
		"sqlite::memory:":        dburl.MemoryPath,
		"sqlite://:memory:":      dburl.MemoryPath,
	} {
		d := load(t, flags("database.url", raw, "database.type", "sqlite")).Database
		if path, err := dburl.SQLitePath(d.URL); err != nil || path != want || d.Engine() != dburl.SQLite {
			t.Errorf("%q: %s file %q, %v; want %q", raw, d.Engine(), path, err, want)
		}
	}
}

func TestGoodAddressesAndURLs(t *testing.T) {
	t.Parallel()
	for _, listen := range []string{"127.0.0.1:0", "127.9.9.9:80", "localhost:80", "LOCALHOST:80", "[::1]:80", "[::ffff:127.0.0.1]:80"} {
		load(t, flags("server.listen", listen))
	}
	for _, raw := range []string{
		"postgres://h/d", "postgresql://u:p@h:5432/d?sslmode=disable", "postgres:///d?host=/var/run",
		"postgres://a:5432,b/d", "postgres://u:p%40@[::1]:5432/d", "postgres://h",
	} {
		c := load(t, flags("database.url", raw, "database.admin_url", raw, "database.type", "postgres"))
		if c.Database.URL != raw {
			t.Errorf("%q became %q", raw, c.Database.URL)
		}
	}
	for _, raw := range []string{"redis://h", "rediss://u:p@h:1/2", "valkey://h", "valkeys://h", "unix:///run/valkey.sock", ""} {
		load(t, flags("cache.url", raw))
	}
}
