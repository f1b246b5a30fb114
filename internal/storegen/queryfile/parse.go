package queryfile

import (
	"errors"
	"fmt"
	"go/token"
	"regexp"
	"strings"
	"unicode"

	"github.com/hal9-ai/hal9/internal/storegen/diag"
	"github.com/hal9-ai/hal9/internal/storegen/sqltext"
)

// nameLine matches what sqlc takes for the name of a query.
var nameLine = regexp.MustCompile(`^name:\s*(\S+)\s*(:\S+)?`)

const byteOrderMark = "\uFEFF"

// Parse reads the queries of a file. It goes on behind a fault, so that all of
// them are told at once.
func Parse(engine sqltext.Engine, file, src string) ([]*Query, diag.List) {
	p := parser{engine: engine, file: file, src: src}
	text, err := sqltext.Scan(engine, src)
	if err != nil {
		line, message := 0, err.Error()
		if at := (*sqltext.Error)(nil); errors.As(err, &at) {
			line, message = at.Line, at.Message
		}
		p.fault(line, "", message, "close it")
		return nil, p.problems
	}
	p.text = text
	if strings.HasPrefix(src, byteOrderMark) {
		p.fault(1, "", "the file begins with a byte order mark, which sqlc takes for a part of its first statement", "store it as UTF-8 without one")
		return nil, p.problems
	}
	if engine == sqltext.SQLite {
		p.asciiOnly()
	}
	begin := 0 // of the statement, as an index of tokens
	for i, t := range text.Tokens {
		if t.IsPunct(";") {
			p.statement(begin, i)
			begin = i + 1
		}
	}
	p.statement(begin, len(text.Tokens))
	return p.queries, p.problems
}

type parser struct {
	engine   sqltext.Engine
	file     string
	src      string
	text     sqltext.Text
	queries  []*Query
	problems diag.List
}

func (p *parser) fault(line int, query, message, mend string) {
	p.problems.Add(diag.Problem{
		At: diag.Place{File: p.file, Line: line}, Query: query, Message: message, Mend: mend,
	})
}

// asciiOnly refuses other letters in SQLite's files, comments included: sqlc
// counts characters there where it ought to count bytes, and cuts every
// statement below such a letter at the wrong places.
func (p *parser) asciiOnly() {
	for i, line := range strings.Split(p.src, "\n") {
		for _, r := range line {
			if r > unicode.MaxASCII {
				p.fault(i+1, "", fmt.Sprintf("%q is no ASCII: sqlc miscounts it and breaks the SQLite statements below", r),
					"write it in ASCII; a contract is taken from the PostgreSQL file, where any letter is welcome")
				break
			}
		}
	}
}

// commentLine is one line of a comment.
type commentLine struct {
	text string
	line int
}

// statement reads the statement of tokens [begin, end), with the comments that
// stand between the statement before and its own end.
func (p *parser) statement(begin, end int) {
	tokens := p.text.Tokens[begin:end]
	from, fromLine, to := 0, 0, len(p.src)
	if begin > 0 {
		before := p.text.Tokens[begin-1]
		from, fromLine = before.End(), before.Line
	}
	if end < len(p.text.Tokens) {
		to = p.text.Tokens[end].Pos
	}
	first := to
	if len(tokens) > 0 {
		first = tokens[0].Pos
	}
	var above, inside []commentLine
	for _, c := range p.text.Comments {
		switch {
		case c.Pos < from || c.Pos >= to:
		case begin > 0 && c.Line == fromLine: // a remark behind the statement before
		case c.Pos < first:
			above = append(above, commentLines(c)...)
		default:
			inside = append(inside, commentLines(c)...)
		}
	}
	q := &Query{Engine: p.engine, File: p.file, Tokens: tokens}
	doc := p.name(q, above, inside, len(tokens) > 0)
	if q.Name == "" {
		return
	}
	if len(tokens) == 0 {
		p.fault(q.Line, q.Name, "the name has no statement below it", "write the statement, or delete the line")
		return
	}
	if !token.IsIdentifier(q.Name) || !token.IsExported(q.Name) {
		p.fault(q.Line, q.Name, "the name is none of a method that others can call", "write EntityVerb, with a capital first and letters and digits behind it")
		return
	}
	p.notes(q, doc)
	p.strayNotes(q, inside, "inside the statement")
	q.Usage = sqltext.Tables(p.engine, tokens)
	q.Params = params(tokens)
	q.Lists = Lists(tokens)
	q.Columns = columns(q.Lists)
	p.queries = append(p.queries, q)
}

func commentLines(c sqltext.Comment) []commentLine {
	var out []commentLine
	for i, text := range strings.Split(c.Text, "\n") {
		out = append(out, commentLine{text: strings.TrimSpace(text), line: c.Line + i})
	}
	return out
}

// name finds the name line and returns the comment that belongs to the query:
// the lines that touch the name line from above, and those between it and the
// statement.
func (p *parser) name(q *Query, above, inside []commentLine, hasStatement bool) (doc []commentLine) {
	at := -1
	for i, c := range above {
		m := nameLine.FindStringSubmatch(c.text)
		switch {
		case m == nil:
		case at >= 0:
			p.fault(above[at].line, q.Name, fmt.Sprintf("the name has no statement of its own: the next name, %s, stands in line %d", m[1], c.line),
				"write the statement, or delete the line")
			fallthrough
		default:
			at, q.Name, q.Command, q.Line = i, m[1], m[2], c.line
		}
	}
	for _, c := range inside {
		if m := nameLine.FindStringSubmatch(c.text); m != nil {
			p.fault(c.line, m[1], "the name stands inside a statement", "end the statement above it with a semicolon")
			q.Name = ""
			return nil
		}
	}
	if at < 0 {
		if hasStatement {
			p.fault(q.firstLine(), "", "the statement has no name", "write `-- name: EntityVerb :one` (or :many, :exec, :execrows) above it")
		}
		return nil
	}
	begin := at
	for begin > 0 && above[begin-1].line == above[begin].line-1 {
		begin--
	}
	p.strayNotes(q, above[:begin], "apart from its query: a blank line parts them")
	doc = append(doc, above[begin:at]...)
	return append(doc, above[at+1:]...)
}

func (q *Query) firstLine() int {
	if len(q.Tokens) == 0 {
		return 0
	}
	return q.Tokens[0].Line
}

// notes parts the comment of a query into notes and documentation.
func (p *parser) notes(q *Query, doc []commentLine) {
	for _, line := range doc {
		if strings.HasPrefix(line.text, "@") { // sqlc's own, as @sqlc-vet-disable
			continue
		}
		note, problem, mend := asNote(line)
		switch {
		case problem != "":
			p.fault(line.line, q.Name, problem, mend)
		case note == nil:
			q.Doc = append(q.Doc, line.text)
		case badValue(note.Word, note.Value) != "":
			p.fault(line.line, q.Name, fmt.Sprintf("the note %q cannot say %q", note.Word, note.Value), badValue(note.Word, note.Value))
		case q.Note(note.Word) != nil && !repeatable(note.Word):
			p.fault(line.line, q.Name, fmt.Sprintf("the note %q stands twice", note.Word), fmt.Sprintf("keep one; the first stands in line %d", q.Note(note.Word).Line))
		default:
			q.Notes = append(q.Notes, *note)
		}
	}
	q.Doc = trimBlank(q.Doc)
	if only := q.Only(); only != "" && only != p.engine {
		p.fault(q.Note(NoteEngine).Line, q.Name,
			fmt.Sprintf("the note gives the query to %s alone, but this file is %s's", only.Title(), p.engine.Title()),
			fmt.Sprintf("move the query to queries/%s, or correct the note", only))
	}
}

// strayNotes reports notes where they would have no effect.
func (p *parser) strayNotes(q *Query, lines []commentLine, where string) {
	for _, line := range lines {
		if note, _, _ := asNote(line); note != nil && looksLike(note.Word, note.Value, true) {
			p.fault(line.line, q.Name, fmt.Sprintf("the note %q stands %s, where it says nothing", note.Word, where),
				"move it to the comment lines at `-- name:`")
		}
	}
}

// trimBlank drops empty lines at both ends and repeated ones between.
func trimBlank(doc []string) []string {
	var out []string
	for _, line := range doc {
		if line == "" && (len(out) == 0 || out[len(out)-1] == "") {
			continue
		}
		out = append(out, line)
	}
	if n := len(out); n > 0 && out[n-1] == "" {
		out = out[:n-1]
	}
	return out
}
