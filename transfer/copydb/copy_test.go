package copydb_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hal9-ai/hal9/internal/testenv"
	"github.com/hal9-ai/hal9/model"
	"github.com/hal9-ai/hal9/transfer/copydb"
)

// TestCopyThereAndBack: what a database holds is in the other engine's, and in a
// third one when that is copied on.
func TestCopyThereAndBack(t *testing.T) {
	t.Parallel()
	first, second, third, fourth := newDatabase(t, "sqlite"), newDatabase(t, "postgres"), newDatabase(t, "postgres"), newDatabase(t, "sqlite")
	fill(t, first, 500)
	report := copyAll(t, options(first, second))
	if report.PartitionsMade < 3 {
		t.Errorf("%d partitions were made", report.PartitionsMade)
	}
	copyAll(t, options(second, third))
	copyAll(t, options(third, fourth))
	var epoch, version int64
	withStore(t, first, func(st model.Store) { epoch, version = marks(t, st) })
	for _, url := range []string{second, third, fourth} {
		withStore(t, url, func(st model.Store) { wantGoodCopy(t, st, epoch, version) })
	}
}

// TestCopyThatIsNotCommitted: a copy is complete when its last transaction is, and not before.
func TestCopyThatIsNotCommitted(t *testing.T) {
	t.Parallel()
	from, to := newDatabase(t, "sqlite"), newDatabase(t, "postgres")
	fill(t, from, 3)
	execOn(t, to, `CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'refused'; END $$`)
	execOn(t, to, "CREATE CONSTRAINT TRIGGER refuse AFTER UPDATE ON database_epoch DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse()")
	report, err := copydb.Copy(t.Context(), options(from, to))
	if err == nil || !strings.Contains(err.Error(), "refused") || report.Complete || report.Epoch != 0 {
		t.Errorf("complete: %v, epoch %d, %v", report.Complete, report.Epoch, err)
	}
	execOn(t, to, "DROP TRIGGER refuse ON database_epoch")
	if report := copyAll(t, options(from, to)); !report.Complete || !report.Resumed {
		t.Errorf("complete: %v, resumed: %v", report.Complete, report.Resumed)
	}
}

// marks returns a database's epoch, and the version that it gives next.
func marks(t *testing.T, st model.Store) (epoch, version int64) {
	t.Helper()
	epoch, err := st.DatabaseEpochGet(t.Context())
	must(t, err)
	n, err := st.NeuronSetState(t.Context(), model.NeuronSetStateParams{ID: "neuron-l2", State: "busy", Condition: "running", UpdatedAt: start})
	must(t, err)
	return epoch, n.Version
}

// wantGoodCopy asks a copy what only a good one can answer.
func wantGoodCopy(t *testing.T, st model.Store, epoch, version int64) {
	t.Helper()
	search := model.MemorySearchParams{Match: `"run" AND "naiv"`, Phrases: model.JSON("[]"), PageLimit: 100, PageBytes: 1 << 30}
	if st.Engine() == "postgres" {
		search.Match = "'run' & 'naiv'"
	}
	if found, err := st.MemorySearch(t.Context(), search); err != nil || len(found) != 40 {
		t.Errorf("%s: found %d memories, %v", st.Engine(), len(found), err)
	}
	ownEpoch, ownVersion := marks(t, st)
	if ownEpoch <= epoch {
		t.Errorf("the epoch went from %d to %d", epoch, ownEpoch)
	}
	if ownVersion < version {
		t.Errorf("versions go on at %d, the source's at %d", ownVersion, version)
	}
	parts, err := st.SignalPartitionList(t.Context())
	must(t, err)
	for _, p := range parts {
		if st.Engine() == "postgres" && p.IsDefault && p.Rows > 0 {
			t.Errorf("%d rows lie in the default partition", p.Rows)
		}
	}
}

// TestCopyOrdersTextByBytes: a key whose text PostgreSQL orders by a locale is read in the
// order of bytes, as the other side has it, or rows would pass each other by unseen.
func TestCopyOrdersTextByBytes(t *testing.T) {
	t.Parallel()
	names := []string{"a", "B", "c", "D", "é", "_", "E1", "e 2", "e-10"}
	create := map[string]string{
		"postgres": `CREATE TABLE tags (name text COLLATE "und-x-icu" PRIMARY KEY, note text NOT NULL)`,
		"sqlite":   "CREATE TABLE tags (name TEXT PRIMARY KEY NOT NULL, note TEXT NOT NULL)",
	}
	for _, engines := range [][2]string{{"sqlite", "postgres"}, {"postgres", "sqlite"}} {
		t.Run(engines[0]+" to "+engines[1], func(t *testing.T) {
			t.Parallel()
			from, to := newDatabase(t, engines[0]), newDatabase(t, engines[1])
			fill(t, from, 3)
			execOn(t, from, create[engines[0]])
			execOn(t, to, create[engines[1]])
			for _, name := range names {
				execOn(t, from, "INSERT INTO tags (name, note) VALUES ('"+name+"', 'old')")
			}
			interrupted := errors.New("interrupted")
			chunks, all := 0, -1
			count := func() error {
				if chunks++; chunks == all {
					return interrupted
				}
				return nil
			}
			other := newDatabase(t, engines[1])
			execOn(t, other, create[engines[1]])
			copyAll(t, copydb.WithChunks(options(from, other), 2, count))
			chunks, all = 0, chunks // at the last one
			if _, err := copydb.Copy(t.Context(), copydb.WithChunks(options(from, to), 2, count)); !errors.Is(err, interrupted) {
				t.Fatalf("it was not interrupted: %v", err)
			}
			execOn(t, from, "UPDATE tags SET note = 'new' WHERE name IN ('B', 'e 2')")
			execOn(t, from, "DELETE FROM tags WHERE name IN ('a', '_')")
			report := copyAll(t, options(from, to))
			for _, table := range report.Tables {
				if table.Table == "tags" && table.Equal != int64(len(names)-2) {
					t.Errorf("%+v", table)
				}
			}
		})
	}
}

// TestCopyOfASchema: tables lie in the schema that search_path names, however it is written.
func TestCopyOfASchema(t *testing.T) {
	t.Parallel()
	inSchema := func() string {
		address := testenv.PostgresDatabase(t)
		execOn(t, address, `CREATE SCHEMA "Hal9-data"`)
		u, err := url.Parse(address)
		must(t, err)
		query := u.Query()
		query.Set("search_path", `"Hal9-data"`)
		u.RawQuery = query.Encode()
		must(t, openStore(t, u.String()).Close())
		return u.String()
	}
	first, second, third := inSchema(), newDatabase(t, "sqlite"), inSchema()
	fill(t, first, 10)
	for _, pair := range [][2]string{{first, second}, {second, third}} {
		o := options(pair[0], pair[1])
		o.Follow = pair[0] == first
		copyAll(t, o)
	}
}

// TestCopyOntoItself: a database that two URLs name is not emptied to be filled from itself.
func TestCopyOntoItself(t *testing.T) {
	t.Parallel()
	link := filepath.Join(t.TempDir(), "link.db")
	for engine, again := range map[string]func(url string) string{
		"postgres": func(url string) string {
			if strings.Contains(url, "?") {
				return url + "&application_name=other"
			}
			return url + "?application_name=other"
		},
		"sqlite": func(url string) string {
			must(t, os.Symlink(strings.TrimPrefix(url, "sqlite://"), link))
			return "sqlite://" + link
		},
	} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			url := newDatabase(t, engine)
			fill(t, url, 10)
			o := options(url, again(url))
			o.Clean = true
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second) // it would wait for itself
			defer cancel()
			if report, err := copydb.Copy(ctx, o); !errors.Is(err, copydb.ErrSame) {
				t.Errorf("%v, %+v", err, report)
			}
			exported, err := copydb.Export(t.Context(), copydb.ExportOptions{From: url}, new(bytes.Buffer))
			if err != nil || exported.Rows["signals"] != 10 || exported.Rows["users"] != 5 {
				t.Errorf("%v, %v", exported.Rows, err)
			}
		})
	}
}

// TestCopyFromReplica: a replica can be copied from, but not onto the primary that it follows.
func TestCopyFromReplica(t *testing.T) {
	t.Parallel()
	r := testenv.StartReplication(t)
	primary, replica := r.Primary.URL("postgres"), r.Replica.URL("postgres")
	fill(t, primary, 10)
	testenv.Eventually(t, "the replica to have all rows", func() bool {
		exported, err := copydb.Export(t.Context(), copydb.ExportOptions{From: replica}, new(bytes.Buffer))
		return err == nil && exported.Rows["signals"] == 10
	})
	o := options(replica, primary)
	o.Clean = true
	if report, err := copydb.Copy(t.Context(), o); !errors.Is(err, copydb.ErrSame) {
		t.Errorf("%v, %+v", err, report)
	}
	report := copyAll(t, options(replica, newDatabase(t, "sqlite")))
	if n := len(report.Tables); n == 0 {
		t.Errorf("%d tables", n)
	}
}

// execOn runs a statement in a database, past the store.
func execOn(t *testing.T, url, statement string) {
	t.Helper()
	if path, ok := strings.CutPrefix(url, "sqlite://"); ok {
		db, err := sql.Open("sqlite", path)
		must(t, err)
		defer func() { must(t, db.Close()) }()
		_, err = db.ExecContext(t.Context(), statement)
		must(t, err)
		return
	}
	conn, err := pgx.Connect(t.Context(), url)
	must(t, err)
	defer func() { must(t, conn.Close(t.Context())) }()
	_, err = conn.Exec(t.Context(), statement)
	must(t, err)
}
