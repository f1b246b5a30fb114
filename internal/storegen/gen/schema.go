package gen

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/hal9-ai/hal9/internal/storegen/diag"
	"github.com/hal9-ai/hal9/internal/storegen/sqltext"
)

const schemaDir = "schema"

// follows is what the schema changes by itself: what a change of one table does to
// another, through foreign keys and triggers.
type follows struct {
	from, to string
	how      string // in words, as in `ON DELETE CASCADE`
	deletes  bool   // it takes rows of to away
	onDelete bool   // it follows a deletion; otherwise any change
	after    string // of SQLite's triggers, INSERT, UPDATE or DELETE
	at       diag.Place
}

// schema is what the migrations tell of each engine.
type schema struct {
	follows []follows
	engines map[sqltext.Engine]*tables
}

// tables is what the generator knows of one engine's database.
type tables struct {
	nullable  map[string]map[string]bool // by table and column
	types     map[string]map[string]string
	locale    map[string]map[string]bool // columns of text that are not ordered by bytes
	unique    map[string][][]string      // by table, the columns of each key that is unique
	views     map[string]sqltext.Usage   // what selecting from a view reads
	functions map[string]sqltext.Usage   // what calling a function of the schema does
	triggers  []pgTrigger
}

// pgTrigger calls a function of the schema after changes of a table.
type pgTrigger struct {
	table, function string
	at              diag.Place
}

// goose's mark of what undoes a migration.
const downMark = "+goose Down"

// readSchema reads the migrations of both engines. A directory that is missing has none.
func readSchema(root fs.FS) (*schema, error) {
	out := &schema{engines: map[sqltext.Engine]*tables{}}
	for _, e := range engines {
		t := &tables{nullable: map[string]map[string]bool{}, types: map[string]map[string]string{}, locale: map[string]map[string]bool{}, unique: map[string][][]string{}, views: map[string]sqltext.Usage{}, functions: map[string]sqltext.Usage{}}
		out.engines[e] = t
		dir := path.Join(schemaDir, string(e))
		files, err := fs.Glob(root, path.Join(dir, "*.sql"))
		if err != nil {
			return nil, fmt.Errorf("listing %s: %w", dir, err)
		}
		for _, file := range files {
			src, err := fs.ReadFile(root, file)
			if err != nil {
				return nil, fmt.Errorf("reading the schema of %s: %w", e.Title(), err)
			}
			text, err := sqltext.Scan(e, string(src))
			if err != nil {
				return nil, fmt.Errorf("reading the schema: %s: %w", file, err)
			}
			out.statements(e, t, file, upward(text))
		}
		for _, trigger := range t.triggers {
			usage := t.functions[trigger.function]
			for _, to := range usage.Writes {
				if to != trigger.table {
					out.follows = append(out.follows, follows{
						from: trigger.table, to: to, how: "a trigger", deletes: slices.Contains(usage.Deletes, to), at: trigger.at,
					})
				}
			}
		}
	}
	return out, nil
}

// upward are the tokens of a migration without those that undo it.
func upward(text sqltext.Text) []sqltext.Token {
	for _, c := range text.Comments {
		if strings.TrimSpace(c.Text) != downMark {
			continue
		}
		end := slices.IndexFunc(text.Tokens, func(t sqltext.Token) bool { return t.Pos > c.Pos })
		if end >= 0 {
			return text.Tokens[:end]
		}
	}
	return text.Tokens
}

// statements takes in the statements of one file.
func (s *schema) statements(e sqltext.Engine, known *tables, file string, tokens []sqltext.Token) {
	table := "" // whose columns and constraints are being read
	for i := 0; i < len(tokens); i++ {
		t := tokens[i]
		switch {
		case t.Is("TABLE") && i > 0 && tokens[i-1].IsAny("CREATE", "ALTER", "TEMPORARY", "TEMP", "UNLOGGED"):
			alter := tokens[i-1].Is("ALTER")
			j := i + 1
			for j < len(tokens) && tokens[j].IsAny("IF", "NOT", "EXISTS", "ONLY") {
				j++
			}
			table, i = tableName(e, tokens, j)
			if alter {
				s.alter(e, known, table, tokens[i:end(tokens, i)])
			} else {
				known.create(e, table, tokens[i:end(tokens, i)])
			}
			i--
		case t.Is("REFERENCES") && table != "":
			parent, j := tableName(e, tokens, i+1)
			s.follows = append(s.follows, references(file, t.Line, table, parent, tokens[j:])...)
			i = j - 1
		case t.Is("TRIGGER") && i > 0 && tokens[i-1].IsAny("CREATE", "TEMP", "TEMPORARY", "REPLACE", "CONSTRAINT"):
			if e == sqltext.SQLite {
				found, j := trigger(e, file, tokens, i)
				s.follows = append(s.follows, found...)
				i = j
				continue
			}
			known.triggers = append(known.triggers, readTrigger(e, file, tokens[i:end(tokens, i)]))
		case t.Is("VIEW") && i > 0 && tokens[i-1].IsAny("CREATE", "REPLACE", "TEMP", "TEMPORARY", "RECURSIVE", "MATERIALIZED"):
			known.view(e, tokens[i+1:end(tokens, i)])
		case t.Is("INDEX") && i > 0 && tokens[i-1].Is("UNIQUE"):
			known.uniqueIndex(e, tokens[i:end(tokens, i)])
		case t.IsAny("FUNCTION", "PROCEDURE") && i > 0 && tokens[i-1].IsAny("CREATE", "REPLACE"):
			name, j := tableName(e, tokens, i+1)
			known.function(e, name, tokens[j:end(tokens, j)])
		}
	}
}

// end is the index of the semicolon that ends the statement at i.
func end(tokens []sqltext.Token, i int) int {
	for i < len(tokens) && !tokens[i].IsPunct(";") {
		i++
	}
	return i
}

// tableName reads the name at i and returns the index behind it.
func tableName(e sqltext.Engine, tokens []sqltext.Token, i int) (name string, next int) {
	for i < len(tokens) && tokens[i].IsName() {
		name = tokens[i].Name(e)
		i++
		if i >= len(tokens) || !tokens[i].IsPunct(".") {
			break
		}
		i++
	}
	return name, i
}

// references reads the actions of a foreign key, whose list of columns and clauses
// begin tokens.
func references(file string, line int, child, parent string, tokens []sqltext.Token) []follows {
	var out []follows
	at := diag.Place{File: file, Line: line}
	i := 0
	if len(tokens) > 0 && tokens[0].IsPunct("(") {
		for i < len(tokens) && !tokens[i].IsPunct(")") {
			i++
		}
		i++
	}
	for ; i+2 < len(tokens) && !tokens[i].IsPunct(",") && !tokens[i].IsPunct(")") && !tokens[i].IsPunct(";"); i++ {
		if !tokens[i].Is("ON") || !tokens[i+1].IsAny("DELETE", "UPDATE") {
			continue
		}
		f := follows{from: parent, to: child, at: at, onDelete: tokens[i+1].Is("DELETE")}
		switch action := tokens[i+2]; {
		case action.Is("CASCADE"):
			f.how, f.deletes = "CASCADE", f.onDelete
		case action.Is("SET"):
			f.how = "SET"
			if i+3 < len(tokens) {
				f.how += " " + tokens[i+3].Text
			}
		default: // RESTRICT and NO ACTION change nothing
			continue
		}
		f.how = "ON " + tokens[i+1].Text + " " + f.how
		out = append(out, f)
	}
	return out
}

// trigger reads a trigger of SQLite, whose word TRIGGER stands at i, to its END.
func trigger(e sqltext.Engine, file string, tokens []sqltext.Token, i int) (out []follows, end int) {
	table, event, begin := "", "", -1
	depth := 0
	for end = i; end < len(tokens); end++ {
		t := tokens[end]
		switch {
		case t.IsAny("INSERT", "UPDATE", "DELETE") && table == "":
			event = strings.ToUpper(t.Text)
		case t.Is("ON") && table == "":
			table, _ = tableName(e, tokens, end+1)
		case t.Is("BEGIN"):
			begin = end + 1
		case t.Is("CASE"):
			depth++
		case t.Is("END") && depth > 0:
			depth--
		case t.Is("END"):
			usage := sqltext.Tables(e, tokens[max(begin, 0):end])
			for _, to := range usage.Writes {
				if to == table {
					continue
				}
				out = append(out, follows{
					from: table, to: to, how: "a trigger", deletes: slices.Contains(usage.Deletes, to), after: event,
					at: diag.Place{File: file, Line: tokens[i].Line},
				})
			}
			return out, end
		}
	}
	return out, end
}

// touched is one table that a query changes, directly or by what follows.
type touched struct {
	table   string
	because *follows // nil for a table that the statement names
}

// reach lists the tables that a statement changes on either engine, with what the
// schema does in its wake.
func reach(all []follows, sides ...*side) []touched {
	var out []touched
	deleted := map[string]bool{}
	seen := map[string]bool{}
	add := func(table string, because *follows, gone bool) {
		if seen[table] && (!gone || deleted[table]) {
			return
		}
		if !seen[table] {
			out = append(out, touched{table, because})
		}
		seen[table] = true
		deleted[table] = deleted[table] || gone
	}
	for _, s := range sides {
		for _, table := range s.Usage.Writes {
			add(table, nil, slices.Contains(s.Usage.Deletes, table))
		}
	}
	for changed := true; changed; {
		before, gone := len(out), len(trueOf(deleted))
		for _, t := range slices.Clone(out) {
			for i := range all {
				if f := &all[i]; f.from == t.table && (!f.onDelete || deleted[t.table]) {
					add(f.to, f, f.deletes)
				}
			}
		}
		changed = len(out) > before || len(trueOf(deleted)) > gone
	}
	return out
}

func trueOf(set map[string]bool) []string {
	var out []string
	for name, yes := range set {
		if yes {
			out = append(out, name)
		}
	}
	return out
}
