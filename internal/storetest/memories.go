package storetest

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/hal9-ai/hal9/internal/searchtext"
	"github.com/hal9-ai/hal9/model"
)

func testMemories(t *testing.T, b *bench) {
	ctx := ctxOf(t)
	m := must[model.Memory](t)
	p := b.memory("strategic-planner", "The fox jumps.")
	p.Layer, p.EntryType, p.Embedding = new("L4"), new("Task"), []byte{1, 2, 0, 255}
	p.Context, p.Metadata = model.JSON(`{"a":{"b":[1,2.5,"ü"]}}`), model.JSON(`[null,true]`)
	made := m(b.MemoryInsert(ctx, p))
	got := m(b.MemoryGet(ctx, model.MemoryGetParams{ID: made.ID}))
	equal(t, "content", got.Content, "The fox jumps.")
	equal(t, "entry type", *got.EntryType, "Task")
	equalJSON(t, "context", got.Context, `{"a":{"b":[1,2.5,"ü"]}}`)
	equalJSON(t, "metadata", got.Metadata, `[null,true]`)
	if !bytes.Equal(got.Embedding, p.Embedding) {
		t.Fatalf("embedding %v, want %v", got.Embedding, p.Embedding)
	}
	_, err := b.MemoryInsert(ctx, p)
	wantError(t, err, model.ErrConflict, "memory", "id")

	updated := m(b.MemoryUpdate(ctx, model.MemoryUpdateParams{
		ID: made.ID, NeuronID: "other", Content: "A cat sleeps.", Importance: 0.9,
		Context: model.EmptyObject(), Metadata: model.EmptyObject(), UpdatedAt: b.now.Add(time.Second),
	}))
	equal(t, "importance", updated.Importance, 0.9)
	if updated.EntryType != nil || updated.Embedding != nil {
		t.Fatalf("an update replaces everything, but left %+v", updated)
	}
	equal(t, "found by its new words", len(search(t, b, "cat", nil)), 1)
	equal(t, "not by its old ones", len(search(t, b, "fox", nil)), 0)

	imported := b.memoryImport("n", "imported words")
	equal(t, "imported", must[int64](t)(b.MemoryImport(ctx, imported)), 1)
	equal(t, "imported again", must[int64](t)(b.MemoryImport(ctx, imported)), 0)
	got = m(b.MemoryGet(ctx, model.MemoryGetParams{ID: imported.ID}))
	equal(t, "importance is kept to the bit", got.Importance, 0.699999988)
	equal(t, "access count", got.AccessCount, 7)
	equal(t, "last accessed", *got.LastAccessed, b.now)
	equal(t, "updated", got.UpdatedAt, imported.UpdatedAt)

	equal(t, "deleted", must[int64](t)(b.MemoryDelete(ctx, model.MemoryDeleteParams{ID: made.ID})), 1)
	equal(t, "not found any more", len(search(t, b, "cat", nil)), 0)
	_, err = b.MemoryUpdate(ctx, model.MemoryUpdateParams{ID: made.ID, NeuronID: "n", Content: "x", Context: model.EmptyObject(), Metadata: model.EmptyObject(), UpdatedAt: b.now})
	wantError(t, err, model.ErrNotFound, "memory", "")
}

func testMemoryListPages(t *testing.T, b *bench) {
	ctx := ctxOf(t)
	for i := range 40 {
		p := b.memory(fmt.Sprintf("n%d", i%2), "text")
		p.CreatedAt = b.now.Add(time.Duration(i/6) * time.Microsecond)
		p.EntryType = new([]string{"Task", "Result"}[i%4/2])
		must[model.Memory](t)(b.MemoryInsert(ctx, p))
	}
	seen := map[uuid.UUID]bool{}
	arg := model.MemoryListParams{CursorCreatedAt: model.MaxTime(), CursorID: model.MaxID(), PageLimit: 7}
	for {
		page := must[[]model.Memory](t)(b.MemoryList(ctx, arg))
		if len(page) == 0 {
			break
		}
		for _, m := range page {
			if seen[m.ID] {
				t.Fatalf("%s came twice", m.ID)
			}
			seen[m.ID] = true
			arg.CursorCreatedAt, arg.CursorID = m.CreatedAt, m.ID
		}
	}
	equal(t, "walked", len(seen), 40)
	byNeuron := must[[]model.Memory](t)(b.MemoryListByNeuron(ctx, model.MemoryListByNeuronParams{
		NeuronID: "n1", CursorCreatedAt: model.MaxTime(), CursorID: model.MaxID(), EntryType: new("Task"), PageLimit: 100,
	}))
	equal(t, "tasks of n1", len(byNeuron), 10)
	for _, m := range byNeuron {
		equal(t, "neuron", m.NeuronID, "n1")
	}
}

// search asks as the service does and returns the contents, the best first.
func search(t *testing.T, b *bench, text string, neuron *string) []string {
	t.Helper()
	q, err := searchtext.ParseQuery(text)
	ok(t, err)
	rows := must[[]model.MemorySearchRow](t)(b.MemorySearch(ctxOf(t), model.MemorySearchParams{
		Match: q.Match(), Phrases: model.JSON(q.PhrasesJSON()), NeuronID: neuron, PageLimit: 100, PageBytes: 1 << 30,
	}))
	contents := make([]string, 0, len(rows))
	last := 0.0
	for i, r := range rows {
		if i > 0 && r.Score > last {
			t.Fatalf("score %v of row %d is better than %v before it", r.Score, i, last)
		}
		last = r.Score
		contents = append(contents, r.Content)
	}
	return contents
}

func testMemorySearch(t *testing.T, b *bench) {
	ctx := ctxOf(t)
	contents := []string{
		"The quick brown fox jumps over the lazy dog",
		"Running foxes run daily",
		"Ein Café in der Straße",
		"東京 is a city",
		"C++ and -x and 3.14",
		"nothing of interest",
	}
	for i, c := range contents {
		must[model.Memory](t)(b.MemoryInsert(ctx, b.memory(fmt.Sprintf("n%d", i), c)))
	}
	tests := []struct {
		query string
		want  []int
	}{
		{"fox", []int{0, 1}},
		{"run", []int{1}},
		{"FOXES running", []int{1}},
		{"cafe", []int{2}},
		{"CAFÉ strasse", []int{2}},
		{"東京", []int{3}},
		{"C++", []int{4}},
		{"-x", []int{4}},
		{"3.14", []int{4}},
		{`"brown fox"`, []int{0}},
		{`"fox brown"`, nil},
		{`fox "lazy dog"`, []int{0}},
		{"fox AND dog", nil}, // AND is a word like any other
		{"interest OR fox", nil},
		{`un"balanced`, nil},
		{"' OR 1=1; DROP TABLE memories; --", nil},
		{"fox*", []int{0, 1}},
		{"NEAR(fox dog)", nil},
		{"content:fox", nil},
	}
	for _, tt := range tests {
		var want []string
		for _, i := range tt.want {
			want = append(want, contents[i])
		}
		got := search(t, b, tt.query, nil)
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("search %q: got %q, want %q", tt.query, got, want)
		}
	}
	equal(t, "of one neuron", len(search(t, b, "fox", new("n1"))), 1)
}

// testMemorySearchPhrases looks for phrases beyond the 16,383 positions and 256
// occurrences of a word that a tsvector knows.
func testMemorySearchPhrases(t *testing.T, b *bench) {
	ctx := ctxOf(t)
	long := strings.Repeat("filler word ", 20_000) + "needle in haystack"
	must[model.Memory](t)(b.MemoryInsert(ctx, b.memory("n", long)))
	equal(t, "a phrase at the end", len(search(t, b, `"needle in haystack"`, nil)), 1)
	equal(t, "a phrase across a frequent word", len(search(t, b, `"word needle"`, nil)), 1)
	equal(t, "a phrase that is not there", len(search(t, b, `"needle haystack"`, nil)), 0)
	huge := strings.Repeat("ﷺ", 1<<20/3)
	must[model.Memory](t)(b.MemoryInsert(ctx, b.memory("n", huge)))
}

// testMemorySearchBytes holds the answer to its bytes: it is the beginning of the longer
// one, and one row in any case.
func testMemorySearchBytes(t *testing.T, b *bench) {
	ctx := ctxOf(t)
	const filler = 10_000
	for i := range 6 {
		m := b.memory("n", "fox "+strings.Repeat("fox ", i)+strings.Repeat("é", filler/2))
		if i == 3 {
			m.Context, m.Embedding = model.JSON(`{"note":"`+strings.Repeat("x", filler)+`"}`), []byte{1, 2, 3, 4}
		}
		must[model.Memory](t)(b.MemoryInsert(ctx, m))
	}
	find := func(bytes int64) []model.MemorySearchRow {
		return must[[]model.MemorySearchRow](t)(b.MemorySearch(ctx, model.MemorySearchParams{
			Match: `"fox"`, Phrases: model.JSON("[]"), PageLimit: 100, PageBytes: bytes,
		}))
	}
	all := find(1 << 30)
	equal(t, "all", len(all), 6)
	for _, bytes := range []int64{0, 1, filler, 2*filler + 100, 4*filler + 200, 7*filler + 1000} {
		got, sum, want := find(bytes), int64(0), 0
		for i, row := range all {
			if sum += int64(len(row.Content) + len(row.Context) + len(row.Metadata)); sum <= bytes || i == 0 {
				want = i + 1
			}
			equal(t, "embedding", row.HasEmbedding, len(row.Context) > filler)
		}
		if len(got) != want {
			t.Errorf("%d rows fit into %d bytes, want %d", len(got), bytes, want)
		}
		for i := range got[:min(len(got), want)] {
			equal(t, "row", got[i].ID, all[i].ID)
		}
	}
}
