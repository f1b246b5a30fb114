package docs_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// What stands in code in the pages is something that there is: commands and their flags,
// targets of make, settings, metrics and routes, by the references that are made from the
// program itself. Of decisions, which tell of their day, no page is looked at.
func TestPagesNameWhatThereIs(t *testing.T) {
	t.Parallel()
	there := known(t)
	seen := map[string]int{}
	for _, page := range pages(t) {
		if strings.HasPrefix(page, "docs/decisions/") || slices.Contains([]string{"CHANGELOG.md", "docs/licences.md"}, page) {
			continue
		}
		for _, code := range codeOf(read(t, page)) {
			for _, kind := range claims {
				for _, m := range kind.find.FindAllStringSubmatch(code, -1) {
					seen[kind.what]++
					if !there[kind.what](m[1]) && !slices.Contains(notMeant[page], m[1]) {
						t.Errorf("%s: there is no %s %s, as in %q", page, kind.what, m[1], code)
					}
				}
			}
		}
	}
	for _, kind := range claims {
		if seen[kind.what] < 20 {
			t.Errorf("only %d times a %s was found: is the search broken?", seen[kind.what], kind.what)
		}
	}
}

var claims = []struct {
	what string
	find *regexp.Regexp
}{
	{"command", regexp.MustCompile(`(?m)^(?:\$ )?(?:[A-Z0-9_]+=\S+ )*(?:bin/)?hal9 ([a-z][a-z-]*(?: [a-z][a-z-]*)?)`)},
	{"flag", regexp.MustCompile(`(?m)^(?:\$ )?(?:bin/)?hal9 [^\n|#]*?(--[a-z][a-z-]+)`)},
	{"target of make", regexp.MustCompile(`(?m)^(?:\$ )?(?:[A-Z0-9_]+=\S+ )*make ([a-z][a-z0-9-]+)`)},
	{"setting", regexp.MustCompile(`^((?:server|database|cache|signals|neurons|ingest|idempotency|auth|limits|audit|metrics|tracing|upkeep|log|stream)\.[a-z0-9_]+(?:\.[a-z0-9_]+)*)(?:: .*)?$`)},
	{"metric", regexp.MustCompile(`^(hal9_[a-z0-9_]+)(?:\{.*\})?$`)},
	{"route", regexp.MustCompile(`^(?:(?:GET|POST|PUT|PATCH|DELETE) )?(/api/v1/[a-z0-9_/{}-]+)(?:\?.*)?$`)},
}

// notMeant is what looks like one and is something else: columns of an imported file, what
// an entity would have that is told how to add, attributes of traces, roles of PostgreSQL.
var notMeant = map[string][]string{
	"docs/import.md":                {"neurons.layer", "neurons.state", "signals.layer_from"},
	"docs/operations/traces.md":     {"cache.entity", "cache.tier", "cache.hit", "ingest.batch_size"},
	"docs/accounts.md":              {"hal9_at_", "hal9_rt_", "hal9_key_"},
	"docs/operations/cluster.md":    {"hal9_owner"},
	"docs/operations/migrations.md": {"hal9_owner", "hal9_server"},
}

// known tells by each kind's reference whether there is one of a name.
func known(t *testing.T) map[string]func(string) bool {
	t.Helper()
	commands, settings := read(t, "docs/commands.md"), read(t, "docs/configuration.md")
	metrics, makefile, routes := read(t, "docs/operations/metrics.md"), read(t, "Makefile"), read(t, "clients/openapi.json")
	hole := regexp.MustCompile(`\{[a-z_]+\}`)
	patterns := regexp.MustCompile(`"(/api/v1/[^"]+)": \{`).FindAllStringSubmatch(routes, -1)
	return map[string]func(string) bool{
		"command": func(words string) bool {
			group, word, _ := strings.Cut(words, " ")
			if word == "" {
				return strings.Contains(commands, "\n## `hal9 "+group)
			}
			// The second word is an argument only where it is no group of commands.
			isGroup := regexp.MustCompile("\n## `hal9 " + group + " [a-z]").MatchString(commands)
			return strings.Contains(commands, "\n## `hal9 "+words) || !isGroup && strings.Contains(commands, "\n## `hal9 "+group)
		},
		"flag": func(flag string) bool {
			return strings.Contains(commands, "`"+flag) || strings.Contains(settings, "`"+flag+"`") ||
				slices.Contains([]string{"--help", "--version", "--config", "--set"}, flag)
		},
		"target of make": func(name string) bool { return strings.Contains(makefile, "\n"+name+":") },
		"setting": func(key string) bool {
			return strings.Contains(settings, "| `"+key+"`") || strings.Contains(settings, "| `"+key+".")
		},
		"metric": func(name string) bool {
			name = strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(name, "_bucket"), "_count"), "_sum")
			return strings.Contains(metrics, "`"+name+"`")
		},
		"route": func(path string) bool {
			return slices.ContainsFunc(patterns, func(m []string) bool {
				route := "^" + hole.ReplaceAllString(m[1], "[^/]+") + "$"
				return regexp.MustCompile(route).MatchString(path) || strings.HasPrefix(m[1], strings.TrimSuffix(path, "/")+"/")
			})
		},
	}
}

// codeOf returns what a page shows as code: lines of blocks, one by one, and words within text.
func codeOf(text string) (code []string) {
	for _, block := range fence.FindAllString(text, -1) {
		for line := range strings.Lines(block) {
			code = append(code, strings.TrimSpace(line))
		}
	}
	for _, m := range inline.FindAllString(fence.ReplaceAllString(text, ""), -1) {
		code = append(code, strings.Trim(m, "`"))
	}
	return code
}
