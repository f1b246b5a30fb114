package store

import (
	"context"
	"encoding/hex"
	"fmt"
	"strconv"
	"time"

	"github.com/maypok86/otter/v2"
	"github.com/valkey-io/valkey-go"

	"github.com/hal9-ai/hal9/cacheutil"
	"github.com/hal9-ai/hal9/model"
	"github.com/hal9-ai/hal9/store/postgres"
)

const (
	// positionTTL is how long a session's position is kept after it was last set. When it
	// is gone, the primary's own position at that moment takes its place.
	positionTTL = time.Minute
	// maxPositions bounds those kept in this process where there is no cache server.
	maxPositions = 100_000
)

// Consistency keeps how far the log had come when a session last wrote, so that what the
// session reads from a replica is no older: in the cache server, where every server finds
// it, or in this process if there is none. It is safe for concurrent use.
type Consistency struct {
	primary *postgres.Store
	prefix  string
	// client returns the cache server, nil while it is away. The func is nil without one.
	client  func() valkey.Client
	budget  time.Duration
	forward *valkey.Lua
	local   *otter.Cache[string, model.Position]
}

// ConsistencyOf returns what the sessions of a store have written, nil for a store without
// replicas.
func ConsistencyOf(st model.Store) *Consistency {
	if c, ok := st.(interface{ consistency() *Consistency }); ok {
		return c.consistency()
	}
	return nil
}

// forwardScript never moves a session's position back. Positions are compared as text of
// one length.
const forwardScript = `local old = redis.call('GET', KEYS[1])
local new = ARGV[1]
if old and #old == #new and old > new then new = old end
redis.call('SET', KEYS[1], new, 'PX', ARGV[2])
return new`

func newConsistency(primary *postgres.Store, cfg *Cache, m *cacheutil.Manager) (*Consistency, error) {
	c := &Consistency{primary: primary, prefix: CachePrefix, budget: cacheutil.DefaultCallTimeout}
	if cfg != nil && cfg.URL != "" {
		c.client, c.forward = m.Client, valkey.NewLuaScript(forwardScript)
		if cfg.Prefix != "" {
			c.prefix = cfg.Prefix
		}
		if cfg.CallTimeout > 0 {
			c.budget = cfg.CallTimeout
		}
		return c, nil
	}
	var err error
	c.local, err = otter.New(&otter.Options[string, model.Position]{
		MaximumSize: maxPositions, ExpiryCalculator: otter.ExpiryWriting[string, model.Position](positionTTL),
	})
	if err != nil {
		return nil, fmt.Errorf("keep the positions of sessions: %w", err)
	}
	return c, nil
}

// Position returns the position that a session's reads must cover, false if it cannot be
// known at the moment. session is any text that names it.
func (c *Consistency) Position(ctx context.Context, session string) (model.Position, bool) {
	if c.client == nil {
		if p, ok := c.local.GetIfPresent(session); ok {
			return p, true
		}
	} else {
		p, found, err := c.get(ctx, session)
		if found || err != nil {
			return p, err == nil
		}
	}
	// Nothing is known of it, so whatever it wrote was committed before now.
	p, err := c.Now(ctx)
	if err != nil {
		return p, false
	}
	return p, c.Keep(ctx, session, p) == nil
}

// Now asks the primary for its position: all that was committed before lies before it.
func (c *Consistency) Now(ctx context.Context) (model.Position, error) {
	p, err := c.primary.WritePosition(ctx)
	if err != nil {
		return p, fmt.Errorf("ask the primary for its position: %w", err)
	}
	return p, nil
}

// Keep notes that a session wrote something at or before the position. An error says that
// other servers may not learn of it.
func (c *Consistency) Keep(ctx context.Context, session string, p model.Position) error {
	if c.client == nil {
		c.local.Compute(session, func(old model.Position, found bool) (model.Position, otter.ComputeOp) {
			if found && old.Compare(p) > 0 {
				return old, otter.WriteOp
			}
			return p, otter.WriteOp
		})
		return nil
	}
	return c.call(ctx, func(ctx context.Context, client valkey.Client) error {
		ttl := strconv.FormatInt(positionTTL.Milliseconds(), 10)
		return c.forward.Exec(ctx, client, []string{c.key(session)}, []string{positionText(p), ttl}).Error()
	})
}

// Forget drops what is known of a session, which wrote at a place that nobody knows.
func (c *Consistency) Forget(ctx context.Context, session string) error {
	if c.client == nil {
		c.local.Invalidate(session)
		return nil
	}
	return c.call(ctx, func(ctx context.Context, client valkey.Client) error {
		return client.Do(ctx, client.B().Del().Key(c.key(session)).Build()).Error()
	})
}

// Stats tells how the replicas do.
func (c *Consistency) Stats() *model.ReplicaStats { return c.primary.ReplicaStats() }

func (c *Consistency) key(session string) string { return c.prefix + "position:" + session }

func (c *Consistency) get(ctx context.Context, session string) (p model.Position, found bool, err error) {
	var text string
	err = c.call(ctx, func(ctx context.Context, client valkey.Client) error {
		var err error
		text, err = client.Do(ctx, client.B().Get().Key(c.key(session)).Build()).ToString()
		if valkey.IsValkeyNil(err) {
			return nil
		}
		return err //nolint:wrapcheck // call does
	})
	if err != nil {
		return p, false, err
	}
	p, found = parsePositionText(text)
	return p, found, nil
}

// call asks the cache server, once more if that fails: another server would answer from
// what is older.
func (c *Consistency) call(ctx context.Context, ask func(context.Context, valkey.Client) error) error {
	client := c.client()
	if client == nil {
		return errNoCacheServer
	}
	var err error
	for range 2 {
		limited, cancel := context.WithTimeout(ctx, c.budget)
		err = ask(limited, client)
		cancel()
		if err == nil {
			return nil
		}
	}
	return fmt.Errorf("ask the cache server for a session's position: %w", err)
}

var errNoCacheServer = fmt.Errorf("the cache server is away: %w", model.ErrUnavailable)

func positionText(p model.Position) string { return fmt.Sprintf("%08x%016x", p.Timeline, p.LSN) }

func parsePositionText(text string) (p model.Position, ok bool) {
	if len(text) != hex.EncodedLen(4+8) {
		return p, false
	}
	timeline, err := strconv.ParseUint(text[:8], 16, 32)
	if err != nil {
		return p, false
	}
	lsn, err := strconv.ParseUint(text[8:], 16, 64)
	return model.Position{Timeline: uint32(timeline), LSN: lsn}, err == nil
}
