package schema

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"github.com/hal9-ai/hal9/internal/pgurl"
)

// cleanUpTimeout bounds what is still done for the database after a context has ended.
const cleanUpTimeout = 5 * time.Second

type postgres struct {
	db     *sql.DB
	locker *advisoryLocker
}

func openPostgres(ctx context.Context, databaseURL string, o Options) (*Migrator, error) {
	pool, err := pgurl.Parse(databaseURL)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrURL, err)
	}
	config := pool.ConnConfig
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = "hal9 migrate"
	}
	// goose notes when a migration ran without a time zone.
	config.RuntimeParams["timezone"] = "UTC"
	// A context that ends cancels the statement on the server and keeps the
	// connection, so that the lock can be given back.
	config.BuildContextWatcherHandler = func(c *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.CancelRequestContextWatcherHandler{Conn: c, DeadlineDelay: cleanUpTimeout}
	}
	db := stdlib.OpenDB(*config, stdlib.OptionAfterConnect(endWithClient))
	// The lock belongs to a connection: it and all migrations share this one.
	db.SetMaxOpenConns(1)
	if err := checkSchema(ctx, db, config); err != nil {
		return nil, errors.Join(err, db.Close())
	}

	engine := &postgres{db: db, locker: &advisoryLocker{waiting: o.Waiting}}
	m, err := newMigrator(Postgres, db, o, engine, goose.WithSessionLocker(engine.locker))
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return m, nil
}

// checkSchema connects. goose would take any schema's tables for its own if the search
// path led nowhere.
func checkSchema(ctx context.Context, db *sql.DB, config *pgx.ConnConfig) error {
	var name sql.NullString
	err := db.QueryRowContext(ctx, "SELECT current_schema()").Scan(&name)
	_, connecting := errors.AsType[*pgconn.ConnectError](err)
	mend, pooled := pgurl.Pooler(err)
	switch {
	case err == nil:
	case ctx.Err() != nil:
		return fmt.Errorf("%w: connect to %s: %w", ErrUnreachable, pgurl.Target(&config.Config), context.Cause(ctx))
	case connecting:
		return fmt.Errorf("%w: connect to %s: %s", ErrUnreachable, pgurl.Target(&config.Config), pgurl.Why(err))
	case pooled:
		return fmt.Errorf("%w: %s", ErrPooled, mend)
	default:
		return fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	if !name.Valid {
		return fmt.Errorf("%w: no schema of its search_path exists, or may be used; make one by CREATE SCHEMA, "+
			"or name another as in ?search_path=public", ErrURL)
	}
	return nil
}

// endWithClient makes the server end a statement whose migrator was killed. By
// default it would run to its end and keep its locks.
func endWithClient(ctx context.Context, conn *pgx.Conn) error {
	_, err := conn.Exec(ctx, "SET client_connection_check_interval = '1s'")
	if _, ok := errors.AsType[*pgconn.PgError](err); ok {
		return nil // this system cannot watch its clients
	}
	return err //nolint:wrapcheck // Open wraps it
}

func (p *postgres) hold(ctx context.Context) (func() error, error) {
	if err := p.onConn(ctx, p.locker.SessionLock); err != nil {
		return nil, err
	}
	return func() error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanUpTimeout)
		defer cancel()
		return p.onConn(ctx, p.locker.SessionUnlock)
	}, nil
}

// onConn runs fn on the one connection.
func (p *postgres) onConn(ctx context.Context, fn func(context.Context, *sql.Conn) error) (err error) {
	conn, err := p.db.Conn(ctx)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	defer func() {
		if closeErr := conn.Close(); err == nil && closeErr != nil {
			err = fmt.Errorf("give a connection back: %w", closeErr)
		}
	}()
	return fn(ctx, conn)
}

func (p *postgres) read(context.Context) (SQLQuerier, error) { return p.db, nil }

func (p *postgres) close() error {
	if err := p.db.Close(); err != nil {
		return fmt.Errorf("close the database: %w", err)
	}
	return nil
}
