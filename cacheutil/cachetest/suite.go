// Package cachetest is the conformance suite of cacheutil: what a cache promises
// whichever tiers it has.
package cachetest

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hal9-ai/hal9/cacheutil"
)

// patience is how long the suite waits for what must come.
const patience = 20 * time.Second

// Open returns a manager of the tiers under test, whose keys no other test uses.
// The test closes it.
type Open func(t *testing.T) *cacheutil.Manager

// Row is what the suite caches.
type Row struct {
	Text    string
	Version int64
}

// Run checks the promises on managers that open returns, each on a fresh one.
func Run(t *testing.T, open Open) {
	t.Helper()
	for _, test := range []struct {
		name string
		run  func(*testing.T, *cacheutil.Manager)
	}{
		{"HitsLoadNothing", testHits},
		{"NotFoundIsKept", testNotFound},
		{"ErrorsAreNotKept", testErrors},
		{"PanicsAreErrors", testPanics},
		{"OneLoadForManyReaders", testOneLoad},
		{"LeavingCallerCancelsNothing", testLeaving},
		{"ExpiredIsLoadedAgain", testExpiry},
		{"LoadersChooseTTL", testAdaptive},
		{"LongValuesAreNotKept", testMaxBytes},
		{"LoadBegunBeforeInvalidationIsNotKept", testFence},
		{"LaterReaderJoinsNoEarlierLoad", testNoOldFlight},
		{"OlderWriteNeverReplacesNewer", testWriteOrder},
		{"LateWriteRevivesNothing", testWriteOfDeleted},
		{"PutWithoutVersionDrops", testPutWithoutVersion},
		{"GroupsAreDroppedTogether", testGroups},
		{"LoadBegunBeforeGroupDropIsNotKept", testGroupFence},
		{"ManyKeysMakeOneLoad", testMany},
		{"EncodedOnce", testEncoded},
		{"FailSafe", testFailSafe},
		{"SoftTimeout", testSoftTimeout},
		{"HardTimeout", testHardTimeout},
		{"RefreshAhead", testRefreshAhead},
		{"Model", testModel},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, open(t)) })
	}
}

func newCache(t *testing.T, m *cacheutil.Manager, change func(*cacheutil.Options[Row])) *cacheutil.Cache[Row] {
	t.Helper()
	o := cacheutil.Options[Row]{
		Name:        "row",
		TTL:         time.Hour,
		NegativeTTL: time.Hour,
		Strategy:    cacheutil.WriteThrough,
		Version:     func(r Row) int64 { return r.Version },
	}
	if change != nil {
		change(&o)
	}
	c, err := cacheutil.New(m, o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// loader counts its calls.
type loader struct {
	calls atomic.Int64
	load  func(context.Context) (Row, error)
}

func (l *loader) Load(ctx context.Context) (Row, error) {
	l.calls.Add(1)
	return l.load(ctx)
}

func loads(row Row, err error) *loader {
	return &loader{load: func(context.Context) (Row, error) { return row, err }}
}

// mustGet fails unless the key has the text.
func mustGet(t *testing.T, c *cacheutil.Cache[Row], key string, l *loader, want string) {
	t.Helper()
	got, err := c.Get(t.Context(), key, l.Load)
	if err != nil || got.Text != want {
		t.Fatalf("%s: got %+v, %v, want %q", key, got, err, want)
	}
}

// mustBeCached fails if a read of the key loads.
func mustBeCached(t *testing.T, c *cacheutil.Cache[Row], key, want string) {
	t.Helper()
	l := loads(Row{Text: "loaded instead of cached"}, nil)
	mustGet(t, c, key, l, want)
}

// await waits for a channel to be closed.
func await(t *testing.T, closed <-chan struct{}) {
	t.Helper()
	select {
	case <-closed:
	case <-time.After(patience):
		t.Fatal("waited in vain for a load to begin")
	}
}

// eventually waits until a condition holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

func testHits(t *testing.T, m *cacheutil.Manager) {
	c, l := newCache(t, m, nil), loads(Row{Text: "a", Version: 7}, nil)
	for range 3 {
		mustGet(t, c, "k", l, "a")
	}
	if got := l.calls.Load(); got != 1 {
		t.Errorf("%d loads", got)
	}
	s := m.Stats()[0]
	if s.Requests != 3 || s.HitsLocal+s.HitsRemote != 2 || s.Misses != 1 || s.Loads != 1 {
		t.Errorf("got %+v", s)
	}
}

func testNotFound(t *testing.T, m *cacheutil.Manager) {
	c, l := newCache(t, m, nil), loads(Row{}, cacheutil.ErrNotFound)
	for range 3 {
		if got, err := c.Get(t.Context(), "k", l.Load); !errors.Is(err, cacheutil.ErrNotFound) || got != (Row{}) {
			t.Fatalf("got %+v, %v", got, err)
		}
	}
	if got := l.calls.Load(); got != 1 {
		t.Errorf("%d loads", got)
	}
	// After a delete the row is missing as well, although its version is known.
	c.Invalidate(t.Context(), "k", 9)
	for range 2 {
		if _, err := c.Get(t.Context(), "k", l.Load); !errors.Is(err, cacheutil.ErrNotFound) {
			t.Fatal(err)
		}
	}
	if got := l.calls.Load(); got != 2 {
		t.Errorf("%d loads", got)
	}
	// The row is made again.
	c.Put(t.Context(), "k", Row{Text: "back", Version: 12})
	mustBeCached(t, c, "k", "back")

	none := newCache(t, m, func(o *cacheutil.Options[Row]) { o.NegativeTTL = 0 })
	for range 2 {
		if _, err := none.Get(t.Context(), "l", l.Load); !errors.Is(err, cacheutil.ErrNotFound) {
			t.Fatal(err)
		}
	}
	if got := l.calls.Load(); got != 4 {
		t.Errorf("without a negative TTL: %d loads in all", got)
	}
}

func testErrors(t *testing.T, m *cacheutil.Manager) {
	broken := errors.New("the database is away")
	c, l := newCache(t, m, nil), loads(Row{}, broken)
	for want := int64(1); want <= 3; want++ {
		if _, err := c.Get(t.Context(), "k", l.Load); !errors.Is(err, broken) {
			t.Fatal(err)
		}
		if got := l.calls.Load(); got != want {
			t.Fatalf("%d loads, want %d", got, want)
		}
	}
	if got := m.Stats()[0].LoadErrors; got != 3 {
		t.Errorf("%d errors are counted", got)
	}
}

func testPanics(t *testing.T, m *cacheutil.Manager) {
	c := newCache(t, m, nil)
	l := &loader{load: func(context.Context) (Row, error) { panic("ouch") }}
	if _, err := c.Get(t.Context(), "k", l.Load); err == nil {
		t.Fatal("the load has panicked, and no error came")
	}
	mustGet(t, c, "k", loads(Row{Text: "a"}, nil), "a")
}

func testOneLoad(t *testing.T, m *cacheutil.Manager) {
	const readers = 1000
	c := newCache(t, m, nil)
	begun, release := make(chan struct{}), make(chan struct{})
	l := &loader{load: func(context.Context) (Row, error) {
		close(begun)
		<-release
		return Row{Text: "a"}, nil
	}}
	var all sync.WaitGroup
	var failed atomic.Int64
	for range readers {
		all.Go(func() {
			if got, err := c.Get(t.Context(), "k", l.Load); err != nil || got.Text != "a" {
				failed.Add(1)
			}
		})
	}
	await(t, begun)
	eventually(t, "all readers have come", func() bool { return m.Stats()[0].Requests == readers })
	close(release)
	all.Wait()
	if l.calls.Load() != 1 || failed.Load() != 0 {
		t.Errorf("%d loads and %d wrong answers for %d readers", l.calls.Load(), failed.Load(), readers)
	}
}

func testLeaving(t *testing.T, m *cacheutil.Manager) {
	c := newCache(t, m, nil)
	begun, release := make(chan struct{}), make(chan struct{})
	type valueKey struct{}
	l := &loader{load: func(ctx context.Context) (Row, error) {
		close(begun)
		<-release
		if ctx.Err() != nil {
			return Row{}, ctx.Err()
		}
		text, _ := ctx.Value(valueKey{}).(string)
		return Row{Text: text}, nil
	}}
	ctx, leave := context.WithCancel(context.WithValue(t.Context(), valueKey{}, "a"))
	left := make(chan error)
	go func() {
		_, err := c.Get(ctx, "k", l.Load)
		left <- err
	}()
	await(t, begun)
	leave()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Errorf("the caller that leaves gets %v", err)
	}
	close(release)
	eventually(t, "the load's value is kept", func() bool {
		got, err := c.Get(t.Context(), "k", loads(Row{}, errors.New("not cached yet")).Load)
		return err == nil && got.Text == "a"
	})
	if got := l.calls.Load(); got != 1 {
		t.Errorf("%d loads", got)
	}
}

func testExpiry(t *testing.T, m *cacheutil.Manager) {
	c := newCache(t, m, func(o *cacheutil.Options[Row]) { o.TTL = 50 * time.Millisecond })
	l := loads(Row{Text: "a"}, nil)
	eventually(t, "the value expires", func() bool {
		mustGet(t, c, "k", l, "a")
		return l.calls.Load() > 1
	})
}

func testAdaptive(t *testing.T, m *cacheutil.Manager) {
	c := newCache(t, m, nil)
	never := &loader{load: func(ctx context.Context) (Row, error) {
		cacheutil.DoNotStore(ctx)
		return Row{Text: "a"}, nil
	}}
	for range 3 {
		mustGet(t, c, "never", never, "a")
	}
	if got := never.calls.Load(); got != 3 {
		t.Errorf("%d loads of a value that is not to be kept", got)
	}
	short := &loader{load: func(ctx context.Context) (Row, error) {
		cacheutil.SetTTL(ctx, 20*time.Millisecond)
		return Row{Text: "a"}, nil
	}}
	eventually(t, "the load's own TTL ends", func() bool {
		mustGet(t, c, "short", short, "a")
		return short.calls.Load() > 1
	})
}

func testMaxBytes(t *testing.T, m *cacheutil.Manager) {
	c := newCache(t, m, func(o *cacheutil.Options[Row]) { o.MaxBytes = 100 })
	text := string(make([]byte, 101))
	l := loads(Row{Text: text, Version: 3}, nil)
	for range 2 {
		mustGet(t, c, "k", l, text)
	}
	c.Put(t.Context(), "k", Row{Text: text, Version: 4})
	mustGet(t, c, "k", l, text)
	if got := l.calls.Load(); got != 3 {
		t.Errorf("%d loads", got)
	}
}

func keyOf(i int) string { return "key:" + strconv.Itoa(i) }
