package copydb_test

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/hal9-ai/hal9/model"
	"github.com/hal9-ai/hal9/transfer/copydb"
)

// childEnv makes the test binary a copy that stands still behind its tenth chunk.
const childEnv = "HAL9_TEST_COPY_CHILD"

func TestMain(m *testing.M) {
	if args := os.Getenv(childEnv); args != "" {
		child(args)
	}
	os.Exit(m.Run())
}

func child(args string) {
	from, to, _ := strings.Cut(args, " ")
	chunks := 0
	_, err := copydb.Copy(context.Background(), copydb.WithChunks(options(from, to), 20, func() error {
		if chunks++; chunks == 10 {
			fmt.Println("midway")
			select {} // until it is killed
		}
		return nil
	}))
	fmt.Println("ended:", errors.Join(err, errors.New("not killed")))
	os.Exit(1)
}

// TestCopyGoesOnAfterKill: a copy that is killed with -9 midway goes on behind the last
// chunk, and what the source's writers did meanwhile is in it as well.
func TestCopyGoesOnAfterKill(t *testing.T) {
	t.Parallel()
	for _, engines := range [][2]string{{"sqlite", "postgres"}, {"postgres", "sqlite"}} {
		t.Run(engines[0]+" to "+engines[1], func(t *testing.T) {
			t.Parallel()
			from, to := newDatabase(t, engines[0]), newDatabase(t, engines[1])
			fill(t, from, 400)
			killMidway(t, from, to)

			if _, err := copydb.Copy(t.Context(), options(newDatabase(t, "sqlite"), to)); !errors.Is(err, copydb.ErrOther) {
				t.Errorf("another source went on with it: %v", err)
			}
			withStore(t, from, func(st model.Store) {
				addSignals(t, st, 30)
				_, err := st.NeuronDelete(t.Context(), model.NeuronDeleteParams{ID: "neuron-ß-1"})
				must(t, err)
				_, err = st.NeuronSetState(t.Context(), model.NeuronSetStateParams{ID: "neuron-ß-2", State: "busy", Condition: "running", UpdatedAt: start})
				must(t, err)
			})
			wantShield(t, to, true)
			report := copyAll(t, options(from, to))
			wantShield(t, to, false)
			if !report.Resumed || !report.Complete {
				t.Errorf("resumed %v, complete %v", report.Resumed, report.Complete)
			}
			if _, err := copydb.Copy(t.Context(), options(from, to)); !errors.Is(err, copydb.ErrNotEmpty) {
				t.Errorf("it was copied over what is there: %v", err)
			}
		})
	}
}

// wantShield: no server writes into an unfinished copy, or into one that is complete.
// Against SQLite's own lock there is nothing to see once its holder is gone.
func wantShield(t *testing.T, to string, unfinished bool) {
	t.Helper()
	if strings.HasPrefix(to, "sqlite:") {
		return
	}
	withStore(t, to, func(st model.Store) {
		_, err := st.NeuronSetState(t.Context(), model.NeuronSetStateParams{ID: "neuron-ß-2", State: "busy", Condition: "running", UpdatedAt: start})
		if errors.Is(err, model.ErrReadOnly) != unfinished {
			t.Errorf("unfinished is %v, and a write ended with %v", unfinished, err)
		}
	})
}

func killMidway(t *testing.T, from, to string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+from+" "+to)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || line != "midway\n" {
		t.Fatalf("the copy said %q, %v", line, err)
	}
	must(t, cmd.Process.Kill())
	_ = cmd.Wait() // killed
}

// TestCopyReportsRefusedRows: a row that the target cannot hold is named with its
// reason, and so are those that hang on it; all others are copied.
func TestCopyReportsRefusedRows(t *testing.T) {
	t.Parallel()
	from, to := newDatabase(t, "sqlite"), newDatabase(t, "postgres")
	fill(t, from, 100)
	alter(t, from,
		"UPDATE users SET password_hash = 'a' || char(0) || 'b' WHERE username = 'user-3'",
		"UPDATE memories SET content = CAST(x'ff41' AS TEXT) WHERE row_id = 7",
		"UPDATE signals SET id = 'not-a-uuid-but-thirty-six-long-12345' WHERE rowid = 12",
	)
	const listed = 3
	var all []copydb.Refused
	o := copydb.WithListed(copydb.WithChunks(options(from, to), 64, nil), listed)
	o.Refused = func(r copydb.Refused) error { all = append(all, r); return nil }
	report, err := copydb.Copy(t.Context(), o)
	must(t, err)
	refused := map[string]int{}
	// The report holds the first ones: there may be as many as rows in the source.
	if len(report.Refused) != listed || !slices.Equal(report.Refused, all[:listed]) {
		t.Errorf("listed %v of %v", report.Refused, all)
	}
	for _, r := range all {
		refused[r.Table]++
		if r.Key == "" || r.Reason == "" {
			t.Errorf("%+v", r)
		}
	}
	want := map[string]int{"users": 1, "sessions": 1, "refresh_tokens": 1, "api_keys": 1, "legacy_details": 1, "memories": 1, "signals": 1}
	if len(refused) != len(want) {
		t.Errorf("refused %v", all)
	}
	for _, table := range report.Tables {
		if n := int64(want[table.Table]); table.Refused != n || table.Missing != n || table.Equal != table.SourceRows-n || table.Extra+table.Different != 0 {
			t.Errorf("%+v", table)
		}
	}
}

// TestCatchUpWithExchangedValues: rows that exchange a unique value, each of which is refused
// as long as the others have theirs, are brought over, however few keys of them are kept;
// what is refused for good is named.
func TestCatchUpWithExchangedValues(t *testing.T) {
	t.Parallel()
	for _, kept := range []int{1, 2, 1000} {
		t.Run(strconv.Itoa(kept), func(t *testing.T) {
			t.Parallel()
			from, to := newDatabase(t, "sqlite"), newDatabase(t, "postgres")
			fill(t, from, 100)
			interrupted := errors.New("interrupted")
			chunks := 0
			_, err := copydb.Copy(t.Context(), copydb.WithChunks(options(from, to), 20, func() error {
				if chunks++; chunks == 15 { // in the signals, when the users are there
					return interrupted
				}
				return nil
			}))
			if !errors.Is(err, interrupted) {
				t.Fatalf("it was not interrupted: %v", err)
			}
			alter(t, from,
				"UPDATE users SET username = 'was-' || username, version = version + 1000",
				"UPDATE users SET username = 'user-' || ((substr(username, 10) + 1) % 5)",
				"UPDATE users SET password_hash = 'a' || char(0) || 'b' WHERE username = 'user-3'",
			)
			report, err := copydb.Copy(t.Context(), copydb.WithKeptKeys(options(from, to), kept))
			must(t, err)
			refused := map[string]int64{"users": 1, "sessions": 1, "refresh_tokens": 1, "api_keys": 1, "legacy_details": 1}
			for _, table := range report.Tables {
				if n := refused[table.Table]; table.Refused != n || table.Missing != n || table.Equal != table.SourceRows-n || table.Extra+table.Different != 0 {
					t.Errorf("%+v", table)
				}
				if table.Table == "users" && table.Changed != 5 {
					t.Errorf("of the users %d were caught up with", table.Changed)
				}
			}
		})
	}
}

// TestCompareFindsWhatDiffers: the comparison names each kind of difference.
func TestCompareFindsWhatDiffers(t *testing.T) {
	t.Parallel()
	from, to := newDatabase(t, "postgres"), newDatabase(t, "sqlite")
	fill(t, from, 50)
	copyAll(t, options(from, to))
	alter(t, to,
		"UPDATE neurons SET updated_at = updated_at + 1, settings = '{ \"a\":\"é\", \"z\":{\"y\":[]}}' WHERE id = 'neuron-ß-0'",
		"DELETE FROM signals WHERE rowid = 3",
		"INSERT INTO metrics_aggregate SELECT '00000000-0000-0000-0000-000000000000', metric_name, neuron_id, value, labels, timestamp FROM metrics_aggregate LIMIT 1",
	)
	o := options(from, to)
	o.CompareOnly = true
	report, err := copydb.Copy(t.Context(), o)
	must(t, err)
	found := map[string]string{}
	for _, d := range report.Differences {
		found[d.Table] = d.Kind + " " + strings.Join(d.Columns, " ")
	}
	if _, n := report.Faults(); n != 3 || found["neurons"] != "different updated_at" || found["signals"] != "missing " || found["metrics_aggregate"] != "extra " {
		t.Errorf("%+v", report.Differences)
	}
}

// alter changes an SQLite database past everything that guards it.
func alter(t *testing.T, url string, statements ...string) {
	t.Helper()
	db, err := sql.Open("sqlite", strings.TrimPrefix(url, "sqlite://"))
	must(t, err)
	for _, s := range statements {
		if _, err := db.ExecContext(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	must(t, db.Close())
}
