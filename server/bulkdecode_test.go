package server //nolint:testpackage // compares the two ways of decoding a line, which have no public door

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/hal9-ai/hal9/auth"
	"github.com/hal9-ai/hal9/ingest"
	"github.com/hal9-ai/hal9/model"
)

// The quick way through a line accepts nothing that the thorough one refuses, and
// makes the same signal of what both accept.
func FuzzLineDecoder(f *testing.F) {
	const id = "0199d2f4-7c00-7a31-8d52-0e6f4b1c9a70"
	plain := []string{ // that slow down the others if they are not quick
		`{"content":"x","layer_to":"L1"}`, ` {"layer_to" : "strategic", "content":"é\ud83d\ude80"} `,
		`{"id":"` + id + `","from_neuron":"a","to_neuron":"b","layer_from":"api","layer_to":"L3","propagation_type":"p","content":"c","metadata":{"a":[1,{"b":null}]},"timestamp":"2025-10-11T11:07:41.952Z"}`,
		`{"content":"x","layer_to":"L1","metadata":null,"id":null,"timestamp":null,"from_neuron":null,"to_neuron":null,"layer_from":null,"propagation_type":null}`,
		`{"content": "a \"b\"\n\u00e9", "layer_to": "L1", "metadata": {"a": [1.5, -2e-05, "x \\ \u00e9 \ud83d\ude80"], "b": {"a": {}}, "": true}, "timestamp": "2025-10-11T11:16:24.576+02:00"}` + "\r",
		`{"content":"x","layer_to":"L1","from_neuron":"` + strings.Repeat("é", 255) + `","metadata":` + strings.Repeat(`{"a":`, 63) + `1` + strings.Repeat(`}`, 64),
	}
	for _, line := range append([]string{
		`{"content":"x","layer_to":"L1","metadata":[]}`, `{"content":"x","layer_to":"L1","metadata":{"a":1,"a":2}}`,
		`{"content":"x","layer_to":"L1","metadata":{"a":1e999}}`, `{"content":null,"layer_to":"L1"}`, `{"content":"","layer_to":"L1"}`,
		`{"content":"\u0000","layer_to":"L1"}`, "{\"content\":\"\x00\",\"layer_to\":\"L1\"}", "{\"content\":\"\xff\",\"layer_to\":\"L1\"}",
		`{"content":"x","layer_to":"L1","timestamp":"2025-10-11"}`, `{"content":"x","layer_to":"L1","timestamp":"2025-10-11T09:16:24+25:00"}`,
		`{"content":"x","layer_to":"L1","id":"{0199d2f4-7c00-7a31-8d52-0e6f4b1c9a}"}`, `{"content":"x","layer_to":"L1","id":"0199D2F4-7C00-7A31-8D52-0E6F4B1C9A70"}`,
		`{"content":"x","layer_to":"L1","from_neuron":"` + strings.Repeat("é", 255) + `"}`, `{"content":"x","layer_to":"L1","from_neuron":"` + strings.Repeat("é", 256) + `"}`,
		`{"content":"x","layer_to":"L1","to_neuron":""}`, `{"Content":"x","layer_to":"L1"}`, `{"content":"x","layer_to":"L1"}{}`, `null`, `[]`, ``,
		`{"content":"x","layer_to":"L1","metadata":` + strings.Repeat(`{"a":`, 63) + `1` + strings.Repeat(`}`, 64),
		`{"content":"x","layer_to":"L1","metadata":` + strings.Repeat(`{"a":`, 64) + `1` + strings.Repeat(`}`, 65),
		`{"content":"x","content":"y","layer_to":"L1"}`, `{"content":"x","layer_to":"L1","layer_to":"L1"}`, `{"content":"x","layer_to":null}`, `{"content":"x","layer_to":"L1","id":null,"id":null}`,
		`{"content":"\ud83d","layer_to":"L1"}`, `{"content":"x","layer_to":"L1","metadata":{"a":"\ude80"}}`, `{"content":"x","layer_to":"L1","metadata":{"\u0061":1,"a":2}}`,
		`{"content":"x","layer_to":"L1","id":"\u0030199d2f4-7c00-7a31-8d52-0e6f4b1c9a70"}`, `{"content":"x","layer_to":"L1","id":"` + id + `","timestamp":"2025-10-11T11:07:41.951Z"}`,
		`{"content":"x","layer_to":"L1","timestamp":"2025-10-11t09:16:24z"}`, `{"content":"x","layer_to":"L1","timestamp":"2025-10-11T09:16:24,5Z"}`, `{"content":"x","layer_to":"L1","timestamp":"2025-10-11T9:16:24Z"}`, `{"content":"x","layer_to":"L1","timestamp":"2025-10-11T09:16:24+24:00"}`, `{"content":"x","layer_to":"L1","timestamp":"2025-10-11T09:16:24+23:60"}`, `{"content":"x","layer_to":"L1","timestamp":"2199-10-11T09:16:24Z"}`,
		`{"content":"x","layer_to":"L1","metadata":{"a":"` + strings.Repeat("x", maxMetadata) + `"}}`, `{"content":"x","layer_to":"L1","metadata":"{}"}`, `{"content":"x" "layer_to":"L1"}`, `{"content":"x","layer_to":"L1",}`,
	}, plain...) {
		f.Add([]byte(line))
	}
	now := func() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) }
	s, err := New(Deps{Store: struct{ model.Store }{}, Ingest: struct{ Ingest }{}, Auth: new(auth.Service), Clock: now, Identities: ingest.Identities{
		IDs: model.NewIDGenerator(now), Clock: now,
	}})
	if err != nil {
		f.Fatal(err)
	}
	d := newLineDecoder(s.newSignalReader())
	for _, line := range plain {
		if _, ok := d.quick([]byte(line)); !ok {
			f.Errorf("not quick: %s", line)
		}
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		quick, ok := d.quick(line)
		if !ok {
			return
		}
		thorough, faults := d.read(line, -1)
		if len(faults) > 0 {
			t.Fatalf("accepted, but %v", faults)
		}
		if err := quick.Normalize(); err != nil {
			t.Fatalf("accepted, but the store says %v", err)
		}
		if !strings.Contains(string(line), `"id"`) || quick.ID == uuid.Nil { // ids that are made differ
			quick.ID, thorough.ID = uuid.Nil, uuid.Nil
		}
		if quick.ID != thorough.ID && strings.Contains(string(line), "null") {
			quick.ID, thorough.ID = uuid.Nil, uuid.Nil
		}
		same := string(quick.Metadata) == string(thorough.Metadata) && quick.Timestamp.Equal(thorough.Timestamp)
		quick.Metadata, thorough.Metadata, quick.Timestamp, thorough.Timestamp = nil, nil, time.Time{}, time.Time{}
		if !same || quick.ID != thorough.ID || quick.Content != thorough.Content || quick.FromNeuron != thorough.FromNeuron || quick.ToNeuron != thorough.ToNeuron ||
			quick.LayerFrom != thorough.LayerFrom || quick.LayerTo != thorough.LayerTo || quick.PropagationType != thorough.PropagationType {
			t.Fatalf("quick %+v, thorough %+v", quick, thorough)
		}
	})
}
