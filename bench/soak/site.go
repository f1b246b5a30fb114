package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/hal9-ai/hal9/internal/testenv/servers"
)

// site is a server with its database and cache.
type site struct {
	o       options
	home    *servers.Home
	address string
	server  *servers.Process
	stops   []func() error
}

// settings make what may grow full within the first minute: what grows after it is a leak.
// A stated GOGC keeps the heap from growing by 128 MiB before it is looked through.
func settings() []string {
	return []string{
		"GOGC=100", "HAL9_LOG_ACCESS_SAMPLE=0", "HAL9_LOG_LEVEL=error",
		"HAL9_SIGNALS_RETENTION=30d", "HAL9_UPKEEP_INTERVAL=5s", "HAL9_IDEMPOTENCY_TTL=1m",
		"HAL9_CACHE_DEFAULT_TTL=3s", "HAL9_CACHE_LOCAL_MAX_BYTES=4MiB", "HAL9_STREAM_BUFFER_BYTES=1MiB",
		"HAL9_DATABASE_CONNECTION_LIFETIME=20s", "HAL9_DATABASE_CONNECTION_LIFETIME_JITTER=10s",
	}
}

func openSite(ctx context.Context, o options) (_ *site, err error) {
	s := &site{o: o}
	if s.home, err = servers.NewHome(ctx); err != nil {
		return nil, withMend(err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(withMend(err), s.close())
		}
	}()
	environment := append(settings(), "HAL9_DATABASE_URL=sqlite://"+filepath.Join(s.home.Dir(), "hal9.db"))
	if o.engine == postgresEngine {
		node, stop, err := servers.StartPostgresNode(ctx, servers.Durable)
		if err != nil {
			return nil, err
		}
		s.stops = append(s.stops, stop)
		cache, err := servers.StartCache(ctx)
		if err != nil {
			return nil, err
		}
		s.stops = append(s.stops, cache.Stop)
		environment = append(settings(), "HAL9_DATABASE_URL="+node.URL("postgres"), "HAL9_CACHE_URL="+cache.URL())
	}
	var config net.ListenConfig
	ln, err := config.Listen(ctx, "tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("find a free port: %w", err)
	}
	s.address = ln.Addr().String()
	if err := ln.Close(); err != nil {
		return nil, fmt.Errorf("find a free port: %w", err)
	}
	command := append([]string{"/usr/bin/env", "-C", s.home.Dir()}, environment...)
	s.server, err = servers.StartProgram(ctx, servers.Program{
		Name: "hal9", Log: filepath.Join(s.home.Dir(), "log"), AsCaller: true,
		Command: append(command, o.hal9, "serve", "--migrate", "--server-listen", s.address),
		Ready: func(ctx context.Context) error {
			_, err := s.metrics(ctx)
			return err
		},
	})
	return s, err
}

// withMend tells what to do about a program that is missing.
func withMend(err error) error {
	if missing, ok := errors.AsType[*servers.MissingError](err); ok {
		return fmt.Errorf("%w: apt-get install %s", err, missing.Packages[len(missing.Packages)-1])
	}
	return err
}

func (s *site) close() error {
	var errs []error
	if s.server != nil {
		errs = append(errs, s.server.Stop())
	}
	for _, stop := range s.stops {
		errs = append(errs, stop())
	}
	return errors.Join(append(errs, s.home.Close())...)
}

func (s *site) url() string { return "http://" + s.address }

// metrics asks for the values that have no labels.
func (s *site) metrics(ctx context.Context) (values map[string]float64, err error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url()+"/metrics", http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("ask /metrics: %w", err)
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask /metrics: %w", err)
	}
	defer func() { err = errors.Join(err, resp.Body.Close()) }()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("/metrics answers %s", resp.Status)
	}
	return readMetrics(resp.Body)
}

func readMetrics(r io.Reader) (map[string]float64, error) {
	values := map[string]float64{}
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		name, text, ok := strings.Cut(lines.Text(), " ")
		if !ok || strings.HasPrefix(name, "#") || strings.Contains(name, "{") {
			continue
		}
		if value, err := strconv.ParseFloat(text, 64); err == nil {
			values[name] = value
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read /metrics: %w", err)
	}
	return values, nil
}
