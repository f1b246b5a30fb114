package transfer_test

import (
	"encoding/base64"
	"maps"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/hal9-ai/hal9/internal/testenv/migrated"
	"github.com/hal9-ai/hal9/model"
	"github.com/hal9-ai/hal9/transfer"
)

// Each bad row is skipped alone, named and counted; the good ones around it stay.
func TestBadRowsAreSkippedWithReason(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 256)
	bad := []struct {
		row    memoryC
		reason string
	}{
		{memoryC{"id": nil}, "id is empty"},
		{memoryC{"id": ""}, "id is empty"},
		{memoryC{"id": "a\x00b"}, "id is no valid text"},
		{memoryC{"neuron_id": nil}, "neuron_id is empty"},
		{memoryC{"neuron_id": long}, "neuron_id is longer than 255 characters"},
		{memoryC{"neuron_id": "n\x00"}, "neuron_id contains the NUL character"},
		{memoryC{"neuron_id": "n\xff"}, "neuron_id is not valid UTF-8"},
		{memoryC{"layer": long}, "layer is longer than 255 characters"},
		{memoryC{"entry_type": long}, "entry_type is longer than 255 characters"},
		{memoryC{"timestamp": nil}, "timestamp is empty"},
		{memoryC{"timestamp": "yesterday"}, "timestamp is no known form of a time: yesterday"},
		{memoryC{"timestamp": "2025-13-01"}, "timestamp is no known form of a time"},
		{memoryC{"timestamp": math.Inf(1)}, "timestamp is no known form of a time"},
		{memoryC{"timestamp": -90_000_000_000}, "timestamp is a time outside the years 1 to 9999"},
		{memoryC{"content": nil}, "content is NULL"},
		{memoryC{"content": strings.Repeat("x", 1<<20+1)}, "content is larger than 1 MiB"},
		{memoryC{"content": "\xff" + strings.Repeat("x", 60_000)}, "context is larger than 65536 bytes"},
		{memoryC{"importance": "much"}, "importance is no number: much"},
		{memoryC{"importance": math.Inf(-1)}, "importance is no finite number"},
		{memoryC{"access_count": 1.5}, "access_count is no whole number: 1.5"},
		{memoryC{"metadata": `{"a":"` + strings.Repeat("x", 64<<10) + `"}`}, "metadata is larger than 65536 bytes"},
		{memoryC{"metadata": strings.Repeat("x", 2<<20)}, "metadata is larger than 1 MiB"},
	}
	onEngines(t, func(t *testing.T, st model.Store) {
		source := newSource(t, looseC)
		for i, b := range bad {
			if _, given := b.row["id"]; !given {
				b.row = copyRow(b.row)
				b.row["id"] = numbered(1000 + i)
			}
			source.memory(t, memoryC{"id": numbered(1 + i)})
			source.memory(t, b.row)
		}
		n := int64(len(bad))
		report := table(t, imported(t, source.done(t), st, transfer.Options{ChunkRows: 5}), "memories")
		wantCounts(t, report, 2*n, n, 0, n)
		if len(report.SkippedRows) != len(bad) {
			t.Fatalf("%d rows are named", len(report.SkippedRows))
		}
		for i, b := range bad {
			got := report.SkippedRows[i]
			if got.RowID != int64(2*i+2) || !strings.HasPrefix(got.Reason, b.reason) {
				t.Errorf("row %d: %+v, want rowid %d and %q", i, got, 2*i+2, b.reason)
			}
		}
		counted := int64(0)
		for _, c := range report.SkippedBecause {
			counted += c.Rows
			if c.Reason == "id is empty" && c.Rows != 2 {
				t.Errorf("%+v, want 2 rows", c)
			}
		}
		if counted != n {
			t.Errorf("the reasons count %d rows, want %d", counted, n)
		}
	})
}

func copyRow(r memoryC) memoryC {
	c := memoryC{}
	maps.Copy(c, r)
	return c
}

// What is odd but can be kept is kept, and told.
func TestNothingOfARowIsLost(t *testing.T) {
	t.Parallel()
	broken := "caf\xe9 \x00 end"
	b64 := base64.StdEncoding.EncodeToString
	cases := []struct {
		name     string
		row      memoryC
		content  string // "" for the usual one
		context  string
		metadata string
		note     string
	}{
		{"metadata is no JSON", memoryC{"metadata": `{broken`}, "", `{}`, `{"legacy_metadata":"{broken"}`, "no JSON that both"},
		{"duplicate names", memoryC{"metadata": `{"a":1,"a":2}`}, "", `{}`, `{"legacy_metadata":"{\"a\":1,\"a\":2}"}`, "no JSON that both"},
		{"NUL in a string", memoryC{"metadata": `{"a":"\u0000"}`}, "", `{}`, `{"legacy_metadata":"{\"a\":\"\\u0000\"}"}`, "no JSON that both"},
		{"number too large", memoryC{"metadata": `{"a":1e999}`}, "", `{}`, `{"legacy_metadata":"{\"a\":1e999}"}`, "no JSON that both"},
		{"array", memoryC{"metadata": `[1,"two"]`}, "", `{}`, `{"legacy_metadata":[1,"two"]}`, "no JSON object"},
		{"broken UTF-8 in metadata", memoryC{"metadata": "\xff"}, "", `{}`, `{"legacy_metadata_base64":"` + b64([]byte{0xff}) + `"}`, "no valid text"},
		{"empty metadata", memoryC{"metadata": ""}, "", `{}`, `{}`, ""},
		{"null metadata", memoryC{"metadata": nil}, "", `{}`, `{}`, ""},
		{"broken content", memoryC{"content": broken}, "caf\uFFFD \uFFFD end", `{"legacy_content_base64":"` + b64([]byte(broken)) + `"}`, `{}`, "content held NUL"},
		{"odd last_accessed", memoryC{"last_accessed": "long ago"}, "", `{"legacy_last_accessed":"long ago"}`, `{}`, "last_accessed was"},
		{"embedding as text", memoryC{"embedding": "[0.5]"}, "", `{"legacy_embedding":"[0.5]"}`, `{}`, "embedding was no bytes"},
		{"unknown column", memoryC{"mood": 7, "tag": "ta\"g"}, "", `{"legacy_mood":7,"legacy_tag":"ta\"g"}`, `{}`, `column "mood" is unknown`},
		{"unknown bytes", memoryC{"tag": []byte{1, 255}}, "", `{"legacy_tag_base64":"Af8="}`, `{}`, `column "tag" is unknown`},
	}
	onEngines(t, func(t *testing.T, st model.Store) {
		source := newSource(t, looseC+"ALTER TABLE memories ADD COLUMN mood; ALTER TABLE memories ADD COLUMN tag;")
		for i, c := range cases {
			row := copyRow(c.row)
			row["id"] = numbered(i)
			source.memory(t, row)
		}
		report := table(t, imported(t, source.done(t), st, transfer.Options{}), "memories")
		wantCounts(t, report, int64(len(cases)), int64(len(cases)), 0, 0)
		for i, c := range cases {
			m := memory(t, st, numbered(i))
			if c.content == "" {
				c.content = "something to remember"
			}
			if m.Content != c.content {
				t.Errorf("%s: content is %q", c.name, m.Content)
			}
			sameJSON(t, c.name+": context", m.Context, c.context)
			sameJSON(t, c.name+": metadata", m.Metadata, c.metadata)
			if c.note != "" && adapted(report, c.note) == 0 {
				t.Errorf("%s is not told: %+v", c.name, report.Adapted)
			}
		}
	})
}

func TestOddSpellings(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, st model.Store) {
		source := newSource(t, looseC)
		raw := uuid.MustParse("ff3b5c1e-6f0a-4a53-9d53-0d3b7a3a1fff")
		source.memory(t, memoryC{"id": raw[:], "layer": `"Strategic"`, "entry_type": nil, "importance": "0.25", "access_count": 3e6, "embedding": []byte{1, 2, 3}})
		source.memory(t, memoryC{"id": numbered(1), "layer": nil, "importance": nil, "access_count": nil, "last_accessed": nil, "content": ""})
		source.memory(t, memoryC{"id": numbered(2), "layer": "API", "entry_type": `{"Other":"x"}`, "content": []byte("bytes")})
		source.memory(t, memoryC{"id": 42})
		report := table(t, imported(t, source.done(t), st, transfer.Options{}), "memories")
		wantCounts(t, report, 4, 4, 0, 0)
		m := memory(t, st, raw.String())
		if *m.Layer != "L4" || m.EntryType != nil || m.Importance != 0.25 || m.AccessCount != 3_000_000 || len(m.Embedding) != 3 {
			t.Errorf("%+v", m)
		}
		m = memory(t, st, numbered(1))
		if m.Layer != nil || m.Importance != 0.5 || m.AccessCount != 0 || m.LastAccessed != nil || m.Content != "" {
			t.Errorf("%+v", m)
		}
		m = memory(t, st, numbered(2))
		if *m.Layer != "API" || *m.EntryType != `{"Other":"x"}` || m.Content != "bytes" {
			t.Errorf("%+v", m)
		}
		sameJSON(t, "context", memory(t, st, model.LegacyID("memory", "42").String()).Context, `{"legacy_id":"42"}`)
	})
}

func TestFormsOfTime(t *testing.T) {
	t.Parallel()
	at := time.Date(2025, 6, 12, 10, 0, 0, 0, time.UTC)
	fraction := at.Add(123456 * time.Microsecond)
	cases := []struct {
		value any
		want  time.Time
	}{
		{at.Unix(), at},
		{at.UnixMilli(), at},
		{fraction.UnixMicro(), fraction},
		{fraction.UnixNano() + 789, fraction},
		{-86400, time.Date(1969, 12, 31, 0, 0, 0, 0, time.UTC)},
		{0, time.Unix(0, 0)},
		{float64(at.Unix()) + 0.5, at.Add(500 * time.Millisecond)},
		{float64(at.UnixMilli()), at},
		{"1749722400", at},
		{"1749722400.5", at.Add(500 * time.Millisecond)},
		{"1749722400123", at.Add(123 * time.Millisecond)},
		{"2025-06-12T10:00:00Z", at},
		{"2025-06-12t10:00:00z", at},
		{"2025-06-12T12:00:00.123456789+02:00", fraction},
		{"2025-06-12T10:00:00", at},
		{"2025-06-12 10:00:00", at},
		{"2025-06-12 10:00:00.123456", fraction},
		{" 2025-06-12 10:00:00.123456 UTC ", fraction},
		{"2025-06-12 12:00:00 +02:00", at},
		{"2025-06-12 12:00:00+02:00", at},
		{"2025-06-12 12:00:00+0200", at},
		{"2025-06-12 10:00", at},
		{"2025-06-12", at.Add(-10 * time.Hour)},
		{`"2025-06-12T10:00:00Z"`, at},
		{[]byte("2025-06-12T10:00:00Z"), at},
	}
	onEngines(t, func(t *testing.T, st model.Store) {
		source := newSource(t, looseC)
		for i, c := range cases {
			source.memory(t, memoryC{"id": numbered(i), "timestamp": c.value})
		}
		// A declared type must not make the driver change what is stored.
		other := newSource(t, strings.Replace(looseC, "timestamp,", "timestamp TIMESTAMP,", 1))
		for i, c := range cases {
			other.memory(t, memoryC{"id": numbered(1000 + i), "timestamp": c.value})
		}
		imported(t, source.done(t), st, transfer.Options{})
		imported(t, other.done(t), st, transfer.Options{})
		for i, c := range cases {
			for _, id := range []string{numbered(i), numbered(1000 + i)} {
				if got := memory(t, st, id).CreatedAt; !got.Equal(c.want) {
					t.Errorf("%v is read as %v, want %v", c.value, got, c.want)
				}
			}
		}
	})
}

// The database may have rules of its own. The row that breaks one is found and
// told; the rest of its chunk is stored.
func TestRowThatTheDatabaseRefuses(t *testing.T) {
	t.Parallel()
	address := migrated.PostgresDatabase(t)
	st := openAt(t, address)
	conn, err := pgx.Connect(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(t.Context(), "ALTER TABLE memories ADD CHECK (content <> 'forbidden')"); err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	source := newSource(t, ddlC)
	for n := range 20 {
		content := "allowed"
		if n == 7 || n == 19 {
			content = "forbidden"
		}
		source.memory(t, memoryC{"id": numbered(n), "content": content})
	}
	report := table(t, imported(t, source.done(t), st, transfer.Options{}), "memories")
	wantCounts(t, report, 20, 18, 0, 2)
	if len(report.SkippedRows) != 2 || report.SkippedRows[0].ID != numbered(7) || !strings.HasPrefix(report.SkippedRows[0].Reason, "the database refused it") {
		t.Errorf("skipped: %+v", report.SkippedRows)
	}
	if got := len(allMemories(t, st)); got != 18 {
		t.Errorf("%d memories are stored", got)
	}
}
