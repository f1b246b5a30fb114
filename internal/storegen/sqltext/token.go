// Package sqltext reads SQL as far as the generator needs it: it splits a
// text into tokens, with comments and strings told apart, and finds the
// tables that a statement reads and writes. It is no parser: sqlc has already
// refused whatever is not SQL.
package sqltext

import (
	"slices"
	"strings"
)

// Engine is one of the two databases, whose dialects differ in quoting,
// comments and parameters.
type Engine string

// The engines, by the names that notes and directories use.
const (
	Postgres Engine = "postgres"
	SQLite   Engine = "sqlite"
)

// Title is the engine's name in a sentence.
func (e Engine) Title() string {
	if e == Postgres {
		return "PostgreSQL"
	}
	return "SQLite"
}

// Kind tells what a token is.
type Kind int

// The kinds of token. Comments are kept apart from the tokens.
const (
	Word   Kind = iota // a keyword or an unquoted name
	Quoted             // a quoted name
	String             // a string constant, dollar-quoted ones included
	Number
	Param // @name, :name, $1, ?1 or ?
	Op    // an operator
	Punct // one of ( ) [ ] { } , ; .
)

// Token is one piece of SQL.
type Token struct {
	Kind Kind
	Text string // as written, quotes included
	Pos  int    // byte offset in the text
	Line int    // from 1
}

// End is the offset behind the token.
func (t Token) End() int { return t.Pos + len(t.Text) }

// Is tells whether the token is that keyword, in any case.
func (t Token) Is(keyword string) bool {
	return t.Kind == Word && strings.EqualFold(t.Text, keyword)
}

// IsAny tells whether the token is one of the keywords.
func (t Token) IsAny(keywords ...string) bool {
	return slices.ContainsFunc(keywords, t.Is)
}

// IsPunct tells whether the token is that punctuation mark.
func (t Token) IsPunct(mark string) bool { return t.Kind == Punct && t.Text == mark }

// IsName tells whether the token can name something.
func (t Token) IsName() bool { return t.Kind == Word || t.Kind == Quoted }

// Name is the name that the token stands for on that engine: PostgreSQL folds
// unquoted names to lower case, SQLite compares all names without case.
func (t Token) Name(engine Engine) string {
	if t.Kind != Quoted {
		return strings.ToLower(t.Text)
	}
	name := t.Text
	if i := strings.IndexByte(name, '"'); i > 0 && engine == Postgres { // U&"name"
		name = name[i:]
	}
	closing := name[len(name)-1:]
	name = name[1 : len(name)-1]
	if closing != "]" {
		name = strings.ReplaceAll(name, closing+closing, closing)
	}
	if engine == SQLite {
		return strings.ToLower(name)
	}
	return name
}

// Comment is a comment of one of the two forms.
type Comment struct {
	Text string // without the marks
	Pos  int
	Line int // where it begins
}

// Text is a scanned text.
type Text struct {
	Tokens   []Token
	Comments []Comment
}
