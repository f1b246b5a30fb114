package queryfile

import (
	"fmt"
	"go/token"
	"regexp"
	"strings"

	"github.com/hal9-ai/hal9/internal/storegen/diag"
	"github.com/hal9-ai/hal9/internal/storegen/sqltext"
)

// The words that begin a note.
const (
	NoteEngine      = "engine"      // the only engine that has the query
	NoteReturns     = "returns"     // the shared type of its rows
	NoteWrites      = "writes"      // yes: it writes though its text does not show it
	NoteCache       = "cache"       // the key under which its result is cached
	NoteInvalidates = "invalidates" // the keys that it makes stale
	NoteRead        = "read"        // replica: it may read what is a little old
	NoteDiffers     = "differs"     // the clauses that are meant to differ from the other engine's, and why
)

// Note is a comment line `-- word: value` that speaks to the generator.
type Note struct {
	Word, Value string
	Line        int
}

var (
	noteWords = []string{NoteEngine, NoteReturns, NoteWrites, NoteCache, NoteInvalidates, NoteRead, NoteDiffers} //nolint:gochecknoglobals // a table that nothing changes
	// noteLine has the colon apart, so that a forgotten one can be told.
	noteLine = regexp.MustCompile(`^([A-Za-z]+)\s*(:?)\s*(.*)$`)
)

// asNote reads a comment line as a note. Prose that happens to begin with a
// word and a colon is not a note; a slip in the word, its case or the colon is
// reported by problem when the rest of the line looks like a note's value.
func asNote(line commentLine) (note *Note, problem, mend string) {
	m := noteLine.FindStringSubmatch(line.text)
	if m == nil {
		return nil, "", ""
	}
	word, colon, value := m[1], m[2] != "", strings.TrimSpace(m[3])
	near := diag.Near(strings.ToLower(word), noteWords)
	switch {
	case colon && word == near:
		return &Note{Word: word, Value: value, Line: line.line}, "", ""
	case near == "" || !looksLike(near, value, colon):
		return nil, "", ""
	case !colon && word != near:
		return nil, "", ""
	case !colon:
		problem = fmt.Sprintf("the note %q lacks its colon", word)
	default:
		problem = fmt.Sprintf("%q is not a note", word+":")
	}
	return nil, problem, fmt.Sprintf("write `-- %s: %s`; if this is prose, begin the line with another word", near, value)
}

// looksLike tells whether value could be what a note of that word holds.
func looksLike(word, value string, colon bool) bool {
	single := value != "" && !strings.ContainsAny(value, " \t.")
	switch word {
	case NoteEngine, NoteRead, NoteWrites:
		return single && (colon || badValue(word, value) == "")
	case NoteReturns:
		return single && colon
	case NoteDiffers:
		return strings.Contains(value, "because")
	default: // keys
		return strings.Contains(value, "{") || strings.HasPrefix(value, "group ") ||
			strings.HasPrefix(value, "nothing,") || single && colon
	}
}

// badValue tells what is wrong with the value of a note, or "".
func badValue(word, value string) (mend string) {
	switch word {
	case NoteEngine:
		if value != string(sqltext.Postgres) && value != string(sqltext.SQLite) {
			return "the engines are postgres and sqlite"
		}
	case NoteReturns:
		if !token.IsIdentifier(value) || !token.IsExported(value) {
			return "name one Go type, as in `-- returns: Memory`"
		}
	case NoteWrites:
		if value != "yes" {
			return "write `-- writes: yes`, or leave the note out: what the SQL shows needs no note"
		}
	case NoteRead:
		if value != "replica" {
			return "write `-- read: replica`, or leave the note out"
		}
	case NoteDiffers:
		_, mend = parseDiffers(value)
		return mend
	case NoteCache:
		_, mend = parseCache(value)
		return mend
	case NoteInvalidates:
		_, mend = parseInvalidates(value)
		return mend
	}
	return ""
}

// repeatable tells whether a query may carry several notes of that word.
func repeatable(word string) bool { return word == NoteInvalidates }
