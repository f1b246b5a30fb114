package server_test

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/hal9-ai/hal9/model"
	"github.com/hal9-ai/hal9/server"
)

// The longest contents fill a page with eight.
func TestLongestPage(t *testing.T) {
	t.Parallel()
	s := newServer(t, sqliteEngine)
	const longest, page = 1<<20 - 64, 8
	ids := model.NewIDGenerator(s.clock.Now)
	for range page + 2 {
		m := model.MemoryInsertParams{ID: ids.New(), NeuronID: "n", Content: strings.Repeat("x", longest), Context: model.EmptyObject(), Metadata: model.EmptyObject(), CreatedAt: s.clock.Now()}
		if _, err := s.store.MemoryInsert(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	body := s.ask("GET", "/api/v1/memories?limit=1000", "").want(200).body
	if rows := strings.Count(body, `"neuron_id":`); rows != page || len(body) > page*longest+1<<16 || strings.Contains(body, `"next_cursor":null`) {
		t.Errorf("%d rows in %d bytes", rows, len(body))
	}
}

// A page is bounded by its bytes too: a thousand rows of the longest contents would be a
// gigabyte. Who follows next_cursor gets every row once, in as many pages as it takes. Here
// all is an eighth as long, since decoding megabytes takes seconds under the race detector.
func TestPagesAreBoundedInBytes(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, s *harness) {
		const longest, long, short, bound = 1 << 17, 10, 230, 9 << 17
		s.server.BoundPages(8 << 17)
		text := "antenna " + strings.Repeat("x", longest-8)
		parent := data[struct{ ID string }](s.ask("POST", "/api/v1/signals", `{"layer_to":"L1","to_neuron":"other","content":"parent"}`).want(201)).ID
		for i := range long {
			s.ask("PUT", fmt.Sprintf("/api/v1/neurons/long%d", i), `{"layer":"L2","system_prompt":"`+text+`"}`).want(201)
			s.ask("POST", "/api/v1/signals", `{"layer_to":"L1","to_neuron":"other","content":"`+text+`","metadata":{"parent_id":"`+parent+`"}}`).want(201)
			s.ask("POST", "/api/v1/signals", `{"layer_to":"L1","to_neuron":"n","content":"`+text+`"}`).want(201)
			s.ask("POST", "/api/v1/memories", `{"neuron_id":"n","content":"`+text+`"}`).want(201)
		}
		// More than one reading takes, and the newest, so that these come first.
		many := strings.Repeat(`,{"layer_to":"L1","to_neuron":"n","content":"short"}`, short)[1:]
		s.ask("POST", "/api/v1/signals", "["+many+"]").want(201)
		for _, path := range []string{"/api/v1/neurons?layer=L2&", "/api/v1/signals?neuron=n&", "/api/v1/memories?", "/api/v1/memories?neuron=n&"} {
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
					if strings.Contains(path, "neurons") {
						want++ // neuron-l2
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
		// What has no further pages leaves out the rest.
		traced := s.ask("GET", "/api/v1/signals/"+parent, "").want(200)
		if told := decode[struct {
			Data struct {
				Trace     []struct{ ID string }
				Truncated bool
			}
		}](traced).Data; len(told.Trace) != 1+8-1 && len(told.Trace) != 1+8 || !told.Truncated || len(traced.body) > bound {
			t.Errorf("a trace of %d entries in %d bytes, truncated: %t", len(told.Trace), len(traced.body), told.Truncated)
		}
		r := s.ask("GET", "/api/v1/memories/search?limit=1000&q=antenna", "").want(200)
		if found := len(decode[list[struct{ ID string }]](r).Data); found != 8-1 && found != 8 || len(r.body) > bound {
			t.Errorf("a search answers %d memories in %d bytes", found, len(r.body))
		}
	})
}

// weighed adds up the texts that searches read from the database.
type weighed struct {
	model.Store

	bytes atomic.Int64
}

// MemorySearch implements model.Store.
func (s *weighed) MemorySearch(ctx context.Context, arg model.MemorySearchParams) ([]model.MemorySearchRow, error) {
	rows, err := s.Store.MemorySearch(ctx, arg)
	for i := range rows {
		s.bytes.Add(int64(len(rows[i].Content) + len(rows[i].Context) + len(rows[i].Metadata)))
	}
	return rows, err
}

// A search asks the database for no more than a page holds, and leaves out none between
// those that it tells: the one that is too long ends it.
func TestSearchReadsOnePage(t *testing.T) {
	t.Parallel()
	for _, engine := range []string{sqliteEngine, postgresEngine} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			st := &weighed{Store: openStore(t, engine)}
			s := newServerOn(t, st)
			const filler, long, page = 63 << 10, 75, 8 << 20 // of which 8 MiB hold 66
			object := model.JSON(`{"x":"` + strings.Repeat("x", filler) + `"}`)
			ids := model.NewIDGenerator(s.clock.Now)
			for i := range long {
				m := model.MemoryInsertParams{ID: ids.New(), NeuronID: "n", Content: fmt.Sprint("antenna ", i), Context: object, Metadata: object, CreatedAt: s.clock.Now()}
				if _, err := st.MemoryInsert(t.Context(), m); err != nil {
					t.Fatal(err)
				}
			}
			s.ask("POST", "/api/v1/memories", `{"neuron_id":"n","content":"short, and of an antenna"}`).want(201)
			// By hand: decoding megabytes takes seconds under the race detector.
			search := func(limit int) (ids []string) {
				body := s.ask("GET", fmt.Sprintf("/api/v1/memories/search?limit=%d&q=antenna", limit), "").want(200).body
				for _, hit := range strings.Split(body, `{"id":"`)[1:] {
					ids = append(ids, hit[:36])
				}
				return ids
			}
			found := search(1000)
			if read := st.bytes.Load(); read > page || len(found) < 60 {
				t.Errorf("%d bytes were read for %d memories", read, len(found))
			}
			if few := search(len(found)); !slices.Equal(few, found) {
				t.Errorf("a limit of %d finds others than a larger one", len(found))
			}
		})
	}
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

// fewRows demands that neurons are read a few at a time.
type fewRows struct {
	model.Store

	t *testing.T
}

// NeuronList implements model.Store.
func (s *fewRows) NeuronList(ctx context.Context, arg model.NeuronListParams) ([]model.Neuron, error) {
	rows, err := s.Store.NeuronList(ctx, arg)
	if len(rows) > 101 {
		s.t.Errorf("%d neurons are read at once, each with a prompt of up to 1 MiB", len(rows))
	}
	return rows, err
}

// The status tells of all neurons, however many readings they take.
func TestStatusReadsFewNeuronsAtOnce(t *testing.T) {
	t.Parallel()
	for _, limit := range []int{150, 1000} {
		s := newServerOn(t, &fewRows{openStore(t, sqliteEngine), t}, func(d *server.Deps) { d.Config.MaxPage = limit })
		const neurons = 230 // beside the four that a migration makes
		for i := range neurons {
			s.ask("PUT", fmt.Sprintf("/api/v1/neurons/a%03d", i), `{"layer":"L1"}`).want(201)
		}
		s.send("heard")
		for range 2 {
			all := data[struct{ Neurons []struct{ ID string } }](s.ask("GET", "/api/v1/status", "").want(200)).Neurons
			if len(all) != min(limit, neurons+4) || !slices.IsSortedFunc(all, func(a, b struct{ ID string }) int { return strings.Compare(a.ID, b.ID) }) || all[100].ID != "a100" {
				t.Errorf("of %d neurons the status tells %d: %v", neurons+4, len(all), all)
			}
		}
		sizes := walkPages(t, s, fmt.Sprintf("/api/v1/neurons?limit=%d", limit), 1<<20)
		if rows := sizes[0]; rows != min(limit, neurons+4) {
			t.Errorf("the list has pages of %v", sizes)
		}
	}
}
