package server_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/hal9-ai/hal9/auth"
	"github.com/hal9-ai/hal9/ingest"
	"github.com/hal9-ai/hal9/internal/testenv"
	"github.com/hal9-ai/hal9/model"
	"github.com/hal9-ai/hal9/server"
	"github.com/hal9-ai/hal9/store"
)

const bulkBenchRows = 20_000

// BenchmarkBulk compares a stream over HTTP with the driver's own CopyFrom into the
// same table, 20,000 rows each, in turns: their ratio is the figure, since both share
// whatever else the machine does.
func BenchmarkBulk(b *testing.B) {
	url := testenv.PostgresDatabase(b)
	st, err := store.Open(b.Context(), store.Config{URL: url, Migrate: true, MaxConnections: 8})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = st.Close() })
	in := ingest.New(ingest.Config{Store: st})
	ids := model.NewIDGenerator(time.Now)
	accounts, err := auth.New(auth.Config{Store: st})
	if err != nil {
		b.Fatal(err)
	}
	srv, err := server.New(server.Deps{Store: st, Ingest: in, IDs: ids, Auth: accounts})
	if err != nil {
		b.Fatal(err)
	}
	address := serveForBenchmark(b, srv)
	conn, err := pgx.Connect(b.Context(), url)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = conn.Close(b.Context()) })

	var copied, streamed time.Duration
	rounds := 0
	for b.Loop() {
		rounds++
		rows := make([][]any, bulkBenchRows)
		var stream strings.Builder
		for i := range rows {
			rows[i] = bulkBenchRow(ids.New(), i)
			stream.WriteString(bulkLine(ids.New(), i))
		}
		begin := time.Now()
		if _, err := conn.CopyFrom(b.Context(), pgx.Identifier{"signals"},
			[]string{"id", "from_neuron", "to_neuron", "layer_from", "layer_to", "propagation_type", "content", "metadata", "timestamp"}, pgx.CopyFromRows(rows)); err != nil {
			b.Fatal(err)
		}
		copied += time.Since(begin)

		begin = time.Now()
		resp, err := http.Post(address+bulkRoute, "application/x-ndjson", strings.NewReader(stream.String()))
		if err != nil {
			b.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			b.Fatal(resp.Status)
		}
		streamed += time.Since(begin)
	}
	b.ReportMetric(float64(rounds*bulkBenchRows)/copied.Seconds(), "copied-rows/s")
	b.ReportMetric(float64(rounds*bulkBenchRows)/streamed.Seconds(), "streamed-rows/s")
	b.ReportMetric(copied.Seconds()/streamed.Seconds(), "ratio")
}

func bulkBenchRow(id uuid.UUID, n int) []any {
	at, _ := model.IDTime(id)
	return []any{
		id, "strategic-planner", fmt.Sprintf("neuron-%03d", n%500), "L4", "L3", "forward",
		"Plan the deployment of service number 12345 and tell the others what is to be done about it, in order, and by whom.",
		model.JSON(`{"priority":3,"tags":["a","b"]}`), at,
	}
}

func serveForBenchmark(b *testing.B, srv *server.Server) string {
	b.Helper()
	s := httptest.NewServer(srv.Handler())
	b.Cleanup(s.Close)
	return s.URL
}
