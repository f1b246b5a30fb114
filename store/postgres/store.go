package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hal9-ai/hal9/gen/pgdb"
	"github.com/hal9-ai/hal9/gen/pgstore"
	"github.com/hal9-ai/hal9/internal/pgurl"
	"github.com/hal9-ai/hal9/model"
	"github.com/hal9-ai/hal9/schema"
)

// Store is a PostgreSQL database behind the shared interface.
type Store struct {
	*pgstore.Store
	pool    *pgxpool.Pool
	cfg     Config
	waiting atomic.Int64
	reads   *reads
	standby standby
	months  months
	// replicas is nil where there are none.
	replicas *replicas
}

var _ model.Store = (*Store)(nil)

// Open makes the pool and asks the engine for one answer. It does not look at the
// schema. The caller closes the store.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	cfg = cfg.WithDefaults()
	pc, err := cfg.poolConfig()
	if err != nil {
		return nil, err
	}
	pool, err := pgxpool.NewWithConfig(ctx, pc)
	if err != nil {
		return nil, translate("", err)
	}
	s := &Store{pool: pool, cfg: cfg}
	s.Store = pgstore.New(s, translate)
	s.reads = newReads(s)
	if err := s.Ping(ctx); err != nil {
		pool.Close()
		return nil, fmt.Errorf("database.url: connect to %s: %w", pgurl.Target(&pc.ConnConfig.Config), err)
	}
	if err := s.openReplicas(ctx); err != nil {
		pool.Close()
		return nil, err
	}
	return s, nil
}

// Engine is "postgres".
func (s *Store) Engine() string { return "postgres" }

// Pool lends the pool to what speaks PostgreSQL by itself: migrations' check, tests.
func (s *Store) Pool() *pgxpool.Pool { return s.pool }

// Ping asks the engine for one answer.
func (s *Store) Ping(ctx context.Context) error {
	return s.withConn(ctx, "", func(ctx context.Context, conn *pgxpool.Conn) error {
		return conn.Ping(ctx)
	})
}

// Close waits for calls under way and closes all connections.
func (s *Store) Close() error {
	s.replicas.close()
	s.pool.Close()
	return nil
}

// PoolStats tells how the connections are used at this moment.
func (s *Store) PoolStats() model.PoolStats {
	st := s.pool.Stat()
	return model.PoolStats{
		Max:      int(st.MaxConns()),
		InUse:    int(st.AcquiredConns()),
		Idle:     int(st.IdleConns()),
		Waiting:  int(s.waiting.Load()),
		Waits:    st.EmptyAcquireCount(),
		WaitTime: st.EmptyAcquireWaitTime(),
	}
}

// SchemaVersion tells how far the database has been migrated.
func (s *Store) SchemaVersion(ctx context.Context) (model.SchemaVersion, error) {
	var v model.SchemaVersion
	err := s.withConn(ctx, "", func(ctx context.Context, conn *pgxpool.Conn) (err error) {
		v.Applied, v.Latest, err = schema.VersionPostgres(ctx, conn)
		return err
	})
	return v, err
}

// Read runs one generated query that writes nothing. What fails because the connection
// is lost, as after a failover, runs once more on another.
func (s *Store) Read(ctx context.Context, query string, fn func(context.Context, *pgdb.Queries) error) error {
	return s.read(ctx, query, func(ctx context.Context, conn *pgxpool.Conn) error {
		return fn(ctx, pgdb.New(conn))
	})
}

func (s *Store) read(ctx context.Context, query string, fn func(context.Context, *pgxpool.Conn) error) error {
	return model.ObserveQuery(ctx, s.cfg.Observer, query, func(ctx context.Context) error {
		return s.readPrimary(ctx, query, fn)
	})
}

// readPrimary is read for who observes by himself.
func (s *Store) readPrimary(ctx context.Context, query string, fn func(context.Context, *pgxpool.Conn) error) error {
	return s.twice(ctx, query, connectionLost, func(ctx context.Context, conn *pgxpool.Conn) error {
		ctx, cancel := s.statementContext(ctx)
		defer cancel()
		return fn(ctx, conn)
	})
}

// Write runs one generated query that writes. It runs once more on another connection
// only if nothing can have come of it.
func (s *Store) Write(ctx context.Context, query string, fn func(context.Context, *pgdb.Queries) error) error {
	return s.write(ctx, query, func(ctx context.Context, conn *pgxpool.Conn) error {
		ctx, cancel := s.statementContext(ctx)
		defer cancel()
		return fn(ctx, pgdb.New(conn))
	})
}

func (s *Store) write(ctx context.Context, query string, fn func(context.Context, *pgxpool.Conn) error) error {
	return s.onPrimary(func() error {
		return model.ObserveQuery(ctx, s.cfg.Observer, query, func(ctx context.Context) error {
			return s.twice(ctx, query, nothingSent, func(ctx context.Context, conn *pgxpool.Conn) error {
				err := fn(ctx, conn)
				s.noteWrite(ctx, conn, err)
				return err
			})
		})
	})
}

// statementContext bounds one statement where the engine does not.
func (s *Store) statementContext(ctx context.Context) (context.Context, context.CancelFunc) {
	if !s.cfg.Pooled {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, s.cfg.StatementTimeout)
}

// connectionLost tells whether the connection failed and not what was asked on it.
func connectionLost(err error) bool {
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		return serverGone(pg)
	}
	return errors.Is(err, model.ErrInterrupted) || nothingSent(err)
}

// serverGone tells whether the last that a server said is that it ends, or has not begun.
func serverGone(pg *pgconn.PgError) bool {
	return strings.HasPrefix(pg.Code, "57P") || strings.HasPrefix(pg.Code, "08")
}

// withConn lends a connection to fn, within the bounds on waiting and running.
func (s *Store) withConn(ctx context.Context, query string, fn func(context.Context, *pgxpool.Conn) error) error {
	return model.ObserveQuery(ctx, s.cfg.Observer, query, func(ctx context.Context) error {
		return s.lend(ctx, query, fn)
	})
}

// twice lends another connection, once, if fn fails in a way of which again says that it
// may be repeated.
func (s *Store) twice(ctx context.Context, query string, again func(error) bool, fn func(context.Context, *pgxpool.Conn) error) error {
	err := s.lend(ctx, query, fn)
	if err != nil && ctx.Err() == nil && again(err) {
		err = s.lend(ctx, query, fn)
	}
	return err
}

func (s *Store) lend(ctx context.Context, query string, fn func(context.Context, *pgxpool.Conn) error) error {
	if insideTx(ctx, s) {
		return &model.Error{Kind: model.ErrInTx, Entity: model.EntityOf(query)}
	}
	conn, err := s.acquire(ctx, query)
	if err != nil {
		return err
	}
	defer giveBack(conn)
	if _, ok := ctx.Deadline(); !ok {
		// The engine ends a long statement itself; this is for an engine that does
		// not answer at all.
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, s.cfg.StatementTimeout+time.Second)
		defer cancel()
	}
	return translate(query, fn(ctx, conn))
}

// acquire waits for a free connection, no longer than AcquireTimeout.
func (s *Store) acquire(ctx context.Context, query string) (*pgxpool.Conn, error) {
	s.waiting.Add(1)
	defer s.waiting.Add(-1)
	waitCtx, cancel := context.WithTimeout(ctx, s.cfg.AcquireTimeout)
	defer cancel()
	conn, err := borrow(waitCtx, s.pool)
	switch {
	case err == nil:
		return conn, nil
	case ctx.Err() == nil && errors.Is(waitCtx.Err(), context.DeadlineExceeded):
		return nil, &model.Error{
			Kind: model.ErrUnavailable, Entity: model.EntityOf(query), Cause: err,
			Reason: fmt.Sprintf("no connection was free within %s", s.cfg.AcquireTimeout),
		}
	default:
		return nil, translate(query, withoutEffectError{err})
	}
}
