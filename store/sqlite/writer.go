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

// begin takes the write lock at once, so that no statement fails for want of it later.
const begin = "BEGIN IMMEDIATE"

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
	// turn is set by a transaction: the writer begins it, hands the connection over by
	// closing turn, and waits for over. With err set it could not begin.
	turn, over chan struct{}

	state  atomic.Int32
	err    error
	answer chan struct{}
}

// writer owns the one connection that writes. Single writes that arrive while others
// commit are executed one after the other in the next transaction and answered after
// its commit: they share its fsync. A write that fails takes no other along.
type writer struct {
	conn       *sql.Conn
	statements *statements
	queries    *sqlitedb.Queries
	timeout    time.Duration
	// readOnly tells whether writes are refused; nil: never.
	readOnly func() bool

	mu     sync.RWMutex // held for reading while a write enters the queue
	closed bool
	queue  chan *write
	done   chan struct{}

	busy            atomic.Bool
	commits, writes atomic.Int64
}

func (w *writer) stats() *model.WriterStats {
	return &model.WriterStats{
		Waiting: len(w.queue), Busy: w.busy.Load(), Commits: w.commits.Load(), Writes: w.writes.Load(),
	}
}

// committed counts a commit of so many writes.
func (w *writer) committed(writes int) {
	w.commits.Add(1)
	w.writes.Add(int64(writes))
}

func newWriter(ctx context.Context, db *sql.DB, timeout time.Duration) (*writer, error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("open the writer's connection: %w", err)
	}
	statements := newStatements(conn)
	w := &writer{
		conn: conn, statements: statements, queries: sqlitedb.New(statements), timeout: timeout,
		queue: make(chan *write, queueLength), done: make(chan struct{}),
	}
	go w.loop() //nolint:contextcheck // lives until close
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
	return w.statements.close()
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
	if w.readOnly != nil && w.readOnly() {
		return &model.Error{Kind: model.ErrReadOnly, Entity: model.EntityOf(wr.query)}
	}
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
		w.busy.Store(true)
		if next.turn != nil {
			w.lend(next)
			next = nil
		} else {
			next = w.commitTogether(next)
		}
		w.busy.Store(false)
	}
}

// lend begins a transaction and hands the connection over until it is over.
func (w *writer) lend(wr *write) {
	if _, err := w.conn.ExecContext(wr.ctx, begin); err != nil {
		w.rollBack() // it may have begun before the caller left
		wr.refuse(err)
		if wr.ctx.Err() == nil {
			w.refuseWaiting(err)
		}
		return
	}
	if !wr.start() {
		w.rollBack()
		return
	}
	close(wr.turn)
	<-wr.over
}

// commitTogether runs first and whatever else is waiting in one transaction. It
// returns a transaction that it met on the way and that comes next, if any.
func (w *writer) commitTogether(first *write) (next *write) {
	ctx := context.Background()
	// Nothing is started before this succeeds: callers may leave while another
	// process holds the lock.
	if _, err := w.conn.ExecContext(ctx, begin); err != nil {
		first.refuse(err)
		w.refuseWaiting(err)
		return nil
	}
	wr := first
	if !first.start() {
		wr, next = w.nextOf(0)
	}
	batch := make([]*write, 0, 16)
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
	w.committed(len(batch))
	for _, wr := range batch {
		wr.finish(wr.err)
	}
	return next
}

// refuseWaiting answers all who wait for a lock that another process holds: let each
// wait for it in turn, and the last one waits for hours.
func (w *writer) refuseWaiting(err error) {
	for range len(w.queue) {
		wr, open := <-w.queue
		if !open {
			return
		}
		wr.refuse(err)
	}
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
			case wr.start():
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
	for i, wr := range batch {
		if _, err := w.conn.ExecContext(context.Background(), begin); err != nil {
			for _, wr := range batch[i:] {
				wr.finish(err)
			}
			return
		}
		if spoiled := w.runOne(wr); spoiled {
			w.rollBack()
			wr.finish(wr.err)
			continue
		}
		if _, err := w.conn.ExecContext(context.Background(), "COMMIT"); err != nil {
			w.rollBack()
			wr.finish(err)
			continue
		}
		w.committed(1)
		wr.finish(wr.err)
	}
}

// rollBack ends a transaction that SQLite may have ended by itself; then the engine
// says so, and that is no fault.
func (w *writer) rollBack() {
	_, _ = w.conn.ExecContext(context.Background(), "ROLLBACK")
}

// start claims the write for the writer, unless its caller has left.
func (wr *write) start() bool { return wr.state.CompareAndSwap(writePending, writeStarted) }

// finish answers a write that was started.
func (wr *write) finish(err error) {
	wr.err = err
	close(wr.answer)
}

// refuse answers a write that could not be started.
func (wr *write) refuse(err error) {
	switch {
	case !wr.start():
	case wr.turn != nil:
		wr.err = err
		close(wr.turn)
	default:
		wr.finish(err)
	}
}
