// Package store opens a database by its URL, whichever engine it names, and hands it
// out behind the one interface that everything above asks for.
package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/hal9-ai/hal9/cacheutil"
	"github.com/hal9-ai/hal9/internal/dburl"
	"github.com/hal9-ai/hal9/model"
	"github.com/hal9-ai/hal9/schema"
	"github.com/hal9-ai/hal9/store/postgres"
	"github.com/hal9-ai/hal9/store/sqlite"
)

// Config says which database to open and how its connections are used. A zero value
// means the default; both engines share the defaults, and a setting that one of them
// has no use for says so.
type Config struct {
	// URL is postgres://…, postgresql://…, sqlite:///absolute/path,
	// sqlite://relative/path or sqlite::memory:.
	URL string
	// MaxConnections bounds the pool (SQLite: the readers). 20.
	MaxConnections int
	// MinConnections are kept open when idle (PostgreSQL). 0.
	MinConnections int
	// ConnectionLifetime is the age at which a connection is replaced (PostgreSQL). 1 h.
	ConnectionLifetime time.Duration
	// ConnectionLifetimeJitter is added to it at random (PostgreSQL). 6 min.
	ConnectionLifetimeJitter time.Duration
	// ConnectionIdleTimeout closes a connection that nobody used (PostgreSQL). 30 min.
	ConnectionIdleTimeout time.Duration
	// AcquireTimeout bounds the wait for a free connection. 3 s.
	AcquireTimeout time.Duration
	// StatementTimeout bounds one statement. 10 s.
	StatementTimeout time.Duration
	// AdminURL replaces URL for migrating, where URL goes through a pooler (PostgreSQL).
	AdminURL string
	// Pooled says that URL and ReplicaURLs lead to a pooler that lends connections for
	// one transaction (PostgreSQL).
	Pooled bool
	// ReplicaURLs are replicas that may answer reads, ReplicaMaxLag how far they may be
	// behind, and ReplicaTimeout how long a read may take on one (PostgreSQL). 5 s, 1 s.
	ReplicaURLs    []string
	ReplicaMaxLag  time.Duration
	ReplicaTimeout time.Duration
	// Migrate brings the schema up to date before it is used. Without it a schema
	// that is not up to date is an error, but for a database in memory, which is
	// always new.
	Migrate bool
	// Serves has Open look whether the role may do what a server does: at the first write it
	// would be too late (PostgreSQL).
	Serves bool
	// ReadOnly tells at each write whether it is refused with ErrReadOnly. Never.
	ReadOnly func() bool
	// Logger is told when a replica cannot be asked, and when it can be again. Discards.
	Logger *slog.Logger
	// Observer is told of every query that the engine runs. Nobody.
	Observer model.QueryObserver
	// Cache says how the store is cached; without it every call asks the engine.
	Cache *Cache
}

// ErrNoAdminURL says that migrations would go through a pooler in transaction mode, where
// the lock that keeps two of them apart protects nothing.
var ErrNoAdminURL = errors.New("database.admin_url is missing: migrations need a connection of their own while database.pooler is transaction; give the URL of PostgreSQL itself")

// Open opens the database, checks that its schema is the one that this program was
// built for, and prepares the statements. The caller closes the store.
func Open(ctx context.Context, cfg Config) (model.Store, error) {
	var (
		st  model.Store
		err error
	)
	switch dburl.Engine(cfg.URL) {
	case dburl.Postgres:
		st, err = openPostgres(ctx, cfg)
	case dburl.SQLite:
		st, err = openSQLite(ctx, cfg)
	default:
		return nil, errors.New("database.url names no known engine: " + dburl.Examples)
	}
	if err != nil {
		return nil, err
	}
	pg, _ := st.(*postgres.Store)
	st = withSearchText(st)
	var m *cacheutil.Manager
	if cfg.Cache != nil {
		c, err := withCache(ctx, st, *cfg.Cache)
		if err != nil {
			return nil, err
		}
		st, m = c, c.Manager()
	}
	if pg == nil || len(cfg.ReplicaURLs) == 0 {
		return st, nil
	}
	positions, err := newConsistency(pg, cfg.Cache, m)
	if err != nil {
		return nil, errors.Join(err, st.Close())
	}
	switch outer := st.(type) {
	case *cached:
		outer.positions = positions
	case *analyzed:
		outer.positions = positions
	}
	return st, nil
}

func openPostgres(ctx context.Context, cfg Config) (model.Store, error) {
	if cfg.Migrate {
		if cfg.Pooled && cfg.AdminURL == "" {
			return nil, ErrNoAdminURL
		}
		if err := migrate(ctx, cmp.Or(cfg.AdminURL, cfg.URL)); err != nil {
			return nil, err
		}
	}
	st, err := postgres.Open(ctx, postgres.Config{
		URL:                      cfg.URL,
		MaxConnections:           cfg.MaxConnections,
		MinConnections:           cfg.MinConnections,
		ConnectionLifetime:       cfg.ConnectionLifetime,
		ConnectionLifetimeJitter: cfg.ConnectionLifetimeJitter,
		ConnectionIdleTimeout:    cfg.ConnectionIdleTimeout,
		AcquireTimeout:           cfg.AcquireTimeout,
		StatementTimeout:         cfg.StatementTimeout,
		Pooled:                   cfg.Pooled,
		ReplicaURLs:              cfg.ReplicaURLs,
		ReplicaMaxLag:            cfg.ReplicaMaxLag,
		ReplicaTimeout:           cfg.ReplicaTimeout,
		Observer:                 cfg.Observer,
		Logger:                   cfg.Logger,
		ReadOnly:                 cfg.ReadOnly,
	})
	if err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	err = usable(schema.CheckPostgres(ctx, st.Pool()))
	if err == nil && cfg.Serves {
		err = schema.CheckRights(ctx, st.Pool())
	}
	if err != nil {
		return nil, errors.Join(err, st.Close())
	}
	return st, nil
}

func openSQLite(ctx context.Context, cfg Config) (model.Store, error) {
	path, err := dburl.SQLitePath(cfg.URL)
	if err != nil {
		return nil, fmt.Errorf("database.url: %w", err)
	}
	inMemory := path == dburl.MemoryPath
	if cfg.Migrate && !inMemory {
		if err := migrate(ctx, cfg.URL); err != nil {
			return nil, err
		}
	}
	handle, err := sqlite.OpenHandle(ctx, sqlite.Config{
		Path:             path,
		MaxConnections:   cfg.MaxConnections,
		AcquireTimeout:   cfg.AcquireTimeout,
		StatementTimeout: cfg.StatementTimeout,
		Observer:         cfg.Observer,
		ReadOnly:         cfg.ReadOnly,
	})
	if err != nil {
		return nil, err
	}
	if inMemory {
		err = schema.Migrate(ctx, handle.DB(), schema.SQLite)
	} else {
		err = usable(schema.Check(ctx, handle.DB(), schema.SQLite))
	}
	if err != nil {
		return nil, errors.Join(err, handle.Close())
	}
	st, err := handle.Store(ctx)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open the database: %w", err), handle.Close())
	}
	return st, nil
}

// migrate brings the schema up to date.
func migrate(ctx context.Context, url string) error {
	m, err := schema.Open(ctx, url, schema.Options{})
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	if _, err := m.Up(ctx); err != nil {
		return errors.Join(fmt.Errorf("migrate: %w", err), m.Close())
	}
	return m.Close()
}

// usable lets a newer schema pass: migrations first expand and contract a release
// later, so that this program works on while its successor is being rolled out.
func usable(err error) error {
	if errors.Is(err, schema.ErrAhead) {
		return nil
	}
	return err
}
