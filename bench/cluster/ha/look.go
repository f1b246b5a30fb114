package ha

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// Look is what all programs have used since they began.
type Look struct {
	At time.Time
	// Requests are those that the servers answered, probes and scrapes left out.
	Requests float64
	// Batches are the commits of signals that came one by one, Batched those signals.
	Batches, Batched float64
	// CPU time.
	Service, Postgres, HAProxy, Cache time.Duration
	// Commits and WAL bytes of the database.
	Commits, WAL int64
}

// Program is the path of hal9.
func (c *Cluster) Program() string { return c.options.Hal9 }

// Look takes one.
func (c *Cluster) Look(ctx context.Context) (l Look, err error) {
	l.At = time.Now()
	var errs []error
	add := func(to *time.Duration, pid int) {
		used, err := cpuOf(pid, false)
		*to += used
		errs = append(errs, err)
	}
	for _, s := range c.Servers {
		add(&l.Service, s.Process.PID())
		n, err := requestsOf(ctx, s.URL)
		l.Requests += n
		errs = append(errs, err)
		for of, to := range map[string]*float64{"hal9_ingest_batch_size_count": &l.Batches, "hal9_ingest_batch_size_sum": &l.Batched} {
			n, err := sumOf(ctx, s.URL, func(series string) bool { return series == of })
			*to += n
			errs = append(errs, err)
		}
	}
	add(&l.HAProxy, c.HAProxy.PID())
	if c.Cache != nil {
		for _, n := range c.Cache.Nodes {
			add(&l.Cache, n.PID())
		}
	}
	for _, n := range c.Nodes {
		used, err := cpuOfPostgres(n.PostgresPID())
		l.Postgres += used
		errs = append(errs, err)
	}
	conn, err := pgx.Connect(ctx, c.Database)
	if err != nil {
		return l, errors.Join(append(errs, fmt.Errorf("ask PostgreSQL what it did: %w", err))...)
	}
	err = conn.QueryRow(ctx, `SELECT xact_commit, pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint
		FROM pg_stat_database WHERE datname = current_database()`).Scan(&l.Commits, &l.WAL)
	return l, errors.Join(append(errs, err, conn.Close(ctx))...)
}

// clockTick is the unit of /proc's times on Linux, whatever the kernel's own is.
const clockTick = 10 * time.Millisecond

// cpuOf reads the time that a process used, with that of its children that ended if it
// is asked for: proc(5), fields 14 to 17 of stat.
func cpuOf(pid int, ended bool) (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, fmt.Errorf("read the CPU time of process %d: %w", pid, err)
	}
	// The name, in parentheses, may hold anything.
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	ticks := int64(0)
	last := 13
	if ended {
		last = 15
	}
	for _, field := range fields[11:last] {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("read the CPU time of process %d: %w", pid, err)
		}
		ticks += n
	}
	return time.Duration(ticks) * clockTick, nil
}

// cpuOfPostgres adds up the postmaster, its children, and those that ended.
func cpuOfPostgres(postmaster int) (time.Duration, error) {
	sum, err := cpuOf(postmaster, true)
	if err != nil {
		return 0, err
	}
	lists, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", postmaster))
	if err != nil {
		return 0, fmt.Errorf("find PostgreSQL's processes: %w", err)
	}
	for _, list := range lists {
		text, err := os.ReadFile(list) //nolint:gosec // of /proc
		if err != nil {
			return 0, fmt.Errorf("find PostgreSQL's processes: %w", err)
		}
		for field := range strings.FieldsSeq(string(text)) {
			pid, err := strconv.Atoi(field)
			if err != nil {
				return 0, fmt.Errorf("find PostgreSQL's processes: %w", err)
			}
			if used, err := cpuOf(pid, false); err == nil { // else it has just ended
				sum += used
			}
		}
	}
	return sum, nil
}

// requestsOf counts the requests that a server answered, probes and scrapes left out.
func requestsOf(ctx context.Context, url string) (float64, error) {
	return sumOf(ctx, url, func(series string) bool {
		return strings.HasPrefix(series, "hal9_http_requests_total{") && strings.Contains(series, "/api/")
	})
}

// ReplicaReads are the queries that a standby may answer which the servers had since
// they were started, and those of them that one did answer.
func (c *Cluster) ReplicaReads(ctx context.Context) (answered, all float64, err error) {
	var errs []error
	for _, s := range c.Servers {
		sum := func(primary bool) float64 {
			n, err := sumOf(ctx, s.URL, func(series string) bool {
				return strings.HasPrefix(series, "hal9_database_replica_reads_total{") && (primary || !strings.Contains(series, `"primary"`))
			})
			errs = append(errs, err)
			return n
		}
		answered, all = answered+sum(false), all+sum(true)
	}
	return answered, all, errors.Join(errs...)
}

// sumOf adds the values of a server's metrics that are wanted, by name and labels.
func sumOf(ctx context.Context, url string, want func(series string) bool) (sum float64, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/metrics", http.NoBody)
	if err != nil {
		return 0, fmt.Errorf("ask %s for its metrics: %w", url, err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, fmt.Errorf("ask %s for its metrics: %w", url, err)
	}
	defer func() { err = errors.Join(err, resp.Body.Close()) }()
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		line := lines.Text()
		last := strings.LastIndexByte(line, ' ')
		if last < 0 || line[0] == '#' || !want(line[:last]) {
			continue
		}
		n, err := strconv.ParseFloat(line[last+1:], 64)
		if err != nil {
			return 0, fmt.Errorf("read the metrics of %s: %w", url, err)
		}
		sum += n
	}
	return sum, lines.Err() //nolint:wrapcheck // of a connection to ourselves
}
