package server_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
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
// whatever else the machine does. A commit that the disk keeps waiting moves a mean by a
// tenth, so there is the median of the rounds' ratios too. Two CopyFroms at once tell what
// two streams could reach if reading them took nothing more than the driver does; the CPU,
// on Linux, who takes the time: the engine's processes, or this one, which sends and serves.
func BenchmarkBulk(b *testing.B) {
	url := testenv.PostgresDatabase(b)
	address, ids := bulkBenchServer(b, url)
	conn, err := pgx.Connect(b.Context(), url)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = conn.Close(b.Context()) })

	// Each side begins with an empty table, nothing to be written back and no garbage.
	empty := func() {
		b.StopTimer()
		defer b.StartTimer()
		for _, sql := range []string{"TRUNCATE signals", "CHECKPOINT"} {
			if _, err := conn.Exec(b.Context(), sql); err != nil {
				b.Fatal(err)
			}
		}
		runtime.GC()
	}
	second, err := pgx.Connect(b.Context(), url)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = second.Close(b.Context()) })
	const copied, bothCopied, one, two = "copied", "both-copied", "one-stream", "two-streams"
	sums := map[string]*bulkBenchCost{copied: {}, bothCopied: {}, one: {}, two: {}}
	for b.Loop() {
		b.StopTimer()
		calls := [][][][]any{bulkBenchCallRows(ids), bulkBenchCallRows(ids), bulkBenchCallRows(ids)}
		streams := []string{bulkBenchStream(ids), bulkBenchStream(ids), bulkBenchStream(ids)}
		b.StartTimer()
		for _, side := range []struct {
			name string
			n    int
			do   func() error
		}{
			{copied, 1, func() error { return bulkBenchCopy(b.Context(), conn, calls[0]) }},
			{bothCopied, 2, func() error {
				var group errgroup.Group
				group.Go(func() error { return bulkBenchCopy(b.Context(), conn, calls[1]) })
				group.Go(func() error { return bulkBenchCopy(b.Context(), second, calls[2]) })
				return group.Wait()
			}},
			{one, 1, func() error { return sendStreams(address, streams[:1]) }},
			{two, 2, func() error { return sendStreams(address, streams[1:]) }},
		} {
			empty()
			before := bulkBenchCPU(b, conn)
			if err := side.do(); err != nil {
				b.Fatal(err)
			}
			sums[side.name].add(bulkBenchCPU(b, conn).since(before), side.n*bulkBenchCall*bulkBenchCalls)
		}
	}
	for name, sum := range sums {
		b.ReportMetric(float64(sum.rows)/sum.wall.Seconds(), name+"-rows/s")
		b.ReportMetric(sum.each(sum.own), name+"-own-µs/row")
		b.ReportMetric(sum.each(sum.engine), name+"-engine-µs/row")
		if name != copied {
			b.ReportMetric(sums[copied].each(sums[copied].wall)/sum.each(sum.wall), name+"/copied")
			b.ReportMetric(sum.medianRatio(sums[copied]), name+"/copied-median")
		}
	}
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
		begin := time.Now()
		if err := sendStreams(address, []string{stream}); err != nil {
			b.Fatal(err)
		}
		took += time.Since(begin)
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

// bulkBenchCallRows are as many rows as a stream has, for several calls of CopyFrom.
func bulkBenchCallRows(ids *model.IDGenerator) [][][]any {
	calls := make([][][]any, bulkBenchCalls)
	for i := range calls {
		for n := range bulkBenchCall {
			calls[i] = append(calls[i], bulkBenchRow(ids.New(), n))
		}
	}
	return calls
}

func bulkBenchCopy(ctx context.Context, conn *pgx.Conn, calls [][][]any) error {
	for _, call := range calls {
		_, err := conn.CopyFrom(ctx, pgx.Identifier{"signals"},
			[]string{"id", "from_neuron", "to_neuron", "layer_from", "layer_to", "propagation_type", "content", "metadata", "timestamp"}, pgx.CopyFromRows(call))
		if err != nil {
			return err
		}
	}
	return nil
}

// sendStreams sends streams at the same time.
func sendStreams(address string, streams []string) error {
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
	return group.Wait()
}

// bulkBenchCost is a time, and the CPU that this process and the engine's connections
// have used; zero where there is no /proc.
type bulkBenchCost struct {
	at                time.Time
	wall, own, engine time.Duration
	rows              int
	rounds            []float64 // rows a second of each, of a sum
}

func (c bulkBenchCost) since(before bulkBenchCost) bulkBenchCost {
	return bulkBenchCost{wall: c.at.Sub(before.at), own: c.own - before.own, engine: c.engine - before.engine}
}

func (c *bulkBenchCost) add(d bulkBenchCost, rows int) {
	c.wall, c.own, c.engine, c.rows = c.wall+d.wall, c.own+d.own, c.engine+d.engine, c.rows+rows
	c.rounds = append(c.rounds, float64(rows)/d.wall.Seconds())
}

// medianRatio is the median of the ratios of each round to the same one of another side.
func (c *bulkBenchCost) medianRatio(to *bulkBenchCost) float64 {
	ratios := make([]float64, len(c.rounds))
	for i := range ratios {
		ratios[i] = c.rounds[i] / to.rounds[i]
	}
	slices.Sort(ratios)
	n := len(ratios)
	return (ratios[(n-1)/2] + ratios[n/2]) / 2
}

// each is a time per row, in µs.
func (c *bulkBenchCost) each(d time.Duration) float64 {
	return float64(d.Nanoseconds()) / 1000 / float64(c.rows)
}

func bulkBenchCPU(b *testing.B, conn *pgx.Conn) (c bulkBenchCost) {
	b.Helper()
	var pids []int
	if err := conn.QueryRow(b.Context(), "SELECT array_agg(pid) FROM pg_stat_activity WHERE datname = current_database()").Scan(&pids); err != nil {
		b.Fatal(err)
	}
	for _, pid := range pids {
		c.engine += bulkBenchCPUOf(strconv.Itoa(pid))
	}
	c.own, c.at = bulkBenchCPUOf("self"), time.Now()
	return c
}

// bulkBenchCPUOf reads the user and system time of a process: proc(5), fields 14 and 15 of
// stat, in hundredths of a second.
func bulkBenchCPUOf(pid string) (used time.Duration) {
	text, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	for _, field := range fields[11:13] {
		n, _ := strconv.Atoi(field)
		used += time.Duration(n) * 10 * time.Millisecond
	}
	return used
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
