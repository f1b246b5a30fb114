package cacheutil

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/maypok86/otter/v2"
	"github.com/valkey-io/valkey-go"
)

// Manager owns what the caches of one program share: the first tier's memory,
// the connections to Valkey, and the goroutines that keep both tiers coherent.
// A program opens one and closes it. Its methods may be called concurrently.
type Manager struct {
	cfg    Config
	clock  *clock
	local  *local
	groups *otter.Cache[string, *generation]
	remote *remote // nil without a URL

	// ctx ends with Close.
	ctx    context.Context //nolint:containedctx // the life of the manager's goroutines
	cancel context.CancelFunc

	mu     sync.Mutex // of what follows
	closed bool
	tasks  sync.WaitGroup
	caches []named
	queues []func(context.Context) QueueStats
}

// named is a cache as its manager knows it.
type named struct {
	name     string
	counters *counters
	shape    uint32
	json     func(payload []byte) ([]byte, error)
}

// What State.Valkey can be.
const (
	stateOff  = "off"
	stateUp   = "up"
	stateDown = "down"
)

// State is the condition of the second tier.
type State struct {
	// Valkey is "off" without a URL, else "up" or "down".
	Valkey string
	// Why tells, for people, what is wrong while Valkey is "down"; "" if that is not known.
	Why string
	// Tracking tells whether it is proven that invalidations of other processes
	// arrive. While it is not, the first tier is not used.
	Tracking bool
	// BreakerOpen tells that Valkey is not asked because it did not answer.
	BreakerOpen bool
	// Pending is the number of invalidations that Valkey has yet to take, at the most
	// Config.MaxPending: when more were missed everything is put out of reach.
	Pending int
	// Deferred is how many invalidations Valkey did not take at once, since Open.
	Deferred int64
}

// Open starts the caches' common parts. It fails only on a configuration that
// cannot work: a Valkey that is away is connected to in the background.
func Open(ctx context.Context, cfg Config) (*Manager, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("open the cache: %w", err)
	}
	m := &Manager{cfg: cfg, clock: newClock(cfg.Now)}
	m.ctx, m.cancel = context.WithCancel(context.WithoutCancel(ctx))
	var err error
	if m.local, err = newLocal(cfg.LocalMaxBytes, m.clock, cfg.Logger); err != nil {
		m.cancel()
		return nil, fmt.Errorf("open the cache: %w", err)
	}
	if m.groups, err = newGenerations(); err != nil {
		m.cancel()
		return nil, fmt.Errorf("open the cache: %w", err)
	}
	if cfg.Now == nil {
		m.spawn(func() { m.clock.run(m.ctx) })
	}
	m.openEpoch(ctx)
	if cfg.URL != "" {
		if err := m.openRemote(ctx); err != nil {
			return nil, errors.Join(err, m.Close())
		}
	}
	return m, nil
}

// startTimeout is how long Open waits for Valkey.
const startTimeout = time.Second

// openRemote starts the keeper and waits until it has had one look, so that a
// Valkey that is there is used from the first read on.
func (m *Manager) openRemote(ctx context.Context) error {
	option, err := clientOption(m.cfg)
	if err != nil {
		return fmt.Errorf("open the cache: %w", err)
	}
	m.remote = newRemote(m.cfg, m.local, m.dropGroup)
	m.spawn(func() { m.remote.keep(m.ctx, option) })
	limited, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	select {
	case <-m.remote.ready:
	case <-limited.Done():
	}
	return nil
}

// Close ends the manager's goroutines and connections and waits for them. Loads
// in progress are cancelled; reads afterwards load each time.
func (m *Manager) Close() error {
	m.mu.Lock()
	m.closed = true
	m.mu.Unlock()
	m.cancel()
	m.tasks.Wait()
	m.local.close()
	return nil
}

// State returns the condition of the second tier.
func (m *Manager) State() State {
	if m.remote != nil {
		return m.remote.state()
	}
	return State{Valkey: stateOff}
}

// Client returns the client of the second tier for other uses of the same Valkey,
// such as a queue. It is nil without a URL, and as long as Valkey was away since
// Open: ask again.
func (m *Manager) Client() valkey.Client {
	if m.remote == nil {
		return nil
	}
	if client := m.remote.client.Load(); client != nil {
		return *client
	}
	return nil
}

// asked returns the client, unless Valkey is known to be away.
func (m *Manager) asked() (valkey.Client, bool) {
	client := m.Client()
	return client, client != nil && !m.remote.breaker.open()
}

// away is errAway with the reason, where that is known.
func (m *Manager) away() error {
	if m.remote != nil {
		if because := m.remote.trouble.Load(); because != nil {
			return fmt.Errorf("%w: %s", errAway, *because)
		}
	}
	return errAway
}

// observe tells the breaker how a call to Valkey went; ctx is the caller's own,
// without the call's limit.
func (m *Manager) observe(ctx context.Context, err error) {
	if m.remote != nil {
		// Ended now, as if in time.
		m.remote.observe(ctx, time.Now().Add(-m.cfg.CallTimeout), m.cfg.CallTimeout, err)
	}
}

// Stats returns the figures of every cache, in the order of their making.
func (m *Manager) Stats() []Stats {
	m.mu.Lock()
	defer m.mu.Unlock()
	stats := make([]Stats, 0, len(m.caches))
	for _, cache := range m.caches {
		stats = append(stats, cache.counters.stats(cache.name))
	}
	return stats
}

// register makes a cache known and returns its counters; caches of one name share
// them.
func (m *Manager) register(cache named) *counters {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, there := range m.caches {
		if there.name == cache.name {
			return there.counters
		}
	}
	m.caches = append(m.caches, cache)
	return cache.counters
}

// spawn runs a task that Close waits for. After Close its context has ended.
func (m *Manager) spawn(task func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		go task()
		return
	}
	m.tasks.Go(task)
}

// detached returns a context that outlives the caller's, not the manager if that is
// open, and ends after the limit.
func (m *Manager) detached(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	if m.ctx.Err() != nil { // closed: what is read now is nobody's but the caller's
		return ctx, cancel
	}
	stop := context.AfterFunc(m.ctx, cancel)
	return ctx, func() {
		stop()
		cancel()
	}
}
