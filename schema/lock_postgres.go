package schema

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"time"

	"github.com/pressly/goose/v3/lock"
)

// pollInterval is how often a migrator that waits asks for the lock.
const pollInterval = 100 * time.Millisecond

// advisoryLocker is goose's session lock on PostgreSQL, under the same key, but
// one that is asked for more often than each five seconds, and that waits as
// long as the context allows. A session may take it several times over: once for
// a whole plan and again for each migration in it, so that each is sure to run
// under it even if the connection had to be made anew in between.
type advisoryLocker struct {
	waiting func(holder string)
}

// SessionLock takes the lock.
func (l *advisoryLocker) SessionLock(ctx context.Context, conn *sql.Conn) error {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	holder := ""
	for {
		var locked bool
		err := conn.QueryRowContext(ctx, "SELECT pg_try_advisory_lock($1)", lock.DefaultLockID).Scan(&locked)
		switch {
		case ctx.Err() != nil:
			return waitEnded(ctx, holder)
		case err != nil:
			return fmt.Errorf("take the migration lock: %w", err)
		case locked:
			return nil
		}
		if holder == "" {
			holder = l.holder(ctx, conn)
			if l.waiting != nil {
				l.waiting(holder)
			}
		}
		select {
		case <-ctx.Done():
			return waitEnded(ctx, holder)
		case <-tick.C:
		}
	}
}

// SessionUnlock gives the lock back. A lock that is gone went with its connection.
func (*advisoryLocker) SessionUnlock(ctx context.Context, conn *sql.Conn) error {
	var unlocked bool
	err := conn.QueryRowContext(ctx, "SELECT pg_advisory_unlock($1)", lock.DefaultLockID).Scan(&unlocked)
	if err != nil && !errors.Is(err, driver.ErrBadConn) {
		return fmt.Errorf("give the migration lock back: %w", err)
	}
	return nil
}

// holder describes who has the lock, as far as that can be told.
func (*advisoryLocker) holder(ctx context.Context, conn *sql.Conn) string {
	var pid int64
	var program string
	err := conn.QueryRowContext(ctx, `SELECT l.pid, coalesce(a.application_name, '')
		FROM pg_catalog.pg_locks l LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
		WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
		  AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
		  AND (l.classid::bigint << 32 | l.objid::bigint) = $1`, lock.DefaultLockID).Scan(&pid, &program)
	if err != nil {
		return "another migrator"
	}
	return fmt.Sprintf("PostgreSQL process %d (%q)", pid, program)
}

func waitEnded(ctx context.Context, holder string) error {
	if holder == "" {
		return fmt.Errorf("take the migration lock: %w", context.Cause(ctx))
	}
	return fmt.Errorf("wait for the migration lock, which %s holds: %w", holder, context.Cause(ctx))
}
