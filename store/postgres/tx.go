package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hal9-ai/hal9/gen/pgdb"
	"github.com/hal9-ai/hal9/gen/pgstore"
	"github.com/hal9-ai/hal9/model"
)

// txMark is the context key under which a transaction's function finds its store, so
// that calling the store itself from inside is seen and refused: it would wait for
// a second connection, and not see the transaction's own writes.
type txMark struct{ store *Store }

func insideTx(ctx context.Context, s *Store) bool {
	return ctx.Value(txMark{s}) != nil
}

// InTx runs fn in one transaction and commits it when fn returns nil.
func (s *Store) InTx(ctx context.Context, fn func(ctx context.Context, tx model.Tx) error) error {
	if s.heldOff() {
		return &model.Error{Kind: model.ErrReadOnly}
	}
	var own error // fn's error comes back as it is
	begun := false
	err := model.ObserveQuery(ctx, s.cfg.Observer, model.TxQuery, func(ctx context.Context) error {
		run := func(ctx context.Context, conn *pgxpool.Conn) error {
			err := s.runTx(ctx, conn, func(ctx context.Context, tx model.Tx) error {
				begun = true
				own = fn(ctx, tx)
				return own
			})
			if own == nil && begun {
				s.noteWrite(ctx, conn, err)
			}
			return err
		}
		err := s.twice(ctx, "", func(err error) bool { return !begun && connectionLost(err) }, run)
		if own != nil {
			return own
		}
		return err
	})
	if errors.Is(own, model.ErrReadOnly) {
		// The function may have done what cannot be done twice: the next caller profits.
		s.leaveStandby()
	}
	return err
}

func (s *Store) runTx(ctx context.Context, conn *pgxpool.Conn, fn func(ctx context.Context, tx model.Tx) error) error {
	pgTx, err := conn.BeginTx(ctx, s.cfg.begin())
	if err != nil {
		return err
	}
	defer rollback(ctx, pgTx)
	t := &tx{pgTx: pgTx, observer: s.cfg.Observer}
	t.Store = pgstore.New(t, translate)
	if err := fn(context.WithValue(ctx, txMark{s}, true), t); err != nil {
		return err
	}
	if t.failed != nil {
		return t.failed
	}
	return pgTx.Commit(ctx)
}

// rollbackTimeout bounds the courtesy of a ROLLBACK; a connection that does not take
// it is closed by the pool, which ends the transaction as well.
const rollbackTimeout = time.Second

// rollback is a no-op after the commit, and the cure for a failed commit, an error
// and a panic. What it answers changes nothing.
func rollback(ctx context.Context, pgTx pgx.Tx) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackTimeout)
	defer cancel()
	_ = pgTx.Rollback(ctx)
}

// tx is a transaction under way.
type tx struct {
	*pgstore.Store
	pgTx     pgx.Tx
	observer model.QueryObserver
	failed   error // the first statement's error; nothing runs after it
}

// beforeCommit says of a statement's error that nothing took effect: what is not told
// to commit does not.
func beforeCommit(err error) error {
	if err == nil {
		return nil
	}
	return withoutEffectError{err}
}

// Read runs one generated query in the transaction.
func (t *tx) Read(ctx context.Context, query string, fn func(context.Context, *pgdb.Queries) error) error {
	if t.failed != nil {
		return model.AbortedTx(query)
	}
	err := model.ObserveQuery(ctx, t.observer, query, func(ctx context.Context) error {
		return translate(query, beforeCommit(fn(ctx, pgdb.New(t.pgTx))))
	})
	if err != nil && !errors.Is(err, model.ErrNotFound) {
		t.failed = err
	}
	return err
}

// ReadReplica runs one generated query in the transaction: it sees what that wrote.
func (t *tx) ReadReplica(ctx context.Context, query string, fn func(context.Context, *pgdb.Queries) error) error {
	return t.Read(ctx, query, fn)
}

// Write runs one generated query in the transaction.
func (t *tx) Write(ctx context.Context, query string, fn func(context.Context, *pgdb.Queries) error) error {
	return t.Read(ctx, query, fn)
}
