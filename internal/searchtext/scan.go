package searchtext

import (
	"strings"
	"unicode/utf8"

	"github.com/rivo/uniseg"
	"golang.org/x/text/cases"
)

const (
	// maxWordBytes cuts words of inhuman length into pieces, so that the work
	// on one of them stays bounded.
	maxWordBytes = 4 << 10

	// maxCached bounds the memory of a scan. A text of a million bytes has
	// some ten thousand different words.
	maxCached = 1 << 14
)

// scanner finds the words of a text and their tokens. It is for one goroutine.
type scanner struct {
	caser cases.Caser

	// cache holds the tokens of words already met, for a word that comes again
	// need not be folded and stemmed again.
	cache map[string]string
}

func newScanner() *scanner {
	return &scanner{caser: cases.Fold(), cache: make(map[string]string)}
}

// emitFunc receives the tokens of one word, separated by one space, and where
// the word stands in the text. It returns false to end the scan.
type emitFunc func(tokens string, start, end int) bool

// scan calls emit for each word of text that has tokens, in order.
//
// Any ASCII character but letters, digits and the apostrophe parts tokens
// whatever stands beside it, so the text is first cut there. What remains goes
// by the Unicode rules; where it is ASCII alone, these come down to
// asciiWord, which is an order of magnitude faster.
func (s *scanner) scan(text string, emit emitFunc) {
	for start := 0; start < len(text); {
		end, ascii := start, true
		for end < len(text) && inWord(text[end]) {
			ascii = ascii && text[end] < utf8.RuneSelf
			end++
		}
		if !s.scanChunk(text, start, end, ascii, emit) {
			return
		}
		start = end + 1
	}
}

func (s *scanner) scanChunk(text string, start, end int, ascii bool, emit emitFunc) bool {
	firstWord := unicodeWord
	if ascii {
		firstWord = asciiWord
	}
	for start < end {
		word := firstWord(text[start:end])
		if tokens := s.tokens(word); tokens != "" && !emit(tokens, start, start+len(word)) {
			return false
		}
		start += len(word)
	}
	return true
}

// tokens gives the tokens of a word by way of the cache.
func (s *scanner) tokens(word string) string {
	if tokens, ok := s.cache[word]; ok {
		return tokens
	}
	tokens := s.analyzeWord(word)
	if len(s.cache) < maxCached {
		s.cache[word] = tokens
	}
	return tokens
}

// analyzeWord folds a word and gives the spelling of what it holds.
func (s *scanner) analyzeWord(word string) string {
	if isASCII(word) {
		return spell(foldASCII(word))
	}
	var tokens []string
	for rest := fold(s.caser, word); rest != ""; {
		part := unicodeWord(rest)
		rest = rest[len(part):]
		for _, token := range strings.FieldsFunc(dropApostrophes(part), isSeparator) {
			if strings.ContainsFunc(token, isSubstance) {
				tokens = append(tokens, spell(token))
			}
		}
	}
	return strings.Join(tokens, " ")
}

// unicodeWord gives the first word of a text that is not empty.
//
// The state that uniseg would carry from word to word is left out on purpose:
// so a word depends on nothing that stands before it.
func unicodeWord(text string) string {
	word, _, _ := uniseg.FirstWordInString(head(text, maxWordBytes), -1)
	return word
}

// asciiWord gives the first word of a text of ASCII letters, digits and
// apostrophes that is not empty: one apostrophe between two letters or between
// two digits belongs to the word.
func asciiWord(text string) string {
	text = head(text, maxWordBytes)
	if text[0] == '\'' {
		return text[:1]
	}
	for i := 1; i < len(text); i++ {
		if text[i] != '\'' {
			continue
		}
		if i+1 == len(text) || text[i+1] == '\'' || isDigit(text[i-1]) != isDigit(text[i+1]) {
			return text[:i]
		}
	}
	return text
}

// head cuts a text to at most n bytes, and not within a rune. Where bytes are
// ill-formed it may do so, but never cuts to nothing.
func head(text string, n int) string {
	if len(text) <= n {
		return text
	}
	for cut := n; cut > n-utf8.UTFMax && cut > 0; cut-- {
		if utf8.RuneStart(text[cut]) {
			return text[:cut]
		}
	}
	return text[:n]
}

func inWord(c byte) bool {
	return c >= utf8.RuneSelf || isDigit(c) || c == '\'' || 'a' <= c|0x20 && c|0x20 <= 'z'
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
