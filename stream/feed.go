package stream

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/hal9-ai/hal9/model"
)

// Defaults of Config.
const (
	// DefaultOverlap is longer than any signal takes from its time to its commit: a chunk
	// of a stream may take a minute.
	DefaultOverlap = 90 * time.Second
	// DefaultMaxEvents is how many events the ring holds.
	DefaultMaxEvents = 1 << 15
	// DefaultMaxBytes bounds their texts.
	DefaultMaxBytes = 64 << 20
	// DefaultReplayRows is how many rows of the database a listener that comes back is
	// given at the most.
	DefaultReplayRows = 100_000
	// DefaultLinger is how long the ring is kept up when nobody listens.
	DefaultLinger = 2 * time.Minute
	// DefaultPresence is how often a server that has nothing to tell says that it is there.
	DefaultPresence = 2 * time.Second
)

const (
	// leastRecent and mostRecent bound how many ids are known at least, so that a signal
	// that is learned of twice is told once. Of the most, twice as many take 8 MiB.
	leastRecent, mostRecent = 1 << 14, 1 << 18
	// recentShare is of how many bytes of the ring one id is known: a small ring would
	// otherwise be the smaller part of the memory that it bounds.
	recentShare = 256
)

// Store is what the feed asks of the database. Every model.Store is one.
type Store interface {
	SignalListByIDs(ctx context.Context, arg model.SignalListByIDsParams) ([]model.Signal, error)
	SignalListAfter(ctx context.Context, arg model.SignalListAfterParams) ([]model.Signal, error)
}

// Bus carries notices between servers. Its methods may be called at the same time.
type Bus interface {
	// Publish sends messages to all who subscribe, also to oneself. An error says that
	// some may not have got them.
	Publish(ctx context.Context, messages []string) error
	// Subscribe calls up when messages begin to arrive, and message for each, until ctx
	// ends or the connection is lost, which is its error.
	Subscribe(ctx context.Context, up func(), message func(string)) error
}

// Config says what a Feed works with. Store is required, the rest has defaults.
type Config struct {
	Store Store
	// Bus carries notices to and from other servers; nil: there are none.
	Bus Bus
	// Clock tells the time. time.Now.
	Clock func() time.Time
	// Logger is told when the bus is lost and found. Discards by default.
	Logger *slog.Logger
	// Metrics is where the feed's metrics are registered. A set of its own.
	Metrics *metrics.Set
	// Overlap is how far before a listener's place signals are read again.
	Overlap time.Duration
	// MaxEvents and MaxBytes bound the ring.
	MaxEvents, MaxBytes int
	// ReplayRows bounds what a listener that comes back is given from the database.
	ReplayRows int
	// Linger is how long the ring is kept up when nobody listens.
	Linger time.Duration
	// Presence is how often a server with a bus that has nothing to tell says that it is
	// there. One that is silent for four times as long without having taken its leave may have
	// been killed between a commit and its notice: the others look for its last signals.
	Presence time.Duration
}

// WithDefaults returns the configuration with its zero values replaced.
func (c Config) WithDefaults() Config {
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Metrics == nil {
		c.Metrics = metrics.NewSet()
	}
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{{&c.Overlap, DefaultOverlap}, {&c.Linger, DefaultLinger}, {&c.Presence, DefaultPresence}} {
		if *d.field <= 0 {
			*d.field = d.value
		}
	}
	for _, n := range []struct {
		field *int
		value int
	}{{&c.MaxEvents, DefaultMaxEvents}, {&c.MaxBytes, DefaultMaxBytes}, {&c.ReplayRows, DefaultReplayRows}} {
		if *n.field <= 0 {
			*n.field = n.value
		}
	}
	return c
}

// Feed is the feed of one server. It is safe for concurrent use; make it with New, and
// start Run if there is a bus or listeners come and go.
type Feed struct {
	cfg     Config
	origin  string // tells this server's notices from others'
	own     string // what its notices begin with
	figures *figures
	out     *outbox // nil without a bus
	in      *inbox
	replays chan struct{} // holds one for each page that is read for a listener

	active atomic.Bool // whether there is an era
	mu     sync.RWMutex
	era    string // empty while nothing is kept
	began  time.Time
	ring   ring
	recent recent
	wake   chan struct{} // closed when events came
	// listeners counts them; idle is since when there is none.
	listeners int
	idle      time.Time
}

// maxReplays is how many pages are read for listeners at a time: a thousand that come
// back together must not take all connections to the database.
const maxReplays = 4

// New returns a feed that nobody listens to.
func New(c Config) *Feed {
	c = c.WithDefaults()
	f := &Feed{
		cfg: c, origin: newName(), wake: make(chan struct{}), replays: make(chan struct{}, maxReplays), in: newInbox(),
	}
	f.own = noticeHead(f.origin)
	if c.Bus != nil {
		f.out = newOutbox(f.origin)
	}
	f.figures = newFigures(c.Metrics, f)
	return f
}

// newName is a short name that no other server or era has.
func newName() string { return strings.ToLower(rand.Text()[:10]) }

// now is in microseconds, as positions are.
func (f *Feed) now() time.Time { return f.cfg.Clock().UTC().Truncate(time.Microsecond) }

// Publish tells of signals that this server committed. It never waits: listeners are
// woken, and other servers told by Run.
func (f *Feed) Publish(signals []model.SignalInsertParams) {
	if len(signals) == 0 {
		return
	}
	if f.out != nil {
		f.out.add(signals)
	}
	if !f.active.Load() {
		return
	}
	rows := make([]model.Signal, len(signals))
	for i := range signals {
		rows[i] = model.Signal(signals[i])
		rows[i].Timestamp = model.NormalTime(rows[i].Timestamp)
	}
	f.append(rows)
}

// append puts signals at the end of the feed, but for those that are known.
func (f *Feed) append(rows []model.Signal) {
	now := f.now()
	f.mu.Lock()
	if f.era == "" {
		f.mu.Unlock()
		return
	}
	// A clock that goes back must not put positions out of order.
	if f.ring.next > f.ring.first {
		if last := f.ring.at(f.ring.next - 1).Position.At; now.Before(last) {
			now = last
		}
	}
	came := 0
	for i := range rows {
		if !f.recent.add(rows[i].ID) {
			continue
		}
		f.ring.push(&Event{Signal: rows[i], Position: Position{At: now, Era: f.era, Seq: f.ring.next}})
		came++
	}
	var woken chan struct{}
	if came > 0 {
		woken, f.wake = f.wake, make(chan struct{})
	}
	f.mu.Unlock()
	if woken != nil {
		close(woken)
	}
}

// awake begins an era if nothing is kept. f.mu is held.
func (f *Feed) awake() {
	if f.era != "" {
		return
	}
	f.era, f.began = newName(), f.now()
	f.ring = newRing(f.cfg.MaxEvents, f.cfg.MaxBytes, f.began)
	f.recent = newRecent(min(max(f.cfg.MaxBytes/recentShare, leastRecent), mostRecent))
	f.active.Store(true)
}

// rest ends the era if nobody has listened for the linger.
func (f *Feed) rest() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.era == "" || f.listeners > 0 || f.now().Sub(f.idle) < f.cfg.Linger {
		return
	}
	f.era, f.ring, f.recent = "", ring{}, recent{}
	f.active.Store(false)
}

// restInterval is how often Run looks whether the feed may rest.
const restInterval = time.Second

// Run exchanges notices with other servers until ctx ends.
func (f *Feed) Run(ctx context.Context) error {
	var tasks sync.WaitGroup
	if f.cfg.Bus != nil {
		tasks.Go(func() { f.send(ctx) })
		tasks.Go(func() { f.follow(ctx) })
		tasks.Go(func() { f.read(ctx) })
	}
	tick := time.NewTicker(restInterval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			f.rest()
		case <-ctx.Done():
			tasks.Wait()
			return nil
		}
	}
}

// pause waits, and tells whether ctx goes on.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// errAway is a bus that ended without saying why.
var errAway = errors.New("the connection was lost")
