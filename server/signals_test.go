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
	"github.com/hal9-ai/hal9/server"
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
		ids := model.NewIDGenerator(s.clock.now)
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
		past := s.clock.now().Add(-48 * time.Hour)
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
		s.ask("POST", "/api/v1/signals", "["+strings.Join(append(rows, rows[0]), ",")+"]").problem(422, "body", "10001")
		s.ask("POST", "/api/v1/signals", "[]").problem(422, "body")

		// Rows that are stored already, or twice in the array, are no failure; an id
		// that stands for something else fails alone.
		ids := model.NewIDGenerator(s.clock.now)
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
		id := model.NewIDGenerator(s.clock.now).New()
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
	})
}

func TestSignalList(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, s *harness) {
		// 60 signals in 6 moments, over three months: ties within each, and partitions.
		now := s.clock.now().UTC().Truncate(time.Millisecond)
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
			"":                    func(signal) bool { return true },
			"neuron=alice":        func(x signal) bool { return x.FromNeuron == "alice" || x.ToNeuron == "alice" },
			"neuron=nobody":       func(signal) bool { return false },
			"layer=design":        func(x signal) bool { return x.LayerFrom == "L3" || x.LayerTo == "L3" },
			"layer=api":           func(x signal) bool { return x.LayerFrom == "API" },
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

type traced struct {
	signal
	SignalID string `json:"signal_id"`
	Trace    []struct {
		ID        string
		Timestamp time.Time
		NeuronID  string `json:"neuron_id"`
		Layer     string
		Action    string
		Response  *string
	}
	Truncated bool
}

func (x traced) lines() []string {
	var lines []string
	for _, e := range x.Trace {
		response := "-"
		if e.Response != nil {
			response = *e.Response
		}
		lines = append(lines, fmt.Sprintf("%s %s %s %s", e.Action, e.NeuronID, e.Layer, response))
	}
	return lines
}

func TestSignalTrace(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, s *harness) {
		id := data[sent](s.ask("POST", "/api/v1/signal", `{"content":"go","layer":"L4"}`).want(200)).SignalID
		started := s.clock.now()
		at := func(after time.Duration) string {
			s.clock.advance(started.Add(after).Sub(s.clock.now()))
			return s.clock.now().Format(time.RFC3339Nano)
		}
		// In another order than that of their times.
		s.ask("POST", "/api/v1/signals", fmt.Sprintf(`{"content":"third","from_neuron":"b","layer_from":"L3","layer_to":"L2","metadata":{"parent_id":%q},"timestamp":%q}`, id, at(3*time.Second))).want(201)
		s.ask("POST", "/api/v1/signals", fmt.Sprintf(`{"content":"first","from_neuron":"neuron-l4","layer_from":"L4","layer_to":"L3","metadata":{"signal_id":%q},"timestamp":%q}`, id, at(time.Second))).want(201)
		at(2 * time.Second)
		s.ask("POST", "/api/v1/memories", fmt.Sprintf(`{"content":"second","neuron_id":"m","layer":"L3","metadata":{"signal_id":%q,"parent_id":%q}}`, id, id)).want(201)
		at(4 * time.Second)
		s.ask("POST", "/api/v1/memories", fmt.Sprintf(`{"content":"fourth","neuron_id":"m","metadata":{"parent_id":%q}}`, id)).want(201)
		s.ask("POST", "/api/v1/memories", fmt.Sprintf(`{"content":"other","neuron_id":"m","metadata":{"other_id":%q,"deep":{"signal_id":%q}}}`, id, id)).want(201)

		want := []string{"received neuron-l4 L4 -", "sent neuron-l4 L4 first", "remembered m L3 second", "sent b L3 third", "remembered m  fourth"}
		contract := data[traced](s.ask("GET", "/api/v1/signal/"+id, "").want(200))
		if got := contract.lines(); !slices.Equal(got, want) || contract.SignalID != id || contract.Truncated {
			t.Errorf("trace %q, want %q; %+v", got, want, contract)
		}
		whole := data[traced](s.ask("GET", "/api/v1/signals/"+strings.ToUpper(id), "").want(200))
		if got := whole.lines(); !slices.Equal(got, want) || whole.ID != id || whole.Content != "go" {
			t.Errorf("trace %q, want %q; %+v", got, want, whole)
		}

		at(5 * time.Second)
		rows := make([]string, 250)
		for i := range rows {
			rows[i] = fmt.Sprintf(`{"content":"%d","layer_to":"L1","metadata":{"signal_id":%q}}`, i, id)
		}
		s.ask("POST", "/api/v1/signals", "["+strings.Join(rows, ",")+"]").want(201)
		whole = data[traced](s.ask("GET", "/api/v1/signals/"+id, "").want(200))
		if len(whole.Trace) != 200 || !whole.Truncated || !slices.Equal(whole.lines()[:5], want) {
			t.Errorf("long trace: %d entries, truncated %t, begins %q", len(whole.Trace), whole.Truncated, whole.lines()[:5])
		}
	})
}

// Imported signals may have an id of any version, and a time that is not in it.
func TestSignalGetImported(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, s *harness) {
		v7 := model.NewIDGenerator(s.clock.now).New()
		for _, id := range []uuid.UUID{uuid.MustParse("b0a1b2c3-d4e5-4f60-8a7b-9c0d1e2f3a4b"), model.LegacyID("signal", "sig-1"), v7} {
			_, err := s.store.SignalInsert(t.Context(), model.SignalInsertParams{
				ID: id, FromNeuron: "a", ToNeuron: "b", LayerFrom: "L4", LayerTo: "L3", PropagationType: "forward",
				Content: "old", Metadata: model.EmptyObject(), Timestamp: time.Date(2024, 2, 3, 4, 5, 6, 789_012_000, time.UTC),
			})
			if err != nil {
				t.Fatal(err)
			}
			if got := data[signal](s.ask("GET", "/api/v1/signals/"+id.String(), "").want(200)); got.Content != "old" {
				t.Errorf("%s: %+v", id, got)
			}
		}
	})
}

// The neurons' activity, told over HTTP, is what a recount in SQL gives.
func TestSignalActivity(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, s *harness) {
		for n := range 30 {
			s.ask("POST", "/api/v1/signals", fmt.Sprintf(`{"content":"x","from_neuron":"neuron-l%d","layer_from":"L1","layer_to":"L%d"}`, n%3+1, n%4+1)).want(201)
			s.ask("POST", "/api/v1/signal", `{"content":"x","layer":"L2"}`).want(200)
		}
		type health struct {
			SignalsProcessed int64      `json:"signals_processed"`
			LastSignal       *time.Time `json:"last_signal"`
		}
		get := func(id string) health {
			return data[health](s.ask("GET", "/api/v1/neurons/"+id+"/health", "").want(200))
		}
		deadline := time.Now().Add(20 * time.Second)
		for get("neuron-l1").SignalsProcessed+get("neuron-l2").SignalsProcessed+get("neuron-l3").SignalsProcessed+get("neuron-l4").SignalsProcessed < 60 {
			if time.Now().After(deadline) {
				t.Fatal("the activity does not come up to date")
			}
			time.Sleep(5 * time.Millisecond)
		}
		for n := range 4 {
			id := fmt.Sprintf("neuron-l%d", n+1)
			gathered := get(id)
			if _, err := s.store.NeuronActivityRecount(t.Context(), model.NeuronActivityRecountParams{NeuronID: id}); err != nil {
				t.Fatal(err)
			}
			recounted := get(id)
			same := gathered.LastSignal == nil && recounted.LastSignal == nil ||
				gathered.LastSignal != nil && recounted.LastSignal != nil && gathered.LastSignal.Equal(*recounted.LastSignal)
			if gathered.SignalsProcessed != recounted.SignalsProcessed || !same {
				t.Errorf("%s: gathered %+v, recounted %+v", id, gathered, recounted)
			}
		}
	})
}

func TestSignalBadInput(t *testing.T) {
	t.Parallel()
	retention := func(d *server.Deps) { d.Identities.Retention = 30 * 24 * time.Hour }
	for _, engine := range []string{sqliteEngine, postgresEngine} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			s := newServer(t, engine, retention)
			ids := model.NewIDGenerator(s.clock.now)
			now := s.clock.now()
			with := func(field string) string { return `{"content":"x","layer_to":"L1",` + field + `}` }
			text := func(name, value string) string { return with(fmt.Sprintf("%q:%q", name, value)) }
			deep := strings.Repeat(`{"a":`, 70) + "1" + strings.Repeat("}", 70)
			const send, create, get = "POST /api/v1/signal", "POST /api/v1/signals", "GET /api/v1/signals"
			tests := []struct {
				route, body string
				status      int
				names       string
			}{
				{send, ``, 400, "body"},
				{send, `{`, 400, "body"},
				{send, `[]`, 422, "body"},
				{send, `null`, 422, "body"},
				{send, `{"content":"x"}`, 422, "layer"},
				{send, `{"layer":"L4"}`, 422, "content"},
				{send, `{"content":"","layer":"L4"}`, 422, "body.content"},
				{send, `{"content":7,"layer":"L4"}`, 422, "body.content"},
				{send, `{"content":"a\u0000b","layer":"L4"}`, 422, "body.content"},
				{send, `{"content":"a\ud800b","layer":"L4"}`, 400, "body"},
				{send, "{\"content\":\"a\xff\",\"layer\":\"L4\"}", 400, "body"},
				{send, `{"content":"x","content":"y","layer":"L4"}`, 400, "body"},
				{send, `{"content":"x","layer":"L5"}`, 422, "body.layer"},
				{send, `{"content":"x","layer":"API"}`, 422, "body.layer"},
				{send, `{"content":"x","layer":"L4","neuron_id":""}`, 422, "body.neuron_id"},
				{send, `{"content":"x","layer":"L4","neuron_id":"` + strings.Repeat("n", 256) + `"}`, 422, "body.neuron_id"},
				{send, `{"content":"x","layer":"L4","neuron_id":"a\u0000"}`, 422, "body.neuron_id"},
				{send, `{"content":"x","layer":"L4","admin":true}`, 422, "body.admin"},
				{send, `{"content":"` + strings.Repeat("é", 1<<19+1) + `","layer":"L4"}`, 422, "body.content"},

				{create, `{`, 400, "body"},
				{create, `{"content":"` + strings.Repeat("é", 1<<19+1) + `","layer_to":"L4"}`, 422, "body.content"},
				{create, `[{"content":"x","layer_to":"L4"},{"content":"` + strings.Repeat("é", 1<<19+1) + `","layer_to":"L4"}]`, 422, "body[1].content"},
				{create, `"x"`, 422, "body"},
				{create, `null`, 422, "body"},
				{create, `{}`, 422, "body"},
				{create, `[null]`, 422, "body[0]"},
				{create, `[[]]`, 422, "body[0]"},
				{create, with(`"surprise":1`), 422, "body.surprise"},
				{create, text("id", "x"), 422, "body.id"},
				{create, text("id", "urn:uuid:"+ids.New().String()), 422, "body.id"},
				{create, text("id", uuid.Must(uuid.NewRandom()).String()), 422, "body.id"},
				{create, text("id", uuid.Nil.String()), 422, "body.id"},
				{create, text("id", uuid.Max.String()), 422, "body.id"},
				{create, text("id", ids.NewAt(now.Add(2*time.Minute)).String()), 422, "body.id"},
				{create, text("id", ids.NewAt(now.AddDate(0, 0, -31)).String()), 422, "body.id"},
				{create, "[" + text("id", "x") + "]", 422, "body[0].id"},
				{create, text("timestamp", "yesterday"), 422, "body.timestamp"},
				{create, text("timestamp", "2026-02-30T00:00:00Z"), 422, "body.timestamp"},
				{create, with(`"timestamp":1700000000`), 422, "body.timestamp"},
				{create, text("timestamp", now.Add(2*time.Minute).Format(time.RFC3339)), 422, "body.timestamp"},
				{create, text("timestamp", now.AddDate(0, 0, -31).Format(time.RFC3339)), 422, "body.timestamp"},
				{create, text("timestamp", "0000-01-01T00:00:00Z"), 422, "body.timestamp"},
				{create, text("timestamp", "9999-12-31T23:59:59.9999999Z"), 422, "body.timestamp"},
				{create, with(fmt.Sprintf(`"id":%q,"timestamp":%q`, ids.New(), now.Add(-time.Second).Format(time.RFC3339Nano))), 422, "body.timestamp"},
				{create, text("layer_from", "nowhere"), 422, "body.layer_from"},
				{create, text("from_neuron", ""), 422, "body.from_neuron"},
				{create, text("propagation_type", ""), 422, "body.propagation_type"},
				{create, with(`"from_neuron":"a\u0000"`), 422, "body.from_neuron"},
				{create, with(`"metadata":[]`), 422, "body.metadata"},
				{create, with(`"metadata":"{}"`), 422, "body.metadata"},
				{create, with(`"metadata":{"n":1e999}`), 422, "body.metadata"},
				{create, with(`"metadata":{"n":"\u0000"}`), 422, "body.metadata"},
				{create, with(`"metadata":{"\u0000":1}`), 422, "body.metadata"},
				{create, with(`"metadata":{"a":1,"a":2}`), 400, "body"},
				{create, with(`"metadata":` + deep), 400, "body"},
				{create, with(`"metadata":{"a":"` + strings.Repeat("x", 64<<10) + `"}`), 422, "body.metadata"},
				{create, `{"content":"x","layer_to":"L1","Metadata":{}}`, 422, "Metadata"},

				{get + "?layer=L5", "", 422, "query.layer"},
				{get + "?layer=a%00", "", 422, "query.layer"},
				{get + "?neuron=" + strings.Repeat("n", 256), "", 422, "query.neuron"},
				{get + "?since=yesterday", "", 422, "query.since"},
				{get + "?until=2026-13-01T00:00:00Z", "", 422, "query.until"},
				{get + "?since=2026-01-02T00:00:00Z&until=2026-01-01T00:00:00Z", "", 422, "query.since"},
				{get + "?limit=0", "", 422, "query.limit"},
				{get + "?limit=-1", "", 422, "query.limit"},
				{get + "?limit=1001", "", 422, "query.limit"},
				{get + "?limit=99999999999999999999", "", 422, "query.limit"},
				{get + "?cursor=x", "", 422, "query.cursor"},
				{get + "?cursor=AW1hYmM", "", 422, "query.cursor"},
				{get + "?order=desc", "", 422, "order"},
				{get + "/x", "", 422, "path.id"},
				{get + "/urn:uuid:" + ids.New().String(), "", 422, "path.id"},
				{get + "/" + ids.New().String(), "", 404, "signal"},
				{get + "/" + uuid.Must(uuid.NewRandom()).String(), "", 404, "signal"},
				{get + "/ffffffff-ffff-7fff-bfff-ffffffffffff", "", 404, "signal"},
				{get + "/" + uuid.Nil.String(), "", 404, "signal"},
				{"GET /api/v1/signal/x", "", 422, "path.id"},
				{"GET /api/v1/signal/" + ids.New().String(), "", 404, "signal"},
			}
			for _, test := range tests {
				method, path, _ := strings.Cut(test.route, " ")
				r := s.ask(method, path, test.body)
				if r.status != test.status || !strings.Contains(r.body, test.names) {
					t.Errorf("%s %.120s\n got %d %.300s\nwant %d that names %s", test.route, test.body, r.status, r.body, test.status, test.names)
				}
			}
			if st := s.ingest.Stats(); st.Committed != 0 {
				t.Errorf("%d bad signals were stored", st.Committed)
			}
			// The widest bounds are no bad input.
			s.ask("GET", "/api/v1/signals?since=0001-01-01T00:00:00Z&until=9999-12-31T23:59:59.9999999Z&cursor=", "").want(200)
		})
	}
}
