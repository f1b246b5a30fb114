package upkeep_test

import (
	"bytes"
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/VictoriaMetrics/metrics"
	"github.com/jackc/pgx/v5"

	"github.com/hal9-ai/hal9/internal/testenv"
	"github.com/hal9-ai/hal9/internal/testenv/migrated"
	"github.com/hal9-ai/hal9/model"
	"github.com/hal9-ai/hal9/store"
	"github.com/hal9-ai/hal9/upkeep"
)

// openPostgres opens a store of its own on a database, as another server would.
func openPostgres(t *testing.T, url string) model.Store {
	t.Helper()
	st, err := store.Open(t.Context(), store.Config{URL: url, MaxConnections: 4})
	if err != nil {
		t.Fatalf("open the store: %v", err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Errorf("close the store: %v", err)
		}
	})
	return st
}

// defaultRows counts the signals in the default partition by month, as in "2001-03".
func defaultRows(t *testing.T, st model.Store) map[string]int64 {
	t.Helper()
	months, err := st.SignalPartitionDefaultMonths(t.Context(), 1000)
	ok(t, err)
	rows := map[string]int64{}
	for _, m := range months {
		rows[m.Start.Format("2006-01")] = m.Rows
	}
	return rows
}

func allSignals(t *testing.T, st model.Store) int {
	t.Helper()
	all, err := st.SignalList(t.Context(), model.SignalListParams{
		Until: model.MaxTime(), CursorTimestamp: model.MaxTime(), CursorID: model.MaxID(), PageLimit: 1000,
	})
	ok(t, err)
	return len(all)
}

// What a clock that runs far ahead brings in is kept, found, and moved home.
func TestClockPastTheLastPartition(t *testing.T) {
	t.Parallel()
	st, c, set := openPostgres(t, migrated.PostgresDatabase(t)), newClock(), metrics.NewSet()
	signal(t, st, c.Now())
	c.Advance(5 * 365 * day)
	for range 3 {
		signal(t, st, c.Now())
	}
	month := c.Now().Format("2006-01")
	if got := defaultRows(t, st); len(got) != 1 || got[month] != 3 {
		t.Fatalf("the default partition holds %v, not three of %s", got, month)
	}
	if n := allSignals(t, st); n != 4 {
		t.Errorf("%d signals are found, not 4", n)
	}
	runOnce(t, newKeeper(t, upkeep.Config{Store: st, Holder: "a", Clock: c.Now, Metrics: set, PartitionsAhead: 2}))
	if got := defaultRows(t, st); len(got) != 0 {
		t.Errorf("the default partition still holds %v", got)
	}
	if n := allSignals(t, st); n != 4 {
		t.Errorf("%d signals are left, not 4", n)
	}
	all, err := st.SignalPartitionList(t.Context())
	ok(t, err)
	if n := model.SignalMonthsAhead(all, c.Now()); n != 2 {
		t.Errorf("%d months lie ahead, not 2", n)
	}
}

// Signals of the past come home a month at a time, but for those that the retention is
// about to delete and those of a month that is too large to hold up inserts for.
func TestBringsHomeWhatItMay(t *testing.T) {
	t.Parallel()
	st, c, set := openPostgres(t, migrated.PostgresDatabase(t)), newClock(), metrics.NewSet()
	now := time.Date(c.Now().Year(), c.Now().Month(), 15, 0, 0, 0, 0, time.UTC)
	month := func(ago int) string { return now.AddDate(0, -ago, 0).Format("2006-01") }
	for ago, rows := range map[int]int{2: 3, 3: 4, 5: 3, 40: 1} {
		for range rows {
			signal(t, st, now.AddDate(0, -ago, 0))
		}
	}
	var log bytes.Buffer
	runOnce(t, newKeeper(t, upkeep.Config{
		Store: st, Holder: "a", Clock: c.Now, Metrics: set, PartitionsAhead: 2, MoveLimit: 3, SignalsRetention: 365 * day,
		Logger: slog.New(slog.NewTextHandler(&log, nil)),
	}))
	if got := defaultRows(t, st); len(got) != 1 || got[month(3)] != 4 {
		t.Errorf("the default partition holds %v, not four of %s", got, month(3))
	}
	if n := allSignals(t, st); n != 10 {
		t.Errorf("%d signals are left, not 10", n)
	}
	if !strings.Contains(log.String(), "level=WARN msg=\"a month has too many signals") || !strings.Contains(log.String(), month(3)) {
		t.Errorf("nothing warns of %s:\n%s", month(3), log.String())
	}
	for _, line := range []string{"hal9_partition_made_total 2", "hal9_partition_moved_rows_total 6", "hal9_partition_failures_total 0"} {
		if !strings.Contains(exposition(set), line+"\n") {
			t.Errorf("no %s in\n%s", line, exposition(set))
		}
	}
}

// A month that cannot be made, as where a table of its name stands in the way, keeps no
// other from being made, nor from coming home.
func TestMonthsThatCannotBeMade(t *testing.T) {
	t.Parallel()
	url := migrated.PostgresDatabase(t)
	st, c, set := openPostgres(t, url), newClock(), metrics.NewSet()
	now := time.Date(c.Now().Year(), c.Now().Month(), 15, 0, 0, 0, 0, time.UTC)
	past := func(ago int) time.Time { return now.AddDate(0, -ago, 0) }
	for _, ago := range []int{9, 8, 7} {
		signal(t, st, past(ago))
	}
	conn, err := pgx.Connect(t.Context(), url)
	ok(t, err)
	defer func() { ok(t, conn.Close(t.Context())) }()
	for _, month := range []time.Time{past(8), now.AddDate(0, 4, 0)} {
		_, err := conn.Exec(t.Context(), "CREATE TABLE signals_"+month.Format("y2006m01")+" ()")
		ok(t, err)
	}
	_, err = newKeeper(t, upkeep.Config{Store: st, Holder: "a", Clock: c.Now, Metrics: set, PartitionsAhead: 6}).RunOnce(t.Context())
	for _, month := range []time.Time{past(8), now.AddDate(0, 4, 0)} {
		// What keeps it from being made is a table of our own name: it is told, with the mend.
		want := "ensure the partition of " + month.Format("2006-01: a table called signals_y2006m01, which is no partition of signals, is in the way: rename it")
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in %v", want, err)
		}
	}
	if got := defaultRows(t, st); len(got) != 1 || got[past(8).Format("2006-01")] != 1 {
		t.Errorf("the default partition holds %v", got)
	}
	all, err := st.SignalPartitionList(t.Context())
	ok(t, err)
	if !slices.ContainsFunc(all, func(p model.SignalPartition) bool {
		return p.Start.Format("2006-01") == now.AddDate(0, 6, 0).Format("2006-01")
	}) {
		t.Errorf("the last month ahead was not made: %+v", all)
	}
	for _, line := range []string{"hal9_partition_moved_rows_total 2", "hal9_partition_failures_total 1"} {
		if !strings.Contains(exposition(set), line+"\n") {
			t.Errorf("no %s in\n%s", line, exposition(set))
		}
	}
}

// Of many servers that start together one makes the months and drops the old, once.
func TestManyMaintainers(t *testing.T) {
	t.Parallel()
	const servers = 5
	url, c := migrated.PostgresDatabase(t), newClock()
	first := openPostgres(t, url)
	old := c.Now().AddDate(-3, 0, 0)
	_, err := first.SignalPartitionEnsure(t.Context(), old)
	ok(t, err)
	signal(t, first, old)
	var group sync.WaitGroup
	var leaders, made atomic.Int64
	sets := make([]*metrics.Set, servers)
	for i := range servers {
		st := openPostgres(t, url)
		sets[i] = metrics.NewSet()
		k := newKeeper(t, upkeep.Config{
			Store: st, Holder: string(rune('a' + i)), Clock: c.Now, Metrics: sets[i], PartitionsAhead: 7, SignalsRetention: 365 * day,
		})
		group.Go(func() {
			acted, err := k.RunOnce(t.Context())
			if err != nil {
				t.Errorf("run: %v", err)
			}
			if len(acted) > 0 {
				leaders.Add(1)
			}
			// Past the lease, as when clocks differ or a person gives a hand.
			one, err := st.SignalPartitionEnsure(t.Context(), c.Now().AddDate(9, 0, 0))
			if err != nil {
				t.Errorf("ensure: %v", err)
			}
			if one {
				made.Add(1)
			}
		})
	}
	group.Wait()
	if leaders.Load() != 1 || made.Load() != 1 {
		t.Errorf("%d servers acted, %d made the same month", leaders.Load(), made.Load())
	}
	var told strings.Builder
	for _, set := range sets {
		told.WriteString(exposition(set))
	}
	// The migration has made this month and three more.
	for line, want := range map[string]int{"hal9_partition_made_total 4\n": 1, "hal9_partition_dropped_total 1\n": 1, "hal9_partition_failures_total 0\n": servers} {
		if n := strings.Count(told.String(), line); n != want {
			t.Errorf("%d servers tell %s", n, line)
		}
	}
	if n := allSignals(t, first); n != 0 {
		t.Errorf("%d old signals are left", n)
	}
}

// Whoever may not make partitions tells of it before signals miss them.
func TestWarnsWhenFewMonthsLieAhead(t *testing.T) {
	t.Parallel()
	st, c, set := openPostgres(t, migrated.PostgresDatabase(t)), newClock(), metrics.NewSet()
	var mu sync.Mutex
	var log bytes.Buffer
	k := newKeeper(t, upkeep.Config{
		Store: withoutEnsure{st}, Holder: "a", Clock: c.Now, Metrics: set, PartitionsAhead: 3, Interval: 10 * time.Millisecond,
		Logger: slog.New(slog.NewTextHandler(lockedWriter{&mu, &log}, nil)),
	})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- k.Run(ctx) }()
	testenv.Eventually(t, "the months that lie ahead", func() bool { return strings.Contains(exposition(set), "hal9_partition_months_ahead 3\n") })
	warned := func() bool {
		mu.Lock()
		defer mu.Unlock()
		return strings.Contains(log.String(), "level=WARN msg=\"too few partitions of signals lie ahead")
	}
	if warned() {
		t.Error("it warns while there are enough")
	}
	month := c.Now()
	c.Advance(time.Date(month.Year(), month.Month()+2, 1, 0, 0, 0, 0, time.UTC).Sub(month))
	testenv.Eventually(t, "the warning", warned)
	for _, line := range []string{"hal9_partition_months_ahead 1\n", "hal9_partition_last_run_timestamp_seconds 0\n"} {
		if !strings.Contains(exposition(set), line) {
			t.Errorf("no %s in\n%s", line, exposition(set))
		}
	}
	if strings.Contains(exposition(set), "hal9_partition_failures_total 0\n") {
		t.Error("the failures are not counted")
	}
	stop()
	ok(t, <-ended)
}

// withoutEnsure is a database whose role was granted all but the making of partitions:
// everything else is real.
type withoutEnsure struct{ model.Store }

func (withoutEnsure) SignalPartitionEnsure(context.Context, time.Time) (bool, error) {
	return false, model.ErrUnavailable
}

type lockedWriter struct {
	mu *sync.Mutex
	b  *bytes.Buffer
}

func (w lockedWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.Write(p)
}
