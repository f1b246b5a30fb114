package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/hal9-ai/hal9/model"
)

func testNeurons(t *testing.T, b *bench) {
	ctx := ctxOf(t)
	n := must[model.Neuron](t)
	made := n(b.NeuronInsert(ctx, b.neuron("strategic-planner")))
	equal(t, "state", made.State, "idle")
	equal(t, "condition", made.Condition, "running")
	equal(t, "created", made.CreatedAt, b.now)
	equal(t, "running since", made.RunningSince, b.now)
	got := n(b.NeuronGet(ctx, model.NeuronGetParams{ID: "strategic-planner"}))
	equal(t, "version read back", got.Version, made.Version)
	equal(t, "prompt", got.SystemPrompt, "You plan.")
	equalJSON(t, "settings", got.Settings, `{"k":1}`)

	_, err := b.NeuronInsert(ctx, b.neuron("strategic-planner"))
	wantError(t, err, model.ErrConflict, "neuron", "id")
	_, err = b.NeuronGet(ctx, model.NeuronGetParams{ID: "nobody"})
	wantError(t, err, model.ErrNotFound, "neuron", "")

	later := b.now.Add(time.Second)
	changed := n(b.NeuronUpdate(ctx, model.NeuronUpdateParams{ID: "strategic-planner", Layer: "L3", Settings: model.EmptyObject(), UpdatedAt: later}))
	equal(t, "layer after update", changed.Layer, "L3")
	equal(t, "created stays", changed.CreatedAt, b.now)
	equal(t, "updated moves", changed.UpdatedAt, later)
	_, err = b.NeuronUpdate(ctx, model.NeuronUpdateParams{ID: "fresh", Layer: "L1", Settings: model.EmptyObject(), UpdatedAt: later})
	wantError(t, err, model.ErrNotFound, "neuron", "")
	fresh := n(b.NeuronInsert(ctx, b.neuron("fresh")))
	equal(t, "a new one was created now", fresh.CreatedAt, fresh.UpdatedAt)

	equal(t, "deleted", must[model.NeuronDeleteRow](t)(b.NeuronDelete(ctx, model.NeuronDeleteParams{ID: "fresh"})).Version, fresh.Version)
	_, err = b.NeuronDelete(ctx, model.NeuronDeleteParams{ID: "fresh"})
	wantError(t, err, model.ErrNotFound, "neuron", "")
}

func testNeuronStates(t *testing.T, b *bench) {
	ctx := ctxOf(t)
	must[model.Neuron](t)(b.NeuronInsert(ctx, b.neuron("n")))
	set := func(state string, at time.Time) model.Neuron {
		t.Helper()
		return must[model.Neuron](t)(b.NeuronSetState(ctx, model.NeuronSetStateParams{
			ID: "n", State: state, Condition: model.ConditionOf(state), UpdatedAt: at,
		}))
	}
	at := b.now
	step := func() time.Time { at = at.Add(time.Second); return at }

	busy := set("processing", step())
	equal(t, "errors while running", busy.ErrorsCount, 0)
	equal(t, "running since creation", busy.RunningSince, b.now)
	equal(t, "heard from", *busy.StateSetAt, at)
	failed := set("Failed", step())
	equal(t, "errors after entering failed", failed.ErrorsCount, 1)
	again := set("failed", step())
	equal(t, "staying failed is no new error", again.ErrorsCount, 1)
	restarted := set("idle", step())
	equal(t, "running anew", restarted.RunningSince, at)
	set("Stopped", step())
	refailed := set("FAILED", step())
	equal(t, "errors", refailed.ErrorsCount, 2)

	counts := must[[]model.NeuronCountByStateRow](t)(b.NeuronCountByState(ctx))
	byState := map[string]int64{}
	for _, c := range counts {
		byState[c.State] = c.NeuronsCount
	}
	equal(t, "FAILED neurons", byState["FAILED"], 1)
	equal(t, "idle neurons, the four of the migration", byState["idle"], 4)
	_, err := b.NeuronSetState(ctx, model.NeuronSetStateParams{ID: "nobody", State: "x", Condition: "running", UpdatedAt: b.now})
	wantError(t, err, model.ErrNotFound, "neuron", "")
}

func testNeuronActivity(t *testing.T, b *bench) {
	ctx := ctxOf(t)
	first := b.now.Add(-time.Minute)
	add := func(neuron string, n int64, at *time.Time) int64 {
		t.Helper()
		return must[int64](t)(b.NeuronActivityAdd(ctx, model.NeuronActivityAddParams{NeuronID: neuron, SignalsAdded: n, LastSignalAt: at}))
	}
	equal(t, "an unknown neuron is passed over", add("nobody", 3, nil), 0)
	equal(t, "rows", add("neuron-l1", 2, nil), 1)
	got := must[model.NeuronActivity](t)(b.NeuronActivityGet(ctx, model.NeuronActivityGetParams{NeuronID: "neuron-l1"}))
	equal(t, "processed", got.SignalsProcessed, 2)
	if got.LastSignalAt != nil {
		t.Fatalf("never heard from, but last signal at %v", got.LastSignalAt)
	}
	add("neuron-l1", 3, &b.now)
	add("neuron-l1", 1, &first)
	add("neuron-l1", 1, nil)
	got = must[model.NeuronActivity](t)(b.NeuronActivityGet(ctx, model.NeuronActivityGetParams{NeuronID: "neuron-l1"}))
	equal(t, "processed", got.SignalsProcessed, 7)
	equal(t, "last signal only moves forward", *got.LastSignalAt, b.now)

	sent := b.signal(first)
	sent.FromNeuron = "neuron-l1"
	insertSignals(ctx, t, b, sent)
	for range 3 {
		s := b.signal(b.now)
		s.ToNeuron = "neuron-l1"
		insertSignals(ctx, t, b, s)
	}
	must[int64](t)(b.NeuronActivityRecount(ctx, model.NeuronActivityRecountParams{NeuronID: "neuron-l1"}))
	got = must[model.NeuronActivity](t)(b.NeuronActivityGet(ctx, model.NeuronActivityGetParams{NeuronID: "neuron-l1"}))
	equal(t, "recounted", got.SignalsProcessed, 3)
	equal(t, "recounted last signal", *got.LastSignalAt, first)

	must[model.NeuronDeleteRow](t)(b.NeuronDelete(ctx, model.NeuronDeleteParams{ID: "neuron-l1"}))
	_, err := b.NeuronActivityGet(ctx, model.NeuronActivityGetParams{NeuronID: "neuron-l1"})
	wantError(t, err, model.ErrNotFound, "neuron_activity", "")
}

// testNeuronAgain: a neuron that is made anew is there, also where somebody asked for it
// while it was gone.
func testNeuronAgain(t *testing.T, b *bench) {
	ctx := ctxOf(t)
	get := model.NeuronGetParams{ID: "again"}
	for range 2 {
		made := must[model.Neuron](t)(b.NeuronInsert(ctx, b.neuron("again")))
		equal(t, "made", must[model.Neuron](t)(b.NeuronGet(ctx, get)).Version, made.Version)
		must[model.NeuronDeleteRow](t)(b.NeuronDelete(ctx, model.NeuronDeleteParams{ID: "again"}))
		_, err := b.NeuronGet(ctx, get)
		wantError(t, err, model.ErrNotFound, "neuron", "")
	}
}

func testNeuronListPages(t *testing.T, b *bench) {
	ctx := ctxOf(t)
	for i := range 25 {
		p := b.neuron(fmt.Sprintf("page-%02d", i))
		p.Layer = fmt.Sprintf("L%d", i%2+1)
		must[model.Neuron](t)(b.NeuronInsert(ctx, p))
	}
	walk := func(layer, state *string) (ids []string) {
		t.Helper()
		after := ""
		for {
			page := must[[]model.Neuron](t)(b.NeuronList(ctx, model.NeuronListParams{AfterID: after, Layer: layer, State: state, PageLimit: 4}))
			if len(page) == 0 {
				return ids
			}
			for _, n := range page {
				if n.ID <= after {
					t.Fatalf("%q does not come after %q", n.ID, after)
				}
				after = n.ID
				ids = append(ids, n.ID)
			}
		}
	}
	equal(t, "all", len(walk(nil, nil)), 29)
	equal(t, "L1", len(walk(new("L1"), nil)), 14)
	equal(t, "idle L2", len(walk(new("L2"), new("idle"))), 13)
	equal(t, "busy", len(walk(nil, new("busy"))), 0)
	empty := must[[]model.Neuron](t)(b.NeuronList(ctx, model.NeuronListParams{PageLimit: 0}))
	if empty == nil || len(empty) != 0 {
		t.Fatalf("a page of none is %v, want an empty slice that is not nil", empty)
	}
}
