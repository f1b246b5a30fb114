package copydb_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/hal9-ai/hal9/internal/testenv/migrated"
	"github.com/hal9-ai/hal9/model"
	"github.com/hal9-ai/hal9/store"
	"github.com/hal9-ai/hal9/transfer/copydb"
)

// An export of any rows, with the counts and the checksum that fit them, is refused, or
// restored as what it says: the database that came of it exports as many rows.
func FuzzRestore(f *testing.F) {
	header, seed := seedExport(f)
	f.Add(seed)
	for _, text := range []string{
		"", "{}\n", `{"table":"users","row":{}}` + "\n", `{"table":"neurons","row":{"id":"a","id":"b"}}` + "\n", `{"table":"neurons","row":null}` + "\n",
		`{"table":"no_such","row":{"id":1}}` + "\n", "[\n", "\xff\n", `{"table":"signals","row":{"timestamp":9223372036854775808}}` + "\n",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, rows []byte) {
		counts := countRows(rows)
		file := append(append([]byte{}, header...), rows...)
		sum := sha256.Sum256(file)
		end, err := json.Marshal(map[string]any{"end": map[string]any{"rows": counts, "sha256": hex.EncodeToString(sum[:])}})
		if err != nil {
			t.Fatal(err)
		}
		file = append(append(file, end...), '\n')
		path := filepath.Join(t.TempDir(), "export.ndjson")
		if err := os.WriteFile(path, file, 0o600); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		to := migrated.SQLiteDatabase(t)
		report, err := copydb.Restore(ctx, copydb.RestoreOptions{File: path, To: to, ToName: to, Clean: true})
		if ctx.Err() != nil {
			t.Fatal("it does not end")
		}
		if err != nil || len(report.Refused) > 0 {
			if bytes.Equal(rows, seed) {
				t.Errorf("a good export: %v, %+v", err, report.Refused)
			}
			return
		}
		if len(report.Differences) > 0 {
			t.Errorf("restored with differences: %+v", report.Differences)
		}
		var again bytes.Buffer
		exported, err := copydb.Export(ctx, copydb.ExportOptions{From: to}, &again)
		if err != nil {
			t.Fatalf("what was restored cannot be exported: %v", err)
		}
		got := maps.Clone(exported.Rows)
		maps.DeleteFunc(got, func(_ string, n int64) bool { return n == 0 })
		if !maps.Equal(got, counts) {
			t.Errorf("restored %v, exported %v", counts, got)
		}
	})
}

// seedExport is the first line of an export, and its rows.
func seedExport(f *testing.F) (header, rows []byte) {
	f.Helper()
	url := migrated.SQLiteDatabase(f)
	st, err := store.Open(f.Context(), store.Config{URL: url})
	if err != nil {
		f.Fatal(err)
	}
	id := uuid.MustParse("0199d2f4-7c00-7a31-8d52-0e6f4b1c9a70")
	_, userErr := st.UserInsert(f.Context(), model.UserInsertParams{ID: id, Username: "ann", Email: new("é@example.org"), PasswordHash: "x", Role: "user", IsActive: true, CreatedAt: start, UpdatedAt: start})
	_, memoryErr := st.MemoryInsert(f.Context(), model.MemoryInsertParams{
		ID: id, NeuronID: "neuron-l1", Content: "日本語", Importance: 0.3, Context: model.EmptyObject(), Metadata: model.JSON(`{"a":[1e2,1.50]}`), Embedding: []byte{0, 1, 2, 3}, CreatedAt: start,
	})
	at, _ := model.IDTime(id)
	_, signalErr := st.SignalInsert(f.Context(), model.SignalInsertParams{
		ID: id, FromNeuron: "a", ToNeuron: "b", LayerFrom: "L4", LayerTo: "L3", PropagationType: "p", Content: "c", Metadata: model.EmptyObject(), Timestamp: at,
	})
	for _, err := range []error{userErr, memoryErr, signalErr, st.Close()} {
		if err != nil {
			f.Fatal(err)
		}
	}
	var out bytes.Buffer
	if _, err := copydb.Export(f.Context(), copydb.ExportOptions{From: url}, &out); err != nil {
		f.Fatal(err)
	}
	lines := bytes.SplitAfter(out.Bytes(), []byte("\n"))
	return lines[0], bytes.Join(lines[1:len(lines)-2], nil)
}

// countRows counts the lines of each table, as an export's last line has them.
func countRows(rows []byte) map[string]int64 {
	counts := map[string]int64{}
	for line := range bytes.Lines(rows) {
		var l struct {
			Table string `json:"table"`
		}
		if json.Unmarshal(line, &l) == nil && l.Table != "" {
			counts[l.Table]++
		}
	}
	return counts
}
