package sqlite

import (
	"context"
	"errors"
	"time"

	"github.com/hal9-ai/hal9/gen/sqlitedb"
	"github.com/hal9-ai/hal9/gen/sqlitestore"
	"github.com/hal9-ai/hal9/model"
)

// txMark is the context key under which a transaction's function finds its store, so
// that calling the store itself from inside is seen and refused: it would wait for
// the writer, which waits for the transaction.
type txMark struct{ store *Store }

func insideTx(ctx context.Context, s *Store) bool {
	return ctx.Value(txMark{s}) != nil
}

// InTx runs fn in one transaction and commits it when fn returns nil. It has the
// writer to itself meanwhile: keep it short.
func (s *Store) InTx(ctx context.Context, fn func(ctx context.Context, tx model.Tx) error) error {
	if insideTx(ctx, s) {
		return &model.Error{Kind: model.ErrInTx}
	}
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, s.cfg.StatementTimeout)
		defer cancel()
	}
	return model.ObserveQuery(ctx, s.cfg.Observer, model.TxQuery, func(ctx context.Context) error {
		return s.inTx(ctx, fn)
	})
}

func (s *Store) inTx(ctx context.Context, fn func(ctx context.Context, tx model.Tx) error) error {
	wr := &write{ctx: ctx, turn: make(chan struct{}), over: make(chan struct{}), answer: make(chan struct{})}
	if err := s.writer.enter(wr); err != nil {
		return translate("", err)
	}
	select {
	case <-wr.turn:
	case <-ctx.Done():
		if wr.state.CompareAndSwap(writePending, writeAbandoned) {
			return translate("", ctx.Err())
		}
		<-wr.turn
	}
	if wr.err != nil {
		return translate("", wr.err)
	}
	defer close(wr.over)
	var own error // fn's error comes back as it is
	err := s.runTx(ctx, func(ctx context.Context, tx model.Tx) error {
		own = fn(ctx, tx)
		return own
	})
	if own != nil {
		return own
	}
	return translate("", err)
}

func (s *Store) runTx(ctx context.Context, fn func(ctx context.Context, tx model.Tx) error) error {
	w := s.writer
	committed := false
	defer func() { //nolint:contextcheck // nothing interrupts a rollback; also when fn panics
		if !committed {
			w.rollBack()
		}
	}()
	t := &tx{writer: w, observer: s.cfg.Observer, timeout: s.cfg.StatementTimeout}
	t.Store = sqlitestore.New(t, translate)
	if err := fn(context.WithValue(ctx, txMark{s}, true), t); err != nil {
		return err
	}
	if t.failed != nil {
		return t.failed
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	// Uninterrupted: a COMMIT has an outcome.
	if _, err := w.conn.ExecContext(context.WithoutCancel(ctx), "COMMIT"); err != nil {
		return err
	}
	committed = true
	w.committed(0)
	return nil
}

// tx is a transaction under way.
type tx struct {
	*sqlitestore.Store
	writer   *writer
	observer model.QueryObserver
	timeout  time.Duration // of a statement
	failed   error         // the first statement's error; nothing runs after it
}

// Read runs one generated query in the transaction.
func (t *tx) Read(ctx context.Context, query string, fn func(context.Context, *sqlitedb.Queries) error) error {
	if t.failed != nil {
		return model.AbortedTx(query)
	}
	ctx, cancel := bounded(ctx, t.timeout)
	defer cancel()
	err := model.ObserveQuery(ctx, t.observer, query, func(ctx context.Context) error {
		return translate(query, fn(ctx, t.writer.queries))
	})
	if err != nil && !errors.Is(err, model.ErrNotFound) {
		t.failed = err
	}
	return err
}

// Write runs one generated query in the transaction.
func (t *tx) Write(ctx context.Context, query string, fn func(context.Context, *sqlitedb.Queries) error) error {
	return t.Read(ctx, query, fn)
}

// SignalInsertMany stores signals inside the transaction.
func (t *tx) SignalInsertMany(ctx context.Context, signals []model.SignalInsertParams) (model.BulkResult, error) {
	if t.failed != nil {
		return model.BulkResult{}, model.AbortedTx(bulkQuery)
	}
	batch, prepared := model.PrepareSignals(signals)
	var result model.BulkResult
	ctx, cancel := bounded(ctx, t.timeout)
	defer cancel()
	err := model.ObserveQuery(ctx, t.observer, bulkQuery, func(ctx context.Context) (err error) {
		result, err = insertSignals(ctx, t.writer.queries, batch, prepared)
		return translate(bulkQuery, err)
	})
	if err != nil {
		t.failed = err
		return model.BulkResult{}, err
	}
	return result, nil
}
