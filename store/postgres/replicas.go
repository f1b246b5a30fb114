package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hal9-ai/hal9/gen/pgdb"
	"github.com/hal9-ai/hal9/model"
)

// replicas are the servers beside the primary that may answer reads.
//
// How far a replica lags is told without anybody's clock but ours: the primary's position
// is looked at now and then, and a replica that has come to the position of a look lags by
// no more than the time since that look. So an idle primary makes no replica look old, and
// a replica, or a primary, that cannot be asked makes the bound grow until the replica is
// left out.
type replicas struct {
	list []*replica
	cfg  Config
	// identity is that of the database.
	identity string
	samples  samples
	next     atomic.Uint32
	figures  replicaFigures

	stop context.CancelFunc
	ends sync.WaitGroup
}

// openReplicas makes the pools and begins to watch. A replica that does not answer is no
// error: it may come later.
func (s *Store) openReplicas(ctx context.Context) error {
	if len(s.cfg.ReplicaURLs) == 0 {
		return nil
	}
	identity, err := s.identity(ctx)
	if err != nil {
		return err
	}
	rs := &replicas{cfg: s.cfg, identity: identity}
	watch, stop := context.WithCancel(context.WithoutCancel(ctx))
	rs.stop = stop
	for i, url := range s.cfg.ReplicaURLs {
		r, err := newReplica(watch, s.cfg, url)
		if err != nil {
			rs.close()
			return fmt.Errorf("database.replica_urls, place %d: %w", i+1, err)
		}
		rs.list = append(rs.list, r)
	}
	rs.ends.Go(func() { rs.samplePrimary(watch, s.pool.Config().ConnConfig) })
	for _, r := range rs.list {
		rs.ends.Go(func() { rs.watch(watch, r) })
	}
	s.replicas = rs
	return nil
}

// identity asks which database it is, and makes sure that a commit that was answered lies
// before the position that is asked for next.
func (s *Store) identity(ctx context.Context) (is string, err error) {
	var commits string
	err = s.read(ctx, "", func(ctx context.Context, conn *pgxpool.Conn) error {
		return conn.QueryRow(ctx, identity).Scan(&is, &commits)
	})
	if err != nil {
		return "", fmt.Errorf("database.replica_urls: ask the primary which database it is: %w", err)
	}
	if commits == "off" {
		return "", errors.New("database.replica_urls: synchronous_commit is off, and then nobody knows which commits a replica must have for a client to see its own; turn it on, or leave replicas out")
	}
	return is, nil
}

// close ends the watching and closes all connections.
func (rs *replicas) close() {
	if rs == nil {
		return
	}
	rs.stop()
	rs.ends.Wait()
	for _, r := range rs.list {
		r.pool.Close()
	}
}

// replica is one of them.
type replica struct {
	name  string // host:port
	pool  *pgxpool.Pool
	state atomic.Pointer[replicaState]
	// failures in a row of reads, and the moment before which none is tried.
	mu       sync.Mutex
	failures int
	heldTill time.Time

	reads atomic.Int64
}

// replicaState is what was last seen of a replica.
type replicaState struct {
	life     life
	position model.Position
	// covered is the moment up to which it has all commits; zero if none is known.
	covered time.Time
	// had is covered where that is known, else what it last was: how far it lags is told long
	// after what the primary's log was then is forgotten. No read depends on it.
	had time.Time
	// caughtUp says that it has all that was seen of the primary.
	caughtUp bool
	// err is why it cannot be asked.
	err error
}

// serving is the key under which a connection knows the life of its server.
const serving = "hal9.life"

func newReplica(ctx context.Context, cfg Config, url string) (*replica, error) {
	cfg.URL, cfg.MinConnections = url, 0
	pc, err := cfg.poolConfig()
	if err != nil {
		return nil, err
	}
	r := &replica{name: net.JoinHostPort(pc.ConnConfig.Host, strconv.Itoa(int(pc.ConnConfig.Port)))}
	r.state.Store(&replicaState{err: errors.New("it was not asked yet")})
	if r.pool, err = pgxpool.NewWithConfig(ctx, pc); err != nil {
		return nil, translate("", err)
	}
	return r, nil
}

// The reasons for which the primary answers in a replica's stead.
const (
	fallbackUnknown = "position_unknown" // of what the client must see
	fallbackBehind  = "behind"           // the client's own writes have not arrived
	fallbackLagging = "lagging"          // no replica is within the bound
	fallbackDown    = "unreachable"      // no replica can be asked
	fallbackLost    = "connection_lost"  // while it was asked
	fallbackSlow    = "timeout"          // it took longer than ReplicaTimeout
	fallbackRefused = "refused"          // it answered with an error, as for a conflict with the replay
)

// ReadReplica runs one generated query on a replica that has all that the request must
// see, and else on the primary.
func (s *Store) ReadReplica(ctx context.Context, query string, fn func(context.Context, *pgdb.Queries) error) error {
	if s.replicas == nil || insideTx(ctx, s) {
		return s.Read(ctx, query, fn)
	}
	return model.ObserveQuery(ctx, s.cfg.Observer, query, func(ctx context.Context) error {
		reason, err := s.replicas.read(ctx, query, fn)
		if reason == "" {
			return err
		}
		s.replicas.figures.fallback(reason)
		return s.readPrimary(ctx, query, func(ctx context.Context, conn *pgxpool.Conn) error {
			return fn(ctx, pgdb.New(conn))
		})
	})
}

// read asks a replica; a reason says that the primary has to be asked instead.
func (rs *replicas) read(ctx context.Context, query string, fn func(context.Context, *pgdb.Queries) error) (reason string, err error) {
	need, known := model.Position{}, false
	if c := model.ConsistencyFrom(ctx); c != nil {
		need, known = c.Need(ctx)
	}
	if !known {
		return fallbackUnknown, nil
	}
	r, reason := rs.choose(need, time.Now())
	if r == nil {
		return reason, nil
	}
	limited, cancel := rs.limit(ctx)
	defer cancel()
	err = rs.ask(limited, r, need, fn)
	if errors.Is(err, errBehind) {
		return fallbackBehind, nil
	}
	if reason = r.judge(ctx, limited, err); reason != "" {
		return reason, nil
	}
	r.reads.Add(1)
	return "", translate(query, err)
}

// limit leaves half of the caller's time to the primary.
func (rs *replicas) limit(ctx context.Context) (context.Context, context.CancelFunc) {
	limit := rs.cfg.ReplicaTimeout
	if end, ok := ctx.Deadline(); ok {
		limit = min(limit, time.Until(end)/2)
	}
	return context.WithTimeout(ctx, limit)
}

// choose takes the replicas in turn: first among those that are known to have what is
// needed, then among all that are within the bound.
func (rs *replicas) choose(need model.Position, now time.Time) (*replica, string) {
	n := uint32(len(rs.list)) //nolint:gosec // few
	start := rs.next.Add(1)
	var second *replica
	reason := fallbackDown
	for i := range n {
		r := rs.list[(start+i)%n]
		state := r.state.Load()
		switch {
		case state.err != nil || r.held(now):
		case now.Sub(state.covered) > rs.cfg.ReplicaMaxLag:
			reason = fallbackLagging
		case state.position.Covers(need):
			return r, ""
		default:
			second = cmp.Or(second, r)
		}
	}
	return second, reason
}

var errBehind = errors.New("the replica has not come to the position yet")

// ask runs a query on the replica once it is sure that this has come to the position.
func (rs *replicas) ask(ctx context.Context, r *replica, need model.Position, fn func(context.Context, *pgdb.Queries) error) error {
	conn, err := borrow(ctx, r.pool)
	if err != nil {
		return err
	}
	defer giveBack(conn)
	if rs.cfg.Pooled {
		// Only within a transaction is it one server that tells its position and answers.
		tx, err := conn.Begin(ctx)
		if err != nil {
			return err
		}
		defer rollback(ctx, tx)
		if p, _, err := askReplicaPosition(ctx, tx, rs.identity); err != nil || !p.Covers(need) {
			return cmp.Or(err, errBehind)
		}
		return fn(ctx, pgdb.New(tx))
	}
	// What the watcher saw holds for a connection to the same life of the same server.
	state := r.state.Load()
	if own, _ := conn.Conn().PgConn().CustomData()[serving].(life); own != state.life || !state.position.Covers(need) {
		p, own, err := askReplicaPosition(ctx, conn, rs.identity)
		if err != nil {
			return err
		}
		conn.Conn().PgConn().CustomData()[serving] = own
		if !p.Covers(need) {
			return errBehind
		}
	}
	return fn(ctx, pgdb.New(conn))
}
