package searchtext

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// fold takes from a word what a searcher does not mean: compatibility forms,
// marks, invisible characters and case.
func fold(caser cases.Caser, word string) string {
	bare := strings.Map(dropMark, norm.NFKD.String(word))
	return norm.NFKC.String(caser.String(bare))
}

// foldASCII is fold and dropApostrophes for a word of ASCII letters, digits and
// apostrophes.
func foldASCII(word string) string {
	return strings.ReplaceAll(strings.ToLower(word), "'", "")
}

// dropMark removes marks that are not spacing, and format characters such as
// the soft hyphen. A spacing mark is a vowel in the scripts of India: it stays.
func dropMark(r rune) rune {
	if unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf) {
		return -1
	}
	return r
}

func dropApostrophes(s string) string {
	return strings.Map(func(r rune) rune {
		switch r {
		case '\'', '‘', '’', '‛', 'ʻ', 'ʼ':
			return -1
		}
		return r
	}, s)
}

// isSeparator tells that a rune is part of no token.
func isSeparator(r rune) bool { return !isSubstance(r) && !unicode.Is(unicode.Mc, r) }

// isSubstance tells that a rune can make a token by itself. The replacement
// characters, though symbols, only tell that something is missing; ill-formed
// UTF-8 is read as one of them.
func isSubstance(r rune) bool {
	if r == utf8.RuneError || r == '\uFFFC' {
		return false
	}
	return unicode.In(r, unicode.L, unicode.N, unicode.So)
}
