package cacheutil

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/valkey-io/valkey-go"
)

// ErrRefused tells the queue that a value, and not the database, is at fault:
// Apply returns an error that wraps it when repeating the same values cannot
// succeed. See QueueOptions.Refused for errors that cannot be wrapped.
var ErrRefused = errors.New("the database refused the value")

// The defaults of QueueOptions.
const (
	defaultQueueMaxLen   = 100_000
	defaultQueueMaxBytes = 64 << 20
	defaultQueueDeadLen  = 1_000
	defaultQueueBatch    = 500
	defaultQueueInterval = 200 * time.Millisecond
	defaultApplyTimeout  = 10 * time.Second
)

// QueueOptions says what a Queue holds and how its values reach the database.
type QueueOptions[T any] struct {
	// Name is the entity: part of the stream's key and the label of the metrics.
	Name string

	// Key tells whose value this is. Of the values of one key in a batch only the
	// one with the highest version is applied. It must not be empty.
	Key func(T) string

	// Version is the row version that the value has once it is stored. It must
	// come from the source from which direct writes take theirs, and be at least 1.
	Version func(T) int64

	// Apply writes the values to the database, each key once, and returns nil only
	// when all of them are committed. It is the side that keeps the queue's main
	// promise, so its contract is strict:
	//
	//   - A value is written only where it is newer: UPDATE … WHERE key = $1 AND
	//     version < $2. Entries are delivered at least once, in no order between
	//     processes, and after direct writes that came later; nothing else keeps
	//     an old value from replacing a new one. A row that is older in the queue
	//     than in the database counts as applied, not as an error.
	//   - It must not insert a row that others may have deleted: the replay of an
	//     old value would revive it. Where rows are created through the queue, a
	//     tombstone with a version has to stand for a deleted one.
	//   - An error that wraps ErrRefused (or that Refused recognises) says that
	//     repeating is in vain. The batch is halved until the culprit is found.
	//     Any other error says that the database is away: all is tried again.
	//
	// The context ends after ApplyTimeout; it is not the one of Run, so that a
	// shutdown does not break off a commit. Apply is called by one goroutine at a
	// time for each Run, and by several if there are several.
	Apply func(ctx context.Context, batch []T) error

	// Refused tells whether Apply's error is the values' fault. It is asked beside
	// errors.Is(err, ErrRefused); nil is never.
	Refused func(error) bool

	// OnDeadLetter, if set, is told of each value that was given up: the cache
	// may hold it, and has to be told that the database never will. It is called
	// by Run's goroutine after the move.
	OnDeadLetter func(ctx context.Context, letter DeadLetter)

	// MaxLen and MaxBytes bound the unapplied entries (defaults 100,000 and
	// 64 MiB of keys and encoded values). Nothing unapplied is ever trimmed: a full
	// queue refuses, and its caller writes through.
	MaxLen   int64
	MaxBytes int64

	// DeadMaxLen bounds the dead-letter stream (default 1,000); the oldest letters
	// make room for new ones.
	DeadMaxLen int64

	// Batch is how many entries are read at once (default 500), Interval how long
	// values gather before they are applied (default 200 ms).
	Batch    int
	Interval time.Duration

	// ApplyTimeout bounds one call of Apply (default 10 s). ClaimAfter is how long
	// an entry may be in the hands of one process before another one takes it
	// over (default three times ApplyTimeout). It is no lock: a process that was
	// only slow applies the entry a second time.
	ApplyTimeout time.Duration
	ClaimAfter   time.Duration

	// Codec encodes the values. The default is CBOR, which decodes what a program
	// with more or fewer fields has queued: during a deployment both run.
	Codec Codec[T]

	// Client, if set, is the Valkey of the queue, in place of the cache's. A cache
	// may evict and forget, a queue must not: one Valkey can be told to evict
	// (allkeys-lru) and the other to keep (noeviction, with an append-only file).
	// It is asked for each call and may return nil while there is none.
	Client func() valkey.Client
}

func (o QueueOptions[T]) withDefaults() QueueOptions[T] {
	orInt := func(value *int64, fallback int64) {
		if *value == 0 {
			*value = fallback
		}
	}
	orTime := func(value *time.Duration, fallback time.Duration) {
		if *value == 0 {
			*value = fallback
		}
	}
	orInt(&o.MaxLen, defaultQueueMaxLen)
	orInt(&o.MaxBytes, defaultQueueMaxBytes)
	orInt(&o.DeadMaxLen, defaultQueueDeadLen)
	if o.Batch == 0 {
		o.Batch = defaultQueueBatch
	}
	orTime(&o.Interval, defaultQueueInterval)
	orTime(&o.ApplyTimeout, defaultApplyTimeout)
	orTime(&o.ClaimAfter, 3*o.ApplyTimeout)
	if o.Codec == nil {
		o.Codec = newLenientCBOR[T]()
	}
	o.Codec = guardedCodec[T]{o.Codec}
	return o
}

func (o QueueOptions[T]) validate() error {
	switch {
	case o.Name == "":
		return errors.New("a queue needs a Name: it is part of its stream's key")
	case o.Key == nil:
		return fmt.Errorf("queue %s needs Key", o.Name)
	case o.Version == nil:
		return fmt.Errorf("queue %s needs Version: without versions a replay would undo later writes", o.Name)
	case o.Apply == nil:
		return fmt.Errorf("queue %s needs Apply", o.Name)
	case o.MaxLen < 0 || o.MaxBytes < 0 || o.DeadMaxLen < 0 || o.Batch < 0 ||
		o.Interval < 0 || o.ApplyTimeout < 0 || o.ClaimAfter < 0:
		return fmt.Errorf("queue %s: a bound is negative; leave it 0 for its default", o.Name)
	case o.ClaimAfter < o.ApplyTimeout:
		return fmt.Errorf("queue %s: ClaimAfter %v is shorter than ApplyTimeout %v: batches that are being applied would be taken over; raise it",
			o.Name, o.ClaimAfter, o.ApplyTimeout)
	default:
		return nil
	}
}

// Queue is write-behind for one entity: values are accepted into a Valkey stream
// and applied to the database in batches, by one process or by many.
//
// Submit accepts, Run applies. What was accepted is as durable as Valkey is: with
// appendfsync everysec a crash of Valkey may lose the last second or so, without
// an append-only file it loses all. So the answer to a client is "accepted", not
// "stored", and nothing goes through a queue that cannot be recomputed.
//
// An entry leaves the stream when Apply has returned nil for it, and not before:
// a process that dies between the commit and the acknowledgement leaves an entry
// that another process applies once more. This, a Valkey that comes back with old
// entries, and a Submit whose outcome is unknown are all harmless for one reason:
// Apply writes only what is newer.
//
// Versions belong to one life of the database. After a restore the same numbers
// are given again, so entries that were queued under a lower Config.Epoch are not
// applied: they become dead letters.
//
// All methods may be called concurrently.
type Queue[T any] struct {
	options QueueOptions[T]
	link    queueLink
	keys    queueKeys
	scripts queueScripts
	counts  queueCounts
}

// queueLink is what the queue needs of its surroundings.
type queueLink struct {
	// client returns nil without Valkey.
	client func() valkey.Client
	// budget bounds a call that a request waits for.
	budget time.Duration
	logger *slog.Logger
	// ask returns the client unless the breaker is open; report tells the breaker
	// how a call went.
	ask    func() (valkey.Client, bool)
	report func(ctx context.Context, err error)
	// epoch is that of the database, to which versions belong.
	epoch func() int64
}

// queueKeys are the keys of one queue. The hash tag keeps them on one node of a
// cluster. It comes first so that connections that track the cache's prefix are
// not told of each queued write.
type queueKeys struct {
	stream, bytes, dead string
}

func newQueueKeys(prefix, name string) queueKeys {
	tag := "{" + prefix + "queue:" + name + "}"
	return queueKeys{stream: tag, bytes: tag + ":bytes", dead: tag + ":dead"}
}

// NewQueue makes a queue on the manager's Valkey. It fails only on options that
// cannot work. Without Valkey it is a queue that takes nothing. Stop Run before the
// manager is closed.
func NewQueue[T any](m *Manager, options QueueOptions[T]) (*Queue[T], error) {
	options = options.withDefaults()
	if err := options.validate(); err != nil {
		return nil, fmt.Errorf("make a queue: %w", err)
	}
	link := queueLink{
		client: m.Client,
		budget: m.cfg.CallTimeout,
		logger: m.cfg.Logger,
		ask:    m.asked,
		report: m.observe,
		epoch:  func() int64 { return m.cfg.Epoch },
	}
	if m.remote != nil {
		link.epoch = m.remote.epoch.Load
	}
	if own := options.Client; own != nil {
		link.client = own
		// The breaker is the cache's.
		link.ask = func() (valkey.Client, bool) {
			client := own()
			return client, client != nil
		}
		link.report = func(context.Context, error) {}
	}
	q := &Queue[T]{
		options: options,
		link:    link,
		keys:    newQueueKeys(m.cfg.Prefix, options.Name),
		scripts: newQueueScripts(),
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.queues = append(m.queues, q.Stats)
	return q, nil
}

// Submit offers the value to the queue. If it answers true, the value was
// accepted and will be applied. If it answers false without an error, the caller
// writes the value through: Valkey is away, read-only or out of memory, the
// breaker is open, the queue is full, or no answer came within the call budget.
// In the last case the value may have been queued all the same; it is then
// applied after the caller's own write, and being no newer changes nothing.
//
// An error is about the value or the context, never about Valkey: the value has
// no key, no version or cannot be encoded, or ctx has ended.
func (q *Queue[T]) Submit(ctx context.Context, value T) (queued bool, err error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	key, version := q.options.Key(value), q.options.Version(value)
	if key == "" || version < 1 {
		return false, fmt.Errorf("queue %s: a value needs a key and a version of at least 1, not %q and %d", q.options.Name, key, version)
	}
	data, err := q.options.Codec.Encode(value)
	if err != nil {
		return false, fmt.Errorf("queue %s: encode the value of %s: %w", q.options.Name, key, err)
	}

	client, ok := q.link.ask()
	if !ok {
		q.counts.refusals[refusalAway].Add(1)
		return false, nil
	}
	call, cancel := context.WithTimeout(ctx, q.link.budget)
	defer cancel()
	size := int64(len(key) + len(data))
	length, err := q.scripts.submit.Exec(call, client, []string{q.keys.stream, q.keys.bytes}, []string{
		format(q.options.MaxLen), format(q.options.MaxBytes), format(size),
		key, format(version), valkey.BinaryString(data), format(q.link.epoch()),
	}).AsInt64()
	q.link.report(ctx, err)
	switch {
	case err != nil:
		q.counts.refusals[refusalOf(err)].Add(1)
		return false, nil
	case length < 0:
		q.counts.refusals[refusalFull].Add(1)
		return false, nil
	default:
		q.counts.submitted.Add(1)
		return true, nil
	}
}

func format(n int64) string { return strconv.FormatInt(n, 10) }
