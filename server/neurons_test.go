package server_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hal9-ai/hal9/internal/testenv"
	"github.com/hal9-ai/hal9/model"
)

type neuron struct {
	ID           string
	Layer        string
	State        string
	IsHealthy    bool   `json:"is_healthy"`
	SystemPrompt string `json:"system_prompt"`
	Settings     map[string]any
	Version      int64
	CreatedAt    time.Time `json:"created_at"`
	UpdatedAt    time.Time `json:"updated_at"`
}

func TestNeuronLife(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, s *harness) {
		const path = "/api/v1/neurons/strategic-planner"
		s.ask("GET", path, "").problem(404, "neuron: not found")
		made := s.ask("POST", "/api/v1/neurons", `{"id":"strategic-planner","layer":"Strategic","settings":{"b":[1,{"c":null}],"a":1.5}}`)
		made.want(201)
		if got := made.header.Get("Location"); got != path {
			t.Errorf("Location %q", got)
		}
		n := data[neuron](made)
		if n.Layer != "L4" || n.State != "idle" || !n.IsHealthy || n.SystemPrompt != "" || n.Settings["a"] != 1.5 || !n.CreatedAt.Equal(n.UpdatedAt) {
			t.Errorf("made %+v", n)
		}
		if got := data[neuron](s.ask("GET", path, "").want(200)); got.Version != n.Version || got.ID != n.ID || !got.CreatedAt.Equal(n.CreatedAt) {
			t.Errorf("got %+v, want %+v", got, n)
		}
		s.ask("POST", "/api/v1/neurons", `{"id":"strategic-planner","layer":"L1"}`).problem(409, "neuron.id", "already exists")

		// Replacing is no creating, also at the very moment of that.
		s.ask("PUT", path, `{"layer":"L2"}`).want(200)
		s.clock.Advance(-time.Hour)
		s.ask("PUT", path, `{"layer":"L2"}`).want(200)
		s.ask("PUT", "/api/v1/neurons/fresh", `{"layer":"L2"}`).want(201, `"state":"idle"`)
		s.ask("PUT", "/api/v1/neurons/fresh", `{"layer":"L2"}`).want(200)
		s.clock.Advance(time.Hour + time.Second)
		put := data[neuron](s.ask("PUT", path, `{"layer":"L3","system_prompt":"You plan."}`).want(200))
		if put.Layer != "L3" || put.SystemPrompt != "You plan." || len(put.Settings) != 0 || put.Version <= n.Version || !put.UpdatedAt.After(n.UpdatedAt) {
			t.Errorf("put %+v", put)
		}
		fresh := s.ask("PUT", "/api/v1/neurons/a%2Fb%20%C3%A9", `{"layer":"l1"}`).want(201)
		if got := fresh.header.Get("Location"); got != "/api/v1/neurons/a%2Fb%20%C3%A9" {
			t.Errorf("Location %q", got)
		}
		if got := data[neuron](s.ask("GET", fresh.header.Get("Location"), "").want(200)); got.ID != "a/b é" {
			t.Errorf("id %q", got.ID)
		}
		// Until there are accounts nobody may delete a neuron.
		s.ask("DELETE", path, "").problem(401, "account")
		s.ask("GET", path, "").want(200)
	})
}

func TestNeuronHealth(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, s *harness) {
		type health struct {
			State            string
			LastSignal       *time.Time `json:"last_signal"`
			SignalsProcessed int64      `json:"signals_processed"`
			ErrorsCount      int64      `json:"errors_count"`
			UptimeSeconds    float64    `json:"uptime_seconds"`
		}
		const path = "/api/v1/neurons/neuron-l4"
		isHealthy := func(want bool) {
			t.Helper()
			one := data[neuron](s.ask("GET", path, "").want(200))
			all := decode[list[neuron]](s.ask("GET", "/api/v1/neurons?limit=1000", "").want(200)).Data
			i := slices.IndexFunc(all, func(n neuron) bool { return n.ID == "neuron-l4" })
			if one.IsHealthy != want || i < 0 || all[i].IsHealthy != want {
				t.Errorf("healthy %v, in the list %+v, want %v", one.IsHealthy, all, want)
			}
		}
		getHealth := func() health { return data[health](s.ask("GET", path+"/health", "").want(200)) }

		isHealthy(true) // never heard from
		if h := getHealth(); h.LastSignal != nil || h.ErrorsCount != 0 {
			t.Errorf("new: %+v", h)
		}
		for _, state := range []string{"FAILED", "failed", "Stopped", "Failed"} {
			s.ask("PUT", path+"/state", fmt.Sprintf(`{"state":%q}`, state)).want(200, fmt.Sprintf(`"state":%q`, state))
			isHealthy(false)
			if h := getHealth(); h.UptimeSeconds != 0 || h.State != state {
				t.Errorf("%s: %+v", state, h)
			}
		}
		if h := getHealth(); h.ErrorsCount != 2 {
			t.Errorf("it failed twice: %+v", h)
		}
		s.ask("PUT", path+"/state", `{"state":"Running"}`).want(200)
		isHealthy(true)
		s.clock.Advance(4 * time.Minute)
		isHealthy(true)
		if h := getHealth(); h.UptimeSeconds < 239 || h.UptimeSeconds > 241 {
			t.Errorf("after four minutes: %+v", h)
		}
		s.clock.Advance(2 * time.Minute)
		isHealthy(false) // stale

		// A signal from it is a sign of life; one to it is counted.
		id := model.NewIDGenerator(s.clock.Now).New()
		at, _ := model.IDTime(id)
		if _, err := s.ingest.Submit(t.Context(), model.SignalInsertParams{
			ID: id, Timestamp: at, FromNeuron: "neuron-l4", ToNeuron: "neuron-l4", LayerFrom: "L4", LayerTo: "L4",
			PropagationType: "forward", Content: "hello", Metadata: model.EmptyObject(),
		}); err != nil {
			t.Fatal(err)
		}
		eventually(t, func() bool { return getHealth().SignalsProcessed == 1 })
		isHealthy(true)
		if h := getHealth(); h.LastSignal == nil || !h.LastSignal.Equal(at) {
			t.Errorf("last signal %v, want %v", h.LastSignal, at)
		}
		s.clock.Advance(6 * time.Minute)
		isHealthy(false)
		s.ask("PUT", path+"/state", `{"state":"Running"}`).want(200) // as good a sign
		isHealthy(true)
		s.ask("PUT", "/api/v1/neurons/nobody/state", `{"state":"Running"}`).problem(404, "neuron: not found")
		s.ask("GET", "/api/v1/neurons/nobody/health", "").problem(404, "neuron: not found")
	})
}

func TestNeuronPages(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, s *harness) {
		layers := []string{"L1", "L2", "L3", "L4"}
		for i := range 25 {
			s.ask("POST", "/api/v1/neurons", fmt.Sprintf(`{"id":"n%02d","layer":%q,"state":"s%d"}`, i, layers[i%4], i%2)).want(http.StatusCreated)
		}
		walk := func(query string) []string {
			var ids []string
			cursor := ""
			for range 50 {
				l := decode[list[neuron]](s.ask("GET", "/api/v1/neurons?"+query+cursor, "").want(200, `"next_cursor":`))
				for _, n := range l.Data {
					ids = append(ids, n.ID)
				}
				if l.NextCursor == nil {
					return ids
				}
				cursor = "&cursor=" + *l.NextCursor
			}
			t.Fatal("the list does not end")
			return nil
		}
		for _, limit := range []string{"1", "4", "28", "29", "30", "1000"} {
			ids := walk("limit=" + limit)
			if len(ids) != 29 || !slices.IsSorted(ids) || len(slices.Compact(slices.Clone(ids))) != 29 {
				t.Errorf("limit %s: %v", limit, ids)
			}
		}
		if ids := walk("limit=3&layer=strategic&state=s1"); !slices.Equal(ids, []string{"n03", "n07", "n11", "n15", "n19", "n23"}) {
			t.Errorf("filtered: %v", ids)
		}
		if ids := walk("state=none"); ids != nil {
			t.Errorf("nothing fits, got %v", ids)
		}
		s.ask("GET", "/api/v1/neurons?state=none", "").want(200, `"data":[]`)
	})
}

// The health of a filtered page is right however much traffic lies between its neurons.
func TestNeuronHealthOfFilteredPage(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, s *harness) {
		const many = 130
		ids := model.NewIDGenerator(s.clock.Now)
		signals := make([]model.SignalInsertParams, many)
		for i := range many {
			name, layer := fmt.Sprintf("n%03d", i), "L1"
			if i == many-1 {
				layer = "L2"
			}
			if _, err := s.store.NeuronInsert(t.Context(), model.NeuronInsertParams{
				ID: name, Layer: layer, Settings: model.EmptyObject(), State: "idle", Condition: model.ConditionRunning, CreatedAt: s.clock.Now(),
			}); err != nil {
				t.Fatal(err)
			}
			id := ids.New()
			at, _ := model.IDTime(id)
			signals[i] = model.SignalInsertParams{
				ID: id, Timestamp: at, FromNeuron: name, ToNeuron: "neuron-l4", LayerFrom: layer, LayerTo: "L4",
				PropagationType: "forward", Content: "hello", Metadata: model.EmptyObject(),
			}
		}
		if _, err := s.ingest.SubmitMany(t.Context(), signals); err != nil {
			t.Fatal(err)
		}
		last := fmt.Sprintf("n%03d", many-1)
		eventually(t, func() bool {
			return !strings.Contains(s.ask("GET", "/api/v1/neurons/"+last+"/health", "").want(200).body, `"last_signal":null`)
		})
		s.clock.Advance(time.Hour)
		page := decode[list[neuron]](s.ask("GET", "/api/v1/neurons?layer=L2", "").want(200)).Data
		if len(page) != 2 || page[0].ID != last || page[0].IsHealthy || !page[1].IsHealthy {
			t.Errorf("got %+v", page)
		}
	})
}

// eventually waits for a condition that other goroutines bring about.
func eventually(t *testing.T, condition func() bool) {
	t.Helper()
	testenv.Eventually(t, "the condition of this line", condition)
}
