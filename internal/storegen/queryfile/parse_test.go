package queryfile_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hal9-ai/hal9/internal/storegen/queryfile"
	"github.com/hal9-ai/hal9/internal/storegen/sqltext"
)

func TestParse(t *testing.T) {
	t.Parallel()
	src := `-- The header touches no query.

-- ThingGet returns one.
-- name: ThingGet :one
--
-- Note: this is prose, and so is Returns: what it finds.
-- returns: Thing
-- cache: thing:{id}
SELECT t.id, -- the id
       coalesce(a, (SELECT b FROM other)) AS a,
       CASE WHEN x = 1 THEN 2 END
FROM things AS t
-- engines differ here: PostgreSQL has no rowid
WHERE id = @id AND kind = sqlc.narg('kind') AND id <> @id; -- a remark; it is nobody's

-- name: ThingInsert :exec
-- invalidates: thing:{id}
-- invalidates: group things
INSERT INTO things (id) VALUES (sqlc.arg(id)) RETURNING id, "Kind" AS "K";
-- name: ThingAll :many
SELECT DISTINCT ON (a, b) a, b FROM things`
	queries, problems := queryfile.Parse(sqltext.Postgres, "queries/postgres/things.sql", src)
	for _, p := range problems {
		t.Errorf("unexpected: %+v", p)
	}
	if len(queries) != 3 {
		t.Fatalf("got %d queries", len(queries))
	}
	get, insert, all := queries[0], queries[1], queries[2]
	equal(t, "name", get.Name+get.Command, "ThingGet:one")
	equal(t, "entity", get.Entity(), "things")
	equal(t, "line", get.Line, 4)
	equal(t, "doc", strings.Join(get.Doc, "|"), "ThingGet returns one.||Note: this is prose, and so is Returns: what it finds.")
	equal(t, "notes", fmt.Sprint(get.Notes), "[{returns Thing 7} {cache thing:{id} 8}]")
	equal(t, "params", fmt.Sprint(get.Params), "[{id 14} {kind 14}]")
	equal(t, "columns", fmt.Sprint(get.Columns), "[{id 9} {a 10} { 11}]")
	equal(t, "reads", fmt.Sprint(get.Usage.Reads), "[other things]")
	equal(t, "mutates", get.Mutates(), false)
	equal(t, "param line", get.ParamLine("Kind"), 14)
	equal(t, "line of no param", get.ParamLine("other"), 4)
	equal(t, "column line", get.ColumnLine(1, 3, ""), 10)
	equal(t, "column line by name", get.ColumnLine(0, 9, "A"), 10)

	equal(t, "doc", len(insert.Doc), 0)
	equal(t, "notes", fmt.Sprint(insert.Notes), "[{invalidates thing:{id} 17} {invalidates group things 18}]")
	equal(t, "params", fmt.Sprint(insert.Params), "[{id 19}]")
	equal(t, "columns", fmt.Sprint(insert.Columns), "[{id 19} {K 19}]")
	equal(t, "mutates", insert.Mutates(), true)
	equal(t, "columns", fmt.Sprint(all.Columns), "[{a 21} {b 21}]")
}

func equal[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// TestNotes tells notes, slips and prose apart, line by line.
func TestNotes(t *testing.T) {
	t.Parallel()
	const note, prose = "note", "prose"
	tests := []struct{ line, want string }{
		{"engine: postgres", note},
		{"engine:postgres", note},
		{"returns: Memory", note},
		{"writes: yes", note},
		{"read: replica", note},
		{"cache: neuron:{id}", note},
		{"cache: memory:search:{*} group memory", note},
		{"invalidates: nothing, because nobody reads it", note},

		{"invalidate: neuron:{id}", `"invalidate:" is not a note`},
		{"invalidates neuron:{id}", `the note "invalidates" lacks its colon`},
		{"engines: sqlite", `"engines:" is not a note`},
		{"Engine: sqlite", `"Engine:" is not a note`},
		{"engine postgres", `the note "engine" lacks its colon`},
		{"cahce: neuron:{id}", `"cahce:" is not a note`},
		{"return: Memory", `"return:" is not a note`},
		{"write: yes", `"write:" is not a note`},
		{"reads: replica", `"reads:" is not a note`},

		{"engine: mysql", `the note "engine" cannot say "mysql"`},
		{"engine:", `the note "engine" cannot say ""`},
		{"returns: the newest first", `the note "returns" cannot say "the newest first"`},
		{"returns: memory", `the note "returns" cannot say "memory"`},
		{"writes: no", `the note "writes" cannot say "no"`},
		{"read: leader", `the note "read" cannot say "leader"`},
		{"cache:", `the note "cache" cannot say ""`},

		{"Returns: the row as it is stored.", prose},
		{"Returns the row.", prose},
		{"returns the number of rows", prose},
		{"Note: mind the order.", prose},
		{"errors: ErrNotFound when there is none", prose},
		{"Read one row.", prose},
		{"cached by nobody", prose},
		{"cache misses are counted", prose},
		{"engine errors come back translated", prose},
		{"Writes: one row, or none.", prose},
		{"condition: running, failed or stopped", prose},
		{"example: {\"a\": 1}", prose},
	}
	for _, tt := range tests {
		t.Run(tt.line, func(t *testing.T) {
			t.Parallel()
			src := "-- name: ThingGet :one\n-- " + tt.line + "\nSELECT id FROM things;"
			queries, problems := queryfile.Parse(sqltext.Postgres, "queries/postgres/things.sql", src)
			got := prose
			switch {
			case len(problems) > 0:
				got = problems[0].Message
				if problems[0].At.Line != 2 || problems[0].Query != "ThingGet" || problems[0].Mend == "" {
					t.Errorf("the problem does not say where and how to mend it: %+v", problems[0])
				}
			case len(queries[0].Notes) == 1:
				got = note
				equal(t, "doc", len(queries[0].Doc), 0)
			default:
				equal(t, "doc", strings.Join(queries[0].Doc, ""), tt.line)
			}
			equal(t, "taken for", got, tt.want)
		})
	}
}

func TestParseFaults(t *testing.T) {
	t.Parallel()
	const get = "-- name: ThingGet :one\n"
	tests := []struct{ name, src, want string }{
		{"unended string", get + "SELECT 'a;", "2  the string that begins here has no end"},
		{"no name", get + "SELECT 1;\n\nSELECT 2;", "4  the statement has no name"},
		{"no statement", get + "-- doc\n", "1 ThingGet the name has no statement below it"},
		{"no statement before the next name", get + "-- name: ThingSet :exec\nSELECT 1;", "1 ThingGet the name has no statement of its own: the next name, ThingSet, stands in line 2"},
		{"no semicolon", get + "SELECT 1\n\n-- name: ThingSet :exec\nSELECT 2;", "4 ThingSet the name stands inside a statement"},
		{"note apart", "-- engine: postgres\n\n" + get + "SELECT 1;", `1 ThingGet the note "engine" stands apart from its query: a blank line parts them, where it says nothing`},
		{"note inside", get + "SELECT 1\n-- writes: yes\nFROM a;", `3 ThingGet the note "writes" stands inside the statement, where it says nothing`},
		{"note twice", get + "-- engine: postgres\n-- engine: postgres\nSELECT 1;", `3 ThingGet the note "engine" stands twice`},
		{"other engine", get + "-- engine: sqlite\nSELECT 1;", "2 ThingGet the note gives the query to SQLite alone, but this file is PostgreSQL's"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, problems := queryfile.Parse(sqltext.Postgres, "queries/postgres/things.sql", tt.src)
			if len(problems) != 1 {
				t.Fatalf("got %+v", problems)
			}
			p := problems[0]
			equal(t, "problem", fmt.Sprintf("%d %s %s", p.At.Line, p.Query, p.Message), tt.want)
			if p.Mend == "" || p.At.File != "queries/postgres/things.sql" {
				t.Errorf("it does not say where and how to mend it: %+v", p)
			}
		})
	}
}
