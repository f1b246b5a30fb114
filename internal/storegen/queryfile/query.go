// Package queryfile reads the hand-written SQL: the queries of a file with
// their names, documentation and notes, and what their text tells by itself.
package queryfile

import (
	"path"
	"strings"

	"github.com/hal9-ai/hal9/internal/storegen/sqltext"
)

// Query is one query as it stands in its file.
type Query struct {
	Engine  sqltext.Engine
	File    string // from the root of the repository
	Line    int    // of the line `-- name: …`
	Name    string
	Command string // as written, with its colon
	Doc     []string
	Notes   []Note
	Params  []Named // named parameters, in order of their first appearance
	Columns []Named // what it returns; a name is empty where SQL gives none
	// Lists holds the expressions of Columns, once for each SELECT that a UNION joins.
	Lists  [][]Item
	Tokens []sqltext.Token
	Usage  sqltext.Usage
}

// Named is a parameter or a column and where it stands.
type Named struct {
	Name string
	Line int
}

// Item is one expression of a list of columns.
type Item struct {
	Name   string // its alias or its column, or ""
	Tokens []sqltext.Token
}

// Entity is the file's name without directory and suffix.
func (q *Query) Entity() string { return strings.TrimSuffix(path.Base(q.File), ".sql") }

// Note returns the value of the first note of that word, and nil without one.
func (q *Query) Note(word string) *Note {
	for i := range q.Notes {
		if q.Notes[i].Word == word {
			return &q.Notes[i]
		}
	}
	return nil
}

// Only is the engine that the query is meant for alone, or "".
func (q *Query) Only() sqltext.Engine {
	if n := q.Note(NoteEngine); n != nil {
		return sqltext.Engine(n.Value)
	}
	return ""
}

// Mutates tells whether the query needs a connection that may write.
func (q *Query) Mutates() bool { return q.Usage.Mutates() || q.Note(NoteWrites) != nil }

// ParamLine is the line of that parameter, or of the query.
func (q *Query) ParamLine(name string) int { return q.line(q.Params, name) }

// ColumnLine is the line of the i-th column of n, else of the column with that
// name, else of the query: the select list is found by tokens, not by a parser.
func (q *Query) ColumnLine(i, n int, name string) int {
	if len(q.Columns) == n && i < n {
		return q.Columns[i].Line
	}
	return q.line(q.Columns, name)
}

func (q *Query) line(list []Named, name string) int {
	for _, n := range list {
		if Fold(n.Name) == Fold(name) {
			return n.Line
		}
	}
	return q.Line
}

// Fold makes a name of SQL and the name that sqlc gives it in Go equal.
func Fold(name string) string { return strings.ToLower(strings.ReplaceAll(name, "_", "")) }
