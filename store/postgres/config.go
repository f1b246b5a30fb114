package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hal9-ai/hal9/internal/pgurl"
	"github.com/hal9-ai/hal9/model"
)

// Config says which database to open and how its connections are used. Zero values
// are replaced by the defaults of WithDefaults.
type Config struct {
	// URL is postgres://user:password@host:port/database with libpq's parameters.
	URL string
	// MaxConnections bounds the pool. 20.
	MaxConnections int
	// MinConnections are kept open when idle. 0.
	MinConnections int
	// ConnectionLifetime is the age at which a connection is replaced. 1 h.
	ConnectionLifetime time.Duration
	// ConnectionLifetimeJitter is added at random, so that the connections of a
	// start do not end together. 6 min.
	ConnectionLifetimeJitter time.Duration
	// ConnectionIdleTimeout closes a connection that nobody used. 30 min.
	ConnectionIdleTimeout time.Duration
	// AcquireTimeout bounds the wait for a free connection. 3 s.
	AcquireTimeout time.Duration
	// StatementTimeout bounds one statement, in the engine and, should the engine
	// not answer at all, a second later here. 10 s.
	StatementTimeout time.Duration

	// Pooled says that URL and ReplicaURLs lead to a pooler that lends connections for
	// one transaction, as PgBouncer does: nothing is kept in a session then.
	Pooled bool

	// ReplicaURLs are replicas of the database, in the form of URL. Each gets a pool of
	// MaxConnections.
	ReplicaURLs []string
	// ReplicaMaxLag leaves out replicas that lag, or may lag, by more. 5 s.
	ReplicaMaxLag time.Duration
	// ReplicaTimeout ends a read on a replica, the wait for a connection included; the
	// primary answers it then. 1 s.
	ReplicaTimeout time.Duration
	// ReadOnly tells at each write whether writes are refused. Never.
	ReadOnly func() bool
	// Logger is told when a replica cannot be asked, and when it can be again. Discards.
	Logger *slog.Logger
	// Observer is told of every query. Nobody.
	Observer model.QueryObserver
}

// WithDefaults returns the configuration with its zero values replaced.
func (c Config) WithDefaults() Config {
	def := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	if c.MaxConnections == 0 {
		c.MaxConnections = 20
	}
	def(&c.ConnectionLifetime, time.Hour)
	def(&c.ConnectionLifetimeJitter, 6*time.Minute)
	def(&c.ConnectionIdleTimeout, 30*time.Minute)
	def(&c.AcquireTimeout, 3*time.Second)
	def(&c.StatementTimeout, 10*time.Second)
	c.StatementTimeout = min(c.StatementTimeout, longestLimit)
	def(&c.ReplicaMaxLag, 5*time.Second)
	def(&c.ReplicaTimeout, time.Second)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

func (c Config) validate() error {
	switch {
	case c.MaxConnections < 1 || c.MaxConnections > math.MaxInt32:
		return fmt.Errorf("database.max_connections is %d: it must be 1 or more", c.MaxConnections)
	case c.MinConnections < 0 || c.MinConnections > c.MaxConnections:
		return fmt.Errorf("database.min_connections is %d: it must lie between 0 and database.max_connections (%d)", c.MinConnections, c.MaxConnections)
	case c.ReplicaMaxLag < 0 || c.ReplicaTimeout < 0:
		return errors.New("database.replica_max_lag and database.replica_timeout must not be negative")
	case c.AcquireTimeout < 0 || c.StatementTimeout < 0 || c.ConnectionLifetime < 0 || c.ConnectionLifetimeJitter < 0 || c.ConnectionIdleTimeout < 0:
		return errors.New("the timeouts and lifetimes of database.* must not be negative")
	}
	return nil
}

// poolConfig turns the configuration into pgx's. Its errors never hold the URL,
// which has a password in it.
func (c Config) poolConfig() (*pgxpool.Config, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	pc, err := pgurl.Parse(c.URL)
	if err != nil {
		return nil, fmt.Errorf("database.url: %w", err)
	}
	pc.MaxConns = int32(c.MaxConnections) //nolint:gosec // validated above
	pc.MinConns = int32(c.MinConnections) //nolint:gosec // validated above
	pc.MaxConnLifetime = c.ConnectionLifetime
	pc.MaxConnLifetimeJitter = c.ConnectionLifetimeJitter
	pc.MaxConnIdleTime = c.ConnectionIdleTimeout
	c.session(pc.ConnConfig)
	c.resilient(pc)
	watch := c.watched(pc.ConnConfig)
	pc.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
		registerTypes(conn.TypeMap())
		return watch(ctx, conn)
	}
	return pc, nil
}

// session sets what holds for every statement of a connection. A pooler refuses what it
// would have to set for each client, and forgets statements that were prepared.
func (c Config) session(conn *pgx.ConnConfig) {
	params := conn.RuntimeParams
	setDefault(params, "application_name", "hal9")
	if c.Pooled {
		// The description of a statement is kept here, and the statement is sent whole.
		conn.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
		return
	}
	setDefault(params, "statement_timeout", milliseconds(c.StatementTimeout))
	// The engine takes a plan for all values to cost the sum of all partitions, and would
	// plan each call anew: for a page of signals over ten years that takes several times
	// as long as to read it. The queries are written so that one plan is good.
	setDefault(params, "plan_cache_mode", "force_generic_plan")
	// One plan for all values is taken to cost enough for compiling it to pay, and does
	// not: a look-up of a millisecond took a second of compiling.
	setDefault(params, "jit", "off")
	// A transaction that its owner forgot must not hold locks for ever.
	setDefault(params, "idle_in_transaction_session_timeout", milliseconds(2*c.StatementTimeout))
}

// clientCheck is how often PostgreSQL looks whether who asked for a statement that runs is
// still there.
const clientCheck = "client_connection_check_interval"

// watched has the engine give a statement up whose server was killed: one that waits for a
// lock would be stored long after its server was taken for gone, and hold others up until
// then. Not every system can watch a connection, nor may a pooler's be set.
func (c Config) watched(cfg *pgx.ConnConfig) func(context.Context, *pgx.Conn) error {
	if _, ok := cfg.RuntimeParams[clientCheck]; ok || c.Pooled {
		return func(context.Context, *pgx.Conn) error { return nil }
	}
	return func(ctx context.Context, conn *pgx.Conn) error {
		_, err := conn.PgConn().Exec(ctx, "SET "+clientCheck+" = '1s'").ReadAll()
		if _, refused := errors.AsType[*pgconn.PgError](err); refused {
			return nil
		}
		return err //nolint:wrapcheck // as that of connecting
	}
}

// begin is how a transaction begins. Behind a pooler it brings its own limits along, in
// the same round trip.
func (c Config) begin() pgx.TxOptions {
	if !c.Pooled {
		return pgx.TxOptions{}
	}
	return pgx.TxOptions{BeginQuery: "BEGIN; SET LOCAL statement_timeout = " + milliseconds(c.StatementTimeout) +
		"; SET LOCAL idle_in_transaction_session_timeout = " + milliseconds(2*c.StatementTimeout)}
}

// longestLimit is the longest that PostgreSQL's settings of this kind hold, 24 days.
const longestLimit = math.MaxInt32 * time.Millisecond

// milliseconds writes a limit as PostgreSQL takes it: never 0, which would be none.
func milliseconds(d time.Duration) string {
	return strconv.FormatInt(max(min(d, longestLimit).Milliseconds(), 1), 10)
}

func setDefault(params map[string]string, key, value string) {
	if _, ok := params[key]; !ok {
		params[key] = value
	}
}
