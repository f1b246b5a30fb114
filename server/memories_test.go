package server_test

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"
)

type memory struct {
	ID           string
	NeuronID     string `json:"neuron_id"`
	Layer        *string
	EntryType    *string `json:"entry_type"`
	Content      string
	Importance   float64
	Context      map[string]any
	Metadata     map[string]any
	HasEmbedding bool      `json:"has_embedding"`
	Embedding    *string   // base64
	AccessCount  int64     `json:"access_count"`
	LastAccessed *string   `json:"last_accessed"`
	CreatedAt    time.Time `json:"created_at"`
	UpdatedAt    time.Time `json:"updated_at"`
	Version      int64
	Score        float64
	Snippet      string
}

func TestMemoryLife(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, s *harness) {
		embedding := base64.StdEncoding.EncodeToString([]byte{0, 0, 0x80, 0x3f, 0, 0, 0, 0xff})
		made := s.ask("POST", "/api/v1/memories", fmt.Sprintf(`{"neuron_id":"hal","layer":"strategic","entry_type":"Task","content":"caf\u00e9",
			"importance":0,"context":{"a":[1]},"metadata":{"b":null},"embedding":%q}`, embedding)).want(201)
		m := data[memory](made)
		path := "/api/v1/memories/" + m.ID
		if got := made.header.Get("Location"); got != path {
			t.Errorf("Location %q, want %q", got, path)
		}
		got := data[memory](s.ask("GET", path, "").want(200))
		for _, x := range []memory{m, got} {
			if x.NeuronID != "hal" || x.Layer == nil || *x.Layer != "L4" || x.EntryType == nil || *x.EntryType != "Task" || x.Content != "café" ||
				x.Importance != 0 || len(x.Context) != 1 || len(x.Metadata) != 1 || !x.HasEmbedding || x.AccessCount != 0 || x.LastAccessed != nil ||
				!x.CreatedAt.Equal(s.clock.Now().Truncate(time.Microsecond)) || !x.UpdatedAt.Equal(x.CreatedAt) || x.Version < 1 {
				t.Errorf("memory %+v", x)
			}
		}
		if got.Embedding == nil || *got.Embedding != embedding || m.Embedding != nil {
			t.Errorf("embedding %v from the one, %v from the making; want %s and none", got.Embedding, m.Embedding, embedding)
		}

		s.clock.Advance(time.Second)
		put := data[memory](s.ask("PUT", path, `{"neuron_id":"dave","content":"tea"}`).want(200))
		if put.ID != m.ID || put.NeuronID != "dave" || put.Layer != nil || put.EntryType != nil || put.Content != "tea" || put.Importance != 0.5 ||
			len(put.Context) != 0 || len(put.Metadata) != 0 || put.HasEmbedding || put.Version <= m.Version ||
			!put.CreatedAt.Equal(m.CreatedAt) || !put.UpdatedAt.Equal(s.clock.Now().Truncate(time.Microsecond)) {
			t.Errorf("put %+v", put)
		}
		if r := s.ask("GET", path, "").want(200, `"embedding":null`); data[memory](r).Content != "tea" {
			t.Errorf("after the put: %s", r.body)
		}
		// The index follows.
		if hits := search(s, "tea"); !slices.Equal(hits, []string{"tea"}) {
			t.Errorf("search for the new content finds %q", hits)
		}
		if hits := search(s, "cafe"); len(hits) != 0 {
			t.Errorf("search for the old content finds %q", hits)
		}

		// PostgreSQL keeps a negative zero, and SQLite does not.
		s.ask("PUT", path, `{"neuron_id":"dave","content":"tea","importance":-0.0}`).want(200, `"importance":0,`)
		s.ask("DELETE", path, "").want(200, m.ID)
		s.ask("DELETE", path, "").problem(404, "memory: not found")
		s.ask("GET", path, "").problem(404, "memory: not found")
		s.ask("PUT", path, `{"neuron_id":"dave","content":"tea"}`).problem(404, "memory: not found")
		if hits := search(s, "tea"); len(hits) != 0 {
			t.Errorf("search for what was deleted finds %q", hits)
		}
	})
}

func TestMemoryList(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, s *harness) {
		for n := range 36 {
			if n%9 == 0 { // nine in each moment
				s.clock.Advance(time.Second)
			}
			s.ask("POST", "/api/v1/memories", fmt.Sprintf(`{"neuron_id":"n%d","layer":"L%d","entry_type":"t%d","content":"%d"}`, n%2, n%3+1, n%4, n)).want(201)
		}
		all := decode[list[memory]](s.ask("GET", "/api/v1/memories?limit=1000", "").want(200)).Data
		if len(all) != 36 {
			t.Fatalf("%d memories, want 36", len(all))
		}
		if !slices.IsSortedFunc(all, func(a, b memory) int {
			if c := b.CreatedAt.Compare(a.CreatedAt); c != 0 {
				return c
			}
			return strings.Compare(b.ID, a.ID)
		}) {
			t.Error("not the newest first")
		}
		for query, keep := range map[string]func(memory) bool{
			"":                                    func(memory) bool { return true },
			"neuron=n1":                           func(x memory) bool { return x.NeuronID == "n1" },
			"layer=design":                        func(x memory) bool { return *x.Layer == "L3" },
			"entry_type=t2":                       func(x memory) bool { return *x.EntryType == "t2" },
			"neuron=n0&layer=l2&entry_type=t0":    func(x memory) bool { return x.NeuronID == "n0" && *x.Layer == "L2" && *x.EntryType == "t0" },
			"neuron=" + url.QueryEscape("n1' OR"): func(memory) bool { return false },
		} {
			var want []string
			for _, x := range all {
				if keep(x) {
					want = append(want, x.ID)
				}
			}
			for _, limit := range []int{1, 5, 36} {
				if got := walk(s, "/api/v1/memories?"+query, limit, func(x memory) string { return x.ID }); !slices.Equal(got, want) {
					t.Errorf("pages of %d of %q: %d memories, want %d", limit, query, len(got), len(want))
				}
			}
		}
	})
}

// search returns the contents that a query finds, in order of the text.
func search(s *harness, q string) []string {
	s.t.Helper()
	page := decode[list[memory]](s.ask("GET", "/api/v1/memories/search?limit=1000&q="+url.QueryEscape(q), "").want(200, `"next_cursor":null`))
	contents := make([]string, 0, len(page.Data))
	for _, hit := range page.Data {
		contents = append(contents, hit.Content)
	}
	slices.Sort(contents)
	return contents
}

func remember(s *harness, contents ...string) {
	s.t.Helper()
	for _, content := range contents {
		body, err := json.Marshal(map[string]string{"neuron_id": "hal", "content": content})
		if err != nil {
			s.t.Fatal(err)
		}
		s.ask("POST", "/api/v1/memories", string(body)).want(201)
	}
}

func TestMemorySearch(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, s *harness) {
		const path = "/api/v1/memories/search"
		remember(s,
			"The antenna fails; antenna, antenna, antenna!",
			"Someone looked at an antenna once, among the many other things that were looked at on that long day in space.",
			"Running <b>fast</b> & far",
			"The pod bay doors are open")
		s.ask("POST", "/api/v1/memories", `{"neuron_id":"dave","content":"antenna of another"}`).want(201)

		hits := decode[list[memory]](s.ask("GET", path+"?q=antenna&neuron=hal", "").want(200)).Data
		if len(hits) != 2 || !strings.HasPrefix(hits[0].Content, "The antenna fails") || hits[0].Score < hits[1].Score {
			t.Errorf("hits %+v", hits)
		}
		if len(hits) > 0 && !strings.Contains(hits[0].Snippet, "<mark>antenna</mark>") {
			t.Errorf("snippet %q", hits[0].Snippet)
		}
		if got := decode[list[memory]](s.ask("GET", path+"?q=antenna&limit=1", "").want(200)).Data; len(got) != 1 || got[0].Content != hits[0].Content {
			t.Errorf("the best of all is %+v", got)
		}
		hits = decode[list[memory]](s.ask("GET", path+"?q=RUN", "").want(200)).Data
		if len(hits) != 1 || hits[0].Snippet != "<mark>Running</mark> &lt;b&gt;fast&lt;/b&gt; &amp; far" {
			t.Errorf("hits %+v", hits)
		}
		for q, want := range map[string]int{
			`doors pod`: 1, `"pod bay"`: 1, `"bay pod"`: 0, `pod antenna`: 0, `!!!`: 0, `" "`: 0, `pod OR antenna`: 0, `-pod`: 1,
		} {
			if got := search(s, q); len(got) != want {
				t.Errorf("%s finds %q, want %d", q, got, want)
			}
		}
	})
}

// The same queries find the same memories on both engines, and none breaks one.
func TestMemorySearchAgrees(t *testing.T) {
	t.Parallel()
	engines := []*harness{newServer(t, sqliteEngine), newServer(t, postgresEngine)}
	contents := []string{
		"C++ and C# are languages", "rock 'n' roll", "don't panic", "3.14 is not 22/7", "snake_case and camelCase", "café CAFÉ cafe\u0301",
		"Straße STRASSE", "İstanbul", "日本語のテキスト", "emoji 🚀 launch 👩‍🚀", "e-mail: dave@example.org", "https://example.org/a?b=c&d=e",
		"1e5 and 0x1F and 1_000", "running runs ran runner", "a AND b OR NOT c NEAR d", `quoted "phrase here" end`, "the quick brown fox",
		"quick the fox brown", "x xx xxx", "\u200bzero\u200bwidth", "tab\tand\nnewline", "100%", "SELECT * FROM memories; --", "ﬁne ligature",
	}
	for _, s := range engines {
		remember(s, contents...)
	}
	queries := append(slices.Clone(contents),
		"the", "quick fox", `"quick brown"`, `"brown fox"`, `"the fox"`, "run", "CAFÉ", "strasse", "istanbul", "日本", "🚀", "dave", "example.org", "1e5", "0x1f",
		`"`, `""`, `"a`, `a"`, "*", "qui*", "quick:*", "search_text:quick", "NEAR(a b)", "a NOT b", "^the", "{the}", "(", ")", "a & b", "a | b", "!a", "<->",
		"'", "''", "' OR 1=1 --", `\`, `\\`, "%", "_", "-x", "+x", "~x", "c++", "c#", "\u202eevil", strings.Repeat("word ", 64), "x", "xx", "and", "or", "not", "near",
	)
	found := 0
	for _, q := range queries {
		if strings.TrimSpace(q) == "" {
			continue
		}
		first, second := search(engines[0], q), search(engines[1], q)
		if !slices.Equal(first, second) {
			t.Errorf("%q finds %q on SQLite, %q on PostgreSQL", q, first, second)
		}
		found += len(first)
	}
	for _, content := range contents {
		if hits := search(engines[0], content); !slices.Contains(hits, content) {
			t.Errorf("%q does not find itself but %q", content, hits)
		}
	}
	if found < len(contents) {
		t.Errorf("all queries together found %d", found)
	}
}

func TestMemoryBadInput(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, s *harness) {
		with := func(field string) string { return `{"neuron_id":"n","content":"x",` + field + `}` }
		known := data[memory](s.ask("POST", "/api/v1/memories", `{"neuron_id":"n","content":"x"}`).want(201)).ID
		const create, get, find = "POST /api/v1/memories", "GET /api/v1/memories", "GET /api/v1/memories/search"
		put := "PUT /api/v1/memories/" + known
		tests := []struct {
			route, body string
			status      int
			names       string
		}{
			{create, `[]`, 422, "body"},
			{create, `{"content":"x"}`, 422, "neuron_id"},
			{create, `{"neuron_id":"n"}`, 422, "content"},
			{create, `{"neuron_id":"","content":"x"}`, 422, "body.neuron_id"},
			{create, `{"neuron_id":"n","content":""}`, 422, "body.content"},
			{create, `{"neuron_id":"n\u0000","content":"x"}`, 422, "body.neuron_id"},
			{create, `{"neuron_id":"n","content":"x\u0000"}`, 422, "body.content"},
			{create, `{"neuron_id":"n","content":"` + strings.Repeat("x", 1<<20+1) + `"}`, 422, "body.content"},
			{create, with(`"layer":"L7"`), 422, "body.layer"},
			{create, with(`"layer":""`), 422, "body.layer"},
			{create, with(`"entry_type":""`), 422, "body.entry_type"},
			{create, with(`"entry_type":"` + strings.Repeat("x", 256) + `"`), 422, "body.entry_type"},
			{create, with(`"importance":-0.1`), 422, "body.importance"},
			{create, with(`"importance":1.01`), 422, "body.importance"},
			{create, with(`"importance":"NaN"`), 422, "body.importance"},
			{create, with(`"importance":1e999`), 422, "body.importance"},
			{create, with(`"context":"x"`), 422, "body.context"},
			{create, with(`"metadata":[1]`), 422, "body.metadata"},
			{create, with(`"metadata":{"n":"\u0000"}`), 422, "body.metadata"},
			{create, with(`"embedding":"***"`), 422, "embedding"},
			{create, with(`"embedding":"AAAA"`), 422, "body.embedding"},
			{create, with(`"embedding":"` + base64.StdEncoding.EncodeToString(make([]byte, 64<<10+4)) + `"`), 422, "body.embedding"},
			{create, with(`"id":"x"`), 422, "body.id"},
			{create, with(`"version":1`), 422, "body.version"},
			{create, with(`"access_count":1`), 422, "body.access_count"},
			{put, `{"content":"x"}`, 422, "neuron_id"},
			{put, with(`"layer":"L7"`), 422, "body.layer"},
			{"PUT /api/v1/memories/x", `{"neuron_id":"n","content":"x"}`, 422, "path.id"},
			{"DELETE /api/v1/memories/x", "", 422, "path.id"},
			{get + "/x", "", 422, "path.id"},
			{get + "/" + uuid.Nil.String(), "", 404, "memory"},
			{get + "/ffffffff-ffff-7fff-bfff-ffffffffffff", "", 404, "memory"},
			{get + "?layer=x", "", 422, "query.layer"},
			{get + "?neuron=%00", "", 422, "query.neuron"},
			{get + "?neuron=%ff", "", 422, "query.neuron"},
			{get + "?limit=1001", "", 422, "query.limit"},
			{get + "?cursor=AXMAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "", 422, "query.cursor"},
			{get + "?q=x", "", 422, "q"},
			{find, "", 422, "query.q"},
			{find + "?q=", "", 422, "query.q"},
			{find + "?q=%20%09", "", 422, "query.q"},
			{find + "?q=" + strings.Repeat("a+", 65), "", 422, "query.q"},
			{find + "?q=" + strings.Repeat("a", 2049), "", 422, "query.q"},
			{find + "?q=a&q=b", "", 422, "query.q"},
			{find + "?q=%00", "", 422, "query.q"},
			{find + "?q=a&limit=0", "", 422, "query.limit"},
			{find + "?q=a&limit=1001", "", 422, "query.limit"},
			{find + "?q=a&cursor=x", "", 422, "cursor"},
		}
		for _, test := range tests {
			method, path, _ := strings.Cut(test.route, " ")
			r := s.ask(method, path, test.body)
			if r.status != test.status || !strings.Contains(r.body, test.names) {
				t.Errorf("%.200s %.120s\n got %d %.300s\nwant %d that names %s", test.route, test.body, r.status, r.body, test.status, test.names)
			}
		}
		if all := decode[list[memory]](s.ask("GET", "/api/v1/memories", "").want(200)).Data; len(all) != 1 || all[0].Content != "x" {
			t.Errorf("bad input left %+v", all)
		}
	})
}
