package server_test

import (
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/hal9-ai/hal9/server"
)

// TestDirect holds the answers to plain requests to those that huma gives: an Accept with
// a weight, which asks for the same, is not plain.
func TestDirect(t *testing.T) {
	t.Parallel()
	onEnginesWith(t, testDirect, func(d *server.Deps) {
		// A body is not plain where the work may last until the connection's deadline.
		d.Config.ReadTimeout = 2 * patience
	})
}

func testDirect(t *testing.T, s *harness) {
	token := s.login(s.user("ann", "user")).AccessToken
	signal := data[struct {
		ID string `json:"signal_id"`
	}](s.ask("POST", "/api/v1/signal", `{"content":"x","layer":"L4"}`).want(http.StatusOK)).ID
	long := strings.Repeat("ä", 200)
	// More than net/http puts into one piece by itself.
	for _, id := range []string{"n-1", "n-2", "n-3", "n-4", "n-5", "n-6", "n-7", "n-8", "n-9"} {
		s.ask("PUT", "/api/v1/neurons/"+id, `{"layer":"L1","system_prompt":"`+long+`"}`).want(http.StatusCreated)
	}
	type call struct{ method, path, body, contentType, token string }
	var calls []call
	for _, method := range []string{"GET", "HEAD"} {
		for _, path := range []string{
			"/api/v1/status", "/api/v1/metrics", "/api/v1/neurons", "/api/v1/neurons/neuron-l4", "/api/v1/neurons/n-1",
			"/api/v1/neurons/none", "/api/v1/neurons/%00", "/api/v1/neurons/%ff", "/api/v1/neurons/a%2Fb", "/api/v1/neurons/" + strings.Repeat("n", 255),
			"/api/v1/neurons/" + strings.Repeat("n", 256), "/api/v1/neurons/" + strings.Repeat("%C3%A4", 255), "/api/v1/neurons/" + strings.Repeat("%C3%A4", 256),
			"/api/v1/signals/" + signal, "/api/v1/signals/" + strings.ToUpper(signal), "/api/v1/signals/0199d2f4-7c00-7a31-8d52-0e6f4b1c9a70",
			"/api/v1/signals/0199d2f4-7c00-7a31-8d52-0e6f4b1c9a7", "/api/v1/signals/0199d2f47c007a318d520e6f4b1c9a70",
			"/api/v1/signals/%7B0199d2f4-7c00-7a31-8d52-0e6f4b1c9a70%7D", "/api/v1/signals/0199d2f4-7c00-7a31-8d52-0e6f4b1c9a7g",
			"/api/v1/signals/urn:uuid:0199d2f4-7c00-7a31-8d52-0e6f4b1c9a70", "/api/v1/signals/ffffffff-ffff-7fff-bfff-ffffffffffff",
			"/api/v1/neurons?limit=2", "/api/v1/neurons?limit=x", "/api/v1/status?x=1", "/api/v1/neurons?layer=L9",
		} {
			calls = append(calls, call{method: method, path: path})
		}
		calls = append(calls, call{method: method, path: "/api/v1/auth/profile", token: token}, call{method: method, path: "/api/v1/auth/profile"},
			call{method: method, path: "/api/v1/auth/profile", token: "wrong"})
	}
	for _, body := range []string{
		`{"content":"x","layer":"L4"}`, `{"content":"x","layer":"execution","neuron_id":"n \" ü \u2028 <&>"}`, `{"content":"x","layer":"L4","neuron_id":null}`,
		` {"layer" : "l3" , "content" : "` + long + `"} `, `{"content":"` + strings.Repeat("x", 3000) + `","layer":"L1","neuron_id":"` + strings.Repeat("n", 255) + `"}`,
		`{"content":"x","layer":"L4","neuron_id":"` + strings.Repeat("ä", 255) + `"}`, `{"content":"x","layer":"L4","neuron_id":"` + strings.Repeat("ä", 256) + `"}`,
		`{"content":"x","layer":"L4","neuron_id":".."}`, `{"content":"x","layer":"L4","neuron_id":"..."}`, `{"content":"x","layer":"L4","neuron_id":"a\nb"}`,
		`{"content":"x","layer":"L4","neuron_id":"\u0085"}`, `{"content":"x","layer":"L4","neuron_id":""}`, `{"content":"","layer":"L4"}`, `{"layer":"L4"}`, `{"content":"x"}`, `{"content":null,"layer":"L4"}`,
		`{"content":"x","layer":"L9"}`, `{"content":"x","layer":""}`, `{"content":"x","layer":null}`, `{"content":5,"layer":"L4"}`, `{"content":["x"],"layer":"L4"}`,
		`{"content":"x","layer":"L4","more":1}`, `{"Content":"x","layer":"L4"}`, `{"content":"x","content":"y","layer":"L4"}`, `{"content":"x","layer":"L4"} x`,
		`{"content":"x","layer":"L4"}{}`, `{"content":"a\u0000b","layer":"L4"}`, `{"content":"x","layer":"L4","neuron_id":"\u0000"}`, "{\"content\":\"\xff\",\"layer\":\"L4\"}",
		`{"content":"\ud800","layer":"L4"}`, `{"content":"x","layer":"L4"`, `{`, `[]`, `null`, `"x"`, `5`, ``, ` `, `{"content":"x",}`, `{"content":"x","layer":"\u004c4"}`,
	} {
		calls = append(calls, call{method: "POST", path: "/api/v1/signal", body: body, contentType: "application/json"})
	}
	plain := `{"content":"x","layer":"L4"}`
	calls = append(calls,
		call{method: "POST", path: "/api/v1/signal", body: plain, contentType: "application/json; charset=utf-8"},
		call{method: "POST", path: "/api/v1/signal", body: plain, contentType: "application/x-ndjson"},
		call{method: "POST", path: "/api/v1/signal", body: plain, contentType: "text/plain"},
		call{method: "POST", path: "/api/v1/signal", body: plain},
		call{method: "POST", path: "/api/v1/signal?x=1", body: plain, contentType: "application/json"})

	// What differs from call to call, though it be the same one.
	changing := regexp.MustCompile(`"signal_id":"[^"]*"|"uptime_seconds":[^,}]*|"(signals|requests|average|memory|goroutines|heap|hal9|cache|db|in_use|idle|waiting|neuron_[ls][a-z]*|http|gc|stack)[a-z0-9_]*":[^,}]*|\{[^{}]*(sys|heap)[^{}]*\}`)
	ask := func(c call, accept string) (int, http.Header, string) {
		r, err := http.NewRequestWithContext(t.Context(), c.method, s.url+c.path, strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range map[string]string{"Content-Type": c.contentType, "Accept": accept} {
			if value != "" {
				r.Header.Set(name, value)
			}
		}
		if c.token != "" {
			r.Header.Set("Authorization", "Bearer "+c.token)
		}
		got, err := s.client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = got.Body.Close() }()
		body, err := io.ReadAll(got.Body)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"Date", "X-Request-Id"} {
			if got.Header.Get(name) == "" {
				t.Errorf("%s %s: no %s", c.method, c.path, name)
			}
			got.Header.Del(name)
		}
		if strings.HasSuffix(c.path, "/status") || strings.HasSuffix(c.path, "/metrics") {
			got.Header.Del("Content-Length")
		}
		return got.StatusCode, got.Header, changing.ReplaceAllString(string(body), "")
	}
	for _, c := range calls {
		status, header, body := ask(c, "")
		wantStatus, wantHeader, wantBody := ask(c, "application/json;q=0.9")
		if status != wantStatus || body != wantBody {
			t.Errorf("%s %.80s %.100q: %d %.300s\nhuma: %d %.300s", c.method, c.path, c.body, status, body, wantStatus, wantBody)
		}
		for name := range wantHeader {
			header.Add(name, "") // so that one that is missing is seen below
		}
		for name, values := range header {
			if a, b := strings.Join(values, ""), strings.Join(wantHeader[name], ""); a != b {
				t.Errorf("%s %.80s %.100q: %s: %q, by huma %q", c.method, c.path, c.body, name, a, b)
			}
		}
	}
}
