package server_test

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hal9-ai/hal9/model"
)

const memoryBody = `{"neuron_id":"n","content":"text"}`

// versioned makes one thing of each versioned kind and returns its path, the body
// that replaces it, and its ETag.
func versioned(s *harness) []struct{ path, body, etag string } {
	s.t.Helper()
	n := s.ask("POST", "/api/v1/neurons", `{"id":"conditional","layer":"L4"}`).want(201)
	m := s.ask("POST", "/api/v1/memories", memoryBody).want(201)
	return []struct{ path, body, etag string }{
		{n.header.Get("Location"), `{"layer":"L3"}`, n.header.Get("ETag")},
		{m.header.Get("Location"), memoryBody, m.header.Get("ETag")},
	}
}

// A client that holds what is stored gets 304 without a body, and the new answer as
// soon as something in it changed.
func TestConditionalGet(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, s *harness) {
		for _, v := range versioned(s) {
			r := s.ask("GET", v.path, "").want(200)
			if r.header.Get("ETag") != v.etag || r.header.Get("Cache-Control") != "private, no-cache" {
				t.Errorf("%s: %v, created with %s", v.path, r.header, v.etag)
			}
			for _, held := range []string{v.etag, "W/" + v.etag, `"x", ` + v.etag, "*", ` ,"a",, ` + v.etag + ","} {
				r := s.ask("GET", v.path, "", "If-None-Match", held).want(304)
				if r.body != "" || r.header.Get("ETag") != v.etag || r.header.Get("Cache-Control") != "private, no-cache" {
					t.Errorf("%s with %s: %q %v", v.path, held, r.body, r.header)
				}
				s.ask("HEAD", v.path, "", "If-None-Match", held).want(304)
			}
			for _, held := range []string{`"x"`, `"17"`, `W/"y"`} {
				s.ask("GET", v.path, "", "If-None-Match", held).want(200, `"version"`)
			}
			for _, bad := range []string{"x", `"x`, `"x" "y"`, `"a b"`, "W/x", ",", `"x",*`, strings.Repeat(`"x",`, 101)} {
				s.ask("GET", v.path, "", "If-None-Match", bad).problem(422, "header.If-None-Match")
			}
			s.clock.Advance(time.Second) // a PUT in the moment of the creation counts as it
			etag := s.ask("PUT", v.path, v.body).want(200).header.Get("ETag")
			if r := s.ask("GET", v.path, "", "If-None-Match", v.etag).want(200); r.header.Get("ETag") != etag || etag == v.etag {
				t.Errorf("%s: %s, then %s, then %s", v.path, v.etag, etag, r.header.Get("ETag"))
			}
			if r := s.ask("HEAD", v.path, "").want(200); r.body != "" || r.header.Get("ETag") != etag {
				t.Errorf("HEAD %s: %v", v.path, r.header)
			}
		}
		if h := s.ask("GET", "/api/v1/neurons", "").header; h.Get("Cache-Control") != "no-store" || h.Get("ETag") != "" {
			t.Errorf("a list: %v", h)
		}
	})
}

// is_healthy changes with time alone, and the ETag with it; a write made with the
// older one is still a write to the same version.
func TestETagTellsHealth(t *testing.T) {
	t.Parallel()
	onEngines(t, func(_ *testing.T, s *harness) {
		healthy := s.ask("PUT", neuronPath+"/state", `{"state":"Running"}`).want(200, `"is_healthy":true`).header.Get("ETag")
		s.clock.Advance(time.Hour)
		stale := s.ask("GET", neuronPath, "", "If-None-Match", healthy).want(200, `"is_healthy":false`).header.Get("ETag")
		if stale == healthy {
			t.Errorf("both %s", stale)
		}
		s.ask("PUT", neuronPath, `{"layer":"L4"}`, "If-Match", healthy).want(200)
	})
}

// A signal's ETag changes with its trace.
func TestSignalETag(t *testing.T) {
	t.Parallel()
	onEngines(t, func(_ *testing.T, s *harness) {
		path := s.ask("POST", "/api/v1/signals", `{"content":"x","layer_to":"L4"}`).want(201).header.Get("Location")
		etag := s.ask("GET", path, "").want(200).header.Get("ETag")
		s.ask("GET", path, "", "If-None-Match", etag).want(304)
		id := path[strings.LastIndexByte(path, '/')+1:]
		s.ask("POST", "/api/v1/memories", `{"neuron_id":"n","content":"because","metadata":{"signal_id":"`+id+`"}}`).want(201)
		s.ask("GET", path, "", "If-None-Match", etag).want(200, "because")
	})
}

func TestIfMatch(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, s *harness) {
		for _, v := range versioned(s) {
			for _, wrong := range []string{`"1-0"`, "W/" + v.etag, `"x"`, `"1-0", "2-0"`, strings.Replace(v.etag, `"`, `"0`, 1)} {
				s.ask("PUT", v.path, v.body, "If-Match", wrong).problem(412, "header.If-Match", "changed since")
				if strings.Contains(v.path, "memories") {
					s.ask("DELETE", v.path, "", "If-Match", wrong).problem(412, "header.If-Match")
				} else {
					s.ask("PUT", v.path+"/state", `{"state":"x"}`, "If-Match", wrong).problem(412, "header.If-Match")
				}
			}
			s.ask("PUT", v.path, v.body, "If-Match", "17").problem(422, "header.If-Match")
			if r := s.ask("GET", v.path, "").want(200); r.header.Get("ETag") != v.etag {
				t.Errorf("%s: something was written: %s, then %s", v.path, v.etag, r.header.Get("ETag"))
			}
			second := s.ask("PUT", v.path, v.body, "If-Match", `"1-0", `+v.etag).want(200).header.Get("ETag")
			s.ask("PUT", v.path, v.body, "If-Match", v.etag).problem(412)
			third := s.ask("PUT", v.path, v.body, "If-Match", "*").want(200).header.Get("ETag")
			s.ask("PUT", v.path, v.body, "If-Match", second).problem(412)
			if strings.Contains(v.path, "memories") {
				s.ask("DELETE", v.path, "", "If-Match", third).want(200)
				s.ask("DELETE", v.path, "", "If-Match", third).problem(404)
				s.ask("PUT", v.path, v.body, "If-Match", "*").problem(404)
				continue
			}
			s.ask("PUT", v.path+"/state", `{"state":"x"}`, "If-Match", third).want(200)
			s.ask("PUT", v.path+"/state", `{"state":"y"}`, "If-Match", third).problem(412)
		}
		// PUT would create a neuron; with If-Match it must not.
		for _, header := range []string{"*", `"1-1"`, `"1-1","2-1"`} {
			s.ask("PUT", "/api/v1/neurons/absent", `{"layer":"L4"}`, "If-Match", header).problem(412, "no neuron")
			s.ask("PUT", "/api/v1/neurons/absent/state", `{"state":"x"}`, "If-Match", header).problem(404)
		}
		s.ask("GET", "/api/v1/neurons/absent", "").problem(404)
	})
}

func TestPutCreatesOnly(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, s *harness) {
		const path, body = "/api/v1/neurons/only-new", `{"layer":"L4","system_prompt":"first"}`
		r := s.ask("PUT", path, body, "If-None-Match", "*").want(201, `"state":"idle"`)
		if r.header.Get("Location") != path || r.header.Get("ETag") == "" {
			t.Errorf("%v", r.header)
		}
		s.ask("PUT", path, `{"layer":"L3"}`, "If-None-Match", "*").problem(412, "header.If-None-Match")
		s.ask("GET", path, "").want(200, "first")
		s.ask("PUT", path, body, "If-None-Match", `"1-1"`).problem(422, "header.If-None-Match", "If-Match")
		s.ask("PUT", path, body, "If-None-Match", "*", "If-Match", "*").problem(400, "header.If-Match")
	})
}

// Of two writers that read the same version exactly one wins, a hundred times.
func TestLostUpdate(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, s *harness) {
		for _, v := range versioned(s) {
			etag := v.etag
			for round := range 100 {
				var won, lost atomic.Int32
				var mu sync.Mutex
				var next string
				var group sync.WaitGroup
				for range 2 {
					group.Go(func() {
						r := s.ask("PUT", v.path, v.body, "If-Match", etag)
						switch r.status {
						case 200:
							won.Add(1)
							mu.Lock()
							defer mu.Unlock()
							next = r.header.Get("ETag")
						case 412:
							lost.Add(1)
						}
					})
				}
				group.Wait()
				if won.Load() != 1 || lost.Load() != 1 {
					t.Fatalf("%s, round %d: %d won, %d lost", v.path, round, won.Load(), lost.Load())
				}
				etag = next
			}
		}
	})
}

// A version is never given again, so that an ETag of a deleted thing names nothing.
func TestETagAfterDelete(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, s *harness) {
		const body = `{"id":"again","layer":"L4"}`
		etag := s.ask("POST", "/api/v1/neurons", body).want(201).header.Get("ETag")
		if n, err := s.store.NeuronDelete(t.Context(), model.NeuronDeleteParams{ID: "again"}); err != nil {
			t.Fatal(n, err)
		}
		s.ask("POST", "/api/v1/neurons", body).want(201)
		s.ask("PUT", "/api/v1/neurons/again", `{"layer":"L3"}`, "If-Match", etag).problem(412)
	})
}

func TestStaticETags(t *testing.T) {
	t.Parallel()
	s := newServer(t, sqliteEngine)
	for _, path := range []string{"/openapi.json", "/docs", "/docs/docs.js", "/docs/swagger-ui.css"} {
		r := s.ask("GET", path, "").want(200)
		etag := r.header.Get("ETag")
		if etag == "" || r.header.Get("Cache-Control") != "no-cache" {
			t.Errorf("%s: %v", path, r.header)
		}
		s.ask("GET", path, "", "If-None-Match", `"x", W/`+etag).want(304)
		s.ask("HEAD", path, "", "If-None-Match", etag).want(304)
		s.ask("GET", path, "", "If-None-Match", "nonsense").want(200)
	}
}

// The document tells of the headers and of the answers that they make.
func TestDocumentTellsOfConditions(t *testing.T) {
	t.Parallel()
	s := newServer(t, sqliteEngine)
	d := decode[struct {
		Paths map[string]map[string]struct {
			Parameters []struct{ Name, In string }
			Responses  map[string]struct{ Headers map[string]struct{} }
		}
	}](s.ask("GET", "/openapi.json", "").want(200))
	for _, c := range []struct{ path, method, parameter, status, header string }{
		{"/api/v1/neurons", "post", "Idempotency-Key", "201", "Idempotency-Replayed"},
		{"/api/v1/neurons", "post", "Idempotency-Key", "201", "ETag"},
		{"/api/v1/memories", "post", "Idempotency-Key", "201", "Idempotency-Replayed"},
		{"/api/v1/signal", "post", "Idempotency-Key", "200", "Idempotency-Replayed"},
		{"/api/v1/signals", "post", "Idempotency-Key", "207", "Idempotency-Replayed"},
		{"/api/v1/signals", "post", "Idempotency-Key", "409", ""},
		{"/api/v1/neurons/{id}", "get", "If-None-Match", "304", "ETag"},
		{"/api/v1/neurons/{id}", "put", "If-None-Match", "412", ""},
		{"/api/v1/neurons/{id}", "put", "If-Match", "201", "ETag"},
		{"/api/v1/neurons/{id}", "delete", "If-Match", "412", ""},
		{"/api/v1/neurons/{id}/state", "put", "If-Match", "412", ""},
		{"/api/v1/memories/{id}", "get", "If-None-Match", "304", "ETag"},
		{"/api/v1/memories/{id}", "put", "If-Match", "412", ""},
		{"/api/v1/memories/{id}", "delete", "If-Match", "412", ""},
		{"/api/v1/signals/{id}", "get", "If-None-Match", "304", "ETag"},
	} {
		op := d.Paths[c.path][c.method]
		found := 0
		for _, p := range op.Parameters {
			if p.Name == c.parameter && p.In == "header" {
				found++
			}
		}
		r, ok := op.Responses[c.status]
		if _, told := r.Headers[c.header]; found != 1 || !ok || c.header != "" && !told {
			t.Errorf("%s: %d parameters, response %t, headers %v", fmt.Sprint(c), found, ok, r.Headers)
		}
	}
}
