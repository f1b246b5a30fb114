package server_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/hal9-ai/hal9/auth"
	"github.com/hal9-ai/hal9/ingest"
	"github.com/hal9-ai/hal9/internal/testenv"
	"github.com/hal9-ai/hal9/model"
	"github.com/hal9-ai/hal9/server"
	"github.com/hal9-ai/hal9/store"
)

const (
	// bulkBenchCall is how many rows a call of CopyFrom takes, and bulkBenchCalls how many
	// calls there are for one stream.
	bulkBenchCall  = 20_000
	bulkBenchCalls = 3
)

// BenchmarkBulk compares streams over HTTP with the driver's own CopyFrom into the same
// table, 20,000 rows a call, in turns: the ratios are the figures, since all share
// whatever else the machine does.
func BenchmarkBulk(b *testing.B) {
	url := testenv.PostgresDatabase(b)
	address, ids := bulkBenchServer(b, url)
	conn, err := pgx.Connect(b.Context(), url)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = conn.Close(b.Context()) })

	var copied, one, two time.Duration
	rows := 0
	for b.Loop() {
		b.StopTimer()
		calls := make([][][]any, bulkBenchCalls)
		for i := range calls {
			for n := range bulkBenchCall {
				calls[i] = append(calls[i], bulkBenchRow(ids.New(), n))
			}
		}
		streams := []string{bulkBenchStream(ids), bulkBenchStream(ids), bulkBenchStream(ids)}
		rows += bulkBenchCall * bulkBenchCalls
		// Neither the size of the table nor what is thrown away is to be on anybody's time.
		for _, sql := range []string{"TRUNCATE signals", "CHECKPOINT"} {
			if _, err := conn.Exec(b.Context(), sql); err != nil {
				b.Fatal(err)
			}
		}
		runtime.GC()
		b.StartTimer()

		begin := time.Now()
		for _, call := range calls {
			if _, err := conn.CopyFrom(b.Context(), pgx.Identifier{"signals"},
				[]string{"id", "from_neuron", "to_neuron", "layer_from", "layer_to", "propagation_type", "content", "metadata", "timestamp"}, pgx.CopyFromRows(call)); err != nil {
				b.Fatal(err)
			}
		}
		copied += time.Since(begin)
		one += sendStreams(b, address, streams[:1])
		two += sendStreams(b, address, streams[1:])
	}
	b.ReportMetric(float64(rows)/copied.Seconds(), "copied-rows/s")
	b.ReportMetric(float64(rows)/one.Seconds(), "one-stream-rows/s")
	b.ReportMetric(float64(2*rows)/two.Seconds(), "two-streams-rows/s")
	b.ReportMetric(copied.Seconds()/one.Seconds(), "one/copied")
	b.ReportMetric(2*copied.Seconds()/two.Seconds(), "two/copied")
}

// BenchmarkBulkSQLite streams into a file.
func BenchmarkBulkSQLite(b *testing.B) {
	address, ids := bulkBenchServer(b, "sqlite://"+filepath.Join(b.TempDir(), "hal9.db"))
	var took time.Duration
	rows := 0
	for b.Loop() {
		b.StopTimer()
		stream := bulkBenchStream(ids)
		rows += bulkBenchCall * bulkBenchCalls
		b.StartTimer()
		took += sendStreams(b, address, []string{stream})
	}
	b.ReportMetric(float64(rows)/took.Seconds(), "rows/s")
}

func bulkBenchServer(b *testing.B, url string) (address string, ids *model.IDGenerator) {
	b.Helper()
	st, err := store.Open(b.Context(), store.Config{URL: url, Migrate: true, MaxConnections: 8})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = st.Close() })
	ids = model.NewIDGenerator(time.Now)
	accounts, err := auth.New(auth.Config{Store: st})
	if err != nil {
		b.Fatal(err)
	}
	srv, err := server.New(server.Deps{Store: st, Ingest: ingest.New(ingest.Config{Store: st}), IDs: ids, Auth: accounts})
	if err != nil {
		b.Fatal(err)
	}
	return serveForBenchmark(b, srv), ids
}

func bulkBenchStream(ids *model.IDGenerator) string {
	var stream strings.Builder
	for i := range bulkBenchCall * bulkBenchCalls {
		stream.WriteString(bulkLine(ids.New(), i))
	}
	return stream.String()
}

// sendStreams sends streams at the same time and returns how long all took.
func sendStreams(b *testing.B, address string, streams []string) time.Duration {
	b.Helper()
	begin := time.Now()
	var group errgroup.Group
	for _, stream := range streams {
		group.Go(func() error {
			resp, err := http.Post(address+bulkRoute, "application/x-ndjson", strings.NewReader(stream))
			if err != nil {
				return err
			}
			_ = resp.Body.Close()
			if resp.StatusCode != http.StatusOK {
				return errors.New(resp.Status)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		b.Fatal(err)
	}
	return time.Since(begin)
}

func bulkBenchRow(id uuid.UUID, n int) []any {
	at, _ := model.IDTime(id)
	return []any{
		id, "strategic-planner", fmt.Sprintf("neuron-%03d", n%500), "L4", "L3", "forward",
		fmt.Sprintf("Plan the deployment of service number %d and tell the others what is to be done about it, in order, and by whom.", n),
		`{"priority":3,"tags":["a","b"]}`, at, // text, which the driver encodes fastest
	}
}

func serveForBenchmark(b *testing.B, srv *server.Server) string {
	b.Helper()
	s := httptest.NewServer(srv.Handler())
	b.Cleanup(s.Close)
	return s.URL
}
