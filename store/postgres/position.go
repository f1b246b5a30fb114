package postgres

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hal9-ai/hal9/model"
)

const (
	// primaryPosition is asked after a commit. The place to which the log is flushed and
	// not that of the next insert: at the end of a page that one lies behind anything
	// that is ever replayed. pg_walfile_name begins with the timeline.
	primaryPosition = "SELECT l::text, substr(pg_walfile_name(l), 1, 8) FROM pg_current_wal_flush_lsn() AS l"

	// replicaPosition tells beside the place which life of which server answers: after a
	// crash it may stand further back than before. The timeline is the one up to which
	// it wrote pages; that lags a little after a promotion, so that a replica counts as
	// being on the old one for longer than it is.
	replicaPosition = `SELECT pg_is_in_recovery(), COALESCE(pg_last_wal_replay_lsn(), '0/0')::text,
		greatest((SELECT timeline_id FROM pg_control_checkpoint()), (SELECT min_recovery_end_timeline FROM pg_control_recovery())),
		pg_postmaster_start_time()::text, current_database() || ' of ' || (SELECT system_identifier FROM pg_control_system())`

	// identity tells whether two servers hold the same database.
	identity = "SELECT current_database() || ' of ' || (SELECT system_identifier FROM pg_control_system()), current_setting('synchronous_commit')"

	// positionTimeout bounds the question for a position. The answer to a write waits
	// for it.
	positionTimeout = time.Second
)

// rowQuerier is a connection, or a transaction on one.
type rowQuerier interface {
	QueryRow(ctx context.Context, query string, args ...any) pgx.Row
}

func askPrimaryPosition(ctx context.Context, db rowQuerier) (model.Position, error) {
	var lsn, timeline string
	if err := db.QueryRow(ctx, primaryPosition).Scan(&lsn, &timeline); err != nil {
		return model.Position{}, fmt.Errorf("ask for the position of the log: %w", err)
	}
	tli, err := strconv.ParseUint(timeline, 16, 32)
	if err != nil {
		return model.Position{}, fmt.Errorf("read the timeline: %w", err)
	}
	n, err := parseLSN(lsn)
	return model.Position{Timeline: uint32(tli), LSN: n}, err
}

// life is a server from its start to its end.
type life string

var (
	errNoReplica = errors.New("the server is no replica: it takes writes")
	errStranger  = errors.New("the server is a replica of another database")
)

// askReplicaPosition asks a replica of the database with the identity of how far it came.
func askReplicaPosition(ctx context.Context, db rowQuerier, want string) (model.Position, life, error) {
	var (
		recovering bool
		lsn        string
		timeline   int32
		started    string
		is         string
	)
	if err := db.QueryRow(ctx, replicaPosition).Scan(&recovering, &lsn, &timeline, &started, &is); err != nil {
		return model.Position{}, "", fmt.Errorf("ask for the position of the replay: %w", err)
	}
	switch {
	case !recovering:
		return model.Position{}, "", errNoReplica
	case is != want:
		return model.Position{}, "", errStranger
	}
	n, err := parseLSN(lsn)
	return model.Position{Timeline: uint32(timeline), LSN: n}, life(started), err //nolint:gosec // timelines are not negative
}

// parseLSN reads 16/B374D848.
func parseLSN(text string) (uint64, error) {
	high, low, _ := strings.Cut(text, "/")
	h, err := strconv.ParseUint(high, 16, 32)
	if err != nil {
		return 0, fmt.Errorf("read a position of the log: %w", err)
	}
	l, err := strconv.ParseUint(low, 16, 32)
	if err != nil {
		return 0, fmt.Errorf("read a position of the log: %w", err)
	}
	return h<<32 | l, nil
}

// noteWrite tells the request how far the log has come with what it wrote, where there
// are replicas and somebody who may read from them next.
func (s *Store) noteWrite(ctx context.Context, db rowQuerier, err error) {
	c := model.ConsistencyFrom(ctx)
	if c == nil || s.replicas == nil {
		return
	}
	if err != nil {
		if outcomeUnknown(err) {
			c.Lost()
		}
		return
	}
	// What is committed is committed, whether or not the caller still waits.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), positionTimeout)
	defer cancel()
	p, err := askPrimaryPosition(ctx, db)
	if err != nil {
		c.Lost()
		return
	}
	c.Wrote(p)
}

// outcomeUnknown tells whether what failed may have been committed all the same: nothing
// that the engine answered itself was, but for its end.
func outcomeUnknown(err error) bool {
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		return serverGone(pg) || inDoubt(pg)
	}
	if _, own := errors.AsType[*model.Error](err); own {
		return false
	}
	return !errors.Is(err, pgx.ErrNoRows) && !pgconn.SafeToRetry(err)
}

// WritePosition asks the primary how far its log has come: everything that was committed
// before the call lies before it.
func (s *Store) WritePosition(ctx context.Context) (p model.Position, err error) {
	err = s.read(ctx, "", func(ctx context.Context, db *pgxpool.Conn) error {
		p, err = askPrimaryPosition(ctx, db)
		return err
	})
	return p, err
}
