package transfer_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/hal9-ai/hal9/model"
	"github.com/hal9-ai/hal9/transfer"
)

func allMemories(t *testing.T, st model.Store) map[uuid.UUID]model.Memory {
	t.Helper()
	list, err := st.MemoryList(t.Context(), model.MemoryListParams{
		CursorCreatedAt: time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), CursorID: model.MaxID(), PageLimit: 10_000,
	})
	if err != nil {
		t.Fatal(err)
	}
	all := map[uuid.UUID]model.Memory{}
	for _, m := range list {
		all[m.ID] = m
	}
	return all
}

func memory(t *testing.T, st model.Store, id string) model.Memory {
	t.Helper()
	m, err := st.MemoryGet(t.Context(), model.MemoryGetParams{ID: uuid.MustParse(id)})
	if err != nil {
		t.Fatalf("memory %s: %v", id, err)
	}
	return m
}

// sameJSON compares values: PostgreSQL keeps no spelling.
func sameJSON(t *testing.T, what string, got model.JSON, want string) {
	t.Helper()
	var a, b any
	if err := json.Unmarshal(got, &a); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	if err := json.Unmarshal([]byte(want), &b); err != nil {
		t.Fatalf("%s: %v", want, err)
	}
	if !reflect.DeepEqual(a, b) {
		t.Errorf("%s is %s, want %s", what, got, want)
	}
}

func TestMemoriesKeepEveryValue(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, st model.Store) {
		source := newSource(t, ddlC)
		embedding := []byte{0, 0, 128, 63, 0, 0, 0, 192}
		source.memory(t, memoryC{
			"id": numbered(1), "neuron_id": "strategic-planner", "layer": "L4", "timestamp": 1749722400, "entry_type": `"Task"`,
			"content": "Plan the déployment to Straße 9", "metadata": `{"signal_id": "` + numbered(77) + `", "big": 12345678901234567, "deep": {"a": [1, null]}}`,
			"embedding": embedding, "importance": float64(float32(0.7)), "access_count": 4_000_000_000, "last_accessed": 1749722461,
		})
		source.memory(t, memoryC{"id": numbered(2), "entry_type": `"Learning"`})
		report := imported(t, source.done(t), st, transfer.Options{})
		memories := table(t, report, "memories")
		wantCounts(t, memories, 2, 2, 0, 0)
		if len(memories.Adapted) > 0 || report.Variant != "C" || len(report.NotImported) > 0 {
			t.Errorf("report: %+v %+v", report, memories)
		}

		m := memory(t, st, numbered(1))
		at := time.Unix(1749722400, 0).UTC()
		if m.NeuronID != "strategic-planner" || *m.Layer != "L4" || *m.EntryType != "Task" || m.Content != "Plan the déployment to Straße 9" ||
			m.Importance != 0.699999988079071 || m.AccessCount != 4_000_000_000 || !bytes.Equal(m.Embedding, embedding) ||
			!m.CreatedAt.Equal(at) || !m.UpdatedAt.Equal(at) || !m.LastAccessed.Equal(at.Add(61*time.Second)) {
			t.Errorf("memory: %+v", m)
		}
		sameJSON(t, "context", m.Context, `{}`)
		sameJSON(t, "metadata", m.Metadata, `{"signal_id": "`+numbered(77)+`", "big": 12345678901234567, "deep": {"a": [1, null]}}`)
		if plain := memory(t, st, numbered(2)); plain.Embedding != nil || *plain.EntryType != "Learning" {
			t.Errorf("memory without embedding: %+v", plain)
		}

		// Its words are found: the index is made anew.
		hits, err := st.MemorySearch(t.Context(), model.MemorySearchParams{Match: `"strass"`, Phrases: model.JSON("[]"), PageLimit: 10, PageBytes: 1 << 30})
		if err != nil {
			t.Fatal(err)
		}
		more, err := st.MemorySearch(t.Context(), model.MemorySearchParams{Match: `"strasse"`, Phrases: model.JSON("[]"), PageLimit: 10, PageBytes: 1 << 30})
		if err != nil {
			t.Fatal(err)
		}
		if len(hits)+len(more) != 1 {
			t.Errorf("found %d memories, want 1", len(hits)+len(more))
		}
	})
}

func TestImportingAgainChangesNothing(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, st model.Store) {
		source := newSource(t, looseC)
		for n := range 25 {
			source.memory(t, memoryC{"id": numbered(n + 1)})
		}
		source.memory(t, memoryC{"id": "free text"})
		source.memory(t, memoryC{"id": numbered(1), "content": "same id, other text"})
		source.memory(t, memoryC{"id": numbered(99), "timestamp": "yesterday"})
		path := source.done(t)
		first := imported(t, path, st, transfer.Options{ChunkRows: 4})
		wantCounts(t, table(t, first, "memories"), 28, 26, 0, 2)
		before := allMemories(t, st)
		second := imported(t, path, st, transfer.Options{ChunkRows: 7})
		wantCounts(t, table(t, second, "memories"), 28, 0, 26, 2)
		if after := allMemories(t, st); !reflect.DeepEqual(before, after) {
			t.Errorf("the second import changed the store:\n%v\n%v", before, after)
		}
		if got := memory(t, st, numbered(1)).Content; got != "something to remember" {
			t.Errorf("the later of two rows with one id won: %q", got)
		}
	})
}

func TestDryRunWritesNothing(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, st model.Store) {
		source := newSource(t, ddlC)
		for n := range 3 {
			source.memory(t, memoryC{"id": numbered(n + 1)})
		}
		path := source.path
		imported(t, path, st, transfer.Options{})
		source.memory(t, memoryC{"id": numbered(10)})
		source.memory(t, memoryC{"id": numbered(11), "timestamp": "never"})
		source.done(t)
		before := allMemories(t, st)
		report := imported(t, path, st, transfer.Options{DryRun: true})
		wantCounts(t, table(t, report, "memories"), 5, 1, 3, 1)
		if !report.DryRun {
			t.Error("the report does not say that it was a dry run")
		}
		if after := allMemories(t, st); !reflect.DeepEqual(before, after) {
			t.Error("the dry run wrote")
		}
		report = imported(t, path, nil, transfer.Options{DryRun: true})
		wantCounts(t, table(t, report, "memories"), 5, 4, 0, 1)
	})
}

func TestOldIDsAndReferencesAreRemapped(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, st model.Store) {
		source := newSource(t, ddlC)
		source.memory(t, memoryC{"id": "mem-1", "metadata": `{"signal_id":"sig-9","note":"x"}`})
		source.memory(t, memoryC{"id": numbered(2), "metadata": `{"parent_id":"mem-1","legacy_parent_id":"taken"}`})
		source.memory(t, memoryC{"id": numbered(3), "metadata": `{"parent_id":"sig-9","signal_id":5}`})
		upper := strings.ToUpper("7d3b5c1e-6f0a-4a53-9d53-0d3b7a3a1f01")
		source.memory(t, memoryC{"id": upper, "metadata": `{"signal_id":"` + numbered(4) + `"}`})
		report := imported(t, source.done(t), st, transfer.Options{})
		memories := table(t, report, "memories")
		wantCounts(t, memories, 4, 4, 0, 0)
		if got := adapted(memories, "id was no UUID: one was made"); got != 2 {
			t.Errorf("%d rows got a new id, want 2: %+v", got, memories.Adapted)
		}

		oldMemory, oldSignal := model.LegacyID("memory", "mem-1"), model.LegacyID("signal", "sig-9")
		first := memory(t, st, oldMemory.String())
		sameJSON(t, "context", first.Context, `{"legacy_id":"mem-1"}`)
		sameJSON(t, "metadata", first.Metadata, `{"signal_id":"`+oldSignal.String()+`","note":"x","legacy_signal_id":"sig-9"}`)
		sameJSON(t, "metadata", memory(t, st, numbered(2)).Metadata, `{"parent_id":"`+oldMemory.String()+`","legacy_parent_id":"taken","legacy_parent_id_2":"mem-1"}`)
		sameJSON(t, "metadata", memory(t, st, numbered(3)).Metadata, `{"parent_id":"`+oldSignal.String()+`","legacy_parent_id":"sig-9","signal_id":5}`)
		kept := memory(t, st, model.LegacyID("memory", upper).String())
		sameJSON(t, "context", kept.Context, `{"legacy_id":"`+upper+`"}`)
		sameJSON(t, "metadata", kept.Metadata, `{"signal_id":"`+numbered(4)+`"}`)

		// What refers to a signal is found by its id.
		found, err := st.MemoryListByReference(t.Context(), model.MemoryListByReferenceParams{Reference: oldSignal, PageLimit: 10})
		if err != nil || len(found) != 2 {
			t.Errorf("%d memories refer to the signal (%v), want 2", len(found), err)
		}
	})
}
