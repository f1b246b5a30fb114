package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hal9-ai/hal9/bench/benchdb"
	"github.com/hal9-ai/hal9/bench/loopback"
)

// servers are all servers that are compared, running side by side: who is asked nothing
// takes nothing.
type servers struct {
	addresses map[string]string
	running   []*exec.Cmd
	folder    string
	drop      []func() error
	ids       []string // of signals in the database that both sides of a look-up read
}

// startServers starts the servers, each writer with a database of its own.
func startServers(ctx context.Context, o options) (s *servers, err error) {
	folder, err := os.MkdirTemp("", "hal9-ratios-")
	if err != nil {
		return nil, fmt.Errorf("make a folder: %w", err)
	}
	s = &servers{addresses: map[string]string{}, folder: folder}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.stop())
		}
	}()
	databases := map[string]string{}
	for _, name := range []string{"ours", "plain"} {
		if databases[name], err = s.newDatabase(ctx, o.postgres, name); err != nil {
			return nil, err
		}
		if err := o.hal9(ctx, "migrate", "up", "--database-url", databases[name]); err != nil {
			return nil, err
		}
	}
	plainFile, ourFile := filepath.Join(folder, "plain.db"), filepath.Join(folder, "ours.db")
	if err := o.hal9(ctx, "migrate", "up", "--database-url", "sqlite://"+plainFile); err != nil {
		return nil, err
	}
	if s.ids, err = fillSignals(ctx, databases["plain"]); err != nil {
		return nil, err
	}
	quiet := []string{"HAL9_LOG_ACCESS_SAMPLE=0.01", "HAL9_LOG_FORMAT=json"}
	for _, start := range []struct {
		name, program string
		arguments     func(address string) []string
		environ       []string
	}{
		{hello, "hello", func(a string) []string { return []string{a} }, nil},
		{ginPgx, "ginpgx", func(a string) []string { return []string{a, databases["plain"]} }, nil},
		{ginSQLite, "ginsqlite", func(a string) []string { return []string{a, plainFile} }, nil},
		{ours, "hal9", serve, append(quiet, "HAL9_DATABASE_URL="+databases["ours"], "HAL9_CACHE_URL="+o.cache, "HAL9_CACHE_KEY_PREFIX=ratios-"+strconv.Itoa(os.Getpid())+":")},
		{oursSQLite, "hal9", serve, append(quiet, "HAL9_DATABASE_URL=sqlite://"+ourFile)},
		{oursWithoutHit, "hal9", serve, append(quiet, "HAL9_DATABASE_URL="+databases["plain"], "HAL9_CACHE_LOCAL_MAX_BYTES=1MiB")},
	} {
		if err := s.start(ctx, o, start.name, start.program, start.arguments, start.environ); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func serve(address string) []string { return []string{"serve", "--server-listen", address} }

// hal9 runs a command to its end.
func (o options) hal9(ctx context.Context, arguments ...string) error {
	out, err := exec.CommandContext(ctx, filepath.Join(o.bin, "hal9"), arguments...).CombinedOutput() //nolint:gosec // our own program
	if err != nil {
		return fmt.Errorf("hal9 %s: %w\n%s", arguments[0], err, out)
	}
	return nil
}

func (s *servers) start(ctx context.Context, o options, name, program string, arguments func(string) []string, environ []string) error {
	address, err := loopback.FreeAddress(ctx)
	if err != nil {
		return err
	}
	binary, err := filepath.Abs(filepath.Join(o.bin, program))
	if err != nil {
		return fmt.Errorf("find %s: %w", program, err)
	}
	log, err := os.Create(filepath.Join(s.folder, strconv.Itoa(len(s.running))+".log"))
	if err != nil {
		return fmt.Errorf("make a log: %w", err)
	}
	c := exec.Command(binary, arguments(address)...) //nolint:gosec,noctx // our own program, which stop ends
	c.Dir, c.Env = s.folder, append(os.Environ(), environ...)
	c.Stdout, c.Stderr = log, log
	if err := errors.Join(c.Start(), log.Close()); err != nil {
		return fmt.Errorf("start %s: %w", program, err)
	}
	s.running = append(s.running, c)
	s.addresses[name] = address
	return s.await(ctx, name, address, log.Name())
}

// await waits until a server takes connections.
func (s *servers) await(ctx context.Context, name, address, log string) error {
	const patience, pause = 30 * time.Second, 50 * time.Millisecond
	deadline := time.Now().Add(patience)
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/livez", http.NoBody)
		if err != nil {
			return fmt.Errorf("ask %s: %w", name, err)
		}
		answer, err := http.DefaultClient.Do(request)
		if err == nil {
			_ = answer.Body.Close()
			return nil
		}
		if ctx.Err() != nil || time.Now().After(deadline) {
			text, _ := os.ReadFile(log) //nolint:gosec // its own log
			return fmt.Errorf("%s does not start: %w\n%s", name, err, text)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
	}
}

// load runs one side of a measure once.
func (s *servers) load(ctx context.Context, o options, m measure, side side) (figure, error) {
	const warmUp = 2
	scenario := side.scenario
	if strings.Contains(scenario, "\n") {
		file := filepath.Join(s.folder, "scenario.yaml")
		text := fmt.Sprintf("name: ratios\nstages:\n  - {for: 1s, users: %d}\n  - {for: 9s, users: %d}\n", m.users, m.users) + scenario
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			return figure{}, fmt.Errorf("write the scenario: %w", err)
		}
		scenario = file
	}
	c := exec.CommandContext(ctx, filepath.Join(o.bin, "hal9"), "loadtest", "run", scenario, "--json", "--users", strconv.Itoa(m.users), //nolint:gosec // our own program
		"--url", "http://"+s.addresses[side.server], "--duration", strconv.Itoa(o.seconds+warmUp)+"s", "--warm-up", strconv.Itoa(warmUp)+"s")
	out, err := c.Output()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 1) { // 1 says that a threshold was broken
		if exit != nil {
			err = fmt.Errorf("%w: %s", err, exit.Stderr)
		}
		return figure{}, fmt.Errorf("hal9 loadtest: %w", err)
	}
	var report struct {
		Total struct {
			PerSecond   float64 `json:"per_second"`
			Failed      int64   `json:"failed"`
			FailedShare float64 `json:"failed_share"`
			Latency     struct {
				P50 float64 `json:"p50"`
				P99 float64 `json:"p99"`
			} `json:"latency"`
		} `json:"total"`
	}
	if err := json.Unmarshal(out, &report); err != nil {
		return figure{}, fmt.Errorf("read the report: %w", err)
	}
	if report.Total.PerSecond == 0 || report.Total.FailedShare > 0.01 {
		return figure{}, fmt.Errorf("%d requests failed, a share of %.3f", report.Total.Failed, report.Total.FailedShare)
	}
	return figure{report.Total.PerSecond, report.Total.Latency.P50, report.Total.Latency.P99}, nil
}

// stop ends what was started and removes what was made.
func (s *servers) stop() error {
	var all []error
	for _, c := range s.running {
		if err := c.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
			all = append(all, fmt.Errorf("end a server: %w", err))
		}
		_ = c.Wait() // how a server ends that was told to is no matter
	}
	for _, drop := range s.drop {
		all = append(all, drop())
	}
	return errors.Join(append(all, os.RemoveAll(s.folder))...)
}

// newDatabase makes a database that stop drops.
func (s *servers) newDatabase(ctx context.Context, server, name string) (string, error) {
	address, drop, err := benchdb.New(ctx, server, "ratios_"+name)
	if err != nil {
		return "", fmt.Errorf("make a database: %w", err)
	}
	s.drop = append(s.drop, drop)
	return address, nil
}

// fillSignals stores 50,000 signals with ids of this moment, and returns the ids.
func fillSignals(ctx context.Context, address string) ([]string, error) {
	conn, err := pgx.Connect(ctx, address)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	// A UUIDv7 by hand: the milliseconds, then random digits below the marks of version
	// and variant.
	rows, err := conn.Query(ctx, `WITH made AS (
		SELECT date_trunc('milliseconds', now()) - i * interval '1 millisecond' AS moment, replace(gen_random_uuid()::text, '-', '') AS digits
		FROM generate_series(1, 50000) AS i)
		INSERT INTO signals (id, from_neuron, to_neuron, layer_from, layer_to, propagation_type, content, metadata, timestamp)
		SELECT (lpad(to_hex((extract(epoch FROM moment) * 1000)::bigint), 12, '0') || '7' || substr(digits, 14, 3) || '8' || substr(digits, 18))::uuid,
			'api-client', 'executor', 'API', 'L2', 'forward', 'Plan the deployment of the new service', '{}', moment FROM made RETURNING id::text`)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("store signals: %w", err), conn.Close(ctx))
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	return ids, errors.Join(err, conn.Close(ctx))
}
