package main

import (
	"context"
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/hal9-ai/hal9/internal/testenv"
	"github.com/hal9-ai/hal9/model"
	"github.com/hal9-ai/hal9/store"
)

// putSignals stores one signal at each moment.
func putSignals(t *testing.T, url string, moments ...time.Time) {
	t.Helper()
	st, err := store.Open(t.Context(), store.Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	for _, at := range moments {
		n, err := st.SignalInsert(t.Context(), model.SignalInsertParams{
			ID: uuid.New(), FromNeuron: "a", ToNeuron: "b", LayerFrom: "L1", LayerTo: "L2", PropagationType: "forward",
			Content: "c", Metadata: model.JSON(`{}`), Timestamp: at,
		})
		if err != nil || n != 1 {
			t.Fatalf("insert: %d, %v", n, err)
		}
	}
}

func listOf(t *testing.T, environ []string) map[string]partitionJSON {
	t.Helper()
	var all []partitionJSON
	if err := json.Unmarshal([]byte(hal9(t, environ, "partitions", "list", "--json").out), &all); err != nil {
		t.Fatalf("list --json: %v", err)
	}
	byName := map[string]partitionJSON{}
	for _, p := range all {
		byName[p.Name] = p
	}
	return byName
}

func day(year int, month time.Month) time.Time {
	return time.Date(year, month, 15, 12, 0, 0, 0, time.UTC)
}

func TestPartitionsOnPostgres(t *testing.T) {
	t.Parallel()
	url := testenv.PostgresDatabase(t)
	environ := []string{"HAL9_DATABASE_URL=" + url}
	hal9 := func(args ...string) outcome { t.Helper(); return hal9(t, environ, args...) }
	hal9("partitions", "list").want(t, exitPending, "", "hal9 migrate up")
	hal9("migrate", "up").want(t, exitOK, migrated(t), "")
	putSignals(t, url, day(2001, 2), day(2001, 3), day(2002, 1), day(2003, 1), time.Now())

	hal9("partitions", "ensure", "--month", "2001-02", "--month", "2003-01", "--dry-run").
		want(t, exitOK, "SELECT signals_partition_ensure('2001-02-01T00:00:00Z');\nSELECT signals_partition_ensure('2003-01-01T00:00:00Z');\n", "")
	if _, made := listOf(t, environ)["signals_y2001m02"]; made {
		t.Error("a dry run made a partition")
	}
	hal9("partitions", "ensure", "--month", "2001-02", "--month", "2003-01").want(t, exitOK, "made 2001-02\nmade 2003-01\n", "")
	hal9("partitions", "ensure", "--month", "2001-02").want(t, exitOK, "2001-02 was there already\n", "")
	ahead := time.Now().UTC().AddDate(0, 0, 1-time.Now().UTC().Day()).AddDate(0, 4, 0).Format("2006-01")
	hal9("partitions", "ensure", "--ahead", "4").want(t, exitOK, "made "+ahead, "")
	hal9("partitions", "ensure").want(t, exitOK, "was there already", "")

	def := listOf(t, environ)["signals_default"]
	if !slices.Equal(def.Months, []monthJSON{{"2001-03", 1}, {"2002-01", 1}}) || def.Rows == nil || *def.Rows != 2 {
		t.Errorf("the default partition holds %+v", def)
	}
	hal9("partitions", "list").want(t, exitOK, "\n4 months ahead have their partition.\n\nIn the default partition:\n  2001-03  1 rows;", "")

	feb := listOf(t, environ)["signals_y2001m02"]
	if feb.Start == nil || feb.Start.Format(time.RFC3339) != "2001-02-01T00:00:00Z" || feb.End.Format(time.RFC3339) != "2001-03-01T00:00:00Z" {
		t.Errorf("listed as %+v", feb)
	}
	if def := listOf(t, environ)["signals_default"]; !def.Default || def.Start != nil || def.Bytes == nil || *def.Bytes == 0 {
		t.Errorf("the default partition is listed as %+v", def)
	}

	script := hal9("partitions", "drop", "--before", "2002-02", "--dry-run")
	script.want(t, exitOK, "-- signals_y2001m02\nSELECT signals_partition_drop('2001-03-01T00:00:00Z');\n", "")
	hal9("partitions", "drop", "--before", "2002-02").want(t, exitUsage, "", "--yes")
	if listOf(t, environ)["signals_y2001m02"].Name == "" {
		t.Error("dropped without being told to")
	}
	// The month, and what lay before February 2002 in the default partition.
	hal9("partitions", "drop", "--before", "2002-02", "--yes").
		want(t, exitOK, "dropped signals_y2001m02\ndeleted 2 rows of signals_default\n", "")
	hal9("partitions", "drop", "--before", "2002-02", "--yes").want(t, exitOK, "Nothing to do.", "")
	if left := listOf(t, environ); left["signals_y2001m02"].Name != "" || left["signals_y2003m01"].Name == "" {
		t.Errorf("left: %v", left)
	}
	if n := signalCount(t, url); n != 2 {
		t.Errorf("%d signals are left, not those of 2003 and today", n)
	}
}

func signalCount(t *testing.T, url string) int {
	t.Helper()
	st, err := store.Open(t.Context(), store.Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	all, err := st.SignalList(t.Context(), model.SignalListParams{
		Since: day(1990, 1), Until: day(2100, 1), CursorTimestamp: day(2100, 1), PageLimit: 100,
	})
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

func TestPartitionsOnSQLite(t *testing.T) {
	t.Parallel()
	url := "sqlite://" + filepath.Join(t.TempDir(), "hal9.db")
	environ := []string{"HAL9_DATABASE_URL=" + url}
	hal9 := func(args ...string) outcome { t.Helper(); return hal9(t, environ, args...) }
	hal9("partitions", "list").want(t, exitPending, "", "hal9 migrate up")
	if found, err := filepath.Glob(strings.TrimPrefix(url, "sqlite://") + "*"); err != nil || len(found) != 0 {
		t.Errorf("a list made %v", found)
	}
	hal9("migrate", "up").want(t, exitOK, migrated(t), "")
	hal9("partitions", "ensure").want(t, exitOK, "nothing to do", "")
	hal9("partitions", "drop", "--before", "2002-02", "--yes").want(t, exitOK, "Nothing to do.", "")
	end := time.Date(2001, 3, 1, 0, 0, 0, 0, time.UTC)
	putSignals(t, url, day(1960, 5), day(2001, 2), end.Add(-time.Microsecond), end, day(2002, 1), time.Now())

	all := listOf(t, environ)
	if feb := all["signals_y2001m02"]; len(all) != 5 || feb.Rows == nil || *feb.Rows != 2 || !feb.End.Equal(end) {
		t.Errorf("listed as %+v", all)
	}
	hal9("partitions", "drop", "--before", "2001-03", "--dry-run").want(t, exitOK, "-- signals_y2001m02, 2 rows, until none is left\nDELETE FROM signals", "")
	hal9("partitions", "drop", "--before", "2001-03", "--yes").
		want(t, exitOK, "deleted 1 rows of signals_y1960m05\ndeleted 2 rows of signals_y2001m02\n", "")
	if n := signalCount(t, url); n != 3 {
		t.Errorf("%d signals are left, not 3", n)
	}
}

func TestPartitionsRefusesBadMonths(t *testing.T) {
	t.Parallel()
	onBothEngines(t, func(t *testing.T, environ []string) {
		hal9 := func(args ...string) outcome { t.Helper(); return hal9(t, environ, args...) }
		hal9("migrate", "up").want(t, exitOK, migrated(t), "")
		hal9("partitions", "drop").want(t, exitUsage, "", "--before")
		for _, bad := range []string{"2001", "2001-13", "2001-1", "01-2001", "2001-02-03", ""} {
			hal9("partitions", "drop", "--before="+bad, "--yes").want(t, exitUsage, "", "--before")
			hal9("partitions", "ensure", "--month="+bad).want(t, exitUsage, "", "--month")
		}
		hal9("partitions", "ensure", "--ahead", "121").want(t, exitUsage, "", "between 0 and 120")
		hal9("partitions", "ensure", "--ahead", "1", "--month", "2001-01").want(t, exitUsage, "", "--ahead")
	})
}

func TestPartitionsDetachAndAttach(t *testing.T) {
	t.Parallel()
	url := testenv.PostgresDatabase(t)
	environ := []string{"HAL9_DATABASE_URL=" + url}
	hal9 := func(args ...string) outcome { t.Helper(); return hal9(t, environ, args...) }
	hal9("migrate", "up").want(t, exitOK, migrated(t), "")
	putSignals(t, url, day(2001, 2), day(2001, 2), day(2001, 3))
	hal9("partitions", "ensure", "--month", "2001-02").want(t, exitOK, "made 2001-02", "")

	hal9("partitions", "detach", "2001-02", "--dry-run").want(t, exitOK, "ALTER TABLE signals DETACH PARTITION signals_y2001m02;\n", "")
	hal9("partitions", "detach", "2001-02").want(t, exitOK, "detached 2001-02: its signals are in the table signals_detached_y2001m02\n", "")
	if n := signalCount(t, url); n != 1 {
		t.Errorf("%d signals are found, want that of March", n)
	}
	if p := listOf(t, environ)["signals_detached_y2001m02"]; !p.Detached || p.Start == nil || p.Start.Month() != time.February {
		t.Errorf("listed as %+v", p)
	}
	hal9("partitions", "list").want(t, exitOK, "'hal9 partitions attach 2001-02' brings it back", "")
	hal9("partitions", "drop", "--before", "2001-03", "--yes").want(t, exitOK, "Nothing to do.", "")

	// Signals of the month come in, and it is made anew.
	putSignals(t, url, day(2001, 2))
	hal9("partitions", "ensure", "--month", "2001-02").want(t, exitOK, "made 2001-02", "")
	hal9("partitions", "detach", "2001-02").want(t, exitUsage, "", "signals_detached_y2001m02 is there already")
	hal9("partitions", "attach", "2001-02").want(t, exitOK, "attached 2001-02 as signals_y2001m02\nmoved 1 signals into it", "")
	if n := signalCount(t, url); n != 4 {
		t.Errorf("%d signals are found, want 4", n)
	}
	hal9("partitions", "attach", "2001-02").want(t, exitUsage, "", "2001-02 is not detached")
	hal9("partitions", "detach", "2001-05").want(t, exitUsage, "", "there is no partition of 2001-05")
	hal9("partitions", "detach", time.Now().UTC().Format("2006-01")).want(t, exitUsage, "", "the month is not over")
	hal9("partitions", "detach", "2001-2").want(t, exitUsage, "", "MONTH")

	sqlite := []string{"HAL9_DATABASE_URL=sqlite://" + filepath.Join(t.TempDir(), "hal9.db")}
	environ = sqlite
	hal9("migrate", "up").want(t, exitOK, migrated(t), "")
	hal9("partitions", "detach", "2001-02").want(t, exitUsage, "", "SQLite has no partitions")
	hal9("partitions", "attach", "2001-02").want(t, exitUsage, "", "SQLite has no partitions")
}

// What a dry run prints is what a person runs by hand: run as it is, it makes of one database
// what the command makes of another.
func TestPartitionScriptsRunAsPrinted(t *testing.T) {
	t.Parallel()
	byHand, byCommand := testenv.PostgresDatabase(t), testenv.PostgresDatabase(t)
	on := func(url string, args ...string) outcome {
		t.Helper()
		return hal9(t, []string{"HAL9_DATABASE_URL=" + url}, args...)
	}
	for _, url := range []string{byHand, byCommand} {
		on(url, "migrate", "up").want(t, exitOK, migrated(t), "")
		on(url, "partitions", "ensure", "--month", "2001-02").want(t, exitOK, "made 2001-02", "")
		putSignals(t, url, day(2001, 2), day(2001, 2), day(2001, 3))
	}
	before := partitionCatalog(t, byCommand)
	for _, step := range []string{"detach", "attach"} {
		if step == "attach" { // what was stored meanwhile, in the default partition
			putSignals(t, byHand, day(2001, 2))
			putSignals(t, byCommand, day(2001, 2))
		}
		script := on(byHand, "partitions", step, "2001-02", "--dry-run")
		script.want(t, exitOK, "lock_timeout", "")
		runScript(t, byHand, script.out)
		on(byCommand, "partitions", step, "2001-02").want(t, exitOK, "2001-02", "")
		hand, command := partitionCatalog(t, byHand), partitionCatalog(t, byCommand)
		if hand != command || (hand == before) != (step == "attach") {
			t.Errorf("%s by hand leaves\n%s\nthe command leaves\n%s\nbefore there was\n%s", step, hand, command, before)
		}
		if a, b := signalCount(t, byHand), signalCount(t, byCommand); a != b || a != map[string]int{"detach": 1, "attach": 4}[step] {
			t.Errorf("%s by hand leaves %d signals, the command %d", step, a, b)
		}
	}
}

// runScript runs a script as psql does, statement by statement on one connection.
func runScript(t *testing.T, url, script string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
	for statement := range strings.SplitSeq(strings.TrimSuffix(strings.TrimSpace(script), ";"), ";\n") {
		if _, err := conn.Exec(t.Context(), statement, pgx.QueryExecModeSimpleProtocol); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	if conn.PgConn().TxStatus() != 'I' {
		t.Error("the script leaves its transaction open")
	}
}

// partitionCatalog tells all tables of signals with their bounds, constraints, indexes and
// rows.
func partitionCatalog(t *testing.T, url string) string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
	rows, err := conn.Query(t.Context(), `
		SELECT concat_ws(' ', c.relname, c.relkind, c.relispartition, pg_get_expr(c.relpartbound, c.oid)) FROM pg_class c WHERE c.relname LIKE 'signals%' AND c.relkind IN ('r', 'p')
		UNION ALL SELECT concat_ws(' ', conrelid::regclass, conname, pg_get_constraintdef(oid)) FROM pg_constraint WHERE conrelid::regclass::text LIKE 'signals%'
		UNION ALL SELECT concat_ws(' ', i.indexdef, EXISTS (SELECT 1 FROM pg_inherits WHERE inhrelid = to_regclass(i.indexname))) FROM pg_indexes i WHERE i.tablename LIKE 'signals%'
		ORDER BY 1`)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(lines, "\n")
}
