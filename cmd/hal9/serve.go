package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/hal9-ai/hal9/ingest"
	"github.com/hal9-ai/hal9/internal/config"
	"github.com/hal9-ai/hal9/internal/dburl"
	"github.com/hal9-ai/hal9/model"
	"github.com/hal9-ai/hal9/schema"
	"github.com/hal9-ai/hal9/server"
	"github.com/hal9-ai/hal9/store"
	"github.com/hal9-ai/hal9/stream"
)

// ServeCmd serves the API.
type ServeCmd struct {
	Migrate bool `help:"Run pending migrations first. On SQLite that is always done."`
	Settings
}

// Help describes the command.
func (ServeCmd) Help() string {
	return `Serves until SIGTERM or Ctrl+C, then finishes the requests under way; at SIGTERM it first says for server.drain_delay that it is not ready, so that a balancer turns elsewhere. A second signal ends it at once. Without any setting it serves on 127.0.0.1:8080 from the SQLite file hal9.db, which it makes, and asks for no accounts; --auth-mode required does, and lets other machines in. With TLS the certificate is read again when its files change, and at SIGHUP; so is database.read_only where there is a configuration file.

Exits with 0 after a clean shutdown, 1 if it cannot serve, 2 if the configuration is wrong, 3 if the database does not answer, and 4 if migrations are pending: 'hal9 migrate up' runs them.

Example:

    hal9 serve
    HAL9_DATABASE_URL=postgres://hal9@localhost/hal9 hal9 serve --migrate
    hal9 serve --auth-mode required --server-listen 0.0.0.0:8443 --server-tls-cert cert.pem --server-tls-key key.pem`
}

// Run serves until the context ends.
func (c *ServeCmd) Run(g *Globals) error {
	cfg, err := g.LoadConfig(c.Settings)
	if err != nil {
		return err
	}
	if err := g.warn(cfg); err != nil {
		return err
	}
	// Before the database is touched: most often it is this same server that has it.
	ln, err := listen(g.Context, cfg.Server.Listen)
	if err != nil {
		return err
	}
	log := g.Logger(cfg.Log)
	cache := storeCache(cfg, log)
	cache.Behind = behind(cfg) // this process runs the queues
	seen, err := observe(g.Context, cfg, log, cache)
	if err != nil {
		return errors.Join(err, ln.Close())
	}
	defer seen.close(g.Context)
	readOnly := newReadOnly(cfg, seen.set)
	st, err := openStoreFor(g.Context, cfg, c.Migrate, cache, seen.queries, readOnly.Load, cfg.Database.ReplicaURLs.Items()...)
	if err != nil {
		return errors.Join(err, ln.Close())
	}
	defer serving(cfg, log)()
	err = serve(g, cfg, seen, st, ln, c.reload(g, readOnly, seen.log))
	return errors.Join(err, tellOthers(g.Context, cfg, st, seen.log), closeStore(st))
}

// serving marks an SQLite file as one that a server serves from, and warns where another
// one does: without a channel between them, each tells its listeners its own signals only.
func serving(cfg *config.Config, log *slog.Logger) (release func()) {
	path, err := dburl.SQLitePath(cfg.Database.URL)
	if err != nil || path == dburl.MemoryPath {
		return func() {}
	}
	another, release := schema.Serving(path)
	if another && cfg.Cache.URL == "" {
		log.Warn("another server serves from this file: each streams only the signals that it took, and reads what the other wrote after cache.local_max_ttl; end one of them, or give both a cache.url",
			slog.String("file", path))
	}
	return release
}

func closeStore(st model.Store) error {
	if err := st.Close(); err != nil {
		return fmt.Errorf("close the database: %w", err)
	}
	return nil
}

// listen takes the address, and says what to do if it cannot.
func listen(ctx context.Context, address string) (net.Listener, error) {
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", address)
	switch {
	case err == nil:
		return ln, nil
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, &ExitError{
			Code: exitFailure, Err: fmt.Errorf("server.listen: another program serves on %s", address),
			Hint: "End it, or choose another address, as in: hal9 serve --server-listen 127.0.0.1:8081",
		}
	case errors.Is(err, syscall.EACCES):
		return nil, &ExitError{
			Code: exitFailure, Err: fmt.Errorf("server.listen: this user may not serve on %s", address),
			Hint: "Choose a port of 1024 or more, as in: hal9 serve --server-listen 127.0.0.1:8080",
		}
	default:
		return nil, fmt.Errorf("server.listen: %w", err)
	}
}

// openStore opens the database for a command, whose writes the servers that run
// beside it have to hear of; its errors carry their exit codes.
func openStore(ctx context.Context, cfg *config.Config) (model.Store, error) {
	return openStoreFor(ctx, cfg, false, storeCache(cfg, slog.New(slog.DiscardHandler)), nil, nil)
}

// openStoreFor is openStore with a cache and an observer that its caller has set up, and
// with replicas: commands read from the primary alone.
func openStoreFor(ctx context.Context, cfg *config.Config, migrate bool, cache *store.Cache, observer model.QueryObserver, readOnly func() bool, replicas ...string) (model.Store, error) {
	d := cfg.Database
	st, err := store.Open(ctx, store.Config{
		URL: d.URL, AdminURL: d.AdminURL, MaxConnections: d.MaxConnections, MinConnections: d.MinConnections,
		ConnectionLifetime: d.ConnectionLifetime, ConnectionLifetimeJitter: d.ConnectionLifetimeJitter,
		ConnectionIdleTimeout: d.ConnectionIdleTimeout, AcquireTimeout: d.AcquireTimeout, StatementTimeout: d.StatementTimeout,
		Pooled:      d.Pooler == config.PoolerTransaction,
		ReplicaURLs: replicas, ReplicaMaxLag: d.ReplicaMaxLag, ReplicaTimeout: d.ReplicaTimeout,
		Migrate: migrate || d.Engine() == dburl.SQLite,
		Cache:   cache, Observer: observer, ReadOnly: readOnly, Logger: cache.Logger,
		Serves: readOnly != nil && !readOnly(),
	})
	switch {
	case err == nil:
		return st, nil
	case errors.Is(err, schema.ErrNotMigrated), errors.Is(err, schema.ErrBehind):
		return nil, &ExitError{Code: exitPending, Err: err, Hint: "'hal9 serve --migrate' runs them and serves."}
	case errors.Is(err, schema.ErrUnreachable): // by what migrates first
		return nil, &ExitError{Code: exitUnreachable, Err: err, Hint: isItRight(cfg, true)}
	case errors.Is(err, model.ErrUnavailable), errors.Is(err, model.ErrTimeout):
		return nil, &ExitError{Code: exitUnreachable, Err: err, Hint: isItRight(cfg, false)}
	default:
		return nil, refusedError(err, cfg, migrate)
	}
}

// serve runs the server and what works beside it. At the end the order is: no more
// requests, then the signals under way, then the upkeep.
func serve(g *Globals, cfg *config.Config, seen *observation, st model.Store, ln net.Listener, reload func(context.Context)) error {
	log, set := seen.log, seen.set
	bus, closeBus := newBus(cfg, st)
	feed := stream.New(stream.Config{Store: st, Bus: bus, Logger: log, Metrics: set, MaxBytes: int(cfg.Stream.BufferBytes)})
	ids := model.NewIDGenerator(time.Now)
	in := ingest.New(ingest.Config{
		Store: st, Logger: log, Metrics: set, Tracer: seen.tracer(),
		Committers: cfg.Ingest.Committers, MaxBatch: cfg.Ingest.MaxBatch, MaxQueue: cfg.Ingest.QueueLength,
		Committed: feed.Publish,
	})
	hash, endHashing := newHasher(cfg, g.Self, log, set)
	defer endHashing()
	accounts, err := newAccounts(cfg, st, ids, log, set, hash)
	if err != nil {
		return errors.Join(err, ln.Close())
	}
	g.spareProcessor(cfg.Database.Engine()) // after what counts processors for itself
	later := store.LaterOf(st)
	srv, err := server.New(server.Deps{
		Later: laterOrNil(later), Stream: feed, Tracer: seen.tracer(), Consistency: consistencyOrNil(store.ConsistencyOf(st)),
		Config: serverConfig(cfg), Store: st, Ingest: in, Auth: accounts, IDs: ids, Logger: log, Metrics: set, Build: serverBuild(), Cache: store.CacheOf(st),
		Identities: ingest.Identities{IDs: ids, Clock: time.Now, Retention: cfg.Signals.Retention},
	})
	if errors.Is(err, server.ErrCertificate) {
		err = &ExitError{Code: exitUsage, Err: err}
	}
	if err != nil {
		return errors.Join(err, ln.Close())
	}

	keeper, err := newKeeper(cfg, st, log, set)
	if err != nil {
		return errors.Join(err, ln.Close())
	}

	// What works beside the server ends after it, so not with the command's context.
	beside, stop := context.WithCancel(context.WithoutCancel(g.Context))
	defer stop()
	var group errgroup.Group
	group.Go(func() error { return tuneGC(beside) })
	group.Go(func() error { return in.Run(beside) })
	group.Go(func() error { return feed.Run(beside) })
	group.Go(func() error { return keeper.Run(beside) })
	group.Go(func() error { return accounts.Run(beside) })
	group.Go(func() error { return tellMeanwhile(beside, cfg, st, log) })
	group.Go(func() error { return runLater(beside, later, cfg.Server.ShutdownTimeout) })
	group.Go(func() error { return reloadAtHangup(beside, cfg, srv, log, reload) })
	if err := g.announce(log, cfg, st, ln.Addr()); err != nil {
		log.WarnContext(g.Context, "cannot write to the terminal", slog.String("error", err.Error()))
	}
	g.firstAdmin(beside, log, cfg, st)

	served := srv.Serve(g.Context, ln)
	closing, cancel := context.WithTimeout(beside, cfg.Server.ShutdownTimeout)
	defer cancel()
	closed := in.Close(closing)
	stop()
	err = errors.Join(served, closed, group.Wait(), closeBus(closing))
	if err == nil {
		log.InfoContext(g.Context, "stopped")
	}
	return err
}

// consistencyOrNil keeps a nil pointer from becoming an interface that is not nil.
func consistencyOrNil(c *store.Consistency) server.Consistency {
	if c == nil {
		return nil
	}
	return c
}

func serverConfig(cfg *config.Config) server.Config {
	s := cfg.Server
	return server.Config{
		AuthMode: cfg.Auth.Mode, RequestTimeout: s.RequestTimeout, ReadHeaderTimeout: s.ReadHeaderTimeout,
		ReadTimeout: s.ReadTimeout, IdleTimeout: s.IdleTimeout, ShutdownTimeout: s.ShutdownTimeout, DrainDelay: s.DrainDelay,
		MaxBodyBytes: int64(s.MaxBodyBytes), MaxJSONDepth: s.MaxJSONDepth, MaxPage: s.MaxPage,
		BulkStreams: cfg.Ingest.BulkStreams, BulkChunkRows: cfg.Ingest.BulkChunkRows, BulkIdleTimeout: cfg.Ingest.BulkIdleTimeout, BulkMinRate: int64(cfg.Ingest.BulkMinRate),
		Streams: cfg.Limits.Streams, StreamsPerClient: cfg.Limits.StreamsPerClient, StreamHeartbeat: cfg.Stream.Heartbeat,
		StaleAfter: cfg.Neurons.StaleAfter, IdempotencyTTL: cfg.Idempotency.TTL, AccessSample: cfg.Log.AccessSample,
		MetricsPublic: cfg.Metrics.Public, TLSCert: s.TLSCert, TLSKey: s.TLSKey, HSTSMaxAge: s.HSTSMaxAge,
		TrustedProxies: s.TrustedPrefixes(), CORSOrigins: s.CORSOrigins.Items(),
		Limits: server.Limits{
			PerKey: cfg.Limits.PerKey, PerAddress: cfg.Limits.PerAddress, Window: cfg.Limits.Window,
			Requests: cfg.Limits.Requests, RequestsDelay: cfg.Limits.RequestsDelay, RefusalPause: cfg.Limits.RefusalPause,
		},
	}
}

func serverBuild() server.Build {
	b := readBuild()
	return server.Build{Version: b.Version, Commit: b.Commit, Time: b.Time, Go: b.Go, Platform: b.Platform}
}

// announce tells a person where to look, and the log where the server is.
func (g *Globals) announce(log *slog.Logger, cfg *config.Config, st model.Store, addr net.Addr) error {
	log.InfoContext(g.Context, "serving", slog.String("address", addr.String()),
		slog.String("engine", st.Engine()), slog.String("version", readBuild().Version))
	if !isTerminal(g.Stdout) {
		return nil
	}
	scheme := "http://"
	if cfg.Server.TLSCert != "" {
		scheme = "https://"
	}
	return welcome(g.Stdout, scheme+addr.String(), config.MaskURL(cfg.Database.URL), cfg.Auth.Mode == server.AuthRequired)
}

func welcome(w io.Writer, url, database string, accounts bool) error {
	with, key := "", ""
	if accounts {
		with, key = ", with a key of 'hal9 admin create-key' in KEY", ` -H "X-API-Key: $KEY"`
	}
	_, err := fmt.Fprintf(w, `
HAL9 serves from %[2]s

  API      %[1]s/api/v1
  Console  %[1]s/console
  Docs     %[1]s/docs
  Health   %[1]s/health
  Metrics  %[1]s/metrics

Try it%[3]s:

  curl -s %[1]s/api/v1/signal%[4]s -H 'Content-Type: application/json' -d '{"content": "hello", "layer": "L4"}'

Ctrl+C stops it.

`, url, database, with, key)
	if err != nil {
		return fmt.Errorf("write the addresses: %w", err)
	}
	return nil
}
