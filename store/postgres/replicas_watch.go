package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/hal9-ai/hal9/model"
)

const (
	// A look at each server is taken ten times within the bound on the lag, within these.
	shortestLook = 20 * time.Millisecond
	longestLook  = time.Second
	// lookTimeout bounds one look. A server that takes longer is not asked anything.
	lookTimeout = 2 * time.Second

	// A replica whose reads fail is left alone for a while that doubles.
	firstHold   = 250 * time.Millisecond
	longestHold = 30 * time.Second
)

func (rs *replicas) interval() time.Duration {
	return min(max(rs.cfg.ReplicaMaxLag/10, shortestLook), longestLook)
}

// sample is where the primary's log had come to, or further, at a moment.
type sample struct {
	at       time.Time
	position model.Position
}

// samples are those of the recent past, the oldest first.
type samples struct {
	mu   sync.Mutex
	list []sample
}

// add takes in a sample and forgets those that are older than keep. A log that went back
// is another one: what was seen before says nothing.
func (s *samples) add(n sample, keep time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if last := len(s.list) - 1; last >= 0 && n.position.Compare(s.list[last].position) < 0 {
		s.list = s.list[:0]
	}
	old := 0
	for old < len(s.list) && n.at.Sub(s.list[old].at) > keep {
		old++
	}
	s.list = append(s.list[:copy(s.list, s.list[old:])], n)
}

// covered returns the moment up to which one at the position has everything, zero if that
// is not known, and whether it has all that was seen.
func (s *samples) covered(p model.Position) (at time.Time, all bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, seen := range slices.Backward(s.list) {
		if p.Covers(seen.position) {
			return seen.at, i == len(s.list)-1
		}
	}
	return time.Time{}, false
}

// samplePrimary looks at the primary until ctx ends, on a connection of its own: one that
// waits for the pool would make replicas look old when the primary is busy.
func (rs *replicas) samplePrimary(ctx context.Context, cfg *pgx.ConnConfig) {
	look := looker{cfg: cfg}
	defer look.close(ctx)
	rs.repeat(ctx, func() {
		at := time.Now()
		_ = look.at(ctx, func(ctx context.Context, conn *pgx.Conn) error { // a primary that does not answer is told by all who need it
			p, err := askPrimaryPosition(ctx, conn)
			if err == nil {
				rs.samples.add(sample{at, p}, rs.cfg.ReplicaMaxLag+longestLook)
			}
			return err
		})
	})
}

// watch looks at a replica until ctx ends.
func (rs *replicas) watch(ctx context.Context, r *replica) {
	look := looker{cfg: r.pool.Config().ConnConfig}
	defer look.close(ctx)
	said := ""
	rs.repeat(ctx, func() {
		err := look.at(ctx, func(ctx context.Context, conn *pgx.Conn) error {
			p, life, err := askReplicaPosition(ctx, conn, rs.identity)
			if err != nil {
				return err
			}
			next := &replicaState{life: life, position: p}
			next.covered, next.caughtUp = rs.samples.covered(p)
			next.had = next.covered
			if last := r.state.Load(); next.had.IsZero() && p.Compare(last.position) >= 0 {
				next.had = last.had
			}
			r.state.Store(next)
			return nil
		})
		if err != nil {
			last := r.state.Load()
			r.state.Store(&replicaState{position: last.position, covered: last.covered, had: last.had, err: err})
		}
		if ctx.Err() == nil {
			said = rs.tell(ctx, r, err, said)
		}
	})
}

// tell logs why a replica cannot be asked, once while that is so, and that it can be again.
// It returns what it said last.
func (rs *replicas) tell(ctx context.Context, r *replica, err error, said string) string {
	why := whyNoReplica(err)
	at := slog.String("replica", r.name)
	switch {
	case why == said:
	case why == "":
		rs.cfg.Logger.InfoContext(ctx, "the replica can be asked again", at)
	default:
		rs.cfg.Logger.WarnContext(ctx, "a replica of database.replica_urls cannot be asked; others, or the primary, are in its place",
			at, slog.String("error", why))
	}
	return why
}

// whyNoReplica says in our own words why a look failed, "" if it did not.
func whyNoReplica(err error) string {
	switch {
	case err == nil:
		return ""
	case errors.Is(err, errNoReplica), errors.Is(err, errStranger):
		return err.Error()
	default:
		return translate("", err).Error()
	}
}

// repeat looks once at once, and then at each interval.
func (rs *replicas) repeat(ctx context.Context, look func()) {
	tick := time.NewTicker(rs.interval())
	defer tick.Stop()
	for {
		look()
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// looker keeps one connection for looks.
type looker struct {
	cfg  *pgx.ConnConfig
	conn *pgx.Conn
}

func (l *looker) at(ctx context.Context, look func(context.Context, *pgx.Conn) error) error {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	if l.conn == nil {
		conn, err := pgx.ConnectConfig(ctx, l.cfg)
		if err != nil {
			return fmt.Errorf("connect: %w", err)
		}
		l.conn = conn
	}
	err := look(ctx, l.conn)
	if err != nil {
		l.close(ctx)
	}
	return err
}

func (l *looker) close(ctx context.Context) {
	if l.conn == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackTimeout)
	defer cancel()
	_ = l.conn.Close(ctx) // it is given up either way
	l.conn = nil
}

// judge tells by how a read ended whether the primary has to answer it, and holds a
// replica back that fails. parent is the caller's context, limited the read's.
func (r *replica) judge(parent, limited context.Context, err error) (reason string) {
	switch {
	case err == nil, errors.Is(err, pgx.ErrNoRows):
		r.succeeded()
		return ""
	case parent.Err() != nil:
		return "" // the caller's time is over
	case limited.Err() != nil:
		r.failed(time.Now())
		return fallbackSlow
	}
	if pg, answered := errors.AsType[*pgconn.PgError](err); answered && !serverGone(pg) {
		// Its replay stands before its readers, or the query is wrong: the primary tells.
		return fallbackRefused
	}
	r.failed(time.Now())
	return fallbackLost
}

func (r *replica) succeeded() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failures = 0
}

func (r *replica) failed(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now.Before(r.heldTill) {
		return // one of those that were under way together
	}
	hold := firstHold << min(r.failures, 10)
	r.failures++
	r.heldTill = now.Add(min(hold, longestHold))
}

func (r *replica) held(now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return now.Before(r.heldTill)
}
