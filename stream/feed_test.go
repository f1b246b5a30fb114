package stream_test

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/VictoriaMetrics/metrics"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/hal9-ai/hal9/cacheutil"
	"github.com/hal9-ai/hal9/ingest"
	"github.com/hal9-ai/hal9/internal/testenv"
	"github.com/hal9-ai/hal9/model"
	"github.com/hal9-ai/hal9/store"
	"github.com/hal9-ai/hal9/store/postgres"
	"github.com/hal9-ai/hal9/stream"
)

// patience is how long tests wait for what should take no time.
const patience = time.Minute

// node is a server without its HTTP: what takes signals in, and the feed of it.
type node struct {
	t      *testing.T
	ids    *model.IDGenerator
	store  model.Store
	ingest *ingest.Ingest
	feed   *stream.Feed
	set    *metrics.Set
	stop   func() // ends the feed, but does not wait for that
}

// newNode opens the database. bus may be nil, and so may change.
func newNode(t *testing.T, url string, bus func(st model.Store) stream.Bus, change func(*stream.Config)) *node {
	t.Helper()
	cache := &store.Cache{}
	st, err := store.Open(t.Context(), store.Config{URL: url, Migrate: true, AcquireTimeout: patience, StatementTimeout: patience, Cache: cache})
	if err != nil {
		t.Fatal(err)
	}
	set := metrics.NewSet()
	cfg := stream.Config{Store: st, Metrics: set}
	if bus != nil {
		cfg.Bus = bus(st)
	}
	if change != nil {
		change(&cfg)
	}
	n := &node{t: t, ids: model.NewIDGenerator(time.Now), store: st, feed: stream.New(cfg), set: set}
	n.ingest = ingest.New(ingest.Config{Store: st, Committed: n.feed.Publish})
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	n.stop = stop
	ended := make(chan error, 1)
	go func() { ended <- n.feed.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if c, ok := cfg.Bus.(*postgres.Channel); ok {
			_ = c.Close(ctx)
		}
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	if cfg.Bus != nil {
		testenv.Eventually(t, "the bus to come up", func() bool {
			var b strings.Builder
			set.WritePrometheus(&b)
			return strings.Contains(b.String(), "hal9_signal_stream_bus_up 1")
		})
	}
	return n
}

func (n *node) signal(content string) model.SignalInsertParams {
	id := n.ids.New()
	at, _ := model.IDTime(id)
	return model.SignalInsertParams{
		ID: id, Timestamp: at, FromNeuron: "a", ToNeuron: "b", LayerFrom: "L4", LayerTo: "L3",
		PropagationType: "forward", Content: content, Metadata: model.EmptyObject(),
	}
}

func (n *node) submit(signals ...model.SignalInsertParams) {
	n.t.Helper()
	for _, s := range signals {
		if _, err := n.ingest.Submit(n.t.Context(), s); err != nil {
			n.t.Fatal(err)
		}
	}
}

// hear polls until a signal of this content came, and returns all contents that did.
func hear(t *testing.T, l *stream.Listener, last string) []string {
	t.Helper()
	return hearUntil(t, l, last, func(heard []string) bool { return heard[len(heard)-1] == last })
}

// hearAll returns the next n contents.
func hearAll(t *testing.T, l *stream.Listener, n int) []string {
	t.Helper()
	return hearUntil(t, l, fmt.Sprintf("number %d", n), func(heard []string) bool { return len(heard) == n })
}

func hearUntil(t *testing.T, l *stream.Listener, last string, done func(heard []string) bool) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var heard []string
	for {
		b, wake, err := l.Poll(ctx)
		if err != nil {
			t.Fatalf("poll: %v, heard %q", err, heard)
		}
		for _, e := range b.Events {
			heard = append(heard, e.Signal.Content)
			if done(heard) {
				return heard
			}
		}
		if wake == nil {
			continue
		}
		select {
		case <-wake:
		case <-ctx.Done():
			t.Fatalf("%q did not come, but %q", last, heard)
		}
	}
}

func wantHeard(t *testing.T, l *stream.Listener, want ...string) {
	t.Helper()
	if heard := hear(t, l, want[len(want)-1]); fmt.Sprint(heard) != fmt.Sprint(want) {
		t.Fatalf("heard %q, want %q", heard, want)
	}
}

func (n *node) listen(start stream.Start) *stream.Listener {
	l := n.feed.Listen(stream.Filter{}, start)
	n.t.Cleanup(l.Close)
	return l
}

func postgresBus(url string) func(model.Store) stream.Bus {
	return func(model.Store) stream.Bus { return postgres.NewChannel(url, "committed") }
}

func sqliteURL(t *testing.T) string {
	t.Helper()
	return "sqlite://" + filepath.Join(t.TempDir(), "hal9.db")
}

// Two servers: each hears what the other took in, by PostgreSQL and by Valkey.
func TestServersTellEachOther(t *testing.T) {
	t.Parallel()
	for _, bus := range []string{"postgres", "valkey"} {
		t.Run(bus, func(t *testing.T) {
			t.Parallel()
			url := testenv.PostgresDatabase(t)
			open := postgresBus(url)
			if bus == "valkey" {
				prefix := "stream-" + uuid.NewString() + ":"
				open = func(model.Store) stream.Bus {
					m, err := cacheutil.Open(t.Context(), cacheutil.Config{URL: testenv.CacheURL(t), Prefix: prefix, CallTimeout: patience})
					if err != nil {
						t.Fatal(err)
					}
					t.Cleanup(func() { _ = m.Close() })
					return m.Channel("committed")
				}
			}
			a, b := newNode(t, url, open, nil), newNode(t, url, open, nil)
			here, there := a.listen(stream.Start{}), b.listen(stream.Start{})
			a.submit(a.signal("one"))
			wantHeard(t, here, "one")
			wantHeard(t, there, "one")
			// More in one batch than one notice holds, with times months apart.
			var many []model.SignalInsertParams
			var want []string
			for i := range 700 {
				s := b.signal(fmt.Sprintf("many %d", i))
				if i%2 == 0 {
					s.ID, s.Timestamp = uuid.New(), s.Timestamp.AddDate(0, -i/100, 0)
				}
				many, want = append(many, s), append(want, s.Content)
			}
			if _, err := b.ingest.SubmitMany(t.Context(), many); err != nil {
				t.Fatal(err)
			}
			wantHeard(t, there, want...)
			b.submit(b.signal("end"))
			// Each once, in the order of the rows' reading: what committed later may be
			// read before what was told in an earlier notice.
			heard := hearAll(t, here, 701)
			slices.Sort(heard)
			if distinct := len(slices.Compact(heard)); distinct != 701 {
				t.Fatalf("%d distinct ones of 701 heard at the other server", distinct)
			}
		})
	}
}

// An older id commits after newer ones, since its transaction waited: whoever listens
// hears it then, and whoever was away meanwhile hears it when he is back, at the same
// server with nothing twice, at another one with nothing missing.
func TestDelayedCommit(t *testing.T) {
	t.Parallel()
	url := testenv.PostgresDatabase(t)
	a, b := newNode(t, url, postgresBus(url), nil), newNode(t, url, postgresBus(url), nil)
	listening, leaving := a.listen(stream.Start{}), a.feed.Listen(stream.Filter{}, stream.Start{})

	older := a.signal("older")
	release := holdRow(t, url, older)
	done := make(chan error, 1)
	go func() {
		_, err := a.ingest.Submit(context.WithoutCancel(t.Context()), older)
		done <- err
	}()
	waitForLock(t, url)
	newer := a.signal("newer")
	if newer.ID.String() < older.ID.String() {
		t.Fatal("the ids are in the wrong order")
	}
	b.submit(newer)
	wantHeard(t, listening, "newer")
	wantHeard(t, leaving, "newer")
	left := leaving.Position()
	leaving.Close()

	release()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	b.submit(b.signal("end"))
	wantHeard(t, listening, "older", "end")
	wantHeard(t, a.listen(stream.Start{After: &left}), "older", "end")
	heard := hear(t, b.listen(stream.Start{After: &left}), "end")
	if fmt.Sprint(heard) != "[older newer end]" {
		t.Fatalf("the other server told %q, want all of the overlap, each once", heard)
	}
}

// holdRow keeps the row's key from being stored until it is released: a transaction that
// stored it has neither committed nor rolled back.
func holdRow(t *testing.T, url string, s model.SignalInsertParams) (release func()) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) })
	for _, text := range []string{"BEGIN", fmt.Sprintf(
		`INSERT INTO signals (id, from_neuron, to_neuron, layer_from, layer_to, content, timestamp) VALUES ('%s', 'a', 'b', 'L4', 'L3', 'x', '%s')`,
		s.ID, s.Timestamp.Format(time.RFC3339Nano))} {
		if _, err := conn.Exec(t.Context(), text); err != nil {
			t.Fatal(err)
		}
	}
	return func() {
		if _, err := conn.Exec(t.Context(), "ROLLBACK"); err != nil {
			t.Fatal(err)
		}
	}
}

// waitForLock waits until somebody in the database waits for another's transaction.
func waitForLock(t *testing.T, url string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	for began := time.Now(); time.Since(began) < patience; {
		var waiting int
		const ask = `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`
		if err := conn.QueryRow(t.Context(), ask).Scan(&waiting); err != nil {
			t.Fatal(err)
		}
		if waiting > 0 {
			return
		}
	}
	t.Fatal("nobody waits")
}

// While the bus is away the database is asked; what it lost is found when it is back, and
// comes once.
func TestBusAway(t *testing.T) {
	t.Parallel()
	url := testenv.PostgresDatabase(t)
	away := newLame(postgres.NewChannel(url, "committed"))
	a := newNode(t, url, postgresBus(url), nil)
	b := newNode(t, url, func(model.Store) stream.Bus { return away }, nil)
	l := b.listen(stream.Start{})
	a.submit(a.signal("one"))
	wantHeard(t, l, "one")
	away.set(true)
	a.submit(a.signal("two"))
	wantHeard(t, l, "two")
	b.submit(b.signal("three")) // b cannot tell a
	away.set(false)
	there := a.listen(stream.Start{})
	a.submit(a.signal("four"))
	wantHeard(t, l, "three", "four")
	hear(t, there, "four")
}

// While the bus is away for long, what was committed late is looked for on the way, so that
// in the end the database is asked for the last of it alone.
func TestBusAwayForLong(t *testing.T) {
	t.Parallel()
	url := testenv.PostgresDatabase(t)
	away := newLame(postgres.NewChannel(url, "committed"))
	a := newNode(t, url, postgresBus(url), nil)
	var ahead atomic.Int64
	b := newNode(t, url, func(model.Store) stream.Bus { return away }, func(c *stream.Config) {
		c.Clock = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	})
	l := b.listen(stream.Start{})
	away.set(true)
	const signals = 150
	for i := range signals {
		a.submit(a.signal(strconv.Itoa(i)))
	}
	hearAll(t, l, signals)
	// Twice as long as a commit may be late: the first look reads all of it once more, and
	// the next one finds nothing to be read.
	for range 2 {
		read, asked := b.figure("rows_read_total"), b.figure("catch_ups_total")
		ahead.Add(int64(3 * time.Minute))
		testenv.Eventually(t, "the database to be asked", func() bool { return b.figure("catch_ups_total") > asked+1 })
		t.Logf("%d rows were read", b.figure("rows_read_total")-read)
	}
	read, asked := b.figure("rows_read_total"), b.figure("catch_ups_total")
	away.set(false)
	testenv.Eventually(t, "the bus to be found", func() bool { return b.figure("bus_up") == 1 && b.figure("catch_ups_total") > asked })
	a.submit(a.signal("end"))
	wantHeard(t, l, "end")
	n := b.figure("rows_read_total") - read
	t.Logf("%d rows were read when the bus was back, of which one was new", n)
	if n > signals/2 {
		t.Error("what was looked at before is looked for again")
	}
}

// figure is the value of a metric of the feed.
func (n *node) figure(name string) int {
	n.t.Helper()
	var b strings.Builder
	n.set.WritePrometheus(&b)
	for line := range strings.Lines(b.String()) {
		if rest, ok := strings.CutPrefix(line, "hal9_signal_stream_"+name+" "); ok {
			v, err := strconv.Atoi(strings.TrimSpace(rest))
			if err != nil {
				n.t.Fatal(err)
			}
			return v
		}
	}
	n.t.Fatalf("no metric %s", name)
	return 0
}

// Signals that were read from the database and come from the ring as well are told once,
// and too many are a gap.
func TestPast(t *testing.T) {
	t.Parallel()
	n := newNode(t, sqliteURL(t), nil, func(c *stream.Config) { c.ReplayRows = 1000 })
	var want []string
	for i := range 1600 {
		want = append(want, fmt.Sprintf("s%d", i))
	}
	began := time.Now().Add(-time.Second)
	send := func(contents []string) {
		t.Helper()
		var signals []model.SignalInsertParams
		for _, c := range contents {
			signals = append(signals, n.signal(c))
		}
		if _, err := n.ingest.SubmitMany(t.Context(), signals); err != nil {
			t.Fatal(err)
		}
	}
	send(want[:600])
	l := n.listen(stream.Start{Since: began})
	b, _, err := l.Poll(t.Context())
	if err != nil || len(b.Events) == 0 {
		t.Fatalf("%d events, %v", len(b.Events), err)
	}
	send(want[600:700]) // both stored and in the ring when the rest is read
	var heard []string
	for _, e := range b.Events {
		heard = append(heard, e.Signal.Content)
	}
	heard = append(heard, hear(t, l, want[699])...)
	send(want[700:])
	heard = append(heard, hear(t, l, want[1599])...)
	if fmt.Sprint(heard) != fmt.Sprint(want) {
		t.Fatalf("%d heard, want %d, each once and in order", len(heard), len(want))
	}

	l = n.listen(stream.Start{Since: began})
	for {
		b, wake, err := l.Poll(t.Context())
		if err != nil || wake != nil {
			t.Fatalf("no gap, but %v", err)
		}
		if b.Gap != nil {
			if !b.Gap.Since.Before(b.Gap.Until) {
				t.Errorf("the gap is %v", b.Gap)
			}
			break
		}
	}
	send([]string{"end"})
	wantHeard(t, l, "end")
}

// TestListenersRememberLittle: of what a listener is told from the database it keeps no more
// than may come once more, and of that only so much, however much is stored.
func TestListenersRememberLittle(t *testing.T) {
	t.Parallel()
	n := newNode(t, sqliteURL(t), nil, nil)
	const stored = 4000
	send := func(from, to int) {
		t.Helper()
		var signals []model.SignalInsertParams
		for i := from; i < to; i++ {
			signals = append(signals, n.signal(strconv.Itoa(i)))
		}
		if _, err := n.ingest.SubmitMany(t.Context(), signals); err != nil {
			t.Fatal(err)
		}
	}
	// replay hears all until the past is over; after the first page more comes.
	replay := func(more func()) (heard []string, told int) {
		t.Helper()
		l := n.listen(stream.Start{Since: time.Now().Add(-time.Hour)})
		for first := true; ; first = false {
			b, wake, err := l.Poll(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range b.Events {
				heard = append(heard, e.Signal.Content)
			}
			told = max(told, l.Told())
			if first {
				more()
			}
			if wake != nil && len(b.Events) == 0 {
				return heard, told
			}
		}
	}
	send(0, stored)
	n.listen(stream.Start{}) // of which the feed knows nothing, as after a restart
	for round, c := range []struct{ unknown, more int }{{stored, 500}, {stored, 500}} {
		last := stored + round*c.more
		heard, told := replay(func() { send(last, last+c.more) })
		var want []string
		for i := range last + c.more {
			want = append(want, strconv.Itoa(i))
		}
		if !slices.Equal(heard, want) {
			t.Fatalf("round %d: %d heard, want %d, each once and in order", round, len(heard), len(want))
		}
		if told > 2048 {
			t.Errorf("round %d: %d ids are kept", round, told)
		}
	}
}

// TestPagesOfThePast: what a listener is given of the past at once is bounded in bytes, so
// that many who take long signals slowly hold little, and nothing is left out or told twice.
func TestPagesOfThePast(t *testing.T) {
	t.Parallel()
	n := newNode(t, sqliteURL(t), nil, nil)
	text := strings.Repeat("x", 60<<10)
	var signals []model.SignalInsertParams
	var want []string
	for i := range 240 {
		content := strconv.Itoa(i)
		if i >= 20 && i < 60 {
			content += text
		}
		if i == 40 {
			content += strings.Repeat(text, 15)
		}
		signals, want = append(signals, n.signal(content)), append(want, content)
	}
	if _, err := n.ingest.SubmitMany(t.Context(), signals); err != nil {
		t.Fatal(err)
	}
	l := n.listen(stream.Start{Since: time.Now().Add(-time.Hour)})
	var heard []string
	for len(heard) < len(want) {
		b, wake, err := l.Poll(t.Context())
		if err != nil || wake != nil {
			t.Fatalf("%d came, want %d: %v", len(heard), len(want), err)
		}
		bytes := 0
		for _, e := range b.Events {
			heard = append(heard, e.Signal.Content)
			bytes += len(e.Signal.Content)
		}
		if bytes > 256<<10 && len(b.Events) > 1 {
			t.Errorf("%d signals of %d bytes came at once", len(b.Events), bytes)
		}
	}
	if !slices.Equal(heard, want) {
		t.Error("other signals came than were stored, or in another order")
	}
}

// TestToldBeforePublished: a listener that comes between a commit and the news of it is told
// once of the signal, by the database.
func TestToldBeforePublished(t *testing.T) {
	t.Parallel()
	n := newNode(t, sqliteURL(t), nil, nil)
	early, late := n.signal("early"), n.signal("late")
	if _, err := n.store.SignalInsertMany(t.Context(), []model.SignalInsertParams{early}); err != nil {
		t.Fatal(err)
	}
	l := n.listen(stream.Start{Since: time.Now().Add(-time.Hour)})
	heard := hear(t, l, "early")
	for _, wake, err := l.Poll(t.Context()); wake == nil; _, wake, err = l.Poll(t.Context()) { // the past is over
		if err != nil {
			t.Fatal(err)
		}
	}
	n.feed.Publish([]model.SignalInsertParams{early})
	n.submit(late)
	if heard = append(heard, hear(t, l, "late")...); !slices.Equal(heard, []string{"early", "late"}) {
		t.Errorf("heard %q", heard)
	}
}

// TestListenerForgetsThePast: what a listener was told from the database is kept for as long
// as the ring may tell it once more, and not until the next signal comes, if ever.
func TestListenerForgetsThePast(t *testing.T) {
	t.Parallel()
	clock := testenv.NewClock(time.Now())
	n := newNode(t, sqliteURL(t), nil, func(c *stream.Config) { c.Clock = clock.Now })
	for i := range 5 {
		n.submit(n.signal(strconv.Itoa(i)))
	}
	l := n.listen(stream.Start{Since: time.Now().Add(-time.Hour)})
	poll := func() (came int, over bool) {
		t.Helper()
		b, wake, err := l.Poll(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return len(b.Events), wake != nil
	}
	came := 0
	for over := false; !over; {
		var more int
		more, over = poll()
		came += more
	}
	if came != 5 || l.Told() != 5 {
		t.Errorf("%d events came, of which %d are kept", came, l.Told())
	}
	clock.Advance(stream.DefaultOverlap + time.Second)
	if _, _ = poll(); l.Told() != 0 {
		t.Errorf("%d are kept after the time in which they may come again", l.Told())
	}
}
