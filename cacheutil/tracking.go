package cacheutil

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/valkey-io/valkey-go"
)

const (
	// beatInterval is how often a link is asked to prove that it tells everything.
	// One that is too late by beatTimeout may be, but a busy machine is late too: a
	// link is given up after linkTimeout. Without heartbeats a half-open connection
	// would go unnoticed for ten seconds.
	beatInterval = 200 * time.Millisecond
	beatTimeout  = 500 * time.Millisecond
	linkTimeout  = 3 * time.Second
	// What waits between attempts to connect doubles up to the maximum.
	minBackoff = 50 * time.Millisecond
	maxBackoff = 2 * time.Second
)

var errConnectionLost = errors.New("the connection was lost")

// link is the connection to one master that carries its invalidations.
type link struct {
	// address is that of the node in a cluster, else empty.
	address string

	// Guarded by remote.mu: whether it is up, and when the last heartbeat was sent
	// that was answered.
	up    bool
	heard time.Time

	cancel context.CancelFunc
	ended  chan struct{}
}

// keepLink keeps a link up until its context ends.
func (r *remote) keepLink(ctx context.Context, l *link, client valkey.Client) {
	defer close(l.ended)
	backoff, refused := minBackoff, false
	for ctx.Err() == nil {
		began := time.Now()
		err := r.track(ctx, l, client)
		if ctx.Err() != nil {
			return
		}
		if time.Since(began) > maxBackoff {
			backoff = minBackoff
		}
		if !refused {
			r.log.WarnContext(ctx, "no invalidations arrive from Valkey; process memory is not used", "error", err)
		}
		refused = time.Since(began) < maxBackoff // said once, while it goes on
		wait(ctx, spread(backoff))
		backoff = min(2*backoff, maxBackoff)
	}
}

// track makes a connection, has Valkey tell it every change under the tracked
// prefixes, and watches it until it breaks.
func (r *remote) track(ctx context.Context, l *link, client valkey.Client) error {
	conn, _ := client.Dedicate()
	defer conn.Close()
	lost := conn.SetOnInvalidations(r.pushed)
	enable := []string{"CLIENT", "TRACKING", "ON", "BCAST"}
	for _, prefix := range trackedPrefixes(r.cfg.Prefix) {
		enable = append(enable, "PREFIX", prefix)
	}
	began := time.Now()
	limited, cancel := context.WithTimeout(ctx, linkTimeout)
	err := conn.Do(limited, conn.B().Arbitrary(enable...).Build()).Error()
	cancel()
	if err != nil {
		return fmt.Errorf("ask Valkey for invalidations: %w", err)
	}
	run, err := runOf(ctx, conn)
	if err != nil {
		return err
	}
	r.arrived(l, run)
	r.heard(l, began)
	r.setLink(l, true)
	defer r.setLink(l, false)
	ticker := time.NewTicker(beatInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-lost:
			return errors.Join(errConnectionLost, err)
		case <-ticker.C:
			sent := time.Now()
			if err := ping(ctx, conn, linkTimeout); err != nil {
				return err
			}
			r.heard(l, sent)
		}
	}
}

// runOf asks a server which process it is, in letters that each start draws anew:
// empty if it does not let us ask.
func runOf(ctx context.Context, conn valkey.DedicatedClient) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, linkTimeout)
	defer cancel()
	info, err := conn.Do(ctx, conn.B().Info().Section("server").Build()).ToString()
	if _, answered := valkey.IsValkeyErr(err); answered {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("ask Valkey which process it is: %w", err)
	}
	_, after, _ := strings.Cut(info, "run_id:")
	run, _, _ := strings.Cut(after, "\r")
	return run, nil
}

// arrived notes which process a link leads to. A shard of a cluster that has another
// than before may hold values whose invalidation it had acknowledged: the era
// must not go on. Where there is one server, the era's script sees to it.
func (r *remote) arrived(l *link, run string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	before, known := r.runs[l.address]
	r.runs[l.address] = run
	if l.address == "" || r.doubted == "" || known && before == run {
		return
	}
	r.condemned = r.doubted
	r.space.Store(nil)
	r.eraDue.Store(true)
}

// pushed takes what Valkey tells. It must not ask Valkey anything: the answer
// would have to come through the same connection.
func (r *remote) pushed(messages []valkey.ValkeyMessage) {
	if messages == nil { // everything was flushed, or the connection was lost
		r.doubt()
		return
	}
	for i := range messages {
		key, err := messages[i].ToString()
		if err != nil {
			continue
		}
		kind := strings.TrimPrefix(key, r.cfg.Prefix)
		switch kind[:min(len(kind), len(kindTracked))] {
		case kindTracked:
			r.dropElsewhere(kind[len(kindTracked):], subject{name: logical(key)})
			r.local.drop(logical(key), 0)
			r.waiters.wake(logical(key))
		case kindGroup:
			r.dropElsewhere(kind[len(kindGroup):], subject{name: logical(key), group: true})
			r.drop(logical(key))
		case kindWake:
			r.waiters.wake(logical(key))
		case kindEra: // told only when another era has begun
			r.doubt()
		}
	}
}

// dropElsewhere has what another process dropped in an epoch or era that is over dropped
// in the one that goes on: until the other has heard of that, its writes are told in the
// old one alone, and what is stored in the new one may be older than they are. rest is the
// key that was told, after its kind.
func (r *remote) dropElsewhere(rest string, s subject) {
	space := r.space.Load()
	if space == nil || strings.HasPrefix(rest, space.mark+":") || r.eraDue.Load() {
		return // it is the same, or this process is the one that has yet to hear of another
	}
	epoch, _, _ := strings.Cut(rest, ".")
	if theirs, err := strconv.ParseInt(epoch, 10, 64); err != nil || theirs > r.epoch.Load() {
		return
	}
	if !r.journal.add(s, 0) {
		r.overflow()
	}
	r.wakeKeeper()
}

// doubt empties the first tier and has the era asked for.
func (r *remote) doubt() {
	r.eraDue.Store(true)
	r.local.fences.advance()
	r.waiters.wakeAll()
	r.wakeKeeper()
}

// wait returns when the time is over or the context.
func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
