package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	// pingAfter is how long a connection is idle before it is asked whether it still is one.
	pingAfter = time.Second
	// pingTimeout is how long it may take to say so.
	pingTimeout = time.Second
	// leastConnectTimeout is how long a connection may take to be made in any case.
	leastConnectTimeout = time.Second
	// idle is the key under which a connection knows that it was idle.
	idle = "hal9.idle"
)

// resilient makes the pool one that gets over a network that lost its connections without
// a word, as a firewall that restarts does: nobody is told, and what is sent is not answered.
func (c Config) resilient(pc *pgxpool.Config) {
	if pc.ConnConfig.ConnectTimeout == 0 {
		// It holds a place of the pool, whose callers wait no longer than that; pgx's own
		// is two minutes.
		pc.ConnConfig.ConnectTimeout = max(c.AcquireTimeout, leastConnectTimeout)
	}
	// The pool would wait for the answer as long as its caller does, and then say goodbye to
	// the connection, for up to 15 s, in its place: see borrow.
	pc.ShouldPing = func(_ context.Context, p pgxpool.ShouldPingParams) bool {
		if p.IdleDuration > pingAfter {
			p.Conn.PgConn().CustomData()[idle] = true
		}
		return false
	}
}

// borrow takes a connection out of the pool that can be taken to work.
func borrow(ctx context.Context, pool *pgxpool.Pool) (*pgxpool.Conn, error) {
	for {
		conn, err := pool.Acquire(ctx)
		if err != nil {
			return nil, err
		}
		data := conn.Conn().PgConn().CustomData()
		if data[idle] == nil {
			return conn, nil
		}
		delete(data, idle)
		asked, cancel := context.WithTimeout(ctx, pingTimeout)
		err = conn.Ping(asked)
		cancel()
		if err == nil {
			return conn, nil
		}
		giveBack(conn)
		if ctx.Err() != nil {
			return nil, errors.Join(ctx.Err(), err)
		}
	}
}

// giveBack returns a connection. One that broke, or was closed because its caller's time
// was over, leaves the pool at once: pgx takes leave of the server in the background, for
// up to 15 s if that does not answer, and the pool would keep its place for it. With all
// places taken so nobody was served long after the network had come back.
func giveBack(conn *pgxpool.Conn) {
	if conn.Conn().IsClosed() {
		_ = conn.Hijack() // closed already
		return
	}
	conn.Release()
}
