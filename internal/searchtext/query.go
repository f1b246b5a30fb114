package searchtext

import (
	"fmt"
	"slices"
	"strings"
)

// MaxQueryWords is how many words a query may hold.
const MaxQueryWords = 64

// TooManyWordsError is the only fault that a query can have.
type TooManyWordsError struct {
	// Limit is the number of words that are allowed.
	Limit int
}

// Error names the limit and the mend.
func (e *TooManyWordsError) Error() string {
	return fmt.Sprintf("the query holds more than %d words: search for fewer of them", e.Limit)
}

// Query is what a search asks for: every term, and every phrase word by word.
// Its tokens are spelt as those of [Analyze]. [ParseQuery] makes it.
type Query struct {
	// Terms are the tokens that must all be present, those of the phrases
	// included. None comes twice.
	Terms []string

	// Phrases are runs of two tokens or more, separated by one space, that must
	// be present as such. None comes twice.
	Phrases []string

	// words are the terms that are asked for outside phrases too.
	words []string
}

// ParseQuery reads a query as a user types it: words that must all be present,
// and "phrases" in double quotes, straight or curly. Nothing else has a
// meaning, so that any text is a query; a quote that is not closed is ignored,
// and a text without words gives an empty query.
//
// The error is a [*TooManyWordsError] for more than [MaxQueryWords] words.
func ParseQuery(text string) (Query, error) {
	var (
		q     Query
		s     = newScanner()
		parts = splitQuotes(text)
		count int
	)
	for i, part := range parts {
		var run []string
		s.scan(part, func(tokens string, _, _ int) bool {
			run = append(run, strings.Split(tokens, " ")...)
			return count+len(run) <= MaxQueryWords
		})
		if count += len(run); count > MaxQueryWords {
			return Query{}, &TooManyWordsError{Limit: MaxQueryWords}
		}

		// Between two quotes are the odd parts, but for a last one that no quote
		// closes.
		quoted := i%2 == 1 && i < len(parts)-1
		if quoted && len(run) > 1 {
			q.Phrases = appendNew(q.Phrases, strings.Join(run, " "))
		} else {
			q.words = appendNew(q.words, run...)
		}
		q.Terms = appendNew(q.Terms, run...)
	}
	return q, nil
}

// Empty tells that the query asks for nothing. There is nothing to search then:
// FTS5 refuses an empty MATCH.
func (q Query) Empty() bool { return len(q.Terms) == 0 }

// Match writes the terms so that FTS5's MATCH and websearch_to_tsquery('simple',
// …) both read "all of these": each in double quotes, separated by a space.
func (q Query) Match() string { return quoteEach(q.Terms, " ") }

// PhrasesJSON gives the phrases as a JSON array of strings. A search text holds
// a phrase if it holds it as a substring, both with a space added at each end.
// The positions of a tsvector would not do, for they end at 16,383.
func (q Query) PhrasesJSON() string { return "[" + quoteEach(q.Phrases, ",") + "]" }

// quoteEach needs no escapes: a token is of letters and digits.
func quoteEach(tokens []string, separator string) string {
	var b strings.Builder
	for i, token := range tokens {
		if i > 0 {
			b.WriteString(separator)
		}
		b.WriteByte('"')
		b.WriteString(token)
		b.WriteByte('"')
	}
	return b.String()
}

// splitQuotes cuts a text at its double quotes, of whatever shape: phones and
// word processors write curly ones unasked.
func splitQuotes(text string) []string {
	var parts []string
	start := 0
	for i, r := range text {
		switch r {
		case '"', '“', '”', '„', '‟', '«', '»', '＂':
			parts = append(parts, text[start:i])
			start = i + len(string(r))
		}
	}
	return append(parts, text[start:])
}

func appendNew(list []string, items ...string) []string {
	for _, item := range items {
		if !slices.Contains(list, item) {
			list = append(list, item)
		}
	}
	return list
}
