package searchtexttest

import (
	"fmt"
	"strings"
	"unicode"
)

// MaxContent is the length of the longest content that the service takes.
const MaxContent = 1 << 20

// HugeTexts are contents of the greatest length, made to overflow what is made
// of them, each by its name.
func HugeTexts() map[string]string {
	return map[string]string{
		"short words":    Fill(func(i int) string { return ShortWord(i) + " " }),
		"short numbers":  Fill(func(i int) string { return fmt.Sprintf("%x ", i) }),
		"words repeated": Fill(func(i int) string { return ShortWord(i%2000) + " " }),
		"positions used up": Fill(func(i int) string {
			if i < 1<<14 {
				return ShortWord(i%80) + " "
			}
			return fmt.Sprintf("%05x ", i)
		}),
		"one word":            Fill(func(int) string { return "a " }),
		"longest tokens":      Fill(func(i int) string { return fmt.Sprintf("%0126d ", i) }),
		"replaced words":      Fill(func(i int) string { return fmt.Sprintf("%0130d ", i) }),
		"ideographs":          Fill(func(i int) string { return string(rune(0x4E00 + i%20_000)) }),
		"rare ideographs":     Fill(func(i int) string { return string(rune(0x20000 + i%42_000)) }),
		"alternating scripts": Fill(func(i int) string { return string(rune(0x4E00+i%20_000)) + ShortWord(i) }),
		"sentence ligature":   Fill(func(int) string { return "ﷺ" }),
		"sentence ligatures":  Fill(func(int) string { return "ﷺ " }),
		"emoji":               Fill(func(i int) string { return string(rune(0x1F300 + i%0x700)) }),
		"flags":               Fill(func(i int) string { return string(rune(0x1F1E6 + i%26)) }),
		"one letter, many marks": "e" + Fill(func(i int) string {
			return string(rune(0x300 + i%0x70))
		})[1:],
		"letters with many marks": Fill(func(i int) string {
			return ShortWord(i) + strings.Repeat("\u0316\u0301\u0489", 20)
		}),
		"symbols":       Fill(func(i int) string { return string(rune(unicode.So.R16[i%len(unicode.So.R16)].Lo)) }),
		"apostrophes":   Fill(func(int) string { return "a'" }),
		"joiners":       Fill(func(int) string { return "👩\u200d" }),
		"ill-formed":    Fill(func(i int) string { return string([]byte{0x80 | byte(i), 'a'}) }), //nolint:gosec // any byte will do
		"no words":      Fill(func(int) string { return "\u0301 +" }),
		"long sentence": Fill(func(int) string { return "กขฃคฅฆงจฉชซฌญฎฏฐฑฒณด" }),
	}
}

// Fill joins pieces to a text of MaxContent bytes, and cuts the last one.
func Fill(piece func(i int) string) string {
	var b strings.Builder
	for i := 0; b.Len() < MaxContent; i++ {
		b.WriteString(piece(i))
	}
	return b.String()[:MaxContent]
}

// ShortWord counts in letters: a, b, … z, aa, ab, ….
func ShortWord(i int) string {
	var word []byte
	for i++; i > 0; i = (i - 1) / 26 {
		word = append(word, byte('a'+(i-1)%26))
	}
	return string(word)
}

// VectorBytes counts the lexemes and positions of a tsvector of these tokens as
// PostgreSQL does when it compares them with its limit.
func VectorBytes(tokens []string) int {
	const maxPosition, maxPositions = 1<<14 - 1, 255

	type lexeme struct{ positions, last int }
	lexemes := make(map[string]*lexeme)
	for i, token := range tokens {
		l := lexemes[token]
		if l == nil {
			l = new(lexeme)
			lexemes[token] = l
		}
		if position := min(i+1, maxPosition); l.positions < maxPositions && position != l.last {
			l.positions++
			l.last = position
		}
	}
	size := 0
	for token, l := range lexemes {
		size += len(token) + len(token)%2 + 2 + 2*l.positions
	}
	return size
}
