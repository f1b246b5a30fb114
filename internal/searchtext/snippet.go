package searchtext

import (
	"cmp"
	"html"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rivo/uniseg"
)

// omission stands where a snippet leaves out text.
const omission = "…"

// Snippet is a part of a text with its matches.
type Snippet struct {
	// Text is the part, with … at an end where text was left out. It is
	// well-formed UTF-8.
	Text string

	// Ranges are the matches in Text, in bytes, each from its first to before
	// its last. They are in order and neither overlap nor touch.
	Ranges [][2]int
}

// HTML gives the text escaped, with each match in a mark element.
func (s Snippet) HTML() string {
	var b strings.Builder
	done := 0
	for _, r := range s.Ranges {
		b.WriteString(html.EscapeString(s.Text[done:r[0]]))
		b.WriteString("<mark>")
		b.WriteString(html.EscapeString(s.Text[r[0]:r[1]]))
		b.WriteString("</mark>")
		done = r[1]
	}
	b.WriteString(html.EscapeString(s.Text[done:]))
	return b.String()
}

// newSnippet cuts a part out of a text with its marks, which lie within.
func newSnippet(text string, part span, marks []span) Snippet {
	var (
		b      strings.Builder
		ranges [][2]int
	)
	write := func(start, end int) {
		b.WriteString(strings.ToValidUTF8(text[start:end], string(utf8.RuneError)))
	}

	if strings.TrimSpace(text[:part.start]) != "" {
		b.WriteString(omission)
	}
	done := part.start
	for _, mark := range join(marks) {
		write(done, mark.start)
		start := b.Len()
		write(mark.start, mark.end)
		ranges = append(ranges, [2]int{start, b.Len()})
		done = mark.end
	}
	write(done, part.end)
	if strings.TrimSpace(text[part.end:]) != "" {
		b.WriteString(omission)
	}
	return Snippet{Text: b.String(), Ranges: ranges}
}

// join sorts marks and makes one of those that overlap or touch.
func join(marks []span) []span {
	slices.SortFunc(marks, func(a, b span) int { return cmp.Compare(a.start, b.start) })
	joined := marks[:0]
	for _, mark := range marks {
		if last := len(joined) - 1; last >= 0 && mark.start <= joined[last].end {
			joined[last].end = max(joined[last].end, mark.end)
			continue
		}
		joined = append(joined, mark)
	}
	return joined
}

// cutAround gives a part of at most maxRunes around a core, as much before it
// as after it where there is text, cut between words. A core that is longer
// gives as much as fits of its beginning. Without a core it is the beginning of
// the text.
func cutAround(text string, core span, maxRunes int) span {
	if core == (span{}) {
		return beginning(text, maxRunes)
	}
	spare := maxRunes - utf8.RuneCountInString(text[core.start:core.end])
	if spare <= 0 {
		return span{core.start, graphemesEnd(text[:core.end], core.start, maxRunes)}
	}

	_, before := stepBack(text, core.start, spare)
	_, after := stepForward(text, core.end, spare)
	before = min(before, max(spare/2, spare-after))

	from, before := stepBack(text, core.start, before)
	to, _ := stepForward(text, core.end, spare-before)
	return span{wordStart(text, from, core.start), wordEnd(text, to, core.end)}
}

// beginning gives the first words of a text that fit into maxRunes, or as much
// as fits of the first one.
func beginning(text string, maxRunes int) span {
	start := len(text) - len(strings.TrimLeftFunc(text, unicode.IsSpace))
	to, _ := stepForward(text, start, maxRunes)
	end := wordEnd(text, to, start)
	if end == start {
		end = graphemesEnd(text, start, maxRunes)
	}
	return span{start, end}
}

// stepBack goes back up to n code points and tells how many it went.
func stepBack(text string, offset, n int) (int, int) {
	steps := 0
	for ; steps < n && offset > 0; steps++ {
		_, size := utf8.DecodeLastRuneInString(text[:offset])
		offset -= size
	}
	return offset, steps
}

// stepForward goes ahead up to n code points and tells how many it went.
func stepForward(text string, offset, n int) (int, int) {
	steps := 0
	for ; steps < n && offset < len(text); steps++ {
		_, size := utf8.DecodeRuneInString(text[offset:])
		offset += size
	}
	return offset, steps
}

// wordStart gives the first start of a word in [from, limit), or limit.
func wordStart(text string, from, limit int) int {
	// A run of words can be entered anywhere: one wrong border at the most comes
	// of it, and it lies before from.
	const reach = 64

	at, _ := stepBack(text, from, reach)
	for at < from {
		at += len(unicodeWord(text[at:limit]))
	}
	return limit - len(strings.TrimLeftFunc(text[at:limit], unicode.IsSpace))
}

// wordEnd gives the last end of a word in (limit, to], or limit.
func wordEnd(text string, to, limit int) int {
	at := limit
	for at < to {
		word := unicodeWord(text[at:])
		if at+len(word) > to {
			break
		}
		at += len(word)
	}
	return limit + len(strings.TrimRightFunc(text[limit:at], unicode.IsSpace))
}

// graphemesEnd gives the end of as many whole characters, as readers see them,
// as fit into maxRunes. A single one that does not fit is cut.
func graphemesEnd(text string, start, maxRunes int) int {
	limit, _ := stepForward(text, start, maxRunes)
	// One code point more tells whether the last character ends at the limit.
	beyond, _ := stepForward(text, limit, 1)

	end, rest, state := start, text[start:beyond], -1
	for rest != "" {
		var character string
		character, rest, _, state = uniseg.FirstGraphemeClusterInString(rest, state)
		if end+len(character) > limit {
			break
		}
		end += len(character)
	}
	if end == start {
		return limit
	}
	return end
}
