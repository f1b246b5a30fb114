package gen

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/hal9-ai/hal9/internal/storegen/diag"
	"github.com/hal9-ai/hal9/internal/storegen/queryfile"
	"github.com/hal9-ai/hal9/internal/storegen/sqltext"
)

// checkTraps refuses SQL that sqlc takes without a word and makes broken code
// of, and the broken code itself, should there be more such SQL than is known.
func checkTraps(s *side, problems *diag.List) {
	before := len(*problems)
	sourceTraps(s, problems)
	if len(*problems) == before && s.code != nil {
		codeTraps(s, problems)
	}
	if len(*problems) > before {
		s.sound = false
	}
}

// sourceTraps looks at the SQL as it was written.
func sourceTraps(s *side, problems *diag.List) {
	for i, t := range s.Tokens {
		next := sqltext.Token{Kind: sqltext.Punct}
		if i+1 < len(s.Tokens) {
			next = s.Tokens[i+1]
		}
		switch {
		case t.Kind == sqltext.Op && len(t.Text) > 1 && strings.HasSuffix(t.Text, "@") && s.Engine == sqltext.Postgres &&
			next.Kind == sqltext.Word && next.Pos == t.End():
			problems.Add(s.problem(t.Line,
				fmt.Sprintf("PostgreSQL reads `%s%s` as the operator `%s` and the column %s: no parameter comes of it", t.Text, next.Text, t.Text, next.Text),
				fmt.Sprintf("put spaces around the operator: `%s @%s`", strings.TrimSuffix(t.Text, "@"), next.Text)))
		case t.Is("sqlc") && next.IsPunct("."):
			macroTrap(s, i, problems)
		case t.Kind == sqltext.Op && t.Text == "*" && isStar(s.Tokens, i):
			problems.Add(s.problem(t.Line, "the columns are not listed: `*` brings whatever the table gets next, on each engine in its own order",
				"list the columns; in EXISTS write SELECT 1"))
		case s.Only() == "" && t.IsAny("LIKE", "ILIKE", "GLOB"):
			problems.Add(s.problem(t.Line, "upper and lower case are one to SQLite's LIKE and two to PostgreSQL's, which has no GLOB as SQLite has no ILIKE",
				"compare the beginning, `substr(x, 1, length(@prefix)) = @prefix`, or look for a part, by strpos(…) > 0 on PostgreSQL and instr(…) > 0 on SQLite"))
		case s.Only() == "" && t.IsAny("lower", "upper") && next.IsPunct("("):
			problems.Add(s.problem(t.Line, strings.ToLower(t.Text)+"() changes the letters of ASCII on SQLite, and those of the database's locale on PostgreSQL",
				"have the caller bring the text as it is to be compared, and store it in a column of its own"))
		case t.Kind == sqltext.Param && t.Text[0] != '@':
			problems.Add(s.problem(t.Line, fmt.Sprintf("the parameter %s has no name", t.Text),
				"write @name, or sqlc.narg('name') if it may be NULL: the name becomes the field of the parameters"))
		}
	}
}

func macroTrap(s *side, i int, problems *diag.List) {
	if _, _, ok := queryfile.MacroAt(s.Tokens, i); ok || i+2 >= len(s.Tokens) {
		return
	}
	t := s.Tokens[i]
	switch s.Tokens[i+2].Text {
	case "slice":
		mend := "write `= ANY(@ids::uuid[])`; to share the query with SQLite, take a JSON array: `IN (SELECT value::uuid FROM jsonb_array_elements_text(@ids::jsonb))`"
		if s.Engine == sqltext.SQLite {
			mend = "take a JSON array: `IN (SELECT value FROM json_each(CAST(@ids AS JSON_TEXT)))`"
		}
		problems.Add(s.problem(t.Line, "sqlc.slice makes code that compiles and fails at run time", mend))
	case "embed":
		problems.Add(s.problem(t.Line, "sqlc.embed makes structs that the engines cannot share", "list the columns"))
	default:
		problems.Add(s.problem(t.Line, fmt.Sprintf("sqlc.%s is not known here", s.Tokens[i+2].Text),
			"use @name, sqlc.arg('name') or sqlc.narg('name')"))
	}
}

// isStar tells SELECT *, t.* and RETURNING * from a product and from count(*).
func isStar(tokens []sqltext.Token, i int) bool {
	if i == 0 {
		return false
	}
	prev := tokens[i-1]
	return prev.IsAny("SELECT", "DISTINCT", "ALL", "RETURNING") || prev.IsPunct(".") || prev.IsPunct(",")
}

// codeTraps compares the SQL with the constant that sqlc made of it.
func codeTraps(s *side, problems *diag.List) {
	if s.code.Strange != "" {
		problems.Add(s.problem(s.Line, "no adapter can call what sqlc wrote: "+s.code.Strange,
			"sqlc.yaml has to set `query_parameter_limit: 0` for both engines"))
		return
	}
	if !s.code.HasSQL {
		return // :copyfrom sends none
	}
	text, err := sqltext.Scan(s.Engine, s.code.SQL)
	if err != nil {
		problems.Add(s.stale(s.Line, fmt.Sprintf("the SQL in %s is cut off: %v", s.code.File, err)))
		return
	}
	if s.code.Command != s.Command {
		problems.Add(s.stale(s.Line, fmt.Sprintf("the query is %s here and %s in %s", s.Command, s.code.Command, s.code.File)))
		return
	}
	if p := align(s, text.Tokens); p != nil {
		problems.Add(*p)
		return
	}
	if p := countArguments(s, text.Tokens); p != nil {
		problems.Add(*p)
	}
}

func (s *side) stale(line int, message string) diag.Problem {
	return s.problem(line, message,
		"run `make generate`; if the fault stays, sqlc writes broken code for this query: write it more plainly")
}

// align walks the query and its constant side by side. They are the same but
// for the parameters; where they part, the code is stale or broken.
func align(s *side, code []sqltext.Token) *diag.Problem {
	j, i := 0, 0
	for i < len(s.Tokens) {
		t := s.Tokens[i]
		if j >= len(code) {
			p := s.stale(t.Line, fmt.Sprintf("the SQL in %s ends before `%s`", s.code.File, t.Text))
			return &p
		}
		name, length := strings.TrimPrefix(t.Text, "@"), 1
		if macro, n, ok := queryfile.MacroAt(s.Tokens, i); ok {
			name, length = macro, n
		} else if t.Kind != sqltext.Param {
			if t.Kind != code[j].Kind || t.Text != code[j].Text {
				p := s.stale(t.Line, fmt.Sprintf("the SQL in %s is not the query's: `%s` here, `%s` there", s.code.File, t.Text, code[j].Text))
				return &p
			}
			i, j = i+1, j+1
			continue
		}
		if _, ok := placeholder(code[j]); !ok {
			p := unbound(s, i, name)
			return &p
		}
		i, j = i+length, j+1
	}
	if j < len(code) {
		p := s.stale(s.Line, fmt.Sprintf("the SQL in %s goes on with `%s`, which the query does not have", s.code.File, code[j].Text))
		return &p
	}
	return nil
}

// unbound is the problem of a parameter that sqlc left in the SQL.
func unbound(s *side, i int, name string) diag.Problem {
	if s.Engine == sqltext.SQLite && inOrderBy(s.Tokens[:i]) {
		return s.problem(s.Tokens[i].Line, fmt.Sprintf("the parameter %s stands in ORDER BY, where sqlc passes no argument to SQLite", name),
			fmt.Sprintf("select the expression with @%s as a column, or in a subquery, and order by that; or write one query per order", name))
	}
	return s.problem(s.Tokens[i].Line, fmt.Sprintf("sqlc left the parameter %s in the SQL, so that it gets no argument", name),
		fmt.Sprintf("put spaces around it, or write sqlc.arg('%s')", name))
}

// inOrderBy tells whether the tokens end in the middle of an ORDER BY.
func inOrderBy(tokens []sqltext.Token) bool {
	depth := 0
	for i, t := range slices.Backward(tokens) {
		switch {
		case t.IsPunct(")"):
			depth++
		case t.IsPunct("("):
			depth = max(depth-1, 0)
		case depth > 0:
		case t.Is("BY"):
			return i > 0 && tokens[i-1].Is("ORDER")
		case t.IsAny("LIMIT", "OFFSET", "SELECT", "WHERE", "FROM", "VALUES", "SET"):
			return false
		}
	}
	return false
}

// placeholder reads $1, ?1 and ?, whose number is 0.
func placeholder(t sqltext.Token) (number int, ok bool) {
	if t.Kind != sqltext.Param || t.Text[0] != '$' && t.Text[0] != '?' {
		return 0, false
	}
	if t.Text == "?" {
		return 0, true
	}
	n, err := strconv.Atoi(t.Text[1:])
	return n, err == nil
}

// countArguments holds the placeholders against the arguments that are passed.
func countArguments(s *side, code []sqltext.Token) *diag.Problem {
	highest, used := 0, map[int]bool{}
	for _, t := range code {
		if n, ok := placeholder(t); ok {
			if n == 0 {
				n = highest + 1
			}
			highest, used[n] = max(highest, n), true
		}
	}
	batch := strings.HasPrefix(s.Command, ":batch") || s.Command == ":copyfrom"
	switch {
	case s.code.Slices || batch:
		return nil
	case s.code.Args < 0:
		p := s.stale(s.Line, fmt.Sprintf("no call in %s sends the query's SQL", s.code.File))
		return &p
	case len(used) != highest:
		p := s.stale(s.Line, fmt.Sprintf("the SQL in %s counts its placeholders to %d, but has only %d", s.code.File, highest, len(used)))
		return &p
	case highest != s.code.Args:
		p := s.stale(s.Line, fmt.Sprintf("the SQL in %s has %d placeholders, but %d arguments are passed", s.code.File, highest, s.code.Args))
		return &p
	}
	return nil
}
