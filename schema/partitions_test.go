package schema_test

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/hal9-ai/hal9/internal/testenv"
	"github.com/hal9-ai/hal9/schema"
)

// migrated makes a migrated PostgreSQL database and returns its URL.
func migrated(tb testing.TB) string {
	tb.Helper()
	address := testenv.PostgresDatabase(tb)
	if _, err := open(tb, address, schema.Options{}).Up(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	return address
}

// with adds a parameter to a URL.
func with(tb testing.TB, address, key, value string) string {
	tb.Helper()
	u, err := url.Parse(address)
	if err != nil {
		tb.Fatal(err)
	}
	q := u.Query()
	q.Set(key, value)
	u.RawQuery = strings.ReplaceAll(q.Encode(), "+", "%20") // pgx takes a plus for a plus
	return u.String()
}

const listPartitions = `SELECT partition_name || ' ' || coalesce(to_char(range_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US'), '-')
	|| ' ' || coalesce(to_char(range_end AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US'), '-') || ' ' || is_default FROM signals_partition_list()`

func TestFourMonthsAreMade(t *testing.T) {
	t.Parallel()
	now := time.Now().UTC()
	first := time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, time.UTC)
	var want []string
	for ahead := range 4 {
		start := first.AddDate(0, ahead, 0)
		want = append(want, start.Format("signals_y2006m01 2006-01-02 15:04:05.000000 ")+
			start.AddDate(0, 1, 0).Format("2006-01-02 15:04:05.000000 ")+"false")
	}
	want = append(want, "signals_default - - true")
	// Plain goose migrates in the zone of the session; 14 hours ahead and 11 behind
	// UTC are other days, and where summer time begins a month is not a month.
	for _, zone := range []string{"UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago", "America/New_York"} {
		t.Run(zone, func(t *testing.T) {
			t.Parallel()
			address := with(t, testenv.PostgresDatabase(t), "timezone", zone)
			db := connect(t, with(t, address, "datestyle", "SQL, DMY"))
			if err := schema.Migrate(t.Context(), db, schema.Postgres); err != nil {
				t.Fatal(err)
			}
			if got := query[string](t, db, listPartitions); !slices.Equal(got, want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		})
	}
}

// The migration counts months ahead from any day of the year, in any zone.
func TestMonthsAheadInEveryZone(t *testing.T) {
	t.Parallel()
	text, err := schema.Files(schema.Postgres)
	if err != nil {
		t.Fatal(err)
	}
	bytes, err := fs.ReadFile(text, "00004_signals.sql")
	if err != nil {
		t.Fatal(err)
	}
	// The very expression of the migration, asked about other days than today.
	_, expression, found := strings.Cut(string(bytes), "SELECT signals_partition_ensure(")
	expression, _, closed := strings.Cut(expression, ")\nFROM generate_series(0, 3)")
	if !found || !closed {
		t.Fatal("00004_signals.sql makes its months in another way")
	}
	expression = strings.ReplaceAll(expression, "now()", "$1::timestamptz")
	db := connect(t, with(t, testenv.PostgresDatabase(t), "timezone", "America/New_York"))
	for month := range 12 {
		day := time.Date(2026, time.Month(month+1), 1, 3, 0, 0, 0, time.UTC)
		got := query[string](t, db, `SELECT to_char((`+expression+`) AT TIME ZONE 'UTC', 'YYYY-MM') FROM generate_series(0, 3) AS ahead`, day)
		var want []string
		for ahead := range 4 {
			want = append(want, day.AddDate(0, ahead, 0).Format("2006-01"))
		}
		if !slices.Equal(got, want) {
			t.Errorf("from %s: %v", day.Format("2006-01"), got)
		}
	}
}

func TestRowsMoveHome(t *testing.T) {
	t.Parallel()
	db := connect(t, migrated(t))
	// Both ends of the month, and the moments around it.
	month := time.Date(2031, 2, 1, 0, 0, 0, 0, time.UTC)
	inside := []time.Time{month, month.AddDate(0, 0, 9), month.AddDate(0, 1, 0).Add(-time.Microsecond)}
	outside := []time.Time{month.Add(-time.Microsecond), month.AddDate(0, 1, 0)}
	for _, at := range slices.Concat(inside, outside) {
		insertSignal(t, db, schema.Postgres, at)
	}
	if n := one[int](t, db, "SELECT count(*) FROM signals_default"); n != 5 {
		t.Fatalf("%d rows in the default partition", n)
	}
	ensure := "SELECT signals_partition_ensure($1)"
	if !one[bool](t, db, ensure, inside[1]) {
		t.Error("not made")
	}
	if one[bool](t, db, ensure, inside[2]) {
		t.Error("made twice")
	}
	if n := one[int](t, db, "SELECT count(*) FROM signals_y2031m02"); n != len(inside) {
		t.Errorf("%d rows came home, not %d", n, len(inside))
	}
	if n := one[int](t, db, "SELECT count(*) FROM signals_default"); n != len(outside) {
		t.Errorf("%d rows stayed, not %d", n, len(outside))
	}
	insertSignal(t, db, schema.Postgres, inside[1])
	if n := one[int](t, db, "SELECT count(*) FROM signals_y2031m02"); n != len(inside)+1 {
		t.Error("a new row of the month went elsewhere")
	}

	// The new partition is like those of the migration.
	now := time.Now().UTC().Format("signals_y2006m01")
	columns := func(table string) []string {
		return query[string](t, db, `SELECT replace(pg_get_indexdef(indexrelid), $1::text, 'T') FROM pg_index WHERE indrelid = $1::regclass
			UNION ALL SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = $1::regclass ORDER BY 1`, table)
	}
	same(t, "indexes and constraints", columns("signals_y2031m02"), columns(now))

	gone := query[string](t, db, "SELECT signals_partition_drop($1)", month.AddDate(0, 1, 0))
	if !slices.Equal(gone, []string{"signals_y2031m02"}) && len(gone) != 5 {
		t.Errorf("dropped %v", gone)
	}
	if n := one[int](t, db, "SELECT count(*) FROM signals"); n != len(outside) {
		t.Errorf("%d rows are left, not %d", n, len(outside))
	}
}

func TestStrangersTableIsNotTaken(t *testing.T) {
	t.Parallel()
	db := connect(t, migrated(t))
	run(t, db, "CREATE TABLE signals_y2032m01 (id int)")
	_, err := db.ExecContext(t.Context(), "SELECT signals_partition_ensure('2032-01-15T00:00:00Z')")
	if pg, ok := errors.AsType[*pgconn.PgError](err); !ok || pg.Code != "42P07" || pg.Hint == "" {
		t.Errorf("ensure: %v", err)
	}
}

// Whoever holds a lock makes the functions give up, not hold up everybody behind them.
func TestLockTimeout(t *testing.T) {
	t.Parallel()
	db := connect(t, migrated(t))
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(t.Context(), "SELECT count(*) FROM signals"); err != nil {
		t.Fatal(err)
	}
	for _, call := range []string{
		"SELECT signals_partition_ensure('2033-01-01T00:00:00Z')",
		"SELECT signals_partition_drop(now() + interval '1 year')",
	} {
		start := time.Now()
		_, err := db.ExecContext(t.Context(), call)
		if pg, ok := errors.AsType[*pgconn.PgError](err); !ok || pg.Code != "55P03" {
			t.Errorf("%s: %v", call, err)
		}
		if took := time.Since(start); took < time.Second || took > 5*time.Second {
			t.Errorf("%s gave up after %s", call, took)
		}
		insertSignal(t, db, schema.Postgres, time.Now())
	}
}

// Everything works in a schema other than public, and functions stay in theirs.
func TestOtherSchema(t *testing.T) {
	t.Parallel()
	address := testenv.PostgresDatabase(t)
	db := connect(t, address)
	for _, name := range []string{"hal9", `"Two; words"`} {
		run(t, db, "CREATE SCHEMA "+name)
		inside := with(t, address, "search_path", name)
		m := open(t, inside, schema.Options{})
		if _, err := m.Up(t.Context()); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		other := connect(t, inside)
		insertSignal(t, other, schema.Postgres, time.Date(2043, 7, 7, 0, 0, 0, 0, time.UTC))
		// Called from outside, the function still works in its own schema.
		if !one[bool](t, db, "SELECT "+name+".signals_partition_ensure('2043-07-01T00:00:00Z')") {
			t.Errorf("%s: not made", name)
		}
		if n := one[int](t, other, "SELECT count(*) FROM signals_y2043m07"); n != 1 {
			t.Errorf("%s: %d rows came home", name, n)
		}
		if err := m.Check(t.Context()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := one[int](t, db, "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace"); n != 0 {
		t.Errorf("%d relations in public", n)
	}
	if _, err := open(t, with(t, address, "search_path", "hal9"), schema.Options{}).DownTo(t.Context(), 0); err != nil {
		t.Error(err)
	}
	if n := one[int](t, db, "SELECT count(*) FROM pg_class WHERE relname = 'signals'"); n != 1 {
		t.Errorf("%d tables named signals are left, not the other schema's", n)
	}
}

// Inserts go on while partitions come and go.
func TestInsertsGoOn(t *testing.T) {
	t.Parallel()
	address := migrated(t)
	db := connect(t, address)
	ctx, stop := context.WithCancel(t.Context())
	type outcome struct {
		rows    int
		longest time.Duration
		err     error
	}
	writers := make(chan outcome, 3)
	started := make(chan struct{}, 3)
	for w := range cap(writers) {
		conn := connect(t, address)
		go func() {
			var o outcome
			for ; ctx.Err() == nil && o.err == nil; o.rows++ {
				// By turns into a month that stays, and into the one that is made and
				// dropped meanwhile.
				at := time.Now()
				if o.rows%2 == 1 {
					at = time.Date(2035, 6, 1+w, 0, 0, 0, o.rows*1000, time.UTC)
				}
				start := time.Now()
				_, o.err = conn.ExecContext(t.Context(), `INSERT INTO signals (id, from_neuron, to_neuron, layer_from, layer_to, content, timestamp)
					VALUES (gen_random_uuid(), 'a', 'b', 'L1', 'L2', 'c', $1)`, at)
				o.longest = max(o.longest, time.Since(start))
				if o.rows == 0 {
					started <- struct{}{}
				}
			}
			writers <- o
		}()
	}
	for range cap(writers) {
		<-started
	}
	made, dropped := 0, 0
	for range 10 {
		made += changes(t, db, "SELECT signals_partition_ensure('2035-06-01T00:00:00Z')::int")
		dropped += changes(t, db, "SELECT count(*) FROM signals_partition_drop('2035-07-01T00:00:00Z') AS p WHERE p = 'signals_y2035m06'")
		changes(t, db, "SELECT signals_partition_ensure(now())::int")
	}
	stop()
	total := 0
	for range cap(writers) {
		o := <-writers
		total += o.rows
		if o.err != nil {
			t.Errorf("insert: %v", o.err)
		}
		t.Logf("%d rows, longest insert %s", o.rows, o.longest)
	}
	if made == 0 || dropped == 0 || total < 20 {
		t.Errorf("proves nothing: made %d, dropped %d, inserted %d", made, dropped, total)
	}
}

// changes runs a query that returns a number, 0 if a lock was not free in time.
func changes(tb testing.TB, db *sql.DB, text string) int {
	tb.Helper()
	var n int
	err := db.QueryRowContext(tb.Context(), text).Scan(&n)
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok && pg.Code == "55P03" {
		return 0
	}
	if err != nil {
		tb.Errorf("%s: %v", text, err)
	}
	return n
}

func TestSearchPathThatLeadsNowhere(t *testing.T) {
	t.Parallel()
	_, err := schema.Open(t.Context(), with(t, testenv.PostgresDatabase(t), "search_path", "nowhere"), schema.Options{})
	if !errors.Is(err, schema.ErrURL) || !strings.Contains(err.Error(), "CREATE SCHEMA") {
		t.Errorf("open: %v", err)
	}
}

// A transaction that has read signals and goes on to write meets a partition being
// made, which waits for it in turn. It is never the transaction that pays.
func TestReaderThatWritesWins(t *testing.T) {
	t.Parallel()
	address := migrated(t)
	db := connect(t, address)
	// Both look for a deadlock a second after they began to wait, and the first to look
	// gives way: on a busy machine a few milliseconds would not tell who that is.
	for _, pause := range []time.Duration{200 * time.Millisecond, 1200 * time.Millisecond} {
		tx, err := db.BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.ExecContext(t.Context(), "SELECT count(*) FROM signals"); err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() {
			_, err := db.ExecContext(t.Context(), "SELECT signals_partition_ensure('2034-01-01T00:00:00Z')")
			done <- err
		}()
		testenv.Eventually(t, "a session that waits", func() bool {
			return one[int](t, db, `SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'signals_default'::regclass`) == 1
		})
		if _, err := tx.ExecContext(t.Context(), "SELECT pg_sleep($1)", pause.Seconds()); err != nil {
			t.Fatal(err)
		}
		_, err = tx.ExecContext(t.Context(), `INSERT INTO signals (id, from_neuron, to_neuron, layer_from, layer_to, content, timestamp)
			VALUES (gen_random_uuid(), 'a', 'b', 'L1', 'L2', 'c', '2034-01-07T00:00:00Z')`)
		if err != nil {
			t.Errorf("insert after a read: %v", err)
		}
		if err := tx.Commit(); err != nil {
			t.Errorf("commit: %v", err)
		}
		if pg, ok := errors.AsType[*pgconn.PgError](<-done); !ok || pg.Code != "40P01" && pg.Code != "55P03" {
			t.Errorf("ensure: %v", pg)
		}
	}
	if !one[bool](t, db, "SELECT signals_partition_ensure('2034-01-01T00:00:00Z')") {
		t.Error("not made afterwards")
	}
	if n := one[int](t, db, "SELECT count(*) FROM signals_y2034m01"); n != 2 {
		t.Errorf("%d rows came home", n)
	}
}
