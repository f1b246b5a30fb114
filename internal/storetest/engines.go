package storetest

import (
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/hal9-ai/hal9/model"
)

// The tests of this file hold both engines to one answer where, left to themselves,
// they differ.

func equalJSON(t *testing.T, what string, got model.JSON, want string) {
	t.Helper()
	var g, w any
	ok(t, json.Unmarshal(got, &g))
	ok(t, json.Unmarshal([]byte(want), &w))
	if !reflect.DeepEqual(g, w) {
		t.Fatalf("%s: got %s, want %s", what, got, want)
	}
}

func testTimes(t *testing.T, b *bench) {
	ctx := ctxOf(t)
	zone := time.FixedZone("east", 5*3600+1800)
	for _, at := range []time.Time{
		time.Date(2024, 2, 29, 23, 59, 59, 123456789, zone),
		time.Date(1969, 12, 31, 23, 59, 59, 999999999, time.UTC),
		time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC),
		time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC),
		time.Date(1582, 10, 15, 0, 0, 0, 1000, time.UTC),
	} {
		p := b.memory("n", "x")
		p.CreatedAt = at
		m := must[model.Memory](t)(b.MemoryInsert(ctx, p))
		for _, got := range []time.Time{m.CreatedAt, must[model.Memory](t)(b.MemoryGet(ctx, model.MemoryGetParams{ID: m.ID})).CreatedAt} {
			if want := at.UTC().Truncate(time.Microsecond); !got.Equal(want) || got.Location() != time.UTC {
				t.Errorf("%v reads back as %v, want %v", at, got, want)
			}
		}
		page := must[[]model.Memory](t)(b.MemoryList(ctx, model.MemoryListParams{CursorCreatedAt: m.CreatedAt, CursorID: model.MaxID(), PageLimit: 1}))
		if len(page) != 1 || !page[0].CreatedAt.Equal(m.CreatedAt) {
			t.Errorf("the page after %v is %v", at, page)
		}
	}
}

func testTextOrder(t *testing.T, b *bench) {
	ctx := ctxOf(t)
	ids := []string{"a", "B", "Z", "é", "z", "_", "-", "aa", "a b", "0", "ß", "中"}
	for _, id := range ids {
		must[model.Neuron](t)(b.NeuronInsert(ctx, b.neuron(id)))
	}
	var got []string
	for _, n := range must[[]model.Neuron](t)(b.NeuronList(ctx, model.NeuronListParams{PageLimit: 100})) {
		if !strings.HasPrefix(n.ID, "neuron-l") {
			got = append(got, n.ID)
		}
	}
	slices.Sort(ids) // by bytes
	if !slices.Equal(got, ids) {
		t.Fatalf("order %q, want %q", got, ids)
	}
}

func testJSONValues(t *testing.T, b *bench) {
	ctx := ctxOf(t)
	for i, v := range []string{
		`{}`, `[]`, `null`, `true`, `"text"`, `0`, `-0.5e-3`, `1.7976931348623157e308`, `12345678901234567890`,
		`{"b":1,"a":{"c":[{},[],""]}}`, `"\u00e9\n\"\\ \ud83d\ude00"`, ` { "spaced" : [ 1 , 2 ] } `,
		strings.Repeat("[", model.MaxJSONDepth) + strings.Repeat("]", model.MaxJSONDepth),
	} {
		p := b.neuron("json-" + string(rune('a'+i)))
		p.Settings = model.JSON(v)
		made := must[model.Neuron](t)(b.NeuronInsert(ctx, p))
		equalJSON(t, "returned", made.Settings, v)
		equalJSON(t, "read back", must[model.Neuron](t)(b.NeuronGet(ctx, model.NeuronGetParams{ID: p.ID})).Settings, v)
	}
}

func testRefusedArguments(t *testing.T, b *bench) {
	ctx := ctxOf(t)
	memory := func(change func(*model.MemoryInsertParams)) error {
		p := b.memory("n", "text")
		change(&p)
		_, err := b.MemoryInsert(ctx, p)
		return err
	}
	jsons := map[string]string{
		"empty": "", "no value": "{", "text after it": "{} {}", "duplicate names": `{"a":1,"a":1}`,
		"lone surrogate": `"\ud800"`, "broken UTF-8": "\"\xff\"", "NUL": `{"a":"\u0000"}`, "NUL in a name": `{"\u0000":1}`,
		"number beyond float64": `[1e999]`, "NaN": `NaN`,
		"too deep": strings.Repeat("[", model.MaxJSONDepth+1) + strings.Repeat("]", model.MaxJSONDepth+1),
	}
	for name, v := range jsons {
		err := memory(func(p *model.MemoryInsertParams) { p.Context = model.JSON(v) })
		t.Log(name)
		wantError(t, err, model.ErrInvalid, "memory", "context")
	}
	wantError(t, memory(func(p *model.MemoryInsertParams) { p.Metadata = nil }), model.ErrInvalid, "memory", "metadata")
	wantError(t, memory(func(p *model.MemoryInsertParams) { p.Content = "a\x00b" }), model.ErrInvalid, "memory", "content")
	wantError(t, memory(func(p *model.MemoryInsertParams) { p.Content = "a\xc3(" }), model.ErrInvalid, "memory", "content")
	wantError(t, memory(func(p *model.MemoryInsertParams) { p.Layer = new("\x00") }), model.ErrInvalid, "memory", "layer")
	for _, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		wantError(t, memory(func(p *model.MemoryInsertParams) { p.Importance = v }), model.ErrInvalid, "memory", "importance")
	}
	for _, year := range []int{-1, 0, 10000, 300000} {
		wantError(t, memory(func(p *model.MemoryInsertParams) { p.CreatedAt = time.Date(year, 1, 2, 0, 0, 0, 0, time.UTC) }),
			model.ErrInvalid, "memory", "created_at")
	}
	_, err := b.NeuronList(ctx, model.NeuronListParams{PageLimit: -1})
	wantError(t, err, model.ErrInvalid, "neuron", "page_limit")
	_, err = b.NeuronGet(ctx, model.NeuronGetParams{ID: "a\x00"})
	wantError(t, err, model.ErrInvalid, "neuron", "id")
	equal(t, "nothing was written", len(must[[]model.Memory](t)(b.MemoryList(ctx, model.MemoryListParams{CursorCreatedAt: model.MaxTime(), CursorID: model.MaxID(), PageLimit: 10}))), 0)
}

func testRefusedByTheSchema(t *testing.T, b *bench) {
	ctx := ctxOf(t)
	long := strings.Repeat("é", 256)
	for _, id := range []string{"", long} {
		_, err := b.NeuronInsert(ctx, b.neuron(id))
		wantError(t, err, model.ErrInvalid, "neuron", "id")
	}
	must[model.Neuron](t)(b.NeuronInsert(ctx, b.neuron(long[:510])))
	_, err := b.NeuronSetState(ctx, model.NeuronSetStateParams{ID: "neuron-l1", State: "x", Condition: "sleepy", UpdatedAt: b.now})
	wantError(t, err, model.ErrInvalid, "neuron", "condition")
	p := b.memory("", "x")
	_, err = b.MemoryInsert(ctx, p)
	wantError(t, err, model.ErrInvalid, "memory", "neuron_id")
	s := b.signal(b.now)
	s.FromNeuron = long
	_, err = b.SignalInsert(ctx, s)
	wantError(t, err, model.ErrInvalid, "signal", "from_neuron")
	wantError(t, b.MetricInsert(ctx, model.MetricInsertParams{ID: b.id(), Labels: model.EmptyObject(), Timestamp: b.now}), model.ErrInvalid, "metrics_aggregate", "metric_name")
	wantError(t, b.AuditInsert(ctx, model.AuditInsertParams{ID: b.id(), ResourceType: "x", Details: model.EmptyObject(), CreatedAt: b.now}), model.ErrInvalid, "audit_log", "action")
	u := b.user(long)
	u.Email = nil
	_, err = b.UserInsert(ctx, u)
	wantError(t, err, model.ErrInvalid, "user", "username")
}
