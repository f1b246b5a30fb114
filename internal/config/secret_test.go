package config_test

import (
	"bytes"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/hal9-ai/hal9/internal/config"
)

const canary = "CaNaRy"

// everything returns all that a user could be shown for some options.
func everything(t interface{ Fatal(args ...any) }, o config.Options) string {
	c, err := config.Load(o)
	if err != nil {
		return err.Error()
	}
	var b bytes.Buffer
	if err := c.Print(&b); err != nil {
		t.Fatal(err)
	}
	if err := c.PrintJSON(&b); err != nil {
		t.Fatal(err)
	}
	return b.String() + strings.Join(c.Warnings(), "\n")
}

// TestNoPasswordIsShown puts passwords with any special characters, escaped or
// not, into URLs and looks for them in all output and all errors.
func TestNoPasswordIsShown(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		noise := rapid.StringOfN(rapid.SampledFrom([]rune(`@/?#%:&=+,[] "'\*5aé`)), 0, 5, -1)
		password := noise.Draw(t, "before") + canary + noise.Draw(t, "after")
		key := rapid.SampledFrom([]string{"database.url", "database.admin_url", "cache.url", "server.listen", "database.max_connections", "log.level", "database.type"}).Draw(t, "key")
		scheme := rapid.SampledFrom([]string{"postgres", "postgresql", "redis", "rediss", "http"}).Draw(t, "scheme")
		user := rapid.SampledFrom([]string{"hal9", "", "a@b"}).Draw(t, "user")
		tail := rapid.SampledFrom([]string{"@localhost/hal9", "@localhost:6379/0", "@h1:5432,h2/hal9?sslmode=disable", "@/hal9", "@h:p/x"}).Draw(t, "tail")
		o := flags(key, scheme+"://"+user+":"+password+tail)
		if rapid.Bool().Draw(t, "postgres") && key == "database.admin_url" {
			o.Flags["database.url"] = "postgres://localhost/hal9"
		}
		if shown := everything(t, o); strings.Contains(shown, canary) {
			t.Fatalf("%v shows the password:\n%s", o.Flags, shown)
		}
	})
}

func TestNoPasswordOfAFileOrVariableIsShown(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]config.Options{
		"wrong scheme":     {Environ: []string{"HAL9_DATABASE_URL=pg://u:" + canary + "@h/d"}},
		"keyword string":   {Environ: []string{"HAL9_DATABASE_URL=host=h password=" + canary}},
		"in the wrong key": {Environ: []string{"HAL9_SERVER_LISTEN=password=" + canary}},
		"unknown variable": {Environ: []string{"HAL9_DB_URL=postgres://u:" + canary + "@h/d"}},
		"unknown key":      {File: writeFile(t, "database:\n  uri: postgres://u:"+canary+"@h/d\n")},
		"as a key":         {File: writeFile(t, "postgres://u:"+canary+"@h/d: x\n")},
		"anchor":           {File: writeFile(t, "database:\n  url: *"+canary+"\n")},
		"syntax":           {File: writeFile(t, "database:\n  url: \"postgres://u:"+canary+"@h/d\\q\n")},
		"list":             {File: writeFile(t, "database:\n  url: [postgres://u:"+canary+"@h/d]\n")},
		"twice":            {File: writeFile(t, "database:\n  url: postgres://u:"+canary+"@h/d\n  url: postgres://u:"+canary+"@h/d\n")},
		"cut":              {File: writeFile(t, "database:\n  type: sqlite\n  url: postgres://u:"+canary+"@h/d\n")},
		"token":            {Environ: []string{"HAL9_CACHE_URL=redis://" + canary + "@h"}},
		"two @":            {Environ: []string{"HAL9_DATABASE_URL=postgres://u:a@b?" + canary + "@h/d"}},
		"slash and @":      {Environ: []string{"HAL9_DATABASE_URL=postgres://u:1?a/" + canary + "@h/d"}},
		"parameter":        {Environ: []string{"HAL9_DATABASE_URL=postgres://h/d?user=u&password=" + canary + "&sslpassword=" + canary}},
	} {
		if shown := everything(t, o); strings.Contains(shown, canary) {
			t.Errorf("%s: shown:\n%s", name, shown)
		}
	}
}

func TestMaskURL(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"":                                 "",
		"sqlite:///var/lib/hal9@home.db":   "sqlite:///var/lib/hal9@home.db",
		"postgres://localhost/hal9":        "postgres://localhost/hal9",
		"postgres://u@localhost/hal9":      "postgres://u@localhost/hal9",
		"postgresql://u:p@localhost/hal9":  "postgresql://u:***@localhost/hal9",
		"postgres://u:@localhost/hal9":     "postgres://u:***@localhost/hal9",
		"postgres://u:p@[::1]:5432/d":      "postgres://u:***@[::1]:5432/d",
		"postgres://u:p@a:5432,b/d":        "postgres://u:***@a:5432,b/d",
		"postgres://u:p%40w@h/d?sslmode=x": "postgres://u:***@h/d?sslmode=x",
		"postgres://h/d?Password=p&a=b":    "postgres://h/d?Password=***&a=b",
		"postgres://h/d?%70assword=p":      "postgres://h/d?%70assword=***",
		"redis://:p@h:6379/0":              "redis://:***@h:6379/0",
		"redis://token@h":                  "redis://***@h",
		"postgres://u:p/w@h/d":             "(unreadable URL, not shown)",
		"no URL":                           "(unreadable URL, not shown)",
	} {
		if got := config.MaskURL(raw); got != want {
			t.Errorf("MaskURL(%q) = %q, want %q", raw, got, want)
		}
	}
	for text, want := range map[string]string{
		"unexpected argument postgres://u:p@h/d": "unexpected argument postgres://***@h/d",
		"dial host=h password=p user=u":          "dial host=h password=*** user=u",
		"nothing here":                           "nothing here",
	} {
		if got := config.MaskText(text); got != want {
			t.Errorf("MaskText(%q) = %q, want %q", text, got, want)
		}
	}
}
