// Package searchtexttest gives tests the texts that are hard to search: for the
// analyzer's own tests and for those of the engines that index what it makes.
package searchtexttest

import (
	"strings"

	"github.com/rivo/uniseg"
	"pgregory.net/rapid"
)

// Atoms are pieces of text that meet the rules of segmentation, folding and
// quoting from all sides. Some are ill-formed UTF-8.
func Atoms() []string {
	return []string{
		"a", "b", "x", "xu", "xd1", "run", "running", "Runs", "I", "İ", "ı", "STRASSE", "straße", "ẞ", "café", "e\u0301", "ﬁ", "ſ", "K",
		"0", "1", "42", "3.14", "1e5", "½", "②", "٣", "９",
		" ", " ", " ", " ", "\n", "\t", "\u00a0", "\u3000", "\u2028", "\u0085",
		"'", "'", "’", "ʼ", "‘", "don't", ".", ",", ":", "·", "_", "-", "+", "/", "@", "\"", "\"", "“", "”", "«", "»", "<", "&",
		"東京", "の", "が", "か\u3099", "テスト", "ﾃﾞ", "ー", "㍿", "한국", "\u1112\u1161\u11ab", "ไทย", "की", "क्ष", "ﷺ", "السلام", "צה\"ל", "שָׁלוֹם", "׳", "ΣΊΣΥΦΟΣ", "ς", "Ω", "ﬃ", "ŉ",
		"🚀", "👍🏽", "👩\u200d🚀", "🇫", "🇷", "🇫🇷", "1\ufe0f\u20e3", "❤\ufe0f", "©", "™", "\U0001F3FD",
		"\u0301", "\u0345", "\u034f", "\u00ad", "\u200b", "\u200c", "\u200d", "\u2060", "\ufeff", "\u202e", "\u20dd", "\u0600",
		"\x00", "\xff", "\xc3", "\xed\xa0\x80", "\xf0\x9f", "\ufffd", "\ufffc", "\U0010ffff", "\ue000", "\r\n",
	}
}

// Text draws short texts that are made of atoms and of any code points.
func Text() *rapid.Generator[string] {
	atoms := Atoms()
	return rapid.Map(rapid.SliceOfN(rapid.OneOf(
		rapid.SampledFrom(atoms), rapid.SampledFrom(atoms), rapid.SampledFrom(atoms),
		rapid.StringN(0, 3, -1),
	), 0, 24), func(parts []string) string { return strings.Join(parts, "") })
}

// Words gives what uniseg cuts the whole of a text into.
func Words(text string) []string {
	var all []string
	for state := -1; text != ""; {
		var word string
		word, text, state = uniseg.FirstWordInString(text, state)
		all = append(all, word)
	}
	return all
}
