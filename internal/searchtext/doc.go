// Package searchtext is the one search analyzer of the service. It turns the
// content of a memory into the tokens that both engines index, turns what a
// user types into a [Query] over the same tokens, and marks the matches in the
// original text.
//
// PostgreSQL and SQLite split, fold and stem text each in its own way, and
// PostgreSQL's way depends on the locale besides. So neither is asked to: the
// engines only see tokens of ASCII letters and digits that no parser of theirs
// splits or alters, and the same query finds the same memories on both.
//
// # The chain
//
//  1. Words. The text is cut at the word boundaries of Unicode Standard Annex
//     #29 (github.com/rivo/uniseg, Unicode 15). Spaces and punctuation are
//     dropped, and so is ill-formed UTF-8. An ideograph is a word by itself,
//     and so is an emoji.
//  2. Folding. Compatibility forms are decomposed (NFKD), marks and invisible
//     format characters removed, case folded in full, and the rest composed
//     again (NFKC), by golang.org/x/text: café, CAFÉ and cafe are one word,
//     Straße is strasse, the ligature ﬁ is fi.
//  3. Words again. A folded word may hold several: ﷺ is four. Apostrophes
//     vanish (don't is dont); any other character that is no letter, number,
//     spacing mark or symbol (category So) parts two tokens: 3.14 is 3 and 14,
//     snake_case is snake and case.
//  4. Stems. A token of ASCII letters alone is reduced by the English stemmer
//     of the Snowball project, known as Porter2 (github.com/kljensen/snowball):
//     running is run. Stop words are kept: "to be or not to be" is a phrase.
//  5. Spelling. The token is written as [a-z][a-z0-9]*, see below.
//
// Every step looks at one word at a time and never at its neighbours. That is
// why words copied from a text and put in quotes find the text.
//
// # Spelling of tokens
//
// Different tokens are always spelt differently:
//
//	run      letters and digits that start with a letter other than x: as they are
//	xxray    "xx" and the token, if it starts with x
//	xd42nd   "xd" and the token, if it starts with a digit: PostgreSQL's parser
//	         would read 1e5 as a floating-point number
//	xu...    "xu" and the UTF-8 bytes in lower-case base32hex, for anything else
//	xh...    "xh" and 128 bits of SHA-256 in base32hex, in place of any of the
//	         above that is longer than 128 bytes
//
// # Limits
//
// A tsvector holds at most 1 MiB of lexemes and positions. [Analyze] counts an
// upper bound of what its result needs and leaves out the end of a text that
// needs more, which takes some hundred thousand different words. See
// [MaxVectorBytes] and [MaxBytes].
//
// # Changing the chain
//
// What is stored was made by the chain as it was then. Any change to it, be it
// a newer Unicode in a library or in Go itself, makes stored tokens differ from
// those of queries, and every stored search_text must be made anew. [Version]
// numbers the chain; a test holds a checksum over all of Unicode and fails when
// the chain changes and Version does not.
package searchtext

// Version numbers the analysis chain. Stored search texts made by another
// version must be made anew.
const Version = 1
