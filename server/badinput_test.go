package server_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/hal9-ai/hal9/auth"
	"github.com/hal9-ai/hal9/server"
)

// badBodies are refused by every route that takes a body.
func badBodies() map[string]string {
	return map[string]string{
		"no JSON":              `hello`,
		"cut off":              `{"layer":"L4"`,
		"only a brace":         `{`,
		"text after it":        `{"layer":"L4"} {}`,
		"duplicate names":      `{"layer":"L4","layer":"L3"}`,
		"duplicates escaped":   `{"layer":"L4","l\u0061yer":"L3"}`,
		"broken UTF-8":         "{\"layer\":\"\xff\"}",
		"overlong UTF-8":       "{\"layer\":\"\xc0\xaf\"}",
		"lone high surrogate":  `{"layer":"\ud800"}`,
		"lone low surrogate":   `{"layer":"\udc00x"}`,
		"NaN":                  `{"layer":NaN}`,
		"comment":              `{"layer":"L4"/* */}`,
		"single quotes":        `{'layer':'L4'}`,
		"control character":    "{\"layer\":\"a\nb\"}",
		"byte order mark":      "\ufeff{}",
		"null":                 `null`,
		"number":               `1`,
		"string":               `"layer"`,
		"huge number":          `{"layer":1e999}`,
		"huge integer":         `{"layer":99999999999999999999999999999999}`,
		"wrong types":          `{"id":1,"layer":{},"state":[],"content":true,"settings":1,"metadata":"x"}`,
		"nested 64 deep":       strings.Repeat(`[`, 65) + strings.Repeat(`]`, 65),
		"nested 100,000 deep":  strings.Repeat(`{"a":`, 100_000) + `1` + strings.Repeat(`}`, 100_000),
		"unknown field":        `{"no_such_field":1}`,
		"prototype":            `{"__proto__":{}}`,
		"upper case":           `{"LAYER":"L4","ID":"x","STATE":"x","CONTENT":"x","NEURON_ID":"x"}`,
		"array of wrong types": `[1,null,"x"]`,
		"spaces":               `   `,
	}
}

// Who mistypes a parameter is told those that the route takes.
func TestUnknownQueryParameters(t *testing.T) {
	t.Parallel()
	s := newServer(t, sqliteEngine)
	admin := bearer(s.login(s.user("root", auth.RoleAdmin)).AccessToken)
	document := decode[struct {
		Paths map[string]map[string]struct {
			Parameters []struct{ Name, In string }
		}
	}](s.ask("GET", "/openapi.json", ""))
	named := 0
	for path, methods := range document.Paths {
		get, there := methods["get"]
		if !there {
			continue
		}
		r := s.ask("GET", strings.NewReplacer("{id}", "neuron-l4").Replace(path)+"?lmit=1", "", admin...)
		if r.status == 200 { // probes, whose callers add parameters of their own
			continue
		}
		r.problem(422, "query.lmit: unknown query parameter; this route takes ")
		for _, p := range get.Parameters {
			if p.In == "query" {
				r.problem(422, p.Name)
				named++
			}
		}
	}
	if named < 20 {
		t.Errorf("only %d parameters were looked for", named)
	}
	s.ask("POST", "/api/v1/signals/bulk?lmit=1", "", admin...).problem(422, "query.lmit", "takes none")
}

func TestBadBodies(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, s *harness) {
		// Who may call every route: refusals are another test's.
		admin := bearer(s.login(s.user("root", auth.RoleAdmin)).AccessToken)
		ask := func(method, path, body string, headers ...string) response {
			return s.ask(method, path, body, append(headers, admin...)...)
		}
		for _, to := range writers(t, s) {
			for name, body := range badBodies() {
				r := ask(to.method, to.path, body)
				if r.status < 400 || r.status >= 500 {
					t.Errorf("%s %s, %s: %d %s", to.method, to.path, name, r.status, r.body)
					continue
				}
				r.problem(r.status)
			}
			ask(to.method, to.path, "").problem(400, "body is required")
			for _, ct := range []string{"text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/json; charset=latin1", "application/xml", "", "x"} {
				ask(to.method, to.path, `{}`, "Content-Type", ct).problem(415, "Content-Type")
			}
			// Streams have routes of their own.
			if r := ask(to.method, to.path, `{}`, "Content-Type", "application/x-ndjson"); r.status != 415 {
				t.Errorf("%s %s as a stream: %d %s", to.method, to.path, r.status, r.body)
			}
			if r := ask(to.method, to.path+"?nonsense=1", `{}`); r.status != 422 {
				t.Errorf("%s %s with an unknown parameter: %d %s", to.method, to.path, r.status, r.body)
			}
		}
	})
}

// Each fault has its status, and its detail names the place.
func TestBadNeurons(t *testing.T) {
	t.Parallel()
	type request struct {
		method, path, body string
		status             int
		texts              []string
	}
	long := strings.Repeat("é", 256)
	big := `{"a":"` + strings.Repeat("x", 64<<10) + `"}`
	requests := []request{
		{"POST", "", `{"layer":"L4"}`, 422, []string{"required", "id"}},
		{"POST", "", `{"id":"a"}`, 422, []string{"required", "layer"}},
		{"POST", "", `{"id":"","layer":"L4"}`, 422, []string{"body.id"}},
		{"POST", "", `{"id":"` + long + `","layer":"L4"}`, 422, []string{"body.id", "255"}},
		{"POST", "", `{"id":"a\u0000b","layer":"L4"}`, 422, []string{"body.id", "NUL"}},
		{"POST", "", `{"id":"a","layer":"L9"}`, 422, []string{"body.layer", "L1, L2, L3 or L4"}},
		{"POST", "", `{"id":"a","layer":"L4","state":"` + long + `"}`, 422, []string{"body.state"}},
		{"POST", "", `{"id":"a","layer":"L4","state":"a\u0000"}`, 422, []string{"body.state", "NUL"}},
		{"POST", "", `{"id":"a","layer":"L4","settings":[]}`, 422, []string{"body.settings", "object"}},
		{"POST", "", `{"id":"a","layer":"L4","settings":{"x":"\u0000"}}`, 422, []string{"body.settings", "NUL"}},
		{"POST", "", `{"id":"a","layer":"L4","settings":{"\u0000":1}}`, 422, []string{"body.settings", "NUL"}},
		{"POST", "", `{"id":"a","layer":"L4","settings":{"x":1e400}}`, 422, []string{"body.settings", "number"}},
		{"POST", "", `{"id":"a","layer":"L4","settings":` + big + `}`, 422, []string{"body.settings", "64 KiB"}},
		{"POST", "", `{"id":"a","layer":"L4","settings":{"a":1,"a":2}}`, 400, []string{"duplicate"}},
		{"POST", "", `{"id":"a","layer":"L4","settings":` + strings.Repeat(`{"a":`, 64) + `1` + strings.Repeat(`}`, 65), 400, []string{"nest 64 deep"}},
		{"POST", "", `{"id":"a","layer":"L4","system_prompt":"` + strings.Repeat("é", 1<<19+1) + `"}`, 422, []string{"body.system_prompt", "1 MiB"}},
		{"POST", "", `{"id":"a","layer":"L4","version":3}`, 422, []string{"body.version", "unexpected"}},
		{"POST", "", `{"Id":"a","layer":"L4"}`, 422, []string{"Id"}},
		{"PUT", "/a", `{"layer":"L4","id":"b"}`, 422, []string{"body.id"}},
		{"PUT", "/a", `{"layer":"L4","state":"x"}`, 422, []string{"body.state"}},
		{"PUT", "/" + long, `{"layer":"L4"}`, 422, []string{"path.id"}},
		{"PUT", "/a%00b", `{"layer":"L4"}`, 422, []string{"id", "NUL"}},
		{"PUT", "/a%FFb", `{"layer":"L4"}`, 422, []string{"id", "UTF-8"}},
		{"GET", "/a%FFb", ``, 422, []string{"id", "UTF-8"}},
		{"GET", "/a%00b/health", ``, 422, []string{"id", "NUL"}},
		{"PUT", "/a/state", `{"state":""}`, 422, []string{"body.state"}},
		{"PUT", "/a/state", `{}`, 422, []string{"required", "state"}},
		{"GET", "?limit=0", ``, 422, []string{"query.limit"}},
		{"GET", "?limit=1001", ``, 422, []string{"query.limit", "1000"}},
		{"GET", "?limit=-1", ``, 422, []string{"query.limit"}},
		{"GET", "?limit=1.5", ``, 422, []string{"query.limit", "integer"}},
		{"GET", "?limit=99999999999999999999", ``, 422, []string{"query.limit"}},
		{"GET", "?limit=5&limit=6", ``, 422, []string{"query.limit", "once"}},
		{"GET", "?limt=5", ``, 422, []string{"query.limt", "unknown"}},
		{"GET", "?state=%zz", ``, 422, []string{"query", "%XX"}},
		{"GET", "?state=%00", ``, 422, []string{"query.state", "NUL"}},
		{"GET", "?state=%ff", ``, 422, []string{"query.state", "UTF-8"}},
		{"GET", "?%ff=1", ``, 422, []string{"UTF-8"}},
		{"GET", "?layer=L7", ``, 422, []string{"query.layer"}},
	}
	for _, cursor := range []string{"x", "AQ", "AW4", "Am5hYmM", "AXNhYmM", "AW7_", "%2B%2F", strings.Repeat("A", 3000), "AW5uZXVyb24tbDI=", "AW5uZXVyb24tbDJ"} {
		requests = append(requests, request{"GET", "?cursor=" + cursor, ``, 422, []string{"query.cursor"}})
	}
	onEngines(t, func(t *testing.T, s *harness) {
		for _, r := range requests {
			t.Run("", func(t *testing.T) {
				h := *s
				h.t = t
				h.ask(r.method, "/api/v1/neurons"+r.path, r.body).problem(r.status, r.texts...)
			})
		}
		// What is just within the limits is taken.
		fits := `{"a":"` + strings.Repeat("x", 64<<10-8) + `"}`
		s.ask("POST", "/api/v1/neurons", fmt.Sprintf(`{"id":%q,"layer":"design","system_prompt":%q,"settings":%s}`,
			strings.Repeat("é", 255), strings.Repeat("é", 1<<19), fits)).want(201)
		s.ask("POST", "/api/v1/neurons", `{"id":"n","layer":"L4","state":null,"system_prompt":null,"settings":null}`).want(201, `"settings":{}`, `"state":"idle"`)
	})
}

func TestBodyLimit(t *testing.T) {
	t.Parallel()
	s := newServer(t, sqliteEngine, func(d *server.Deps) { d.Config.MaxBodyBytes = 1000 })
	body := func(size int) string {
		frame := `{"id":"a","layer":"L4","system_prompt":""}`
		return frame[:len(frame)-2] + strings.Repeat("x", size-len(frame)) + frame[len(frame)-2:]
	}
	s.ask("POST", "/api/v1/neurons", body(1001)).problem(413, "1000 bytes", "server.max_body_bytes")
	s.ask("POST", "/api/v1/neurons", body(1000)).want(201)

	// Without a length, as a stream.
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/api/v1/neurons", endless{})
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	s.do(req).problem(413, "1000 bytes")
}

// endless is a body that never ends.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}
