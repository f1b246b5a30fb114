package server

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/hal9-ai/hal9/model"
)

const typePrometheus = "text/plain; version=0.0.4; charset=utf-8"

// neuronsTimeout bounds the one question that a scrape asks of the database. A
// scrape must succeed when the database does not.
const neuronsTimeout = time.Second

// maxStates bounds the series by state: states are free words.
const maxStates = 50

func (s *Server) prometheus(ctx context.Context) *text {
	var raw bytes.Buffer
	s.metrics.WritePrometheus(&raw)
	s.writeGauges(&raw)
	s.writeReplicas(&raw)
	s.writeNeurons(ctx, &raw)
	metrics.WriteProcessMetrics(&raw)
	body := bytes.NewBuffer(withMetadata(raw.String()))
	s.writeCache(body)
	return &text{Status: http.StatusOK, ContentType: typePrometheus, Body: body.Bytes()}
}

func (s *Server) writeGauges(b *bytes.Buffer) {
	_, _ = fmt.Fprintf(b, "hal9_server_uptime_seconds %g\n", secondsSince(s.started, s.now()))
	_, _ = fmt.Fprintf(b, "hal9_server_info{version=%s,engine=%s} 1\n", labelValue(s.build.Version), labelValue(s.store.Engine()))
	ready := 0
	if s.ready.Load() {
		ready = 1
	}
	_, _ = fmt.Fprintf(b, "hal9_server_ready %d\n", ready)
	held, _ := processFigures()
	_, _ = fmt.Fprintf(b, "hal9_server_memory_bytes{type=\"held\"} %d\n", held)
	if s.certs != nil {
		_, _ = fmt.Fprintf(b, "hal9_tls_certificate_expiry_timestamp_seconds %d\n", s.certs.leaf().NotAfter.Unix())
	}
	p := s.store.PoolStats()
	_, _ = fmt.Fprintf(b, "hal9_db_pool_max_connections %d\n", p.Max)
	_, _ = fmt.Fprintf(b, "hal9_db_pool_active_connections %d\n", p.InUse)
	_, _ = fmt.Fprintf(b, "hal9_db_pool_idle_connections %d\n", p.Idle)
	_, _ = fmt.Fprintf(b, "hal9_db_pool_waiting_calls %d\n", p.Waiting)
	_, _ = fmt.Fprintf(b, "hal9_db_pool_waits_total %d\n", p.Waits)
	_, _ = fmt.Fprintf(b, "hal9_db_pool_wait_seconds_total %g\n", p.WaitTime.Seconds())
}

// writeReplicas has no lines where there are no replicas.
func (s *Server) writeReplicas(b *bytes.Buffer) {
	if s.consistency == nil {
		return
	}
	st := s.consistency.Stats()
	each := func(name string, value func(r *model.ReplicaStat) (float64, bool)) {
		for i := range st.Replicas {
			if v, ok := value(&st.Replicas[i]); ok {
				_, _ = fmt.Fprintf(b, "%s{replica=%s} %g\n", name, labelValue(st.Replicas[i].Name), v)
			}
		}
	}
	each("hal9_database_replica_usable", func(r *model.ReplicaStat) (float64, bool) {
		if r.Usable {
			return 1, true
		}
		return 0, true
	})
	each("hal9_database_replica_lag_seconds", func(r *model.ReplicaStat) (float64, bool) { return r.Lag.Seconds(), r.LagKnown })
	primary := int64(0)
	for _, reason := range slices.Sorted(maps.Keys(st.Fallbacks)) {
		primary += st.Fallbacks[reason]
	}
	for _, r := range st.Replicas {
		_, _ = fmt.Fprintf(b, "hal9_database_replica_reads_total{target=%s} %d\n", labelValue(r.Name), r.Reads)
	}
	_, _ = fmt.Fprintf(b, "hal9_database_replica_reads_total{target=\"primary\"} %d\n", primary)
	for _, reason := range slices.Sorted(maps.Keys(st.Fallbacks)) {
		_, _ = fmt.Fprintf(b, "hal9_database_replica_fallbacks_total{reason=%s} %d\n", labelValue(reason), st.Fallbacks[reason])
	}
}

func (s *Server) writeNeurons(ctx context.Context, b *bytes.Buffer) {
	ctx, cancel := context.WithTimeout(ctx, neuronsTimeout)
	defer cancel()
	rows, err := s.store.NeuronCountByState(ctx)
	if err != nil {
		return // the gauges are missing for this scrape; the pool's tell more
	}
	var active, rest int64
	for i, row := range rows {
		if row.Condition == model.ConditionRunning {
			active += row.NeuronsCount
		}
		if i >= maxStates {
			rest += row.NeuronsCount
			continue
		}
		_, _ = fmt.Fprintf(b, "hal9_neurons_by_state{state=%s,condition=%s} %d\n", labelValue(row.State), labelValue(row.Condition), row.NeuronsCount)
	}
	if rest > 0 {
		_, _ = fmt.Fprintf(b, "hal9_neurons_by_state{state=\"\",condition=\"other\"} %d\n", rest)
	}
	_, _ = fmt.Fprintf(b, "hal9_neurons_active %d\n", active)
}

// labelValue quotes as the text format asks: nothing but these three is escaped.
func labelValue(v string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(v) + `"`
}

// withMetadata puts HELP and TYPE before each family: the library that keeps the
// counters can do so only by a switch for the whole process, and has no help texts.
func withMetadata(raw string) []byte {
	var b bytes.Buffer
	last := ""
	known := families()
	for line := range strings.Lines(raw) {
		if strings.HasPrefix(line, "#") || strings.TrimSpace(line) == "" {
			continue
		}
		name := line[:strings.IndexAny(line, "{ ")]
		f := familyOf(known, name)
		if f.name != last {
			_, _ = fmt.Fprintf(&b, "# HELP %s %s\n# TYPE %s %s\n", f.name, f.help, f.name, f.kind)
			last = f.name
		}
		b.WriteString(line)
	}
	return b.Bytes()
}

// family is a group of series with one name.
type family struct{ name, kind, help string }

// familyOf finds the family of a series: its own name, or the name without the
// suffix of a histogram's or summary's parts.
func familyOf(known map[string]family, series string) family {
	if f, ok := known[series]; ok {
		return f
	}
	for _, suffix := range []string{"_bucket", "_sum", "_count"} {
		base, cut := strings.CutSuffix(series, suffix)
		if f, ok := known[base]; cut && ok && (f.kind == "histogram" || f.kind == "summary") {
			return f
		}
	}
	kind := "gauge"
	if strings.HasSuffix(series, "_total") {
		kind = "counter"
	}
	help := "Of the process, as the operating system tells it."
	if strings.HasPrefix(series, "go_") {
		help = "Of the Go runtime."
	}
	return family{series, kind, help}
}

// families are the metrics of this service, and those of the process that are
// neither counter nor gauge.
func families() map[string]family {
	list := []family{
		{"hal9_server_uptime_seconds", "gauge", "Seconds since this server was started."},
		{"hal9_server_info", "gauge", "Always 1; the labels tell the version and the database engine."},
		{"hal9_server_ready", "gauge", "1 while this server takes requests, 0 while it shuts down."},
		{"hal9_server_memory_bytes", "gauge", "Memory that the process holds."},
		{"hal9_http_requests_total", "counter", "Requests answered."},
		{"hal9_http_request_duration_seconds", "histogram", "Time from a request's headers to the end of its answer."},
		{"hal9_errors_total", "counter", "Failures answered, by kind."},
		{"hal9_db_pool_max_connections", "gauge", "Connections to the database that may be open."},
		{"hal9_db_pool_active_connections", "gauge", "Connections to the database that are lent to a call."},
		{"hal9_db_pool_idle_connections", "gauge", "Connections to the database that are open and free."},
		{"hal9_db_pool_waiting_calls", "gauge", "Calls that wait for a connection."},
		{"hal9_db_pool_waits_total", "counter", "Calls that had to wait for a connection."},
		{"hal9_db_pool_wait_seconds_total", "counter", "Time that calls waited for a connection."},
		{"hal9_database_replica_usable", "gauge", "1 while reads may go to the replica."},
		{"hal9_database_replica_lag_seconds", "gauge", "The longest time by which the replica can be behind the primary; 0 if it has all that was seen of that."},
		{"hal9_database_replica_reads_total", "counter", "Queries that a replica may answer, by who answered."},
		{"hal9_database_replica_fallbacks_total", "counter", "Queries that the primary answered although a replica may, by the reason."},
		{"hal9_neurons_active", "gauge", "Neurons whose state is neither Failed nor Stopped."},
		{"hal9_neurons_by_state", "gauge", "Neurons by their state and what it means."},
		{"hal9_signals_sent_total", "counter", "Signals accepted."},
		{"hal9_signals_processed_total", "counter", "Signals by what became of them."},
		{"hal9_signal_processing_duration_seconds", "histogram", "Time from a signal's acceptance to its commit."},
		{"hal9_auth_attempts_total", "counter", "Attempts with a password, by how they ended."},
		{"hal9_auth_hashes_total", "counter", "Password hashes computed, by algorithm."},
		{"hal9_auth_hash_duration_seconds", "histogram", "Time that verifying or hashing a password took."},
		{"hal9_auth_hash_wait_seconds", "histogram", "Time that passwords waited for their turn to be hashed."},
		{"hal9_auth_hash_running", "gauge", "Passwords that are hashed at this moment."},
		{"hal9_auth_hash_waiting", "gauge", "Passwords that wait for their turn to be hashed."},
		{"hal9_auth_hash_refused_total", "counter", "Passwords that waited too long or found the queue full."},
		{"hal9_rate_limit_hits_total", "counter", "Requests refused by a limit, by the limit."},
		{"hal9_ingest_queue_length", "gauge", "Signals that wait for their commit."},
		{"hal9_ingest_batch_size", "histogram", "Signals of different callers that committed together."},
		{"hal9_ingest_commit_duration_seconds", "histogram", "Time of the commits of such batches."},
		{"hal9_ingest_shed_total", "counter", "Signals refused because too many waited."},
		{"hal9_ingest_bulk_streams", "gauge", "Streams of signals under way."},
		{"hal9_upkeep_leader", "gauge", "1 while this server does the housekeeping of the database, 0 while another does."},
		{"hal9_upkeep_runs_total", "counter", "Runs of a task of the housekeeping on this server."},
		{"hal9_upkeep_failures_total", "counter", "Runs that failed."},
		{"hal9_upkeep_deleted_total", "counter", "Rows deleted by a task; of partitions dropped as a whole, the planner's estimate."},
		{"hal9_upkeep_last_success_timestamp_seconds", "gauge", "When a task last succeeded on this server, 0 if never."},
		{"hal9_tls_certificate_expiry_timestamp_seconds", "gauge", "When the certificate in service expires, in seconds since 1970."},
		{"go_gc_duration_seconds", "summary", "Pauses of the garbage collector."},
		{"go_gc_pauses_seconds", "histogram", "Pauses of the garbage collector."},
		{"go_sched_latencies_seconds", "histogram", "Time that goroutines waited to run."},
	}
	byName := make(map[string]family, len(list))
	for _, f := range list {
		byName[f.name] = f
	}
	return byName
}
