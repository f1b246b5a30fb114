package server_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/hal9-ai/hal9/internal/testenv"
	"github.com/hal9-ai/hal9/model"
)

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
		started := s.clock.Now()
		at := func(after time.Duration) string {
			s.clock.Advance(started.Add(after).Sub(s.clock.Now()))
			return s.clock.Now().Format(time.RFC3339Nano)
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
		v7 := model.NewIDGenerator(s.clock.Now).New()
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
		testenv.Eventually(t, "the activity to come up to date", func() bool {
			return get("neuron-l1").SignalsProcessed+get("neuron-l2").SignalsProcessed+get("neuron-l3").SignalsProcessed+get("neuron-l4").SignalsProcessed >= 60
		})
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

// What names a signal came after it, but for the clocks of those who send: what is much older
// is left out, so that a look at a signal does not look through all that is kept.
func TestSignalTraceBegins(t *testing.T) {
	t.Parallel()
	onEngines(t, func(_ *testing.T, s *harness) {
		id := data[sent](s.ask("POST", "/api/v1/signal", `{"content":"go","layer":"L4"}`).want(200)).SignalID
		for days, content := range map[int]string{29: "within", 31: "too old"} {
			at := s.clock.Now().AddDate(0, 0, -days).Format(time.RFC3339)
			s.ask("POST", "/api/v1/signals", fmt.Sprintf(`{"content":%q,"from_neuron":"n","layer_from":"L3","layer_to":"L2","metadata":{"parent_id":%q},"timestamp":%q}`, content, id, at)).want(201)
		}
		got := data[traced](s.ask("GET", "/api/v1/signals/"+id, "").want(200)).lines()
		if want := []string{"sent n L3 within", "received neuron-l4 L4 -"}; !slices.Equal(got, want) {
			t.Errorf("the trace is %q, want %q", got, want)
		}
	})
}
