package searchtext_test

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/hal9-ai/hal9/internal/searchtext"
)

func TestAnalyze(t *testing.T) {
	t.Parallel()

	for _, tt := range []struct{ name, text, want string }{
		{"empty", "", ""},
		{"no words", " \t-- +++ !? … \"\" ' ’ \u200b", ""},
		{"stem", "Running runs run", "run run run"},
		{"stop words stay", "To be, or not to be", "to be or not to be"},
		{"stop words are stemmed", "having have", "have have"},
		{"accents", "café CAFÉ cafe cafe\u0301", "cafe cafe cafe cafe"},
		{"sharp s", "Straße STRASSE strasse STRAẞE", "strass strass strass strass"},
		{"ligature", "ﬁne fine", "fine fine"},
		{"full width", "ＨＡＬ９", "hal9"},
		{"Turkish capital", "İstanbul", "istanbul"},
		{"final sigma", "ΣΊΣΥΦΟΣ σίσυφος", "σισυφοσ σισυφοσ"},
		{"ideographs", "東京", "東 京"},
		{"one ligature, four words", "ﷺ", "صلى الله عليه وسلم"},
		{"voiced kana by either form", "が か\u3099", "か か"},
		{"half width kana", "ﾃｽﾄ テスト", "テスト テスト"},
		{"half width voiced kana", "ﾃﾞｰﾀ データ", "テータ テータ"},
		{"Hangul by either form", "한국 \u1112\u1161\u11ab\u1100\u116e\u11a8", "한국 한국"},
		{"spacing mark within a word", "की", "की"},
		{"symbols around words", "C++ -x #tag @me $5 50%", "c x tag me 5 50"},
		{"apostrophes", "don't don’t DONʼT rock'n'roll 'quoted' dogs'", "dont dont dont rocknrol quot dog"},
		{"apostrophes that join nothing", "a''b a'1 1'a a1'b 5'10", "a b a 1 1 a a1 b 510"},
		{"inner punctuation", "3.14 a.b snake_case x-ray 1,000", "3 14 a b snake case x ray 1 000"},
		{"inner punctuation beyond ASCII", "Müller_straße·l’été", "muller strass lete"},
		{"numbers", "1e5 0x1F v2 ½ ② Ⅳ", "1e5 0x1f v2 1 2 2 iv"},
		{"starts with x", "x xd5 xuab", "x xd5 xuab"},
		{"emoji", "🚀🚀 👍🏽 👍", "🚀 🚀 👍 👍"},
		{"emoji joined", "👩\u200d🚀", "👩 🚀"},
		{"flags", "🇫🇷🇩🇪", "🇫🇷 🇩🇪"},
		{"invisible characters", "co\u00adop\u2060erate\ufeff", "cooper"},
		{"ill-formed", "a\xffb \xc3 \xed\xa0\x80 \ufffd\ufffc", "a b"},
		{"NUL", "a\x00b", "a b"},
		{"SQL", `'; DROP TABLE memories; --`, "drop tabl memori"},
		{"quotes split", `צה"ל`, "צה ל"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			searchText := searchtext.Analyze(tt.text)
			if got := readTokens(t, searchText); got != tt.want {
				t.Errorf("Analyze(%q) = %q, that is\n     %q\nwant %q", tt.text, searchText, got, tt.want)
			}
		})
	}
}

func TestAnalyzeSpelling(t *testing.T) {
	t.Parallel()

	const (
		text = "running 1e5 x x-ray 東京 0123456789"
		want = "run xd1e5 xxx xxx ray xusqer2 xusitao xd0123456789"
	)
	if got := searchtext.Analyze(text); got != want {
		t.Errorf("Analyze(%q)\n got %q\nwant %q", text, got, want)
	}
}

// Long words are cut or replaced, but never into something that two of them
// share.
func TestAnalyzeLongWords(t *testing.T) {
	t.Parallel()

	long := strings.Repeat("abcdefghij", 20)
	first, second := searchtext.Analyze(long+"k"), searchtext.Analyze(long+"l")
	if first == second {
		t.Errorf("two different words of 201 letters are both %q", first)
	}

	// A word without end is taken in pieces of four KiB.
	for _, letter := range []string{"a", "ж"} {
		pieces := checkTokens(t, searchtext.Analyze(strings.Repeat(letter, 1<<20/len(letter))))
		if len(pieces) != 256 {
			t.Errorf("a word of one MiB of %s has %d tokens, want 256", letter, len(pieces))
		}
	}

	for _, text := range []string{
		long, strings.Repeat("é", 300), strings.Repeat("9", 129),
		strings.Repeat("a\u0301\u0302", 1<<17),
		strings.Repeat("\xff", 1<<20), strings.Repeat("\x80", 5000), strings.Repeat("a'", 1<<19),
	} {
		checkTokens(t, searchtext.Analyze(text))
	}
}

// The checksum is over the tokens of every code point, alone and between two
// letters. When it changes, stored search texts no longer agree with queries.
func TestVersionPinsTheChain(t *testing.T) {
	t.Parallel()

	const (
		version = 1
		sum     = "6981fb3825054244fc2be19f38674c5005fb9935db34f80cfddb55b4992c0f8e"
	)
	digest := sha256.New()
	for block := rune(0); block <= utf8.MaxRune; block += 256 {
		if block >= 0x34000 && block < 0xE0000 || block >= 0xE0200 {
			continue // unassigned, or for private use
		}
		var text strings.Builder
		for r := block; r < block+256; r++ {
			fmt.Fprintf(&text, "%c a%cb\n", r, r)
		}
		if _, err := io.WriteString(digest, searchtext.Analyze(text.String())+"\n"); err != nil {
			t.Fatal(err)
		}
	}
	if got := hex.EncodeToString(digest.Sum(nil)); got != sum || searchtext.Version != version {
		t.Errorf("the chain has changed, or its version: checksum %s at version %d, want %s at version %d.\n"+
			"Raise searchtext.Version, have stored search texts made anew, and put the new values here.",
			got, searchtext.Version, sum, version)
	}
}

// readTokens undoes the spelling: that it can be undone is what keeps different
// tokens different.
func readTokens(tb testing.TB, searchText string) string {
	tb.Helper()
	tokens := checkTokens(tb, searchText)
	for i, token := range tokens {
		switch {
		case strings.HasPrefix(token, "xu"):
			b, err := base32.HexEncoding.WithPadding(base32.NoPadding).DecodeString(strings.ToUpper(token[2:]))
			if err != nil {
				tb.Fatalf("token %q: %v", token, err)
			}
			tokens[i] = string(b)
		case strings.HasPrefix(token, "xd"), strings.HasPrefix(token, "xx"):
			tokens[i] = token[2:]
		case token[0] == 'x' && !strings.HasPrefix(token, "xh"):
			tb.Fatalf("token %q has no known prefix", token)
		}
	}
	return strings.Join(tokens, " ")
}

var tokenPattern = regexp.MustCompile(`^[a-z][a-z0-9]{0,127}$`)

// checkTokens checks the shape of a search text and gives its tokens.
func checkTokens(tb testing.TB, searchText string) []string {
	tb.Helper()
	if searchText == "" {
		return nil
	}
	tokens := strings.Split(searchText, " ")
	for _, token := range tokens {
		if !tokenPattern.MatchString(token) {
			tb.Fatalf("token %q does not match %s", token, tokenPattern)
		}
	}
	return tokens
}
