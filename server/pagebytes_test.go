package server_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
)

// A page is bounded by its bytes too: a thousand rows of the longest contents would be a
// gigabyte. Who follows next_cursor gets every row once, in as many pages as it takes.
func TestPagesAreBoundedInBytes(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, s *harness) {
		const longest, long, short, bound = 1 << 20, 10, 230, 9 << 20
		text := "antenna " + strings.Repeat("x ", longest/2-4)
		for range long {
			s.ask("POST", "/api/v1/signals", `{"layer_to":"L1","to_neuron":"n","content":"`+text+`"}`).want(201)
			s.ask("POST", "/api/v1/memories", `{"neuron_id":"n","content":"`+text+`"}`).want(201)
		}
		// More than one reading takes, and the newest, so that these come first.
		many := strings.Repeat(`,{"layer_to":"L1","to_neuron":"n","content":"short"}`, short)[1:]
		s.ask("POST", "/api/v1/signals", "["+many+"]").want(201)
		for _, path := range []string{"/api/v1/signals?", "/api/v1/signals?neuron=n&", "/api/v1/memories?", "/api/v1/memories?neuron=n&"} {
			for _, limit := range []int{220, 1000} {
				t.Run(fmt.Sprintf("%slimit=%d", path, limit), func(t *testing.T) {
					sizes := walkPages(t, s, fmt.Sprintf("%slimit=%d", path, limit), bound)
					want := long
					if strings.Contains(path, "signals") {
						want += short
						if first := min(limit, short+8); sizes[0] < min(limit, short) || sizes[0] > first {
							t.Errorf("the first page has %d rows, of which %d are short", sizes[0], short)
						}
					}
					rows := 0
					for _, n := range sizes {
						rows += n
					}
					if rows != want {
						t.Errorf("%d rows in pages of %v, want %d", rows, sizes, want)
					}
				})
			}
		}
		// A search has one page.
		r := s.ask("GET", "/api/v1/memories/search?limit=1000&q=antenna", "").want(200)
		if found := len(decode[list[struct{ ID string }]](r).Data); found != 8-1 && found != 8 || len(r.body) > bound {
			t.Errorf("a search answers %d memories in %d bytes", found, len(r.body))
		}
	})
}

// walkPages goes through a list to its end, and returns how many rows each page has.
func walkPages(t *testing.T, s *harness, path string, bound int) (sizes []int) {
	t.Helper()
	seen := map[string]bool{}
	for cursor := ""; ; {
		r := s.ask("GET", path+cursor, "").want(200)
		if len(r.body) > bound {
			t.Errorf("a page of %d bytes", len(r.body))
		}
		p := decode[list[struct{ ID string }]](r)
		for _, row := range p.Data {
			if seen[row.ID] {
				t.Errorf("%s comes twice", row.ID)
			}
			seen[row.ID] = true
		}
		if sizes = append(sizes, len(p.Data)); p.NextCursor == nil {
			return sizes
		}
		cursor = "&cursor=" + url.QueryEscape(*p.NextCursor)
	}
}
