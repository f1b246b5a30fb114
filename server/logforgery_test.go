package server_test

import (
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/hal9-ai/hal9/auth"
)

// What a client sends, wherever it may, makes no line of the log, nor a member of one:
// line breaks of all kinds, quotes, terminal escapes.
func TestLogLinesCannotBeForged(t *testing.T) {
	t.Parallel()
	const mark = "forged7f3a"
	// As it may come in a URL, and as it may come in JSON.
	var texts []string
	for _, end := range []string{"\n", "\r", "\r\n", "\u2028", "\u2029", "\u0085", "\v", "\x1b[2K\x1b[1A", "\x00", `"}` + "\n"} {
		texts = append(texts, end+`{"level":"ERROR","msg":"`+mark+`"}`, `","`+mark+`":"`+end)
	}
	s := newServer(t, sqliteEngine)
	ann := s.login(s.user("ann", auth.RoleUser))
	asked := 0
	ask := func(method, path, body string, headers ...string) {
		asked++
		if r := s.ask(method, path, body, headers...); r.status >= 500 {
			t.Errorf("%s %q: %d", method, path, r.status)
		}
	}
	for _, text := range texts {
		in, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		escaped := percent(text)
		ask("GET", "/api/v1/neurons/"+escaped, "")
		ask("GET", "/"+escaped, "")
		ask("GET", "/api/v1/neurons?"+escaped+"="+escaped, "")
		ask("GET", "/api/v1/memories/search?q="+escaped, "")
		ask("POST", "/api/v1/neurons", `{"id":`+string(in)+`,"layer":"L4"}`)
		ask("POST", "/api/v1/neurons", `{`+string(in)+`:1}`)
		ask("POST", "/api/v1/signals", `{"content":`+string(in)+`,"layer_to":`+string(in)+`}`)
		ask("POST", "/api/v1/auth/login", `{"username":`+string(in)+`,"password":`+string(in)+`}`)
		ask("POST", "/api/v1/auth/api-keys", `{"name":`+string(in)+`}`, bearer(ann.AccessToken)...)
		// What HTTP lets through in a header.
		plain := strings.Map(func(r rune) rune {
			if r < ' ' || r == 0x7f {
				return '\t'
			}
			return r
		}, text)
		ask("GET", "/api/v1/neurons", "", "User-Agent", plain, "X-Request-Id", plain, "Referer", plain, "Idempotency-Key", plain)
	}
	lines := 0
	for line := range strings.Lines(s.log.String()) {
		lines++
		value := jsontext.Value(line)
		if !value.IsValid() || !strings.HasPrefix(line, `{"time":`) {
			t.Errorf("no line of ours: %q", line)
			continue
		}
		var members map[string]any
		if err := json.Unmarshal(value, &members); err != nil {
			t.Errorf("%q: %v", line, err)
		}
		if _, found := members[mark]; found || members["msg"] == mark {
			t.Errorf("forged: %q", line)
		}
		if i := strings.IndexFunc(strings.TrimSuffix(line, "\n"), func(r rune) bool { return r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 }); i >= 0 {
			t.Errorf("a control character at %d: %q", i, line)
		}
	}
	if lines < asked {
		t.Errorf("%d lines of %d requests", lines, asked)
	}
	t.Logf("%d requests that try to forge, %d lines: none forged", asked, lines)
}

// percent is the text as a URL has it.
func percent(text string) string {
	const digits = "0123456789ABCDEF"
	b := &strings.Builder{}
	for i := range len(text) {
		b.WriteByte('%')
		b.WriteByte(digits[text[i]>>4])
		b.WriteByte(digits[text[i]&15])
	}
	return b.String()
}
