package config_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/hal9-ai/hal9/internal/config"
)

// A file and a variable make a configuration that can be shown, or are refused with all
// faults in words; a password in a URL is in neither.
func FuzzLoad(f *testing.F) {
	f.Add("server:\n  listen: 127.0.0.1:8080\ndatabase:\n  url: sqlite://x.db\n", "HAL9_LOG_LEVEL", "debug")
	f.Add("server: {cors_origins: [a, b], read_timeout: 5s}\n", "HAL9_DATABASE_URL", "postgres://u:"+canary+"@h/d")
	f.Add("a: &a [*a]\n", "HAL9_", "")
	f.Add("? [x]\n: y\n", "HAL9_CACHE_URL", "redis://:"+canary+"@h")
	f.Add("server: 1\ndatabase: []\n---\nx: 1\n", "HAL9_SERVER_LISTEN", "\x00")
	f.Add("<<: {server: {listen: x}}\nlog.level: x\n", "hal9_x", "!!binary x")
	f.Fuzz(func(t *testing.T, file, name, value string) {
		if strings.ContainsAny(name, "=\x00") {
			return
		}
		o := config.Options{File: writeFile(t, file), Environ: []string{name + "=" + value}}
		c, err := config.Load(o)
		if err != nil {
			if faults, ok := errors.AsType[config.Errors](err); !ok || len(faults) == 0 || strings.TrimSpace(err.Error()) == "" {
				t.Errorf("%T: %v", err, err)
			}
		} else if c == nil {
			t.Error("neither configuration nor error")
		}
		if _, after, ok := strings.Cut(value, "://"); ok && strings.Contains(after, ":"+canary+"@") && !strings.Contains(file, canary) {
			if shown := everything(t, o); strings.Contains(shown, canary) {
				t.Errorf("the password is shown:\n%s", shown)
			}
		}
	})
}
