package server_test

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/hal9-ai/hal9/model"
)

type signal struct {
	ID              string
	FromNeuron      string `json:"from_neuron"`
	ToNeuron        string `json:"to_neuron"`
	LayerFrom       string `json:"layer_from"`
	LayerTo         string `json:"layer_to"`
	PropagationType string `json:"propagation_type"`
	Content         string
	Metadata        map[string]any
	Timestamp       time.Time
}

type sent struct {
	SignalID string `json:"signal_id"`
	Message  string
}

func TestSignalSend(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, s *harness) {
		for _, test := range []struct{ body, to, layer string }{
			{`{"content":"Plan","layer":"L4","neuron_id":"strategic-planner"}`, "strategic-planner", "L4"},
			{`{"content":"Plan","layer":"strategic"}`, "neuron-l4", "L4"},
			{`{"content":"Design","layer":"Design","neuron_id":null}`, "neuron-l3", "L3"},
			{`{"content":"Build","layer":"IMPLEMENTATION"}`, "neuron-l2", "L2"},
			{`{"content":"Run \ud83d\ude80","layer":"l1"}`, "neuron-l1", "L1"},
		} {
			r := s.ask("POST", "/api/v1/signal", test.body).want(200)
			if got := r.header.Get("Location"); got != "" {
				t.Errorf("Location %q", got)
			}
			answer := data[sent](r)
			if answer.Message == "" {
				t.Errorf("no message: %s", r.body)
			}
			got := data[signal](s.ask("GET", "/api/v1/signals/"+answer.SignalID, "").want(200))
			if got.FromNeuron != "api-client" || got.LayerFrom != "API" || got.ToNeuron != test.to || got.LayerTo != test.layer ||
				got.PropagationType != "forward" || len(got.Metadata) != 0 || !strings.Contains(test.body, got.Content[:3]) {
				t.Errorf("%s: stored %+v", test.body, got)
			}
		}
	})
}

func TestSignalCreateRoundTrip(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, s *harness) {
		ids := model.NewIDGenerator(s.clock.Now)
		id := ids.New()
		at, _ := model.IDTime(id)
		body := fmt.Sprintf(`{"id":%q,"from_neuron":"a","to_neuron":"b","layer_from":"Design","layer_to":"l1","propagation_type":"lateral",
			"content":"c \u00e9","metadata":{"n":1.5,"list":[null]},"timestamp":%q}`, id, at.In(time.FixedZone("", 3600)).Format(time.RFC3339Nano))
		r := s.ask("POST", "/api/v1/signals", body).want(201)
		if got := r.header.Get("Location"); got != "/api/v1/signals/"+id.String() {
			t.Errorf("Location %q", got)
		}
		made := data[signal](r)
		got := data[signal](s.ask("GET", r.header.Get("Location"), "").want(200))
		for _, x := range []signal{made, got} {
			if x.ID != id.String() || x.FromNeuron != "a" || x.ToNeuron != "b" || x.LayerFrom != "L3" || x.LayerTo != "L1" || x.PropagationType != "lateral" ||
				x.Content != "c é" || x.Metadata["n"] != 1.5 || !x.Timestamp.Equal(at) {
				t.Errorf("signal %+v", x)
			}
		}
		// The same again, spelt otherwise, is harmless; the same id for something else is not.
		s.ask("POST", "/api/v1/signals", strings.Replace(body, "1.5", "15e-1", 1)).want(201)
		s.ask("POST", "/api/v1/signals", strings.Replace(body, "1.5", "1.6", 1)).problem(409, "id")

		// What is left out has defaults.
		made = data[signal](s.ask("POST", "/api/v1/signals", `{"content":"x","layer_to":"L2"}`).want(201))
		if made.FromNeuron != "api-client" || made.LayerFrom != "API" || made.ToNeuron != "neuron-l2" || made.PropagationType != "forward" || made.ID == "" {
			t.Errorf("defaults %+v", made)
		}
		past := s.clock.Now().Add(-48 * time.Hour)
		made = data[signal](s.ask("POST", "/api/v1/signals", fmt.Sprintf(`{"content":"x","layer_to":"L2","timestamp":%q}`, past.Format(time.RFC3339Nano))).want(201))
		if !made.Timestamp.Equal(past.Truncate(time.Millisecond)) {
			t.Errorf("timestamp %s, want %s cut to milliseconds", made.Timestamp, past)
		}
		s.ask("GET", "/api/v1/signals/"+made.ID, "").want(200)
	})
}

type batch struct {
	Received, Stored, Duplicates, Failed int
	IDs                                  []string
	Errors                               []struct {
		Index          int
		Field, Message string
	}
}

func TestSignalCreateMany(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, s *harness) {
		rows := make([]string, 10_000)
		for i := range rows {
			rows[i] = fmt.Sprintf(`{"content":"row %d","layer_to":"L1"}`, i)
		}
		b := data[batch](s.ask("POST", "/api/v1/signals", "["+strings.Join(rows, ",")+"]").want(201))
		if b.Received != 10_000 || b.Stored != 10_000 || b.Duplicates != 0 || b.Failed != 0 || len(b.IDs) != 10_000 {
			t.Errorf("batch %d %d %d %d, %d ids", b.Received, b.Stored, b.Duplicates, b.Failed, len(b.IDs))
		}
		if got := data[signal](s.ask("GET", "/api/v1/signals/"+b.IDs[1234], "").want(200)); got.Content != "row 1234" {
			t.Errorf("row 1234 is %+v", got)
		}
		s.ask("POST", "/api/v1/signals", "["+strings.Join(rows, ",")+","+rows[0]+"]").problem(422, "body", "10001")
		s.ask("POST", "/api/v1/signals", "[]").problem(422, "body")

		// Rows that are stored already, or twice in the array, are no failure; an id
		// that stands for something else fails alone.
		ids := model.NewIDGenerator(s.clock.Now)
		one, two := ids.New(), ids.New()
		row := func(id uuid.UUID, content string) string {
			return fmt.Sprintf(`{"id":%q,"content":%q,"layer_to":"L1"}`, id, content)
		}
		array := "[" + row(one, "one") + "," + row(one, "one") + "]"
		if b := data[batch](s.ask("POST", "/api/v1/signals", array).want(201)); b.Stored != 1 || b.Duplicates != 1 {
			t.Errorf("batch %+v", b)
		}
		array = "[" + row(one, "one") + "," + row(one, "other") + "," + row(two, "two") + "]"
		b = data[batch](s.ask("POST", "/api/v1/signals", array).want(207))
		if b.Received != 3 || b.Stored != 1 || b.Duplicates != 1 || b.Failed != 1 || len(b.Errors) != 1 || b.Errors[0].Index != 1 || b.Errors[0].Field != "id" {
			t.Errorf("batch %+v", b)
		}
		if got := data[signal](s.ask("GET", "/api/v1/signals/"+two.String(), "").want(200)); got.Content != "two" {
			t.Errorf("a good row beside a bad one is %+v", got)
		}

		// A malformed row keeps the whole array out, and every one is named.
		before := s.ingest.Stats().Committed
		r := s.ask("POST", "/api/v1/signals", `[{"content":"x","layer_to":"L1"},{"content":5,"layer_to":"L1"},7,{"content":"x","layer_to":"L9"},{"content":"a\u0000b","layer_to":"L1"},{"layer_to":"L1"}]`)
		r.problem(422, "5 of 6", "body[1].content")
		for _, location := range []string{`"body[1].content"`, `"body[2]"`, `"body[3].layer_to"`, `"body[4].content"`} {
			r.want(422, location)
		}
		r.want(422, "body[5]", "content")
		if after := s.ingest.Stats().Committed; after != before {
			t.Errorf("%d signals of a malformed array were stored", after-before)
		}
	})
}

func TestSignalConcurrentResubmission(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, s *harness) {
		id := model.NewIDGenerator(s.clock.Now).New()
		body := fmt.Sprintf(`{"id":%q,"content":"once","layer_to":"L4"}`, id)
		const times = 100
		statuses := make([]int, times)
		var group sync.WaitGroup
		for n := range times {
			group.Go(func() {
				text := body
				if n%2 == 1 {
					text = "[" + body + "]"
				}
				statuses[n] = s.ask("POST", "/api/v1/signals", text).status
			})
		}
		group.Wait()
		if i := slices.IndexFunc(statuses, func(status int) bool { return status != 201 }); i >= 0 {
			t.Errorf("submission %d was answered %d", i, statuses[i])
		}
		if all := decode[list[signal]](s.ask("GET", "/api/v1/signals", "").want(200)).Data; len(all) != 1 {
			t.Errorf("%d signals are stored, want 1", len(all))
		}
		if st := s.ingest.Stats(); st.Committed != 1 || st.Duplicates != times-1 || st.Failed != 0 {
			t.Errorf("stats %+v", st)
		}
		t.Logf("%d submissions with one id: %d effect", times, s.ingest.Stats().Committed)
	})
}

func TestSignalList(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, s *harness) {
		// 60 signals in 6 moments, over three months: ties within each, and partitions.
		now := s.clock.Now().UTC().Truncate(time.Millisecond)
		moments := []time.Time{now.AddDate(0, -2, 0), now.AddDate(0, -1, 0), now.Add(-time.Hour), now.Add(-time.Minute), now.Add(-time.Second), now}
		neurons, layers := []string{"alice", "bob", "carol"}, []string{"L1", "L2", "L3", "L4", "API"}
		var rows []string
		for n := range 60 {
			rows = append(rows, fmt.Sprintf(`{"content":"%d","from_neuron":%q,"to_neuron":%q,"layer_from":%q,"layer_to":%q,"timestamp":%q}`,
				n, neurons[n%3], neurons[n/3%3], layers[n%5], layers[n%4], moments[n%6].Format(time.RFC3339Nano)))
		}
		s.ask("POST", "/api/v1/signals", "["+strings.Join(rows, ",")+"]").want(201)
		all := decode[list[signal]](s.ask("GET", "/api/v1/signals?limit=1000", "").want(200)).Data
		if len(all) != 60 {
			t.Fatalf("%d signals, want 60", len(all))
		}
		if !slices.IsSortedFunc(all, func(a, b signal) int {
			if c := b.Timestamp.Compare(a.Timestamp); c != 0 {
				return c
			}
			return strings.Compare(b.ID, a.ID)
		}) {
			t.Error("not the newest first")
		}

		since, until := moments[1], moments[4]
		within := func(x signal) bool { return !x.Timestamp.Before(since) && x.Timestamp.Before(until) }
		times := "since=" + url.QueryEscape(since.Format(time.RFC3339Nano)) + "&until=" + url.QueryEscape(until.Format(time.RFC3339Nano))
		for query, keep := range map[string]func(signal) bool{
			"":              func(signal) bool { return true },
			"neuron=alice":  func(x signal) bool { return x.FromNeuron == "alice" || x.ToNeuron == "alice" },
			"neuron=nobody": func(signal) bool { return false },
			"layer=design":  func(x signal) bool { return x.LayerFrom == "L3" || x.LayerTo == "L3" },
			"layer=api":     func(x signal) bool { return x.LayerFrom == "API" },
			// The zero time is a moment as well, and not the absence of one.
			"until=0001-01-01T00:00:00Z":              func(signal) bool { return false },
			"until=0001-01-01T00:00:00Z&neuron=alice": func(signal) bool { return false },
			"since=0001-01-01T00:00:00Z":              func(signal) bool { return true },

			times:                 within,
			times + "&neuron=bob": func(x signal) bool { return within(x) && (x.FromNeuron == "bob" || x.ToNeuron == "bob") },
			"neuron=carol&layer=L1": func(x signal) bool {
				return (x.FromNeuron == "carol" || x.ToNeuron == "carol") && (x.LayerFrom == "L1" || x.LayerTo == "L1")
			},
		} {
			var want []string
			for _, x := range all {
				if keep(x) {
					want = append(want, x.ID)
				}
			}
			for _, limit := range []int{1, 7, 60} {
				if got := walk(s, "/api/v1/signals?"+query, limit, func(x signal) string { return x.ID }); !slices.Equal(got, want) {
					t.Errorf("pages of %d of %q: %d signals, want %d", limit, query, len(got), len(want))
				}
			}
		}
	})
}

// walk follows the cursors of a list to its end.
func walk[T any](s *harness, path string, limit int, key func(T) string) []string {
	s.t.Helper()
	var keys []string
	cursor := ""
	for range 1000 {
		page := decode[list[T]](s.ask("GET", fmt.Sprintf("%s&limit=%d%s", path, limit, cursor), "").want(200))
		for _, row := range page.Data {
			keys = append(keys, key(row))
		}
		if len(page.Data) > limit {
			s.t.Fatalf("%s: %d rows in a page of %d", path, len(page.Data), limit)
		}
		if page.NextCursor == nil {
			return keys
		}
		cursor = "&cursor=" + url.QueryEscape(*page.NextCursor)
	}
	s.t.Fatalf("%s: the cursors do not end", path)
	return nil
}
