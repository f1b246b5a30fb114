package storetest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hal9-ai/hal9/model"
)

// So many rows that an engine may take another way than for few, and every kind of value
// that such a way encodes by itself.
func testSignalInsertManyCopied(t *testing.T, b *bench) {
	ctx := ctxOf(t)
	rows := make([]model.SignalInsertParams, 1500)
	for i := range rows {
		rows[i] = b.signal(b.now.Add(time.Duration(len(rows)-i) * time.Millisecond))
		rows[i].Content = fmt.Sprintf("row %d", i)
	}
	odd := []int{0, 1, 700, 1498, 1499}
	rows[0].Timestamp = time.Date(1999, 12, 31, 23, 59, 59, 999_999_000, time.UTC)
	rows[0].Content = "before the epoch of PostgreSQL, and of computers below"
	rows[1].Timestamp = time.Date(1969, 12, 31, 23, 59, 59, 999_999_000, time.UTC)
	rows[700].Content = strings.Repeat("longer than a piece é 🚀\t\n\\N ", 10_000)
	rows[1498].Metadata = model.JSON(`{"a":[1,2.5,{"b":null}],"text":"\"é\\n🚀\\u00e9","":true}`)
	rows[1498].FromNeuron, rows[1498].ToNeuron = strings.Repeat("é", 255), "ÿ"
	rows[1499].Metadata = model.JSON(`{"long":"` + strings.Repeat("x", 70_000) + `"}`)
	rows[1499].LayerFrom, rows[1499].LayerTo, rows[1499].PropagationType, rows[1499].Content = "L1", "L2", "", ""

	r := must[model.BulkResult](t)(b.SignalInsertMany(ctx, rows))
	equal(t, "inserted", r.Inserted, len(rows))
	for _, i := range odd {
		got := must[model.Signal](t)(b.SignalFind(ctx, model.SignalFindParams{ID: rows[i].ID}))
		equalJSON(t, "metadata", got.Metadata, string(rows[i].Metadata))
		equal(t, "timestamp", got.Timestamp, rows[i].Timestamp)
		want := model.Signal(rows[i])
		want.Metadata, got.Metadata = nil, nil
		equal(t, "row", fmt.Sprint(got), fmt.Sprint(want))
	}

	// Taken once more, with a row that no engine stores and one that is new.
	rows[30].ToNeuron, rows[30].ID = "", b.id()
	rows[1000] = b.signal(b.now)
	r = must[model.BulkResult](t)(b.SignalInsertMany(ctx, rows))
	equal(t, "inserted beside duplicates", r.Inserted, 1)
	equal(t, "duplicates", len(r.Duplicates), len(rows)-2)
	equal(t, "failed", len(r.Failed), 1)
	equal(t, "the one at fault", r.Failed[0].Index, 30)
	wantError(t, r.Failed[0].Err, model.ErrInvalid, "signal", "to_neuron")
}
