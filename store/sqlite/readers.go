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

// reader is one read-only connection with its statements.
type reader struct {
	conn       *sql.Conn
	statements *statements
	queries    *sqlitedb.Queries
}

// readers lends connections out. They are opened when they are first needed and kept
// until the store closes: a file needs no fresh connections.
type readers struct {
	db      *sql.DB
	timeout time.Duration

	places chan struct{} // one token for each connection that is lent
	mu     sync.Mutex
	idle   []*reader
	closed bool

	waiting  atomic.Int64
	waits    atomic.Int64
	waitTime atomic.Int64
}

func newReaders(db *sql.DB, maximum int, timeout time.Duration) *readers {
	return &readers{db: db, timeout: timeout, places: make(chan struct{}, maximum)}
}

// with lends a connection to fn.
func (r *readers) with(ctx context.Context, query string, fn func(*reader) error) error {
	if err := r.enter(ctx, query); err != nil {
		return err
	}
	defer func() { <-r.places }()
	rd, err := r.take(ctx)
	if err != nil {
		return err
	}
	defer r.giveBack(rd)
	return fn(rd)
}

// enter waits for a place, no longer than the time-out.
func (r *readers) enter(ctx context.Context, query string) error {
	select {
	case r.places <- struct{}{}:
		return nil
	default:
	}
	start := time.Now()
	r.waiting.Add(1)
	r.waits.Add(1)
	defer func() {
		r.waiting.Add(-1)
		r.waitTime.Add(int64(time.Since(start)))
	}()
	timer := time.NewTimer(r.timeout)
	defer timer.Stop()
	select {
	case r.places <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return &model.Error{
			Kind: model.ErrUnavailable, Entity: model.EntityOf(query),
			Reason: fmt.Sprintf("no connection was free within %s", r.timeout),
		}
	}
}

func (r *readers) take(ctx context.Context) (*reader, error) {
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		return nil, sql.ErrConnDone
	}
	if n := len(r.idle); n > 0 {
		rd := r.idle[n-1]
		r.idle = r.idle[:n-1]
		r.mu.Unlock()
		return rd, nil
	}
	r.mu.Unlock()
	return r.open(ctx)
}

func (r *readers) open(ctx context.Context) (*reader, error) {
	conn, err := r.db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	statements := newStatements(conn)
	return &reader{conn: conn, statements: statements, queries: sqlitedb.New(statements)}, nil
}

func (r *readers) giveBack(rd *reader) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		_ = rd.statements.close()
		return
	}
	r.idle = append(r.idle, rd)
}

func (r *readers) idleCount() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.idle)
}

// close waits until all connections are given back, then closes them.
func (r *readers) close() error {
	for range cap(r.places) {
		r.places <- struct{}{}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	var err error
	for _, rd := range r.idle {
		err = errors.Join(err, rd.statements.close())
	}
	r.idle = nil
	for range cap(r.places) {
		<-r.places
	}
	return err
}
