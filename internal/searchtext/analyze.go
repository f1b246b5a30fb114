package searchtext

import "strings"

const (
	// MaxVectorBytes bounds the lexemes and positions of the tsvector that
	// PostgreSQL makes of a search text. It refuses 1<<20 and more.
	MaxVectorBytes = 1<<20 - 1

	// MaxBytes bounds the search text itself. Ordinary text stays far below:
	// one MiB of Chinese comes to 2.7 MiB. It stops the few characters that
	// stand for a whole sentence.
	MaxBytes = 4 << 20
)

const (
	// maxPositions is how many positions a tsvector can tell apart.
	maxPositions = 1<<14 - 1

	// positionBytes is the size of one position in a tsvector.
	positionBytes = 2

	// lexemeOverhead is what a lexeme takes beside its bytes: one byte of
	// alignment, a two-byte count of positions, and one position. That is all:
	// a position below maxPositions belongs to one lexeme only, so that these
	// come to maxPositions in the whole vector, and the last one is stored at
	// most once for each lexeme.
	lexemeOverhead = 1 + 2 + positionBytes

	// lexemeBudget is what remains for lexemes and their overhead.
	lexemeBudget = MaxVectorBytes - maxPositions*positionBytes
)

// Analyze gives the search text of a text: its tokens in order, separated by
// one space. It never fails. The end of a text whose tokens exceed
// [MaxVectorBytes] or [MaxBytes] is left out.
func Analyze(text string) string {
	// Most words grow a little or not at all; those that do reallocate once.
	w := writer{out: make([]byte, 0, len(text)+len(text)/8)}

	newScanner().scan(text, func(tokens string, _, _ int) bool {
		for token := range strings.SplitSeq(tokens, " ") {
			if !w.add(token) {
				return false
			}
		}
		return true
	})

	return string(w.out)
}

// writer collects tokens within the limits.
type writer struct {
	out []byte

	// used is the part of lexemeBudget that out takes. While seen is nil every
	// token counts as new: most texts fit even so and need no set.
	used int
	seen map[string]struct{}
}

// add appends a token and tells whether it fitted.
func (w *writer) add(token string) bool {
	if len(w.out)+1+len(token) > MaxBytes || !w.take(token) {
		return false
	}
	if len(w.out) > 0 {
		w.out = append(w.out, ' ')
	}
	w.out = append(w.out, token...)
	return true
}

// take pays for a token out of the budget.
func (w *writer) take(token string) bool {
	cost := len(token) + lexemeOverhead
	if w.seen == nil {
		if w.used+cost <= lexemeBudget {
			w.used += cost
			return true
		}
		w.recount()
	}
	if _, ok := w.seen[token]; ok {
		return true
	}
	if w.used+cost > lexemeBudget {
		return false
	}
	w.used += cost
	w.seen[token] = struct{}{}
	return true
}

// recount turns from counting every token to counting each different one.
func (w *writer) recount() {
	w.used, w.seen = 0, make(map[string]struct{})
	if len(w.out) == 0 {
		return
	}
	for token := range strings.SplitSeq(string(w.out), " ") {
		if _, ok := w.seen[token]; !ok {
			w.used += len(token) + lexemeOverhead
			w.seen[token] = struct{}{}
		}
	}
}
