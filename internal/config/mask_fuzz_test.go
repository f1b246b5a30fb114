package config_test

import (
	"strings"
	"testing"

	"github.com/hal9-ai/hal9/internal/config"
)

// A password in the URL of a database, a replica or a cache server is shown nowhere,
// however the URL is written and whatever is wrong with it: not where URLs are masked, not
// in a text that repeats one, and not in what loading says or `config print` shows.
func FuzzMaskURL(f *testing.F) {
	f.Add("postgres", "u", "", "", "h:5432,h2", "/d", "sslmode=require")
	f.Add("postgresql", "", "p@", "?x", "[::1]", "/d", "password="+canary)
	f.Add("redis", "", "/", "#", "h:6379", "/0", "")
	f.Add("rediss", "u", "%", " ", "h", "", "a=%zz&Token="+canary)
	f.Add("unix", "", "\"", "'", "", "/run/v.sock", "db=1")
	f.Add("pg", "u:", "\n", "\x00", "h:x", "?", "pass%77ord="+canary)
	f.Add("", "", "", "", "", "", "")
	f.Add("sqlite", "u", "", "", "h", "/d", "")
	f.Fuzz(func(t *testing.T, scheme, user, before, after, hosts, path, query string) {
		if strings.Contains(scheme+user+hosts+path, canary) || strings.ContainsAny(query, "\"' ") {
			return // no place for a password
		}
		if names := strings.Count(query, canary); names != strings.Count(strings.ToLower(query), "password="+strings.ToLower(canary)) {
			query = strings.ReplaceAll(query, canary, "x")
		}
		raw := scheme + "://" + user + ":" + before + canary + after + "@" + hosts + path + "?" + query
		if !strings.HasPrefix(raw, "sqlite:") { // names a file
			if shown := config.MaskURL(raw); strings.Contains(shown, canary) {
				t.Errorf("MaskURL shows %q", shown)
			}
		}
		if !strings.ContainsAny(before+after+user, "\"' \t\n\v\f\r\u0085\u00a0") {
			if shown := config.MaskText("unexpected argument " + raw + ", and more"); strings.Contains(shown, canary) {
				t.Errorf("MaskText shows %q", shown)
			}
		}
		if strings.Contains(raw, "\x00") {
			return // no variable holds it
		}
		for _, name := range []string{"HAL9_DATABASE_URL", "HAL9_DATABASE_ADMIN_URL", "HAL9_DATABASE_REPLICA_URLS", "HAL9_CACHE_URL"} {
			if name == "HAL9_DATABASE_URL" && strings.HasPrefix(raw, "sqlite:") {
				continue
			}
			if shown := everything(t, config.Options{Environ: []string{name + "=" + raw}}); strings.Contains(shown, canary) {
				t.Errorf("%s: %q is shown as\n%s", name, raw, shown)
			}
		}
	})
}
