package server

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/hal9-ai/hal9/cacheutil"
)

// MetricFamily describes the series of one name in /metrics.
type MetricFamily struct {
	Name   string `json:"name"`
	Kind   string `json:"kind"`             // counter, gauge, histogram or summary
	Labels string `json:"labels,omitempty"` // by which its series differ, parted by ", "; "" for a single one
	When   string `json:"when,omitempty"`   // it is there only then; "" for always
	Help   string `json:"help"`
}

const (
	counter   = "counter"
	gauge     = "gauge"
	histogram = "histogram"
	summary   = "summary"
)

// cacheMetricPrefix stands before the names of the cache's metrics in the reference;
// who opens the cache gives it the same.
const cacheMetricPrefix = "hal9_cache_"

// MetricFamilies lists everything that /metrics may hold, in the order of the reference:
// first the service's own, then the cache's, then those of the process.
func MetricFamilies() []MetricFamily {
	list := serviceFamilies()
	for _, f := range cacheutil.MetricFamilies(cacheMetricPrefix) {
		list = append(list, MetricFamily(f))
	}
	return append(list, processFamilies()...)
}

// withMetadata puts HELP and TYPE before each family: the library that keeps the
// counters can do so only by a switch for the whole process, and has no help texts.
func withMetadata(raw string) []byte {
	var b bytes.Buffer
	last := ""
	known := make(map[string]MetricFamily, 200)
	for _, list := range [][]MetricFamily{serviceFamilies(), processFamilies()} {
		for _, f := range list {
			known[f.Name] = f
		}
	}
	for line := range strings.Lines(raw) {
		if strings.HasPrefix(line, "#") || strings.TrimSpace(line) == "" {
			continue
		}
		f, found := familyOf(known, line[:strings.IndexAny(line, "{ ")])
		switch {
		case found:
		case strings.HasPrefix(line, "go_"), strings.HasPrefix(line, "process_"):
			continue // misnamed by the library, or new in it: nobody could tell what it means
		default:
			b.WriteString(line) // its line is missing below; a test finds that
			continue
		}
		if f.Name != last {
			_, _ = fmt.Fprintf(&b, "# HELP %s %s\n# TYPE %s %s\n", f.Name, f.Help, f.Name, f.Kind)
			last = f.Name
		}
		b.WriteString(line)
	}
	return b.Bytes()
}

// familyOf finds the family of a series: its own name, or the name without the
// suffix of a histogram's or summary's parts.
func familyOf(known map[string]MetricFamily, series string) (MetricFamily, bool) {
	if f, ok := known[series]; ok {
		return f, true
	}
	for _, suffix := range []string{"_bucket", "_sum", "_count"} {
		base, cut := strings.CutSuffix(series, suffix)
		if f, ok := known[base]; cut && ok && (f.Kind == histogram || f.Kind == summary) {
			return f, true
		}
	}
	return MetricFamily{}, false
}

// serviceFamilies are the metrics of the service itself. Each has its one line here,
// and none is exposed without: a test holds both lists together.
func serviceFamilies() []MetricFamily {
	return []MetricFamily{
		{Name: "hal9_server_uptime_seconds", Kind: gauge, Help: "Seconds since this server was started."},
		{Name: "hal9_server_info", Kind: gauge, Labels: "version, engine", Help: "Always 1; the labels tell the version and the database engine."},
		{Name: "hal9_build_info", Kind: gauge, Labels: "version, commit, goversion", Help: "Always 1; the labels tell what the program was built from."},
		{Name: "hal9_server_ready", Kind: gauge, Help: "1 while this server takes requests, 0 while it shuts down."},
		{Name: "hal9_server_memory_bytes", Kind: gauge, Labels: "type", Help: "Memory that the process holds."},
		{Name: "hal9_http_requests_total", Kind: counter, Labels: "method, route, status", Help: "Requests answered, by route template; what no route took has the route unmatched."},
		{Name: "hal9_http_request_duration_seconds", Kind: histogram, Labels: "method, route, status", Help: "Time from a request's headers to the end of its answer."},
		{Name: "hal9_http_requests_in_flight", Kind: gauge, Labels: "lane", Help: "Requests that are worked on at this moment: of administration and /metrics (admin), and all others but probes and streams (general). A body that is still being sent does not count."},
		{Name: "hal9_http_connections_unread", Kind: gauge, Help: "Connections that are left unread until the Retry-After of a refused request is over, by limits.refusal_pause."},
		{Name: "hal9_http_unreadable_total", Kind: counter, Labels: "status", Help: "What could not be read as a request of HTTP/1.1, by the answer's status: 400 malformed or, with TLS, sent without, 417 an unknown Expect, 431 headers too large, 501 an unknown Transfer-Encoding, 505 another version; they count in hal9_http_requests_total too, as OTHER and unmatched, and in no histogram."},
		{Name: "hal9_http_incomplete_total", Kind: counter, Help: "Connections of HTTP/1.1 that ended within a request's line or headers, by server.read_header_timeout or because they broke; nothing was answered."},
		{Name: "hal9_http_requests_limit", Kind: gauge, Labels: "lane", Help: "Requests that may be worked on at a time, by the rate at which the server answered when it was last near the limit; 0 is no limit."},
		{Name: "hal9_http_shed_total", Kind: counter, Labels: "lane", Help: "Requests answered 503 at once because too many were under way; they count in hal9_http_requests_total too."},
		{Name: "hal9_errors_total", Kind: counter, Labels: "error_type", When: "after the first failure", Help: "Failures answered, by kind."},
		{Name: "hal9_db_pool_max_connections", Kind: gauge, Help: "Connections to the database that may be open; on SQLite those that read."},
		{Name: "hal9_db_pool_active_connections", Kind: gauge, Help: "Connections to the database that are lent to a call; on SQLite those that read."},
		{Name: "hal9_db_pool_idle_connections", Kind: gauge, Help: "Connections to the database that are open and free; on SQLite those that read."},
		{Name: "hal9_db_pool_waiting_calls", Kind: gauge, Help: "Calls that wait for a connection, on SQLite for the one that writes too."},
		{Name: "hal9_db_pool_waits_total", Kind: counter, Help: "Calls that had to wait for a connection."},
		{Name: "hal9_db_pool_wait_seconds_total", Kind: counter, Help: "Time that calls waited for a connection."},
		{Name: "hal9_database_replica_usable", Kind: gauge, Labels: "replica", When: "with database.replica_urls", Help: "1 while reads may go to the replica."},
		{Name: "hal9_database_replica_lag_seconds", Kind: gauge, Labels: "replica", When: "with database.replica_urls", Help: "The longest time by which the replica can be behind the primary; 0 if it has all that was seen of that."},
		{Name: "hal9_database_replica_reads_total", Kind: counter, Labels: "target", When: "with database.replica_urls", Help: "Queries that a replica may answer, by who answered: its address, or primary."},
		{Name: "hal9_database_replica_fallbacks_total", Kind: counter, Labels: "reason", When: "with database.replica_urls", Help: "Queries that the primary answered although a replica may, by the reason."},
		{Name: "hal9_db_writer_busy", Kind: gauge, When: "on SQLite", Help: "Whether the one connection that writes is at work."},
		{Name: "hal9_db_writer_queue_length", Kind: gauge, When: "on SQLite", Help: "Writes and transactions that wait for the one connection that writes."},
		{Name: "hal9_db_writer_commits_total", Kind: counter, When: "on SQLite", Help: "Commits of the one connection that writes."},
		{Name: "hal9_db_writer_writes_total", Kind: counter, When: "on SQLite", Help: "Writes that were committed, those of transactions left out; by hal9_db_writer_commits_total it tells how many share a commit."},
		{Name: "hal9_db_query_duration_seconds", Kind: histogram, Labels: "query", When: "after the first query of a name", Help: "Time of the queries by name, with the wait for a connection and, outside a transaction, the commit; InTx is a transaction as a whole."},
		{Name: "hal9_db_query_errors_total", Kind: counter, Labels: "query", When: "after the first query of a name", Help: "Queries that the database did not answer as it should; that a row is missing, taken or refused is no such error."},
		{Name: "hal9_database_schema_version", Kind: gauge, When: "while the database answers", Help: "The newest migration that the database has."},
		{Name: "hal9_database_schema_version_latest", Kind: gauge, When: "while the database answers", Help: "The newest migration that this program knows."},
		{Name: "hal9_database_read_only", Kind: gauge, Help: "1 while database.read_only holds writes off in this server."},
		{Name: "hal9_neurons_active", Kind: gauge, When: "while the database answers", Help: "Neurons whose state is neither Failed nor Stopped."},
		{Name: "hal9_neurons_by_state", Kind: gauge, Labels: "state, condition", When: "while the database answers", Help: "Neurons by their state and what it means."},
		{Name: "hal9_signals_sent_total", Kind: counter, Help: "Signals accepted."},
		{Name: "hal9_signals_processed_total", Kind: counter, Labels: "status", Help: "Signals by what became of them: success, duplicate or failed."},
		{Name: "hal9_signal_processing_duration_seconds", Kind: histogram, Labels: "layer", Help: "Time from a signal's acceptance to its commit."},
		{Name: "hal9_auth_attempts_total", Kind: counter, Labels: "status", Help: "Attempts with a password, by how they ended: success, failure, limited, busy or error."},
		{Name: "hal9_auth_hashes_total", Kind: counter, Labels: "algorithm", Help: "Password hashes computed, by algorithm."},
		{Name: "hal9_auth_hash_duration_seconds", Kind: histogram, Help: "Time that verifying or hashing a password took."},
		{Name: "hal9_auth_hash_wait_seconds", Kind: histogram, Help: "Time that passwords waited for their turn to be hashed."},
		{Name: "hal9_auth_hash_running", Kind: gauge, Help: "Passwords that are hashed at this moment."},
		{Name: "hal9_auth_hash_waiting", Kind: gauge, Help: "Passwords that wait for their turn to be hashed."},
		{Name: "hal9_auth_hash_refused_total", Kind: counter, Help: "Passwords that waited too long or found the queue full."},
		{Name: "hal9_auth_hash_process_running", Kind: gauge, When: "with auth.hash_process auto", Help: "Processes that hash passwords for this server: 0 while none is needed, or it hashes by itself."},
		{Name: "hal9_auth_hash_process_starts_total", Kind: counter, Help: "Processes started to hash passwords: the first, after a minute without passwords, and when one died."},
		{Name: "hal9_auth_hash_process_failures_total", Kind: counter, Help: "Such processes that could not be started: the server hashes by itself meanwhile."},
		{Name: "hal9_rate_limit_hits_total", Kind: counter, Labels: "limit", Help: "Requests refused by a limit, by the limit."},
		{Name: "hal9_ingest_queue_length", Kind: gauge, Help: "Signals that wait for their commit."},
		{Name: "hal9_ingest_batch_size", Kind: histogram, Help: "Signals of different callers that committed together."},
		{Name: "hal9_ingest_commit_duration_seconds", Kind: histogram, Help: "Time of the commits of such batches."},
		{Name: "hal9_ingest_shed_total", Kind: counter, Help: "Signals refused because too many waited."},
		{Name: "hal9_ingest_bulk_streams", Kind: gauge, Help: "Streams of signals under way."},
		{Name: "hal9_signal_stream_listeners", Kind: gauge, Help: "Who listens to committed signals."},
		{Name: "hal9_signal_stream_buffered_bytes", Kind: gauge, Help: "Memory of the signals that are kept for listeners."},
		{Name: "hal9_signal_stream_bus_up", Kind: gauge, When: "unless stream.bus is none", Help: "1 while notices of other servers' signals arrive, 0 while the database is asked each second in their place."},
		{Name: "hal9_signal_stream_events_total", Kind: counter, Help: "Signals sent to listeners, once for each."},
		{Name: "hal9_signal_stream_dropped_total", Kind: counter, Labels: "reason", Help: "Streams that the server ended: slow, revoked, shutdown or failed."},
		{Name: "hal9_signal_stream_resumes_total", Kind: counter, Labels: "from", Help: "Listeners that came back or began in the past, by where from: their very place, the memory or the database."},
		{Name: "hal9_signal_stream_notices_total", Kind: counter, Labels: "direction", Help: "Notices of committed signals, and that a server is there: sent to other servers, received from them, or failed to be sent."},
		{Name: "hal9_signal_stream_rows_read_total", Kind: counter, Help: "Signals read from the database for the stream."},
		{Name: "hal9_signal_stream_catch_ups_total", Kind: counter, Help: "Times when signals were looked for in the database by their time."},
		{Name: "hal9_upkeep_leader", Kind: gauge, Help: "1 while this server does the housekeeping of the database, 0 while another does."},
		{Name: "hal9_upkeep_runs_total", Kind: counter, Labels: "task", Help: "Runs of a task of the housekeeping on this server."},
		{Name: "hal9_upkeep_failures_total", Kind: counter, Labels: "task", Help: "Runs that failed."},
		{Name: "hal9_upkeep_deleted_total", Kind: counter, Labels: "task", Help: "Rows deleted by a task; of partitions dropped as a whole, the planner's estimate."},
		{Name: "hal9_upkeep_last_success_timestamp_seconds", Kind: gauge, Labels: "task", Help: "When a task last succeeded on this server, 0 if never."},
		{Name: "hal9_partition_months_ahead", Kind: gauge, When: "on PostgreSQL", Help: "Months after the present one that have their partition of signals, -1 if the present one has none."},
		{Name: "hal9_partition_default_rows", Kind: gauge, When: "on PostgreSQL", Help: "Signals in the default partition; of a month with many, no more than 50,001 are counted."},
		{Name: "hal9_partition_made_total", Kind: counter, When: "on PostgreSQL", Help: "Partitions made by this server."},
		{Name: "hal9_partition_moved_rows_total", Kind: counter, When: "on PostgreSQL", Help: "Signals that this server moved from the default partition to their month's."},
		{Name: "hal9_partition_dropped_total", Kind: counter, Help: "Months of signals dropped by this server."},
		{Name: "hal9_partition_failures_total", Kind: counter, Help: "Runs of this server on the partitions of signals that failed."},
		{Name: "hal9_partition_last_run_timestamp_seconds", Kind: gauge, Help: "When this server last worked on the partitions of signals, 0 if never."},
		{Name: "hal9_tracing_spans_total", Kind: counter, Labels: "status", When: "with tracing.endpoint", Help: "Spans handed to the collector: exported, or failed and dropped."},
		{Name: "hal9_tls_handshake_failures_total", Kind: counter, When: "with server.tls_cert", Help: "Connections whose TLS handshake failed, by their client, by its version or protocol, or by server.read_header_timeout."},
		{Name: "hal9_tls_certificate_expiry_timestamp_seconds", Kind: gauge, When: "with server.tls_cert", Help: "When the certificate in service expires, in seconds since 1970."},
	}
}
