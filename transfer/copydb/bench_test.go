package copydb_test

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hal9-ai/hal9/internal/testenv"
	"github.com/hal9-ai/hal9/model"
	"github.com/hal9-ai/hal9/store"
	"github.com/hal9-ai/hal9/transfer/copydb"
)

// copyRows is how many signals the benchmark moves, unless COPY_ROWS says otherwise.
const copyRows = 1_000_000

// BenchmarkCopy sets the copy of signals from SQLite into PostgreSQL beside a plain
// CopyFrom of the same rows into the same table with its indexes, from memory and in
// one transaction. rows/s are of both; ratio is the copy's to the plain one's, and
// copy-peak-MB what the process held at the most while it copied.
func BenchmarkCopy(b *testing.B) {
	rows := copyRows
	if text := os.Getenv("COPY_ROWS"); text != "" {
		if _, err := fmt.Sscan(text, &rows); err != nil {
			b.Fatal(err)
		}
	}
	source := "sqlite://" + b.TempDir() + "/hal9.db"
	seedSignals(b, source, rows)
	for b.Loop() {
		target := benchTarget(b)
		began := time.Now()
		report, err := copydb.Copy(b.Context(), copydb.Options{From: source, To: target, FromName: "source", ToName: "target"})
		if err != nil {
			b.Fatal(err)
		}
		if refused, different := report.Faults(); refused+different > 0 || !report.Compared {
			b.Fatalf("%+v", report)
		}
		peak := peakMB(b) // before the plain copy, which holds all rows
		plain := plainCopy(b, rows)
		b.ReportMetric(report.RowsPerSecond, "copy-rows/s")
		b.ReportMetric(plain, "plain-rows/s")
		b.ReportMetric(report.RowsPerSecond/plain, "ratio")
		b.ReportMetric(float64(rows)/report.CompareSeconds, "compare-rows/s")
		b.ReportMetric(time.Since(began).Seconds(), "all-s")
		b.ReportMetric(peak, "copy-peak-MB")
	}
}

func benchTarget(b *testing.B) string {
	b.Helper()
	url := testenv.PostgresDatabase(b)
	st, err := store.Open(b.Context(), store.Config{URL: url, Migrate: true})
	if err != nil {
		b.Fatal(err)
	}
	if err := st.Close(); err != nil {
		b.Fatal(err)
	}
	return url
}

// peakMB is the most memory that the process ever held.
func peakMB(b *testing.B) float64 {
	b.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return float64(usage.Maxrss) / 1024
}

func benchRow(ids *model.IDGenerator, i int) model.SignalInsertParams {
	at := time.Now().Add(-time.Hour + time.Duration(i)*time.Millisecond)
	id := ids.NewAt(at)
	at, _ = model.IDTime(id)
	return model.SignalInsertParams{
		ID: id, FromNeuron: "api-client", ToNeuron: fmt.Sprintf("neuron-%03d", i%500), LayerFrom: "API", LayerTo: "L4", PropagationType: "forward",
		Content: "Plan the deployment of the new service. " + strings.Repeat("Tell the others. ", i%4), Metadata: model.JSON(`{"priority":3,"tags":["a","b"]}`), Timestamp: at,
	}
}

func seedSignals(b *testing.B, url string, rows int) {
	b.Helper()
	st, err := store.Open(b.Context(), store.Config{URL: url, Migrate: true, StatementTimeout: time.Minute})
	if err != nil {
		b.Fatal(err)
	}
	ids := model.NewIDGenerator(time.Now)
	const chunk = 10_000
	for i := 0; i < rows; i += chunk {
		batch := make([]model.SignalInsertParams, min(chunk, rows-i))
		for j := range batch {
			batch[j] = benchRow(ids, i+j)
		}
		if _, err := st.SignalInsertMany(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
	}
	if err := st.Close(); err != nil {
		b.Fatal(err)
	}
}

// plainCopy returns the rows per second of pgx's CopyFrom.
func plainCopy(b *testing.B, rows int) float64 {
	b.Helper()
	conn, err := pgx.Connect(b.Context(), benchTarget(b))
	if err != nil {
		b.Fatal(err)
	}
	defer func() {
		if err := conn.Close(b.Context()); err != nil {
			b.Error(err)
		}
	}()
	ids := model.NewIDGenerator(time.Now)
	all := make([]model.SignalInsertParams, rows)
	for i := range all {
		all[i] = benchRow(ids, i)
	}
	columns := []string{"id", "from_neuron", "to_neuron", "layer_from", "layer_to", "propagation_type", "content", "metadata", "timestamp"}
	began := time.Now()
	n, err := conn.CopyFrom(b.Context(), pgx.Identifier{"signals"}, columns, pgx.CopyFromSlice(rows, func(i int) ([]any, error) {
		r := &all[i]
		return []any{[16]byte(r.ID), r.FromNeuron, r.ToNeuron, r.LayerFrom, r.LayerTo, r.PropagationType, r.Content, string(r.Metadata), r.Timestamp}, nil
	}))
	if err != nil || n != int64(rows) {
		b.Fatal(n, err)
	}
	return float64(rows) / time.Since(began).Seconds()
}
