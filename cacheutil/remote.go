package cacheutil

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valkey-io/valkey-go"
)

const (
	// tombstoneTTL is longer than any writer takes from its commit to its call.
	tombstoneTTL = 30 * time.Second
	// replayBudget is for a batch that nobody waits for.
	replayBudget = 2 * time.Second
	// groupTTL is how long a group is known that no one uses. An unknown one
	// begins anew, empty.
	groupTTL = 24 * time.Hour
	// maxBatch bounds what is sent in one pipeline.
	maxBatch = 500
)

// errAway tells that Valkey was not asked.
var errAway = errors.New("valkey is away")

// remote is the second tier.
type remote struct {
	cfg Config
	// name is what this process is called among those that are there.
	name    string
	local   *local
	drop    func(group string)
	scripts scripts
	log     *slog.Logger

	client  atomic.Pointer[valkey.Client]
	breaker breaker
	journal *journal
	waiters waiters

	// space is nil while the era is unknown: then nothing is read or stored.
	space atomic.Pointer[keyspace]
	epoch atomic.Int64
	// eraDue is set when the era may have changed.
	eraDue atomic.Bool

	// trouble is why Valkey was of no use when it was last asked by the keeper; nil if it was.
	trouble atomic.Pointer[string]

	// What follows is the keeper's, see keeper.go.
	kick  chan struct{}
	ready chan struct{}
	mu    sync.Mutex
	links map[string]*link
	// allKnown tells that there is a link to every master, be it up or not.
	allKnown bool
	live     bool
	// When there was proof of the era, and of the masters of a cluster; see trust.go.
	eraProven, mastersProven time.Time
	clustered                bool
	// entered is the last space that was worked in.
	entered keyspace
	// runs are, by address, the server processes that links led to.
	runs map[string]string
	// era is the current one; doubted the one of the time when a link was lost, and
	// condemned is set when it must not go on.
	era, doubted, condemned string
}

func newRemote(cfg Config, local *local, dropGroup func(string)) *remote {
	r := &remote{
		cfg:     cfg,
		name:    newName(),
		local:   local,
		drop:    dropGroup,
		scripts: newScripts(),
		log:     cfg.Logger,
		journal: newJournal(cfg.MaxPending),
		waiters: waiters{byKey: map[string]*waiter{}},
		kick:    make(chan struct{}, 1),
		ready:   make(chan struct{}),
		links:   map[string]*link{},
		runs:    map[string]string{},
	}
	r.epoch.Store(cfg.Epoch)
	r.breaker.start(time.Now(), cfg.CallTimeout)
	r.breaker.beating = r.beating
	r.breaker.opened = func() {
		r.log.Warn("Valkey does not answer in time; it is not asked until it does")
		r.eraDue.Store(true) // it may be another one that answers then
		r.waiters.wakeAll()
		r.wakeKeeper()
	}
	local.suspend()
	return r
}

// usable returns the client and the keys, if there is something to ask.
func (r *remote) usable() (valkey.Client, *keyspace, error) {
	if r.breaker.open() {
		return nil, nil, errAway
	}
	return r.reachable()
}

// reachable is usable for those who have patience: they ask a Valkey that is slow.
func (r *remote) reachable() (valkey.Client, *keyspace, error) {
	client, space := r.client.Load(), r.space.Load()
	if client == nil || space == nil {
		return nil, nil, errAway
	}
	return *client, space, nil
}

// call runs a script within the budget.
func (r *remote) call(ctx context.Context, client valkey.Client, script script, keys []string, args ...string) valkey.ValkeyResult {
	began := time.Now()
	limited, cancel := context.WithDeadline(ctx, began.Add(r.cfg.CallTimeout))
	defer cancel()
	result := runScript(limited, client, scriptCall{script, keys, args})
	r.observe(ctx, began, r.cfg.CallTimeout, result.Error())
	return result
}

// observe tells the breaker how a call went that had a budget from its beginning. A
// caller that has no time left says nothing about Valkey.
func (r *remote) observe(ctx context.Context, began time.Time, budget time.Duration, err error) {
	now := time.Now()
	if answered(err) {
		r.breaker.succeeded(now)
	} else if ctx.Err() == nil {
		r.breaker.failed(now, budget, now.Sub(began)-budget)
	}
}

// answered tells whether a call was, be it by an error of Valkey's.
func answered(err error) bool {
	if err == nil {
		return true
	}
	_, ok := valkey.IsValkeyErr(err)
	return ok
}

// taking is the question for a key's value or lease.
type taking struct {
	key, generation string
	token           string
	lease           time.Duration
	ahead           bool // take the lease although the value is fresh
}

func (t taking) args() []string {
	ahead := ""
	if t.ahead {
		ahead = "1"
	}
	return []string{t.token, millis(t.lease), t.generation, ahead}
}

// taken is its answer.
type taken struct {
	state int64
	data  string        // the value, with takeHit the fresh one, else one for need
	left  time.Duration // of the value
	wait  time.Duration // of another's lease
	space *keyspace
}

func (r *remote) take(ctx context.Context, t taking) (taken, error) {
	client, space, err := r.usable()
	if err != nil {
		return taken{}, err
	}
	return readTaken(space, r.call(ctx, client, r.scripts.take, space.entry(t.key, 2), t.args()...))
}

// readTaken sets the space also when no answer came: the lease may have been
// granted.
func readTaken(space *keyspace, result valkey.ValkeyResult) (answer taken, err error) {
	fields, err := result.ToArray()
	if err == nil || !answered(err) {
		answer.space = space
	}
	if err != nil {
		return answer, fmt.Errorf("ask Valkey for a value: %w", err)
	}
	if len(fields) < 3 {
		return answer, fmt.Errorf("ask Valkey for a value: %d fields", len(fields))
	}
	var numbers [4]int64
	for i := range fields {
		if i == 1 {
			answer.data, err = fields[i].ToString()
		} else {
			numbers[i], err = fields[i].ToInt64()
		}
		if err != nil {
			return answer, fmt.Errorf("read Valkey's answer: %w", err)
		}
	}
	answer.state = numbers[0]
	answer.left = time.Duration(numbers[2]) * time.Millisecond
	answer.wait = time.Duration(numbers[3]) * time.Millisecond
	return answer, nil
}

// store tells whether the value is the one that Valkey has now.
func (r *remote) store(ctx context.Context, space *keyspace, key, token string, s stored) (bool, error) {
	client, _, err := r.usable()
	if err != nil {
		return false, err
	}
	result, err := r.call(ctx, client, r.scripts.store, space.entry(key, 3), token, s.encode(), millis(s.ttl+s.stale)).AsInt64()
	if err != nil {
		return false, fmt.Errorf("store a value in Valkey: %w", err)
	}
	return result == 1, nil
}

// release gives a lease back after a load that brought nothing to store.
func (r *remote) release(ctx context.Context, space *keyspace, key, token string) {
	if client, _, err := r.usable(); err == nil {
		r.call(ctx, client, r.scripts.release, space.entry(key, 3), token)
	}
}

// discard deletes a value that could not be read.
func (r *remote) discard(ctx context.Context, space *keyspace, key, data string) {
	if client, _, err := r.usable(); err == nil {
		r.call(ctx, client, r.scripts.discard, space.entry(key, 1), data[:min(len(data), groupedLength)])
	}
}

// put stores a written value, unless a newer one is there.
func (r *remote) put(ctx context.Context, key string, s stored) error {
	client, space, err := r.usable()
	if err != nil {
		return err
	}
	if err := r.call(ctx, client, r.scripts.put, space.entry(key, 4), s.encode(), millis(s.ttl+s.stale)).Error(); err != nil {
		return fmt.Errorf("put a value into Valkey: %w", err)
	}
	return nil
}

// invalidation is one of a key or group.
type invalidation struct {
	subject
	version int64
}

// invalidate has Valkey drop what is named, in one round trip, and keeps in the
// journal what it did not take. It returns the first error.
func (r *remote) invalidate(ctx context.Context, all []invalidation) error {
	var first error
	for len(all) > 0 {
		batch := all[:min(len(all), maxBatch)]
		all = all[len(batch):]
		for i, err := range r.send(ctx, batch, false) {
			if err == nil {
				continue
			}
			if first == nil {
				first = err
			}
			if !r.journal.add(batch[i].subject, batch[i].version) {
				r.overflow()
			}
		}
	}
	return first
}

// send runs the scripts of a batch and returns an error or nil for each.
func (r *remote) send(ctx context.Context, batch []invalidation, patient bool) []error {
	errs := make([]error, len(batch))
	_, space, err := r.reachable()
	if err != nil {
		return fill(errs, err)
	}
	calls := make([]scriptCall, len(batch))
	for i, one := range batch {
		calls[i] = r.drops(space, one)
	}
	for i, result := range r.callAll(ctx, calls, patient) {
		errs[i] = result.Error()
	}
	return errs
}

// drops is the call that drops a subject.
func (r *remote) drops(space *keyspace, one invalidation) scriptCall {
	if one.group {
		return scriptCall{r.scripts.regenerate, space.group(one.name), []string{newName(), millis(groupTTL)}}
	}
	version := ""
	if one.version > 0 {
		version = formatVersion(one.version)
	}
	return scriptCall{r.scripts.invalidate, space.entry(one.name, 4), []string{version, millis(tombstoneTTL)}}
}

// findGeneration returns the name of a group's generation.
func (r *remote) findGeneration(ctx context.Context, group string) (string, error) {
	client, space, err := r.usable()
	if err != nil {
		return "", err
	}
	name, err := r.call(ctx, client, r.scripts.generation, space.group(group)[:1], newName(), millis(groupTTL)).ToString()
	if err != nil {
		return "", fmt.Errorf("ask Valkey for a group: %w", err)
	}
	return name, nil
}

// millis writes a duration in milliseconds, at least one, as Valkey wants it.
func millis(d time.Duration) string {
	return strconv.FormatInt(max(d.Milliseconds(), 1), 10)
}

// spread returns a duration around d, so that many clients do not act as one.
func spread(d time.Duration) time.Duration {
	return d/2 + rand.N(d) //nolint:gosec // spreads load, no secret
}
