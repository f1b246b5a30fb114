package searchtext

import "unicode/utf8"

// DefaultSnippetRunes is the length of a snippet unless said otherwise.
const DefaultSnippetRunes = 200

// HighlightOptions shape a snippet. The zero value will do.
type HighlightOptions struct {
	// MaxRunes is the longest snippet in code points, without the marks of
	// omission. Zero means DefaultSnippetRunes.
	MaxRunes int

	// MaxScan is how many bytes of the text are searched for matches. Zero
	// means all of it.
	MaxScan int
}

// Highlighter marks what one query finds in many texts, such as a page of
// results: it remembers the words that they share. It is for one goroutine.
type Highlighter struct {
	query   Query
	opts    HighlightOptions
	scanner *scanner
}

// NewHighlighter makes a Highlighter for a query.
func NewHighlighter(q Query, opts HighlightOptions) *Highlighter {
	if opts.MaxRunes <= 0 {
		opts.MaxRunes = DefaultSnippetRunes
	}
	return &Highlighter{query: q, opts: opts, scanner: newScanner()}
}

// Highlight is [Highlighter.Highlight] for a single text.
func Highlight(original string, q Query, opts HighlightOptions) Snippet {
	return NewHighlighter(q, opts).Highlight(original)
}

// Highlight gives the first part of a text in which most of what the query asks
// for stands together, with the matched words marked. A word of a phrase is
// marked where the whole phrase stands, any other term wherever it stands. Of a
// text without matches it gives the beginning, without marks.
func (h *Highlighter) Highlight(original string) Snippet {
	scanned := original
	if h.opts.MaxScan > 0 {
		scanned = head(original, h.opts.MaxScan)
	}
	core := h.findCluster(scanned)
	part := cutAround(original, core, h.opts.MaxRunes)
	if core.start == core.end {
		return newSnippet(original, part, nil)
	}
	return newSnippet(original, part, h.findMarks(original, part))
}

// span is a part of a text in bytes.
type span struct{ start, end int }

// findCluster finds the first part of text, no longer than a snippet, that holds
// the most of the terms and phrases that the query wants. It ends early when it
// has found them all. Without matches the span is empty and at the start.
func (h *Highlighter) findCluster(text string) span {
	var (
		m     = newMatcher(h.query)
		count = runeCounter{text: text}
		near  = cluster{seen: make([]int, m.wants())}
		best  span
		most  int
	)
	if m.wants() == 0 {
		return best
	}
	h.scanner.scan(text, func(tokens string, start, end int) bool {
		m.word(tokens, span{start, end}, func(want int, at []span) {
			whole := span{at[0].start, at[len(at)-1].end}
			length := utf8.RuneCountInString(text[whole.start:whole.end])
			last := count.to(whole.end)
			near.add(match{span: whole, want: want, firstRune: last - length, lastRune: last}, h.opts.MaxRunes)
			if near.satisfied > most {
				best, most = near.span(), near.satisfied
			}
		})
		return most < m.wants()
	})
	return best
}

// findMarks finds the words within a part that match. A phrase may go on
// beyond the end of the part.
func (h *Highlighter) findMarks(text string, part span) []span {
	var (
		m     = newMatcher(h.query)
		marks []span
		after int
	)
	h.scanner.scan(text[part.start:], func(tokens string, start, end int) bool {
		word := span{part.start + start, part.start + end}
		m.word(tokens, word, func(_ int, at []span) {
			for _, w := range at {
				if w.start < part.end {
					marks = append(marks, span{w.start, min(w.end, part.end)})
				}
			}
		})
		if word.start >= part.end {
			after++
		}
		return after < m.longest
	})
	return marks
}

// match is a place in the text that satisfies a want of the query.
type match struct {
	span
	want                int
	firstRune, lastRune int
}

// cluster holds the last matches that fit into one snippet.
type cluster struct {
	matches   []match
	seen      []int
	satisfied int
}

// add takes the next match and lets go of those too far before it.
func (c *cluster) add(next match, maxRunes int) {
	kept := c.matches[:0]
	for _, m := range c.matches {
		if next.lastRune-m.firstRune <= maxRunes {
			kept = append(kept, m)
			continue
		}
		if c.seen[m.want]--; c.seen[m.want] == 0 {
			c.satisfied--
		}
	}
	c.matches = append(kept, next) //nolint:gocritic // kept is the front of the same array
	if c.seen[next.want]++; c.seen[next.want] == 1 {
		c.satisfied++
	}
}

func (c *cluster) span() span {
	whole := c.matches[0].span
	for _, m := range c.matches[1:] {
		whole.start, whole.end = min(whole.start, m.start), max(whole.end, m.end)
	}
	return whole
}

// runeCounter counts the code points before an offset that only grows.
type runeCounter struct {
	text         string
	bytes, runes int
}

func (c *runeCounter) to(offset int) int {
	c.runes += utf8.RuneCountInString(c.text[c.bytes:offset])
	c.bytes = offset
	return c.runes
}
