package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hal9-ai/hal9/gen/sqlitedb"
	"github.com/hal9-ai/hal9/model"
)

// maxBatch bounds how many writes commit together, and with it how long a reader of
// the queue's end waits.
const maxBatch = 512

// queueLength is how many writes may wait. More wait for a place in it, up to
// AcquireTimeout.
const queueLength = 4096

// The states of a write, from its arrival to its answer.
const (
	writePending int32 = iota
	writeStarted
	writeAbandoned // its caller left before it was started
)

// write is one call that waits for the writer.
type write struct {
	ctx   context.Context //nolint:containedctx // the call's own, until it is answered
	query string
	run   func(context.Context, *sqlitedb.Queries) error
	// multi says that run consists of several statements, so that it needs a
	// savepoint to be undone as one.
	multi bool
	// turn is set by a transaction: the writer hands the connection over by closing
	// it and waits for over.
	turn, over chan struct{}

	state  atomic.Int32
	err    error
	answer chan struct{}
}

// writer owns the one connection that writes. Single writes that arrive while others
// commit are executed one after the other in the next transaction and answered after
// its commit: they share its fsync. A write that fails takes no other along.
type writer struct {
	conn    *sql.Conn
	queries *sqlitedb.Queries
	timeout time.Duration

	mu     sync.RWMutex // held for reading while a write enters the queue
	closed bool
	queue  chan *write
	done   chan struct{}
}

func newWriter(ctx context.Context, db *sql.DB, timeout time.Duration) (*writer, error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("open the writer's connection: %w", err)
	}
	queries, err := sqlitedb.Prepare(ctx, conn)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("prepare the statements: %w", err), conn.Close())
	}
	w := &writer{
		conn: conn, queries: queries, timeout: timeout,
		queue: make(chan *write, queueLength), done: make(chan struct{}),
	}
	go w.loop()
	return w, nil
}

// close answers what is queued, then closes the connection.
func (w *writer) close() error {
	w.mu.Lock()
	if w.closed {
		w.mu.Unlock()
		return nil
	}
	w.closed = true
	close(w.queue)
	w.mu.Unlock()
	<-w.done
	return errors.Join(w.queries.Close(), w.conn.Close())
}

// do queues a write and waits until it is committed or has failed. A caller that
// leaves before the write was started takes it along; one that leaves later waits
// for the outcome, which is a matter of milliseconds.
func (w *writer) do(wr *write) error {
	wr.answer = make(chan struct{})
	if err := w.enter(wr); err != nil {
		return err
	}
	select {
	case <-wr.answer:
		return wr.err
	case <-wr.ctx.Done():
		if wr.state.CompareAndSwap(writePending, writeAbandoned) {
			return wr.ctx.Err()
		}
		<-wr.answer
		return wr.err
	}
}

func (w *writer) enter(wr *write) error {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if w.closed {
		return sql.ErrConnDone
	}
	select {
	case w.queue <- wr:
		return nil
	default:
	}
	timer := time.NewTimer(w.timeout)
	defer timer.Stop()
	select {
	case w.queue <- wr:
		return nil
	case <-wr.ctx.Done():
		return wr.ctx.Err()
	case <-timer.C:
		return &model.Error{
			Kind: model.ErrUnavailable, Entity: model.EntityOf(wr.query),
			Reason: fmt.Sprintf("the writer's queue had no room for %s", w.timeout),
		}
	}
}

func (w *writer) loop() {
	defer close(w.done)
	var next *write
	for {
		if next == nil {
			var open bool
			if next, open = <-w.queue; !open {
				return
			}
		}
		switch {
		case !next.state.CompareAndSwap(writePending, writeStarted):
			next = nil // abandoned
		case next.turn != nil:
			close(next.turn)
			<-next.over
			next = nil
		default:
			next = w.commitTogether(next)
		}
	}
}

// commitTogether runs first and whatever else is waiting in one transaction. It
// returns a transaction that it met on the way and that comes next, if any.
func (w *writer) commitTogether(first *write) (next *write) {
	ctx := context.Background()
	if _, err := w.conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		first.finish(err)
		return nil
	}
	batch := make([]*write, 0, 16)
	wr := first
	for wr != nil {
		if spoiled := w.runOne(wr); spoiled {
			w.rollBack()
			wr.finish(wr.err)
			w.retryAlone(batch)
			return next
		}
		batch = append(batch, wr)
		wr, next = w.nextOf(len(batch))
	}
	if _, err := w.conn.ExecContext(ctx, "COMMIT"); err != nil {
		w.rollBack()
		for _, wr := range batch {
			wr.finish(err)
		}
		return next
	}
	for _, wr := range batch {
		wr.finish(wr.err)
	}
	return next
}

// nextOf takes a waiting write, if there is one and the batch has room. A waiting
// transaction ends the batch.
func (w *writer) nextOf(batched int) (wr, transaction *write) {
	for batched < maxBatch {
		select {
		case wr, open := <-w.queue:
			switch {
			case !open:
				return nil, nil
			case wr.turn != nil:
				return nil, wr
			case wr.state.CompareAndSwap(writePending, writeStarted):
				return wr, nil
			}
		default:
			return nil, nil
		}
	}
	return nil, nil
}

// runOne executes one write and keeps its error; spoiled says that the whole
// transaction may be gone. The write's own context does not reach the engine: an
// interrupt would roll back everybody's work.
func (w *writer) runOne(wr *write) (spoiled bool) {
	ctx := context.WithoutCancel(wr.ctx)
	if !wr.multi {
		wr.err = wr.run(ctx, w.queries)
		return wr.err != nil && !errors.Is(wr.err, sql.ErrNoRows) && spoilsBatch(wr.err)
	}
	if _, wr.err = w.conn.ExecContext(ctx, "SAVEPOINT multi"); wr.err != nil {
		return true
	}
	if wr.err = wr.run(ctx, w.queries); wr.err != nil {
		if _, err := w.conn.ExecContext(ctx, "ROLLBACK TO multi"); err != nil {
			return true
		}
	}
	if _, err := w.conn.ExecContext(ctx, "RELEASE multi"); err != nil {
		wr.err = errors.Join(wr.err, err)
		return true
	}
	return false
}

// retryAlone gives each write of a spoiled batch its own transaction, so that it
// does not fail for its neighbour's sake.
func (w *writer) retryAlone(batch []*write) {
	ctx := context.Background()
	for _, wr := range batch {
		if _, err := w.conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
			wr.finish(err)
			continue
		}
		if spoiled := w.runOne(wr); spoiled {
			w.rollBack()
			wr.finish(wr.err)
			continue
		}
		if _, err := w.conn.ExecContext(ctx, "COMMIT"); err != nil {
			w.rollBack()
			wr.finish(err)
			continue
		}
		wr.finish(wr.err)
	}
}

// rollBack ends a transaction that SQLite may have ended by itself; then the engine
// says so, and that is no fault.
func (w *writer) rollBack() {
	_, _ = w.conn.ExecContext(context.Background(), "ROLLBACK")
}

func (wr *write) finish(err error) {
	wr.err = err
	close(wr.answer)
}
