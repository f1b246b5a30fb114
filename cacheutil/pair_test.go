package cacheutil_test

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/valkey-io/valkey-go"

	"github.com/hal9-ai/hal9/cacheutil"
	"github.com/hal9-ai/hal9/internal/testenv"
	"github.com/hal9-ai/hal9/internal/testenv/servers"
)

// pair is two managers of one Valkey of their own, as two processes would have
// them, and a database of one row for all keys.
type pair struct {
	t      *testing.T
	server *servers.Server
	raw    valkey.Client
	cfg    cacheutil.Config
	ma, mb *cacheutil.Manager
	a, b   *cacheutil.Cache[string]

	row   atomic.Pointer[string]
	loads atomic.Int64
}

func newPair(t *testing.T, cfg cacheutil.Config) *pair {
	t.Helper()
	p := &pair{t: t, server: testenv.StartCache(t)}
	cfg.URL, cfg.Prefix = p.server.URL(), "pair:"
	// What a busy machine does not take in time is told later, and shows until then.
	cfg.CallTimeout = cmp.Or(cfg.CallTimeout, 5*time.Second)
	p.cfg = cfg
	p.raw = connect(t, cfg.URL)
	p.ma, p.mb = openLive(t, cfg), openLive(t, cfg)
	p.a, p.b = wordCache(t, p.ma, nil), wordCache(t, p.mb, nil)
	p.write("old")
	return p
}

func wordCache(t *testing.T, m *cacheutil.Manager, change func(*cacheutil.Options[string])) *cacheutil.Cache[string] {
	t.Helper()
	o := cacheutil.Options[string]{Name: "word", TTL: time.Hour, NegativeTTL: time.Hour}
	if change != nil {
		change(&o)
	}
	c, err := cacheutil.New(m, o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (p *pair) write(row string) { p.row.Store(&row) }

func (p *pair) load(context.Context) (string, error) {
	p.loads.Add(1)
	return *p.row.Load(), nil
}

// get reads and fails on any error.
func (p *pair) get(c *cacheutil.Cache[string], key string) string {
	p.t.Helper()
	got, err := c.Get(p.t.Context(), key, p.load)
	if err != nil {
		p.t.Fatalf("get %s: %v", key, err)
	}
	return got
}

// warm has the key in the memory of both.
func (p *pair) warm(key string) {
	p.t.Helper()
	for i, c := range []*cacheutil.Cache[string]{p.a, p.b} {
		m := []*cacheutil.Manager{p.ma, p.mb}[i]
		testenv.Eventually(p.t, "the key is in memory", func() bool {
			before := m.Stats()[0].HitsLocal
			p.get(c, key)
			return m.Stats()[0].HitsLocal > before
		})
	}
}

// physical returns the keys in Valkey that hold values.
func (p *pair) physical() []string {
	p.t.Helper()
	keys, err := p.raw.Do(p.t.Context(), p.raw.B().Keys().Pattern("pair:v:*").Build()).AsStrSlice()
	if err != nil {
		p.t.Fatal(err)
	}
	return keys
}

// freeze stops the server until thaw.
func (p *pair) freeze() (thaw func()) {
	p.t.Helper()
	signal := func(s syscall.Signal) {
		if err := syscall.Kill(p.server.PID(), s); err != nil {
			p.t.Fatal(err)
		}
	}
	signal(syscall.SIGSTOP)
	p.t.Cleanup(func() { signal(syscall.SIGCONT) })
	return func() { signal(syscall.SIGCONT) }
}

// killTracking cuts the connections that carry invalidations, by their flag in
// the list of clients.
func (p *pair) killTracking() {
	p.t.Helper()
	list, err := p.raw.Do(p.t.Context(), p.raw.B().ClientList().Build()).ToString()
	if err != nil {
		p.t.Fatal(err)
	}
	killed := 0
	list = strings.TrimPrefix(list, "txt:") // RESP3 says of what kind a text is
	for line := range strings.Lines(list) {
		fields := strings.Fields(line)
		flags := slices.IndexFunc(fields, func(f string) bool { return strings.HasPrefix(f, "flags=") })
		if flags >= 0 && strings.Contains(fields[flags], "t") {
			ask(p.t, p.raw, "CLIENT", "KILL", "ID", strings.TrimPrefix(fields[0], "id="))
			killed++
		}
	}
	if killed != 2 {
		p.t.Fatalf("%d tracking connections in\n%s", killed, list)
	}
}

func TestInvalidationReachesOthers(t *testing.T) {
	p := newPair(t, cacheutil.Config{})
	for name, write := range map[string]func(key string){
		"invalidate": func(key string) { p.a.Invalidate(t.Context(), key, 7) },
		"keys":       func(key string) { p.ma.InvalidateKeys(t.Context(), "other", key) },
		"drop": func(key string) {
			if err := p.ma.Drop(t.Context(), key); err != nil {
				t.Error(err)
			}
		},
		"put": func(key string) {
			through := wordCache(t, p.ma, func(o *cacheutil.Options[string]) {
				o.Strategy, o.Version = cacheutil.WriteThrough, func(string) int64 { return 8 }
			})
			through.Put(t.Context(), key, "new")
		},
		"braces }{ and \x00": func(key string) { p.a.Invalidate(t.Context(), key, 7) },
	} {
		p.write("old")
		p.warm(name)
		p.write("new")
		write(name)
		if got := p.get(p.a, name); got != "new" {
			t.Errorf("%s: the writer reads %q", name, got)
		}
		testenv.Eventually(t, name+" reaches the other", func() bool { return p.get(p.b, name) == "new" })
	}
}

// While no invalidations arrive, process memory is not used, so that not even the
// first read is older than the break.
func TestBrokenTracking(t *testing.T) {
	p := newPair(t, cacheutil.Config{})
	p.warm("k")
	ask(t, p.raw, "ACL", "SETUSER", "default", "-client|tracking")
	p.killTracking()
	testenv.Eventually(t, "the break is noticed", func() bool { return !p.ma.State().Tracking && !p.mb.State().Tracking })
	testenv.Eventually(t, "Valkey is used without", func() bool { return p.mb.State().Valkey == "up" })
	for _, row := range []string{"new", "newer"} {
		p.write(row)
		p.a.Invalidate(t.Context(), "k", 0)
		// For a moment after the break nobody knows whether it is the same Valkey: until
		// then what is to be invalidated waits.
		testenv.Eventually(t, "Valkey took the invalidation", func() bool { return p.ma.State().Pending == 0 })
		if got := p.get(p.b, "k"); got != row {
			t.Fatalf("got %q, want %q", got, row)
		}
	}
	testenv.Eventually(t, "Valkey serves", func() bool {
		before := p.mb.Stats()[0]
		p.get(p.b, "k")
		return p.mb.Stats()[0].HitsRemote == before.HitsRemote+1
	})
	ask(t, p.raw, "ACL", "SETUSER", "default", "+client|tracking")
	testenv.Eventually(t, "invalidations arrive again", func() bool { return p.ma.State().Tracking && p.mb.State().Tracking })
	p.warm("k")
	if got := p.get(p.b, "k"); got != "newer" {
		t.Errorf("got %q", got)
	}
}

func TestFlush(t *testing.T) {
	p := newPair(t, cacheutil.Config{})
	p.warm("k")
	p.write("new")
	ask(t, p.raw, "FLUSHALL")
	testenv.Eventually(t, "memory is emptied", func() bool { return p.get(p.a, "k") == "new" && p.get(p.b, "k") == "new" })
	p.warm("k") // and used again
	ask(t, p.raw, "SCRIPT", "FLUSH")
	p.a.Invalidate(t.Context(), "k", 0)
	p.write("newer")
	testenv.Eventually(t, "scripts are sent again", func() bool { return p.get(p.b, "k") == "newer" })
	if s := p.ma.State(); s.Pending != 0 {
		t.Errorf("got %+v", s)
	}
}

// An invalidation that Valkey did not take is repeated, and until then the key is
// loaded.
func TestJournal(t *testing.T) {
	p := newPair(t, cacheutil.Config{CallTimeout: 20 * time.Millisecond})
	p.warm("k")
	thaw := p.freeze()
	p.write("new")
	p.a.Invalidate(t.Context(), "k", 0)
	p.ma.InvalidateGroup(t.Context(), "g")
	if s := p.ma.State(); s.Pending != 2 {
		t.Errorf("got %+v", s)
	}
	if got := p.get(p.a, "k"); got != "new" {
		t.Errorf("while Valkey is away: got %q", got)
	}
	thaw()
	testenv.Eventually(t, "the invalidation is repeated", func() bool { return p.ma.State().Pending == 0 })
	testenv.Eventually(t, "the other has it", func() bool { return p.get(p.b, "k") == "new" })
	p.warm("k")
	if got := p.get(p.a, "k"); got != "new" {
		t.Errorf("got %q", got)
	}
}

// More invalidations than are kept put everything out of reach.
func TestJournalOverflow(t *testing.T) {
	p := newPair(t, cacheutil.Config{CallTimeout: 20 * time.Millisecond, MaxPending: 10})
	p.warm("innocent")
	p.warm("k")
	thaw := p.freeze()
	p.write("new")
	p.a.Invalidate(t.Context(), "k", 0)
	for i := range 20 {
		p.a.Invalidate(t.Context(), keyOf(i), 0)
	}
	if s := p.ma.State(); s.Pending > 10 {
		t.Errorf("got %+v", s)
	}
	if got := p.get(p.a, "k"); got != "new" {
		t.Errorf("while Valkey is away: got %q", got)
	}
	thaw()
	testenv.Eventually(t, "everything is out of reach", func() bool {
		return p.get(p.b, "k") == "new" && p.get(p.b, "innocent") == "new" && p.get(p.a, "innocent") == "new"
	})
	p.warm("k")
}

// A Valkey that serves and takes no writes: what was invalidated is loaded, not
// served, also when there is more of it than is kept.
func TestRefusedInvalidations(t *testing.T) {
	p := newPair(t, cacheutil.Config{MaxPending: 3})
	keys := []string{"one", "two", "three", "four", "five"}
	for _, key := range keys {
		p.warm(key)
	}
	ask(t, p.raw, "CONFIG", "SET", "min-replicas-to-write", "1")
	p.write("new")
	for i, key := range keys {
		p.a.Invalidate(t.Context(), key, 0)
		for _, dropped := range keys[:i+1] {
			if got := p.get(p.a, dropped); got != "new" {
				t.Fatalf("after %d invalidations %s is %q", i+1, dropped, got)
			}
		}
		if i < 3 {
			if got := p.get(p.a, keys[i+1]); got != "old" {
				t.Errorf("%s was not invalidated, and is %q", keys[i+1], got)
			}
		}
	}
	ask(t, p.raw, "CONFIG", "SET", "min-replicas-to-write", "0")
	for _, key := range keys {
		testenv.Eventually(t, "the other has it", func() bool { return p.get(p.b, key) == "new" })
	}
	p.warm("one")
}

// When memory is full, invalidations are taken all the same, and reads go on.
func TestFullMemory(t *testing.T) {
	p := newPair(t, cacheutil.Config{})
	through := wordCache(t, p.ma, func(o *cacheutil.Options[string]) {
		o.Strategy, o.Version = cacheutil.WriteThrough, func(string) int64 { return 8 }
	})
	p.warm("k")
	p.warm("put")
	ask(t, p.raw, "CONFIG", "SET", "maxmemory", "1", "maxmemory-policy", "noeviction")
	p.write("new")
	p.a.Invalidate(t.Context(), "k", 7)
	through.Put(t.Context(), "put", "new")
	for _, key := range []string{"k", "put"} {
		testenv.Eventually(t, "the invalidation arrives", func() bool { return p.get(p.b, key) == "new" })
	}
	if s := p.ma.State(); s.Pending != 0 || s.BreakerOpen {
		t.Errorf("got %+v", s)
	}
	ask(t, p.raw, "CONFIG", "SET", "maxmemory", "0")
	p.warm("k")
}

// A value that cannot be read is a miss, is counted and is replaced.
func TestCorrupt(t *testing.T) {
	p := newPair(t, cacheutil.Config{})
	p.get(p.a, "k")
	key := p.physical()[0]
	good, err := p.raw.Do(t.Context(), p.raw.B().Get().Key(key).Build()).ToString()
	if err != nil {
		t.Fatal(err)
	}
	numbers, err := cacheutil.New(p.mb, cacheutil.Options[int]{Name: "number"})
	if err != nil {
		t.Fatal(err)
	}
	wrong, kinds := 0, map[string]string{
		"empty":            "",
		"text":             "hello",
		"long text":        strings.Repeat("hello ", 100),
		"no payload":       good[:41],
		"cut":              good[:30],
		"another letter":   good[:16] + "x" + good[17:],
		"no version":       strings.Repeat("g", 16) + good[16:],
		"high version":     strings.Repeat("f", 16) + good[16:],
		"another shape":    good[:33] + "00000000" + good[41:],
		"another payload":  good[:41] + "\xff\xff",
		"payload and more": good + "x",
	}
	for name, bad := range kinds {
		p.a.Invalidate(t.Context(), "k", 0)
		ask(t, p.raw, "SET", key, bad, "PX", "3600000")
		before := p.ma.Stats()[0].Corrupt
		if got := p.get(p.a, "k"); got != "old" {
			wrong++
			t.Errorf("%s: got %q", name, got)
		}
		entry, err := p.ma.Peek(t.Context(), "k")
		if err != nil || string(entry.JSON) != `"old"` {
			t.Errorf("%s was not replaced: %+v, %v", name, entry, err)
		}
		if got := p.ma.Stats()[0].Corrupt - before; got != 1 {
			t.Errorf("%s: %d are counted", name, got)
		}
	}
	// A key of another kind of data, and a value of another type.
	p.a.Invalidate(t.Context(), "k", 0)
	ask(t, p.raw, "DEL", key)
	ask(t, p.raw, "LPUSH", key, "a")
	if got := p.get(p.a, "k"); got != "old" {
		t.Errorf("a list: got %q", got)
	}
	got, err := numbers.Get(t.Context(), "k", func(context.Context) (int, error) { return 7, nil })
	if got != 7 || err != nil {
		t.Errorf("another type: got %d, %v", got, err)
	}
	t.Logf("%d corrupted values: %d served; each was a miss and replaced", len(kinds)+2, wrong)
}

// A reader that waits for another process's load is woken when it ends, well
// before it would ask again; and when it fails.
func TestWake(t *testing.T) {
	p := newPair(t, cacheutil.Config{})
	// On a machine that stands still for a while a lease of a second would end by itself.
	patient := func(o *cacheutil.Options[string]) { o.Name, o.LeaseTTL = "patient", time.Minute }
	a, b := wordCache(t, p.ma, patient), wordCache(t, p.mb, patient)
	const tries = 5
	for n, failure := range []error{nil, errors.New("the database is away")} {
		best := time.Hour
		for i := range tries {
			key := keyOf(n*tries + i) // a new one: nobody has it in memory
			a.Invalidate(t.Context(), key, 0)
			begun, pass := make(chan struct{}), make(chan struct{})
			let := sync.OnceFunc(func() { close(pass) })
			t.Cleanup(let) // a test that failed must not wait for its own load
			done := make(chan error, 1)
			go func() {
				_, err := a.Get(t.Context(), key, func(context.Context) (string, error) {
					close(begun)
					<-pass
					return "value", failure
				})
				done <- err
			}()
			<-begun
			got := make(chan time.Time, 1)
			go func() {
				p.get(b, key)
				got <- time.Now()
			}()
			testenv.Eventually(t, "the other waits", func() bool { return leaseAwaited(p, key) })
			released := time.Now()
			let()
			if err := <-done; !errors.Is(err, failure) {
				t.Fatal(err)
			}
			best = min(best, (<-got).Sub(released))
		}
		if best > 100*time.Millisecond {
			t.Errorf("after a load with error %v the fastest of those that waited took %v", failure, best)
		}
	}
}

// leaseAwaited tells whether someone waits for the key's lease.
func leaseAwaited(p *pair, key string) bool {
	keys, err := p.raw.Do(p.t.Context(), p.raw.B().Keys().Pattern("pair:l:*{"+key+"}").Build()).AsStrSlice()
	if err != nil || len(keys) != 1 {
		return false
	}
	lease, err := p.raw.Do(p.t.Context(), p.raw.B().Get().Key(keys[0]).Build()).ToString()
	return err == nil && strings.HasSuffix(lease, "+")
}
