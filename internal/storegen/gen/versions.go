package gen

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hal9-ai/hal9/internal/storegen/diag"
	"github.com/hal9-ai/hal9/internal/storegen/queryfile"
	"github.com/hal9-ai/hal9/internal/storegen/sqltext"
)

// checkVersions refuses a write that takes the next number of a counter on SQLite, where no
// trigger counts it: all rows would have the same one, If-Match would let every change
// pass, and the cache would take old rows for new ones. PostgreSQL's sequence counts by itself.
func checkVersions(in *input, s *side, problems *diag.List) {
	counter, line := counterOf(s)
	if s.Engine != sqltext.SQLite || counter == "" {
		return
	}
	for _, table := range s.Usage.Writes {
		var events []string
		if s.Tokens[0].IsAny("INSERT", "REPLACE") {
			events = append(events, "INSERT")
		}
		if slices.Contains(s.Usage.Updates, table) {
			events = append(events, "UPDATE")
		}
		for _, event := range events {
			if table == counter || slices.ContainsFunc(in.schema.follows, func(f follows) bool {
				return f.from == table && f.to == counter && f.after == event
			}) {
				continue
			}
			after := event
			if event == "UPDATE" {
				after = "UPDATE OF version"
			}
			problems.Add(s.problem(line, fmt.Sprintf("no trigger of %s raises %s after %s, so that every row gets the same number", table, counter, event),
				fmt.Sprintf("add it to the migration, between `-- +goose StatementBegin` and `-- +goose StatementEnd`:\nCREATE TRIGGER %s_version_%s AFTER %s ON %s\nBEGIN\n    UPDATE %s SET value = max(value, NEW.version);\nEND;",
					table, strings.ToLower(event), after, table, counter)))
		}
	}
}

// checkUnversioned refuses an update that leaves the version of its row as it is, where other
// writes take it from a counter.
func checkUnversioned(in *input, problems *diag.List) {
	versioned := map[string]string{}
	for _, s := range in.sides[sqltext.SQLite] {
		if counter, _ := counterOf(s); counter != "" {
			for _, table := range s.Usage.Writes {
				versioned[table] = counter
			}
		}
	}
	for _, s := range in.sides[sqltext.SQLite] {
		note := s.Note(queryfile.NoteInvalidates)
		if note != nil && strings.HasPrefix(note.Value, "nothing,") || setsVersion(s.Tokens) {
			continue
		}
		for _, table := range s.Usage.Updates {
			if counter := versioned[table]; counter != "" {
				problems.Add(s.problem(s.Line, "the rows of "+table+" change, and their version stays: If-Match lets the next change pass, and the cache takes the old row for as new",
					fmt.Sprintf("set version = (SELECT value + 1 FROM %s), and nextval('%s_seq') on PostgreSQL; if it changes nothing, say `-- invalidates: nothing, because …`", counter, counter)))
			}
		}
	}
}

func setsVersion(tokens []sqltext.Token) bool {
	set := false
	for i, t := range sqltext.Outside(tokens) {
		switch {
		case t.Is("SET"):
			set = true
		case t.IsAny("WHERE", "RETURNING"):
			set = false
		case set && t.Is("version") && i+1 < len(tokens) && tokens[i+1].Text == "=" && (tokens[i-1].IsPunct(",") || tokens[i-1].Is("SET")):
			return true
		}
	}
	return false
}

// counterOf is the table whose next number a statement takes, as in (SELECT value + 1 FROM t).
func counterOf(s *side) (table string, line int) {
	for i := 0; i+5 < len(s.Tokens); i++ {
		t := s.Tokens[i:]
		if t[0].Is("SELECT") && t[1].Is("value") && t[2].Text == "+" && t[3].Text == "1" && t[4].Is("FROM") && t[5].IsName() {
			return t[5].Name(s.Engine), t[0].Line
		}
	}
	return "", 0
}
