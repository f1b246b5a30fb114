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

// databaseTimeout bounds what a scrape asks of the database. A scrape must succeed when
// the database does not.
const databaseTimeout = time.Second

// maxStates bounds the series by state: states are free words.
const maxStates = 50

func (s *Server) prometheus(ctx context.Context) *text {
	var raw bytes.Buffer
	s.metrics.WritePrometheus(&raw)
	s.writeGauges(&raw)
	s.writeReplicas(&raw)
	limited, cancel := context.WithTimeout(ctx, databaseTimeout)
	defer cancel()
	s.writeSchema(limited, &raw)
	s.writeNeurons(limited, &raw)
	metrics.WriteProcessMetrics(&raw)
	metrics.WriteFDMetrics(&raw)
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
	_, _ = fmt.Fprintf(b, "hal9_build_info{version=%s,commit=%s,goversion=%s} 1\n", labelValue(s.build.Version), labelValue(s.build.Commit), labelValue(s.build.Go))
	s.writePool(b)
}

func (s *Server) writePool(b *bytes.Buffer) {
	p := s.store.PoolStats()
	_, _ = fmt.Fprintf(b, "hal9_db_pool_max_connections %d\n", p.Max)
	_, _ = fmt.Fprintf(b, "hal9_db_pool_active_connections %d\n", p.InUse)
	_, _ = fmt.Fprintf(b, "hal9_db_pool_idle_connections %d\n", p.Idle)
	_, _ = fmt.Fprintf(b, "hal9_db_pool_waiting_calls %d\n", p.Waiting)
	_, _ = fmt.Fprintf(b, "hal9_db_pool_waits_total %d\n", p.Waits)
	_, _ = fmt.Fprintf(b, "hal9_db_pool_wait_seconds_total %g\n", p.WaitTime.Seconds())
	w := p.Writer
	if w == nil {
		return
	}
	busy := 0
	if w.Busy {
		busy = 1
	}
	_, _ = fmt.Fprintf(b, "hal9_db_writer_busy %d\n", busy)
	_, _ = fmt.Fprintf(b, "hal9_db_writer_queue_length %d\n", w.Waiting)
	_, _ = fmt.Fprintf(b, "hal9_db_writer_commits_total %d\n", w.Commits)
	_, _ = fmt.Fprintf(b, "hal9_db_writer_writes_total %d\n", w.Writes)
}

func (s *Server) writeSchema(ctx context.Context, b *bytes.Buffer) {
	v, err := s.store.SchemaVersion(ctx)
	if err != nil {
		return // as with the neurons
	}
	_, _ = fmt.Fprintf(b, "hal9_database_schema_version %d\n", v.Applied)
	_, _ = fmt.Fprintf(b, "hal9_database_schema_version_latest %d\n", v.Latest)
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
