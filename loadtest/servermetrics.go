package loadtest

import (
	"bufio"
	"bytes"
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/tidwall/gjson"
)

// scrape is what the server told of itself at one moment.
type scrape struct {
	at time.Time
	ok bool
	// sums has, for each name in /metrics, the sum over its labels.
	sums map[string]float64
	// hitRate is cache_hit_rate of /api/v1/metrics.
	hitRate float64
}

// The names that are read.
const (
	metricHits       = "hal9_cache_hits_total"
	metricRequests   = "hal9_cache_requests_total"
	metricBatchSum   = "hal9_ingest_batch_size_sum"
	metricBatchCount = "hal9_ingest_batch_size_count"
	metricQueue      = "hal9_ingest_queue_length"
	metricPoolUsed   = "hal9_db_pool_active_connections"
	metricPoolMax    = "hal9_db_pool_max_connections"
	metricPoolWait   = "hal9_db_pool_waiting_calls"
	metricHashes     = "hal9_auth_hashes_total"
	metricCPU        = "process_cpu_seconds_total"
	metricMemory     = "hal9_server_memory_bytes"
	// metricSent is no metric of the server's: the requests that this run sent.
	metricSent = "requests sent"
)

// scraper asks the server for its own figures.
type scraper struct {
	client   client
	bearer   func() string
	requests func() int64
}

func (s *scraper) scrape(ctx context.Context) scrape {
	bearer := s.bearer()
	status, body, err := s.client.ask(ctx, http.MethodGet, "/metrics", bearer, nil)
	if err != nil || status != http.StatusOK {
		return scrape{}
	}
	sc := scrape{at: time.Now(), ok: true, sums: sumMetrics(body)}
	sc.sums[metricSent] = float64(s.requests())
	status, body, err = s.client.ask(ctx, http.MethodGet, "/api/v1/metrics", bearer, nil)
	if err == nil && status == http.StatusOK {
		sc.hitRate = gjson.GetBytes(body, "data.cache_hit_rate").Float()
	}
	return sc
}

// sumMetrics reads Prometheus' text format, and adds up what differs only in labels.
func sumMetrics(text []byte) map[string]float64 {
	sums := map[string]float64{}
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		line := lines.Text()
		if line == "" || line[0] == '#' {
			continue
		}
		name, rest := line, ""
		if open := strings.IndexByte(line, '{'); open >= 0 {
			end := strings.LastIndexByte(line, '}')
			if end < open {
				continue
			}
			name, rest = line[:open], line[end+1:]
		} else if space := strings.IndexByte(line, ' '); space > 0 {
			name, rest = line[:space], line[space:]
		}
		value, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
		if v, err := strconv.ParseFloat(value, 64); err == nil {
			sums[name] += v
		}
	}
	return sums
}

// ratio is how much one counter grew for each step of another, and whether it did.
func ratio(from, to *scrape, of, by string) (float64, bool) {
	if !from.ok || !to.ok {
		return 0, false
	}
	d := to.sums[by] - from.sums[by]
	if d <= 0 {
		return 0, false
	}
	return (to.sums[of] - from.sums[of]) / d, true
}

// growth is by how much a counter grew per second.
func growth(from, to *scrape, name string) (float64, bool) {
	if !from.ok || !to.ok {
		return 0, false
	}
	_, known := to.sums[name]
	seconds := to.at.Sub(from.at).Seconds()
	if !known || seconds <= 0 {
		return 0, false
	}
	return (to.sums[name] - from.sums[name]) / seconds, true
}
