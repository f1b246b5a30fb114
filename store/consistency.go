package store

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
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
	settle  *valkey.Lua
	local   *otter.Cache[string, kept]
}

// kept is what is known of a session.
type kept struct {
	position model.Position
	// lost, unless empty, says that the session wrote at a place that nobody knows, and
	// names that occasion. Only a position that was asked for after it takes its place: one
	// of another write of the session may lie before.
	lost string
}

// lostPrefix begins what stands for a lost position in the cache server.
const lostPrefix = "lost:"

// ConsistencyOf returns what the sessions of a store have written, nil for a store without
// replicas.
func ConsistencyOf(st model.Store) *Consistency {
	if c, ok := st.(interface{ consistency() *Consistency }); ok {
		return c.consistency()
	}
	return nil
}

// forwardScript never moves a session's position back, nor puts one into the place of a
// lost one. Positions are compared as text of one length.
const forwardScript = `local old = redis.call('GET', KEYS[1])
local new = ARGV[1]
if old and string.sub(old, 1, 5) == 'lost:' then return old end
if old and #old == #new and old > new then new = old end
redis.call('SET', KEYS[1], new, 'PX', ARGV[2])
return new`

// settleScript puts a position into the place of one lost position, unless another was
// lost since.
const settleScript = `if redis.call('GET', KEYS[1]) == ARGV[3] then redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) end
return 0`

func newConsistency(primary *postgres.Store, cfg *Cache, m *cacheutil.Manager) (*Consistency, error) {
	c := &Consistency{primary: primary, prefix: CachePrefix, budget: cacheutil.DefaultCallTimeout}
	if cfg != nil && cfg.URL != "" {
		c.client, c.forward, c.settle = m.Client, valkey.NewLuaScript(forwardScript), valkey.NewLuaScript(settleScript)
		if cfg.Prefix != "" {
			c.prefix = cfg.Prefix
		}
		if cfg.CallTimeout > 0 {
			c.budget = cfg.CallTimeout
		}
		return c, nil
	}
	var err error
	c.local, err = otter.New(&otter.Options[string, kept]{
		MaximumSize: maxPositions, ExpiryCalculator: otter.ExpiryWriting[string, kept](positionTTL),
	})
	if err != nil {
		return nil, fmt.Errorf("keep the positions of sessions: %w", err)
	}
	return c, nil
}

// Position returns the position that a session's reads must cover, false if it cannot be
// known at the moment. session is any text that names it.
func (c *Consistency) Position(ctx context.Context, session string) (model.Position, bool) {
	known, found, err := c.get(ctx, session)
	switch {
	case err != nil:
		return known.position, false
	case found && known.lost == "":
		return known.position, true
	}
	// Nothing is known of it, so whatever it wrote was committed before now.
	p, err := c.Now(ctx)
	if err != nil {
		return p, false
	}
	if known.lost != "" {
		return p, c.found(ctx, session, known.lost, p) == nil
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
		c.local.Compute(session, func(old kept, found bool) (kept, otter.ComputeOp) {
			if found && (old.lost != "" || old.position.Compare(p) > 0) {
				return old, otter.WriteOp
			}
			return kept{position: p}, otter.WriteOp
		})
		return nil
	}
	return c.call(ctx, func(ctx context.Context, client valkey.Client) error {
		return c.forward.Exec(ctx, client, []string{c.key(session)}, []string{positionText(p), positionMillis()}).Error()
	})
}

// found notes the position that was asked for after a lost one.
func (c *Consistency) found(ctx context.Context, session, lost string, p model.Position) error {
	if c.client == nil {
		c.local.ComputeIfPresent(session, func(old kept) (kept, otter.ComputeOp) {
			if old.lost == lost {
				old = kept{position: p}
			}
			return old, otter.WriteOp
		})
		return nil
	}
	return c.call(ctx, func(ctx context.Context, client valkey.Client) error {
		return c.settle.Exec(ctx, client, []string{c.key(session)}, []string{positionText(p), positionMillis(), lost}).Error()
	})
}

// Forget notes that a session wrote at a place that nobody knows. What other requests of
// it keep afterwards does not change that, as they may have written before.
func (c *Consistency) Forget(ctx context.Context, session string) error {
	lost := lostPrefix + rand.Text()
	if c.client == nil {
		c.local.Set(session, kept{lost: lost})
		return nil
	}
	return c.call(ctx, func(ctx context.Context, client valkey.Client) error {
		return client.Do(ctx, client.B().Set().Key(c.key(session)).Value(lost).PxMilliseconds(positionTTL.Milliseconds()).Build()).Error()
	})
}

func positionMillis() string { return strconv.FormatInt(positionTTL.Milliseconds(), 10) }

// Stats tells how the replicas do.
func (c *Consistency) Stats() *model.ReplicaStats { return c.primary.ReplicaStats() }

func (c *Consistency) key(session string) string { return c.prefix + "position:" + session }

func (c *Consistency) get(ctx context.Context, session string) (known kept, found bool, err error) {
	if c.client == nil {
		known, found = c.local.GetIfPresent(session)
		return known, found, nil
	}
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
		return known, false, err
	}
	if strings.HasPrefix(text, lostPrefix) {
		return kept{lost: text}, true, nil
	}
	known.position, found = parsePositionText(text)
	return known, found, nil
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
