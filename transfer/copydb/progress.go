package copydb

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

// While a copy is under way the target has two tables more. A chunk of rows and the
// note of where it ended are one transaction, so that a copy which is killed goes on
// exactly behind what is there.
const (
	progressTable = "copy_progress"
	refusedTable  = "copy_refused"
)

// wholeCopy is the line of the table that is about the copy as a whole.
const wholeCopy = ""

// notes reads and writes the progress in the target.
type notes struct{ db database }

func (n notes) exist(ctx context.Context) (bool, error) {
	statement := "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = ?"
	if n.db.engine() == "postgres" {
		statement = "SELECT count(*) FROM pg_catalog.pg_tables WHERE schemaname = current_schema() AND tablename = ?"
	}
	found, err := number(ctx, n.db, statement, progressTable)
	return found > 0, err
}

// begin makes the tables for a copy from source.
func (n notes) begin(ctx context.Context, source string) error {
	for _, statement := range []string{
		"DROP TABLE IF EXISTS " + progressTable,
		"DROP TABLE IF EXISTS " + refusedTable,
		"CREATE TABLE " + progressTable + " (table_name text PRIMARY KEY, source text NOT NULL, after_key text NOT NULL, rows_copied bigint NOT NULL, done bigint NOT NULL)",
		"CREATE TABLE " + refusedTable + " (table_name text NOT NULL, row_key text NOT NULL, reason text NOT NULL, PRIMARY KEY (table_name, row_key))",
	} {
		if err := n.db.exec(ctx, statement); err != nil {
			return err
		}
	}
	return n.db.exec(ctx, "INSERT INTO "+progressTable+" (table_name, source, after_key, rows_copied, done) VALUES (?, ?, '', 0, 0)", wholeCopy, source)
}

// drop ends a copy.
func (n notes) drop(ctx context.Context) error {
	if err := n.db.exec(ctx, "DROP TABLE "+progressTable); err != nil {
		return err
	}
	return n.db.exec(ctx, "DROP TABLE "+refusedTable)
}

// source tells from where the copy under way comes.
func (n notes) source(ctx context.Context) (string, error) {
	rows, err := n.db.ask(ctx, "SELECT source FROM "+progressTable+" WHERE table_name = ?", wholeCopy)
	if err != nil || len(rows) != 1 {
		return "", err
	}
	return rows[0][0], nil
}

// table tells how far a table is.
func (n notes) table(ctx context.Context, t *Table) (after Row, copied int64, done bool, err error) {
	rows, err := n.db.ask(ctx, "SELECT after_key, rows_copied, done FROM "+progressTable+" WHERE table_name = ?", t.Name)
	if err != nil || len(rows) == 0 {
		return nil, 0, false, err
	}
	if _, err := fmt.Sscan(rows[0][1], &copied); err != nil {
		return nil, 0, false, fmt.Errorf("read the progress of %s: %w", t.Name, err)
	}
	if rows[0][0] != "" {
		if after, err = t.decodeKey(rows[0][0]); err != nil {
			return nil, 0, false, err
		}
	}
	return after, copied, rows[0][2] == "1", nil
}

// note writes how far a table is.
func (n notes) note(ctx context.Context, t *Table, after Row, copied int64, done bool) error {
	key := ""
	if after != nil {
		var err error
		if key, err = t.encodeKey(after); err != nil {
			return err
		}
	}
	finished := int64(0)
	if done {
		finished = 1
	}
	return n.db.exec(ctx, "INSERT INTO "+progressTable+` (table_name, source, after_key, rows_copied, done) VALUES (?, '', ?, ?, ?)
		ON CONFLICT (table_name) DO UPDATE SET after_key = excluded.after_key, rows_copied = excluded.rows_copied, done = excluded.done`,
		t.Name, key, copied, finished)
}

func (n notes) refuse(ctx context.Context, t *Table, key Row, reason string) error {
	return n.db.exec(ctx, "INSERT INTO "+refusedTable+` (table_name, row_key, reason) VALUES (?, ?, ?)
		ON CONFLICT (table_name, row_key) DO UPDATE SET reason = excluded.reason`, t.Name, plain(t.keyText(key)), plain(reason))
}

// plain makes a text one that both engines take and a terminal shows.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '\uFFFD'
		}
		return r
	}, strings.ToValidUTF8(text, "\uFFFD"))
}

func (n notes) forgetRefused(ctx context.Context, t *Table) error {
	return n.db.exec(ctx, "DELETE FROM "+refusedTable+" WHERE table_name = ?", t.Name)
}

// Refused is a row that the target did not take.
type Refused struct {
	Table  string `json:"table"`
	Key    string `json:"key"`
	Reason string `json:"reason"`
}

// refusedCounts counts the rows that were refused, by table.
func (n notes) refusedCounts(ctx context.Context) (map[string]int64, error) {
	rows, err := n.db.ask(ctx, "SELECT table_name, count(*) FROM "+refusedTable+" GROUP BY table_name")
	if err != nil {
		return nil, err
	}
	counts := make(map[string]int64, len(rows))
	for _, r := range rows {
		if counts[r[0]], err = strconv.ParseInt(r[1], 10, 64); err != nil {
			return nil, fmt.Errorf("count the refused rows: %w", err)
		}
	}
	return counts, nil
}

// eachRefused hands out the rows that were refused, a page of them at a time.
func (n notes) eachRefused(ctx context.Context, each func(Refused) error) error {
	const page = 1000
	var last Refused
	for {
		rows, err := n.db.ask(ctx, "SELECT table_name, row_key, reason FROM "+refusedTable+
			" WHERE (table_name, row_key) > (?, ?) ORDER BY table_name, row_key LIMIT "+strconv.Itoa(page), last.Table, last.Key)
		if err != nil {
			return err
		}
		for _, r := range rows {
			last = Refused{r[0], r[1], r[2]}
			if err := each(last); err != nil {
				return err
			}
		}
		if len(rows) < page {
			return nil
		}
	}
}
