package server_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/hal9-ai/hal9/auth"
	"github.com/hal9-ai/hal9/model"
)

// oddNames may be given and are reached by every route: what a path means something by is
// escaped in it.
func oddNames() []string {
	return []string{
		"a/b", "/", "a//b", "/a", "a/", "a/../b", "../a", "a?b", "?", "a#b", "#", "50%", "%2F", "%", "a+b", "a/b+c", "+", " ", "a b", "a/b c",
		"...", ".a", "..a", "a.", "a..", `a\b`, `\`, "a;b", "a:b", "a&b=c", "é", "a/é", "東京", `"`, "'", "<b>", "health", "a/health", "a/state", "*", "~", "{id}", ":id", "@",
	}
}

// unfit are names that nothing new is given.
func unfit() []string {
	return []string{".", "..", "a\nb", "\t", "a\x1b[31m", "\x7f", "a\u0085", "a/\r"}
}

func TestOddNeuronNames(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, s *harness) {
		admin := bearer(s.key(s.user("root", auth.RoleAdmin)))
		for _, name := range oddNames() {
			made := s.ask("POST", "/api/v1/neurons", `{"layer":"L1","id":`+asJSON(t, name)+`}`).want(201)
			s.clock.Advance(time.Second)
			for _, path := range []string{made.header.Get("Location"), "/api/v1/neurons/" + escapeAll(name)} {
				if got := data[neuron](s.ask("GET", path, "").want(200)); got.ID != name {
					t.Errorf("%q is %q at %s", name, got.ID, path)
				}
				s.ask("GET", path+"/health", "").want(200, `"state":"idle"`)
				s.ask("PUT", path+"/state", `{"state":"idle"}`).want(200)
				s.ask("PUT", path, `{"layer":"L2"}`).want(200)
			}
			s.ask("POST", "/api/v1/signal", `{"content":"x","layer":"L1","neuron_id":`+asJSON(t, name)+`}`).want(200)
			if sent := decode[list[signal]](s.ask("GET", "/api/v1/signals?neuron="+url.QueryEscape(name), "").want(200)).Data; len(sent) != 1 || sent[0].ToNeuron != name {
				t.Errorf("to %q went %v", name, sent)
			}
			s.ask("DELETE", made.header.Get("Location"), "", admin...).want(200)
			s.ask("PUT", "/api/v1/neurons/"+escapeAll(name), `{"layer":"L1"}`).want(201)
		}
	})
}

// escapeAll escapes more than a path asks for, as some clients do.
func escapeAll(name string) string {
	var b strings.Builder
	for i := range len(name) {
		fmt.Fprintf(&b, "%%%02X", name[i])
	}
	return b.String()
}

// What no client could address, or nobody could see, is refused by every door, told by its
// place; what a database brought along stays and can be used.
func TestUnfitNeuronNames(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, s *harness) {
		admin := bearer(s.key(s.user("root", auth.RoleAdmin)))
		const rule = "a name without control characters, and neither . nor .."
		for _, name := range unfit() {
			quoted := asJSON(t, name)
			refused := func(r response, place string) {
				t.Helper()
				r.problem(422, place, rule)
				if got := faultPlaces(r); len(got) != 1 || got[0] != place {
					t.Errorf("%q: a fault at %q, want %s", name, got, place)
				}
			}
			refused(s.ask("POST", "/api/v1/neurons", `{"layer":"L1","id":`+quoted+`}`), "body.id")
			path := "/api/v1/neurons/" + escapeAll(name)
			refused(s.ask("PUT", path, `{"layer":"L1"}`), "path.id")
			refused(s.ask("PUT", path, `{"layer":"L1"}`, "If-None-Match", "*"), "path.id")
			signal := `{"content":"x","layer":"L1","neuron_id":` + quoted + `}`
			refused(s.ask("POST", "/api/v1/signal", signal), "body.neuron_id")
			refused(s.ask("POST", "/api/v1/signal", signal, keyHeader, "k"+fmt.Sprintf("%x", name)), "body.neuron_id")
			refused(s.ask("POST", "/api/v1/signals", `{"content":"x","layer_to":"L1","to_neuron":`+quoted+`}`), "body.to_neuron")
			refused(s.ask("POST", "/api/v1/signals", `[{"content":"x","layer_to":"L1","from_neuron":`+quoted+`}]`), "body[0].from_neuron")
			refused(s.ask("POST", "/api/v1/memories", `{"content":"x","neuron_id":`+quoted+`}`), "body.neuron_id")
			// As a word of another kind before, which the reader of a stream remembers.
			lines := fmt.Sprintf(`{"content":"x","layer_to":"L1","propagation_type":%s}`+"\n"+`{"content":"x","layer_to":"L1","to_neuron":%[1]s}`+"\n"+`{"content":"x","layer_to":"L1","from_neuron":%[1]s}`, quoted)
			if r := data[bulkAnswer](s.bulk(strings.NewReader(lines)).want(207)); r.Failed != 2 || r.Inserted != 1 || len(r.Errors) != 2 ||
				r.Errors[0].Field != "to_neuron" || r.Errors[1].Field != "from_neuron" || !strings.Contains(r.Errors[1].Message, rule) {
				t.Errorf("%q in a stream: %+v", name, r)
			}

			now := s.clock.Now()
			if _, err := s.store.NeuronImport(t.Context(), model.NeuronImportParams{
				ID: name, Layer: "L1", Settings: model.EmptyObject(), State: model.StateIdle, Condition: model.ConditionRunning, CreatedAt: now, UpdatedAt: now,
			}); err != nil {
				t.Fatal(err)
			}
			if got := data[neuron](s.ask("GET", path, "").want(200)); got.ID != name {
				t.Errorf("%q is %q", name, got.ID)
			}
			s.clock.Advance(time.Second)
			s.ask("PUT", path, `{"layer":"L2"}`).want(200, `"layer":"L2"`)
			s.ask("GET", "/api/v1/signals?neuron="+url.QueryEscape(name), "").want(200)
			s.ask("DELETE", path, "", admin...).want(200)
		}
	})
}

func asJSON(t *testing.T, text string) string {
	t.Helper()
	quoted, err := json.Marshal(text)
	if err != nil {
		t.Fatal(err)
	}
	return string(quoted)
}
