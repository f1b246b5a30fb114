package cacheutil_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/hal9-ai/hal9/cacheutil"
	"github.com/hal9-ai/hal9/internal/testenv"
)

// page is a row of a ledger.
type page struct {
	Key     string
	Version int64
}

// ledger is what the caches cache: it is always there and always right, and knows
// since when a version is out of date.
type ledger struct {
	mu      sync.Mutex
	version int64
	commits map[string][]commit
	reads   atomic.Int64
}

type commit struct {
	version int64
	at      time.Time
}

func newLedger(keys []string) *ledger {
	l := &ledger{commits: make(map[string][]commit)}
	for _, key := range keys {
		l.write(key)
	}
	return l
}

func (l *ledger) write(key string) page {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.version++
	l.commits[key] = append(l.commits[key], commit{l.version, time.Now()})
	return page{key, l.version}
}

func (l *ledger) read(key string) page {
	l.reads.Add(1)
	return l.latest(key)
}

func (l *ledger) latest(key string) page {
	l.mu.Lock()
	defer l.mu.Unlock()
	commits := l.commits[key]
	return page{key, commits[len(commits)-1].version}
}

// age is how long before the moment a page was overtaken, 0 if it was not.
func (l *ledger) age(r page, moment time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	commits := l.commits[r.Key]
	i, _ := slices.BinarySearchFunc(commits, r.Version+1, func(c commit, version int64) int {
		return int(c.version - version)
	})
	if i == len(commits) {
		return 0
	}
	return max(0, moment.Sub(commits[i].at))
}

// server is what one process has: a manager with a cache of pages.
type server struct {
	manager *cacheutil.Manager
	cache   *cacheutil.Cache[page]
	// written is, by key, the newest version whose write has returned here: no
	// later read here may return an older one, whatever state Valkey is in.
	written sync.Map
}

// fleet is several servers under load on one ledger.
type fleet struct {
	ledger  *ledger
	servers []*server
	keys    []string

	stop    context.CancelFunc
	callers sync.WaitGroup
	began   time.Time

	gets, writes, failed, regressed atomic.Int64
	firstError                      atomic.Pointer[string]

	mu     sync.Mutex
	reads  []sample
	puts   []sample
	oldest time.Duration // of an overtaken value that was read
}

// sample is how long a call took, and when it began.
type sample struct {
	at   time.Time
	took time.Duration
}

// noLeaks fails if goroutines are left that the test will have started.
func noLeaks(t *testing.T) {
	t.Helper()
	leaks := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, leaks, clientsOwn(), proxysOwn()) })
}

// proxysOwn are goroutines that the proxy forgets when both ends of a link go at once.
func proxysOwn() goleak.Option {
	return goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2/toxics.(*NoopToxic).Pipe")
}

// clientsOwn are goroutines that the client of a cluster ends by itself: it closes
// connections that were replaced after five seconds.
func clientsOwn() goleak.Option {
	return goleak.IgnoreAnyFunction("github.com/valkey-io/valkey-go.(*clusterClient)._refresh.func2")
}

// startFleet opens two servers at the URL and puts them under load. All ends with
// the test.
func startFleet(t *testing.T, url string) *fleet {
	t.Helper()
	f := &fleet{began: time.Now()}
	for i := range 64 {
		f.keys = append(f.keys, fmt.Sprint("page:", i))
	}
	f.ledger = newLedger(f.keys)
	for range 2 {
		m, err := cacheutil.Open(t.Context(), cacheutil.Config{
			URL: url, Prefix: "fleet:", Pipelining: true, Logger: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = m.Close() })
		c, err := cacheutil.New(m, cacheutil.Options[page]{
			Name: "page", TTL: time.Minute, Strategy: cacheutil.WriteThrough,
			Version: func(r page) int64 { return r.Version },
		})
		if err != nil {
			t.Fatal(err)
		}
		f.servers = append(f.servers, &server{manager: m, cache: c})
	}
	f.awaitWhole(t)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	f.stop = cancel
	for _, s := range f.servers {
		for range 6 {
			f.callers.Go(func() { f.every(ctx, 2*time.Millisecond, func() { f.get(ctx, s) }) })
		}
		f.callers.Go(func() { f.every(ctx, 5*time.Millisecond, func() { f.write(ctx, s) }) })
	}
	t.Cleanup(f.end)
	return f
}

// end takes the load away.
func (f *fleet) end() {
	f.stop()
	f.callers.Wait()
}

func (*fleet) every(ctx context.Context, pause time.Duration, call func()) {
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			call()
		}
	}
}

func (f *fleet) get(ctx context.Context, s *server) {
	key := f.keys[rand.IntN(len(f.keys))]
	least, _ := s.written.Load(key)
	began := time.Now()
	got, err := s.cache.Get(ctx, key, func(context.Context) (page, error) { return f.ledger.read(key), nil })
	took := time.Since(began)
	if ctx.Err() != nil {
		return
	}
	f.gets.Add(1)
	if err != nil || got.Key != key {
		f.failed.Add(1)
		text := fmt.Sprintf("Get(%s) = %v, %v", key, got, err)
		f.firstError.CompareAndSwap(nil, &text)
		return
	}
	if least, ok := least.(int64); ok && got.Version < least {
		f.regressed.Add(1)
	}
	age := f.ledger.age(got, began)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reads = append(f.reads, sample{began, took})
	f.oldest = max(f.oldest, age)
}

func (f *fleet) write(ctx context.Context, s *server) {
	r := f.ledger.write(f.keys[rand.IntN(len(f.keys))])
	began := time.Now()
	// A write that was made is made known, even if the caller is leaving.
	if ctx := context.WithoutCancel(ctx); r.Version%2 == 0 {
		s.cache.Put(ctx, r.Key, r)
	} else {
		s.cache.Invalidate(ctx, r.Key, r.Version)
	}
	took := time.Since(began)
	for {
		old, loaded := s.written.LoadOrStore(r.Key, r.Version)
		if version, ok := old.(int64); !loaded || !ok || version >= r.Version || s.written.CompareAndSwap(r.Key, old, r.Version) {
			break
		}
	}
	f.writes.Add(1)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.puts = append(f.puts, sample{began, took})
}

// awaitGets waits until so many more reads were made.
func (f *fleet) awaitGets(t *testing.T, more int64) {
	t.Helper()
	until := f.gets.Load() + more
	testenv.Eventually(t, fmt.Sprint(more, " reads were made"), func() bool { return f.gets.Load() >= until })
}

// awaitWhole waits until every server has Valkey and its invalidations.
func (f *fleet) awaitWhole(t *testing.T) {
	t.Helper()
	testenv.Eventually(t, "every server has Valkey again", func() bool {
		for _, s := range f.servers {
			if state := s.manager.State(); state.Valkey != "up" || !state.Tracking || state.BreakerOpen || state.Pending != 0 {
				return false
			}
		}
		return true
	})
}

// outdated reads every key at every server and counts what is not the newest.
func (f *fleet) outdated(t *testing.T) (n int) {
	t.Helper()
	for _, s := range f.servers {
		for _, key := range f.keys {
			got, err := s.cache.Get(t.Context(), key, func(context.Context) (page, error) { return f.ledger.read(key), nil })
			if err != nil {
				t.Fatalf("Get(%s): %v", key, err)
			}
			if got != f.ledger.latest(key) {
				n++
			}
		}
	}
	return n
}

// awaitCoherence takes the load away and waits until every server returns the
// newest version of every key. It returns how many reads were out of date at
// first.
func (f *fleet) awaitCoherence(t *testing.T) (behind int) {
	t.Helper()
	f.end()
	f.awaitWhole(t)
	behind = f.outdated(t)
	testenv.Eventually(t, "all servers return the newest versions", func() bool { return f.outdated(t) == 0 })
	return behind
}

// awaitInvalidations changes every key at each server in turn and waits until the
// others return it.
func (f *fleet) awaitInvalidations(t *testing.T) {
	t.Helper()
	for i, s := range f.servers {
		for _, key := range f.keys {
			r := f.ledger.write(key)
			s.cache.Invalidate(t.Context(), key, r.Version)
		}
		testenv.Eventually(t, fmt.Sprint("the writes of server ", i, " are seen by all"), func() bool { return f.outdated(t) == 0 })
	}
}

// requireFaultless fails if a caller has seen an error, or an older value than the
// one that it had written.
func (f *fleet) requireFaultless(t *testing.T) {
	t.Helper()
	if text := f.firstError.Load(); text != nil {
		t.Errorf("%d of %d reads failed, the first one: %s", f.failed.Load(), f.gets.Load(), *text)
	}
	if n := f.regressed.Load(); n > 0 {
		t.Errorf("%d of %d reads returned an older value than the same server had written", n, f.gets.Load())
	}
}
